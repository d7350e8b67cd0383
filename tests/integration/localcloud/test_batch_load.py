"""Batch load tasks of Timestream for LiveAnalytics: files of S3 become rows, and what is refused is reported."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localcloud import LocalCloud

NOW = time.time_ns() // 10**6
HEADER = "host,region,at,cpu,status\n"
MODEL = {
    "TimeColumn": "at",
    "TimeUnit": "MILLISECONDS",
    "DimensionMappings": [{"SourceColumn": "host", "DestinationColumn": "hostname"}, {"SourceColumn": "region"}],
    "MultiMeasureMappings": {
        "TargetMultiMeasureName": "load",
        "MultiMeasureAttributeMappings": [
            {"SourceColumn": "cpu", "MeasureValueType": "DOUBLE"},
            {
                "SourceColumn": "status",
                "TargetMultiMeasureAttributeName": "http_status",
                "MeasureValueType": "BIGINT",
            },
        ],
    },
}
Eventually = Callable[..., Any]
Request = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def write(cloud: LocalCloud) -> Iterator[Any]:
    client = cloud.client("timestream-write")
    client.create_database(DatabaseName="loads")
    for name in ("files", "models"):
        client.create_table(
            DatabaseName="loads",
            TableName=name,
            RetentionProperties={"MemoryStoreRetentionPeriodInHours": 24, "MagneticStoreRetentionPeriodInDays": 30},
            MagneticStoreWriteProperties={"EnableMagneticStoreWrites": True},
        )
    for bucket in ("load-files", "load-reports"):
        cloud.client("s3").create_bucket(Bucket=bucket)
    yield client
    for name in ("files", "models"):
        client.delete_table(DatabaseName="loads", TableName=name)
    client.delete_database(DatabaseName="loads")


@pytest.fixture
def request_of(request: pytest.FixtureRequest) -> Request:
    """Makes a request whose files and reports are below the name of the test."""

    def make(model: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
        name = request.node.originalname
        return {
            "DataModelConfiguration": {"DataModel": model or MODEL},
            "DataSourceConfiguration": {
                "DataSourceS3Configuration": {"BucketName": "load-files", "ObjectKeyPrefix": f"{name}/"},
                "DataFormat": "CSV",
            },
            "ReportConfiguration": {"ReportS3Configuration": {"BucketName": "load-reports", "ObjectKeyPrefix": name}},
            "TargetDatabaseName": "loads",
            "TargetTableName": "files",
            **changes,
        }

    return make


@pytest.fixture
def ended(write: Any, eventually: Eventually) -> Callable[[str], dict[str, Any]]:
    """Waits for the end of a task, and gives its description."""

    def wait(task: str) -> dict[str, Any]:
        states = ("SUCCEEDED", "FAILED", "PROGRESS_STOPPED")

        def description() -> dict[str, Any] | None:
            found: dict[str, Any] = write.describe_batch_load_task(TaskId=task)["BatchLoadTaskDescription"]
            return found if found["TaskStatus"] in states else None

        answer: dict[str, Any] = eventually(description)
        return answer

    return wait


def put(cloud: LocalCloud, key: str, *lines: str) -> None:
    cloud.client("s3").put_object(Bucket="load-files", Key=key, Body=(HEADER + "\n".join(lines)).encode())


def ask(cloud: LocalCloud, query: str) -> list[list[Any]]:
    rows = cloud.client("timestream-query").query(QueryString=query)["Rows"]
    return [[cell.get("ScalarValue") for cell in row["Data"]] for row in rows]


def test_rows_of_all_files_below_the_prefix_are_in_the_table(
    cloud: LocalCloud, write: Any, request_of: Request, ended: Any
) -> None:
    name = "test_rows_of_all_files_below_the_prefix_are_in_the_table"
    put(cloud, f"{name}/a.csv", f"one,eu,{NOW},1.5,200", f"two,eu,{NOW},2.5,")
    put(cloud, f"{name}/deep/b.csv", f'"th,ree",us,{NOW - 20 * 86_400_000},3.5,404')
    task = write.create_batch_load_task(**request_of())["TaskId"]
    description = ended(task)
    assert (description["TaskStatus"], "ErrorMessage" in description) == ("SUCCEEDED", False)
    progress = description["ProgressReport"]
    assert (progress["RecordsProcessed"], progress["RecordsIngested"]) == (3, 3)
    assert progress["BytesMetered"] > 0
    found = ask(cloud, 'SELECT hostname, region, cpu, http_status, measure_name FROM "loads"."files" ORDER BY cpu')
    assert found == [
        ["one", "eu", "1.5", "200", "load"],
        ["two", "eu", "2.5", None, "load"],
        ["th,ree", "us", "3.5", "404", "load"],
    ]
    assert "Contents" not in cloud.client("s3").list_objects_v2(Bucket="load-reports", Prefix=f"{name}/")
    assert ended(write.create_batch_load_task(**request_of())["TaskId"])["TaskStatus"] == "SUCCEEDED"
    assert ask(cloud, 'SELECT count(*) FROM "loads"."files"') == [["3"]]


def test_what_is_refused_is_in_a_report_by_file_reason_and_lines(
    cloud: LocalCloud, write: Any, request_of: Request, ended: Any
) -> None:
    name = "test_what_is_refused_is_in_a_report_by_file_reason_and_lines"
    old = NOW - 90 * 86_400_000
    put(cloud, f"{name}/a.csv", f"r1,eu,{old},1,200", f"r2,eu,{old},1,200", f"r3,eu,{NOW},1,200", f"r4,eu,{old},1,200")
    put(cloud, f"{name}/b.csv", f"r5,eu,{NOW},much,200", "r6,eu,yesterday,1,200", f"r7,eu,{NOW}")
    cloud.client("s3").put_object(Bucket="load-files", Key=f"{name}/c.csv", Body=b"host,at\nr8,1\n")
    task = write.create_batch_load_task(**request_of())["TaskId"]
    description = ended(task)
    assert description["TaskStatus"] == "FAILED"
    progress = description["ProgressReport"]
    failures = [progress[name] for name in ("RecordIngestionFailures", "ParseFailures", "FileFailures")]
    assert (progress["RecordsIngested"], failures) == (1, [4, 2, 1])
    [listed] = cloud.client("s3").list_objects_v2(Bucket="load-reports", Prefix=f"{name}/{task}/")["Contents"]
    body = cloud.client("s3").get_object(Bucket="load-reports", Key=listed["Key"])["Body"].read()
    report = json.loads(body)
    assert (report["taskId"], report["taskErrors"]) == (task, [])
    lines = {
        (file["fileName"].rpartition("/")[2], error["reason"]): error["lineRanges"]
        for file in report["fileErrors"]
        for error in file["errors"]
    }
    assert lines == {
        ("a.csv", "The record timestamp is outside the time range of the data ingestion window (magnetic store)."): [
            [2, 3],
            [5, 5],
        ],
        ("b.csv", "The value 'much' of cpu is not of the type DOUBLE."): [[2, 2]],
        ("b.csv", "The time 'yesterday' is not a whole number of MILLISECONDS."): [[3, 3]],
        ("b.csv", "The row has 3 columns, and the header has 5."): [[4, 4]],
        ("c.csv", "The source column region is not in the header of the file."): [[1, 1]],
    }


def test_a_task_that_has_stopped_is_resumed_without_what_it_has_done(
    cloud: LocalCloud, write: Any, request_of: Request, ended: Any
) -> None:
    name, s3 = "test_a_task_that_has_stopped_is_resumed_without_what_it_has_done", cloud.client("s3")
    s3.create_bucket(Bucket="load-short-lived")
    put(cloud, f"{name}/a.csv", f"s1,eu,{NOW},1,200", "s2,eu,never,1,200")
    report = {"ReportS3Configuration": {"BucketName": "load-short-lived"}}
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject"}]}
    policy["Statement"][0]["Resource"] = "arn:aws:s3:::load-short-lived/*"  # type: ignore[index]
    s3.put_bucket_policy(Bucket="load-short-lived", Policy=json.dumps(policy))
    task = write.create_batch_load_task(**request_of(ReportConfiguration=report))["TaskId"]
    description = ended(task)
    assert description["TaskStatus"] == "PROGRESS_STOPPED", description
    assert description["ResumableUntil"] > description["LastUpdatedTime"]
    s3.delete_bucket_policy(Bucket="load-short-lived")
    write.resume_batch_load_task(TaskId=task)
    description = ended(task)
    assert (description["TaskStatus"], description["ProgressReport"]["RecordsProcessed"]) == ("FAILED", 2)
    with pytest.raises(ClientError, match="ValidationException"):
        write.resume_batch_load_task(TaskId=task)


def test_mixed_measures_and_a_model_in_s3(cloud: LocalCloud, write: Any, request_of: Request, ended: Any) -> None:
    name = "test_mixed_measures_and_a_model_in_s3"
    put(cloud, f"{name}/a.csv", f"m1;eu;{NOW // 1000};7;none".replace(";", "|"))
    body = cloud.client("s3").get_object(Bucket="load-files", Key=f"{name}/a.csv")["Body"].read()
    cloud.client("s3").put_object(Bucket="load-files", Key=f"{name}/a.csv", Body=body.replace(b",", b"|"))
    mixed = [
        {"SourceColumn": "cpu", "TargetMeasureName": "cpu", "MeasureValueType": "DOUBLE"},
        {"SourceColumn": "status", "TargetMeasureName": "status", "MeasureValueType": "BIGINT"},
    ]
    model = {"TimeColumn": "at", "TimeUnit": "SECONDS", "DimensionMappings": [{"SourceColumn": "host"}]}
    cloud.client("s3").put_object(
        Bucket="load-files", Key="model.json", Body=json.dumps(model | {"MixedMeasureMappings": mixed}).encode()
    )
    request = request_of(TargetTableName="models")
    request["DataModelConfiguration"] = {
        "DataModelS3Configuration": {"BucketName": "load-files", "ObjectKey": "model.json"}
    }
    request["DataSourceConfiguration"]["CsvConfiguration"] = {"ColumnSeparator": "|", "NullValue": "none"}
    assert ended(write.create_batch_load_task(**request)["TaskId"])["TaskStatus"] == "SUCCEEDED"
    found = ask(cloud, 'SELECT host, measure_name, "measure_value::double" FROM "loads"."models"')
    assert found == [["m1", "cpu", "7.0"]]


def test_a_token_starts_one_task_and_lists_are_paged(write: Any, request_of: Request, ended: Any) -> None:
    tokens = [f"token-{number}" for number in (1, 1, 2)]
    tasks = [write.create_batch_load_task(ClientToken=token, **request_of())["TaskId"] for token in tokens]
    assert (tasks[0] == tasks[1], tasks[0] == tasks[2]) == (True, False)
    with pytest.raises(ClientError, match="ConflictException"):
        write.create_batch_load_task(ClientToken="token-1", **request_of(RecordVersion=2))
    assert [ended(task)["TaskStatus"] for task in tasks] == ["SUCCEEDED"] * 3
    listed: list[str] = []
    following: dict[str, str] = {}
    while True:
        page = write.list_batch_load_tasks(MaxResults=1, TaskStatus="SUCCEEDED", **following)
        listed += [task["TaskId"] for task in page["BatchLoadTasks"]]
        if not (token := page.get("NextToken")):
            break
        following = {"NextToken": token}
    assert set(tasks) <= set(listed)
    assert len(listed) == len(set(listed))


def without(*names: str) -> dict[str, Any]:
    return {name: value for name, value in MODEL.items() if name not in names}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"TargetTableName": "nothing"}, "ResourceNotFoundException"),
        ({"TargetDatabaseName": "nothing"}, "ResourceNotFoundException"),
        ({"ReportConfiguration": {}}, "ValidationException"),
        ({"ReportConfiguration": {"ReportS3Configuration": {"BucketName": "no-such-bucket"}}}, "ValidationException"),
        ({"DataModelConfiguration": {}}, "ValidationException"),
        ({"DataModelConfiguration": {"DataModel": without("TimeColumn")}}, "ValidationException"),
        ({"DataModelConfiguration": {"DataModel": without("MultiMeasureMappings")}}, "ValidationException"),
        ({"DataModelConfiguration": {"DataModel": MODEL | {"MeasureNameColumn": "host"}}}, "ValidationException"),
        (
            {"DataModelConfiguration": {"DataModel": MODEL | {"DimensionMappings": [{"SourceColumn": "cpu"}]}}},
            "ValidationException",
        ),
        (
            {
                "ReportConfiguration": {
                    "ReportS3Configuration": {"BucketName": "load-reports", "EncryptionOption": "SSE_KMS"}
                }
            },
            "ValidationException",
        ),
    ],
)
def test_a_request_that_aws_refuses_starts_no_task(
    write: Any, request_of: Request, changes: dict[str, Any], code: str
) -> None:
    with pytest.raises(ClientError) as refused:
        write.create_batch_load_task(**request_of(**changes))
    assert refused.value.response["Error"]["Code"] == code


def test_a_task_that_is_not_there_is_not_found(write: Any) -> None:
    for operation in (write.describe_batch_load_task, write.resume_batch_load_task):
        with pytest.raises(ClientError, match="ResourceNotFoundException"):
            operation(TaskId="ABC123")
