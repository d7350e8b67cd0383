"""Timestream for LiveAnalytics: what is written is kept by its rules, and queries give real answers."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localcloud import LocalCloud

QUERIES = Path(__file__).with_name("timestream_queries.sql")
NOW = time.time_ns() // 10**9
CPU = {"host-1": [10.0, None, 30.0, 90.0], "host-2": [80.0, 70.0, 60.0, 50.0], "host-3": [5.0, 5.0, 5.0, 5.0]}


@pytest.fixture(scope="module")
def write(cloud: LocalCloud) -> Any:
    client = cloud.client("timestream-write")
    client.create_database(DatabaseName="devops")
    retention = {"MemoryStoreRetentionPeriodInHours": 24, "MagneticStoreRetentionPeriodInDays": 30}
    cloud.client("s3").create_bucket(Bucket="rejected")
    place = {"S3Configuration": {"BucketName": "rejected", "ObjectKeyPrefix": "late"}}
    for name, late in (("hosts", {"EnableMagneticStoreWrites": False}), ("late", None)):
        settings = late or {"EnableMagneticStoreWrites": True, "MagneticStoreRejectedDataLocation": place}
        client.create_table(
            DatabaseName="devops", TableName=name, RetentionProperties=retention, MagneticStoreWriteProperties=settings
        )
    for host, values in CPU.items():
        records = [
            {"MeasureValue": str(value), "Time": str(NOW - NOW % 30 - 60 * (4 - minute))}
            for minute, value in enumerate(values)
            if value is not None
        ]
        client.write_records(
            DatabaseName="devops", TableName="hosts", CommonAttributes=common(host=host), Records=records
        )
    return client


@pytest.fixture
def ask(cloud: LocalCloud, write: Any) -> Any:
    client = cloud.client("timestream-query")

    def run(query: str, **options: Any) -> list[list[Any]]:
        pages = client.get_paginator("query").paginate(QueryString=query, **options)
        return [[cell.get("ScalarValue", cell) for cell in row["Data"]] for page in pages for row in page["Rows"]]

    return run


def common(host: str = "host-9", **more: Any) -> dict[str, Any]:
    names = {"region": "eu", "az": "eu-1", "hostname": host}
    dimensions = [{"Name": name, "Value": value} for name, value in names.items()]
    attributes = {"MeasureName": "cpu_utilization", "MeasureValueType": "DOUBLE", "TimeUnit": "SECONDS"}
    return {"Dimensions": dimensions, **attributes, **more}


def named_queries() -> dict[str, str]:
    parts = re.split(r"^-- (.+)\n", QUERIES.read_text(), flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


EXPECTED: dict[str, list[list[Any]]] = {
    "hosts a tenth above the fleet": [["host-2", "65.0"]],
    "percentiles": [["10.0", "10.0"], ["30.0", "30.0"], ["90.0", "90.0"]],
    "linear": [["10.0"], ["15.0"], ["20.0"], ["25.0"], ["30.0"], ["60.0"], ["90.0"]],
    "last observation": [["10.0"], ["10.0"], ["10.0"], ["10.0"], ["30.0"], ["30.0"], ["90.0"]],
    "constant": [["10.0"], ["7.0"], ["7.0"], ["7.0"], ["30.0"], ["7.0"], ["90.0"]],
    "spline": [["10.0"], ["7.19"], ["7.5"], ["14.06"], ["30.0"], ["56.88"], ["90.0"]],
    "all hosts": [["host-2", "67.14"], ["host-1", "27.14"], ["host-3", "5.0"]],
    "share above": [["0.1429"]],
    "below": [["6"]],
    "count by reduce": [["7.0"]],
    "mean by reduce": [["35.7143"]],
    "thirty seconds": [["10.0"], ["30.0"], ["90.0"]],
}


@pytest.mark.parametrize("name", EXPECTED)
def test_the_kinds_of_queries_that_devops_teams_ask_give_the_right_answers(ask: Any, name: str) -> None:
    answer = ask(named_queries()[name])
    for row, expected in zip(answer, EXPECTED[name], strict=True):
        for cell, wanted in zip(row, expected, strict=True):
            try:
                assert float(cell) == pytest.approx(float(wanted), abs=0.011)
            except ValueError:
                assert cell == wanted


def test_every_query_of_the_file_is_checked() -> None:
    assert named_queries().keys() == EXPECTED.keys()
    assert len(EXPECTED) == 12


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("SELECT derivative_linear(x, 1m) FROM devops.hosts", "function derivative_linear is not supported"),
        ("SELECT cpu FROM devops.hosts", '"cpu" not found'),
        ("SELECT * FROM devops.nowhere", "The table nowhere does not exist"),
        ("SELECT * FROM nowhere.hosts", "The database nowhere does not exist"),
        ("DROP TABLE devops.hosts", "DROP is not supported by the local cloud: queries only"),
        ("SELECT (", "Line 1, Col: 8"),
        ("SELECT * FROM read_csv('/etc/passwd')", "disabled|does not exist|not supported|Permission"),
    ],
)
def test_what_is_unsupported_or_wrong_is_named(ask: Any, query: str, reason: str) -> None:
    with pytest.raises(ClientError, match=reason) as error:
        ask(query)
    assert error.value.response["Error"]["Code"] == "ValidationException"


def test_databases_tables_and_columns_are_listed(ask: Any) -> None:
    assert ask("SHOW DATABASES") == [["devops"]]
    assert ask('SHOW TABLES FROM "devops"') == [["hosts"], ["late"]]
    assert ["hostname", "VARCHAR"] in ask('DESCRIBE "devops"."hosts"')


def test_answers_come_in_pages(cloud: LocalCloud, ask: Any) -> None:
    client = cloud.client("timestream-query")
    first = client.query(QueryString="SELECT hostname FROM devops.hosts", MaxRows=4)
    assert len(first["Rows"]) == 4
    assert len(ask("SELECT hostname FROM devops.hosts", PaginationConfig={"PageSize": 4})) == 11
    with pytest.raises(ClientError, match="NextToken is not one that this query gave"):
        client.query(QueryString="SELECT hostname FROM devops.hosts", NextToken="other")


def refused(write: Any, record: dict[str, Any], table: str = "hosts", **attributes: Any) -> list[dict[str, Any]]:
    try:
        write.write_records(
            DatabaseName="devops", TableName=table, CommonAttributes=common(**attributes), Records=[record]
        )
    except write.exceptions.RejectedRecordsException as error:
        refusals: list[dict[str, Any]] = error.response["RejectedRecords"]
        return refusals
    return []


def test_a_higher_version_replaces_an_equal_one_must_agree(write: Any, ask: Any) -> None:
    record = {"Time": str(NOW), "MeasureValue": "1"}
    assert refused(write, {**record, "Version": 5}) == []
    assert refused(write, {**record, "Version": 5}) == []
    assert refused(write, {**record, "MeasureValue": "2", "Version": 5})[0]["ExistingVersion"] == 5
    assert refused(write, {**record, "MeasureValue": "3", "Version": 6}) == []
    assert ask("SELECT measure_value::double FROM devops.hosts WHERE hostname = 'host-9'") == [["3.0"]]


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"Time": str(NOW - 25 * 3600), "MeasureValue": "1"}, "outside the time range"),
        ({"Time": str(NOW + 3600), "MeasureValue": "1"}, "outside the time range"),
        ({"Time": str(NOW), "MeasureValue": "nan"}, "'nan' of measure_value::double is not of the type DOUBLE"),
        ({"Time": str(NOW), "MeasureValue": "x"}, "'x' of measure_value::double is not of the type DOUBLE"),
        ({"Time": str(NOW), "MeasureValue": "1", "Dimensions": [{"Name": "d", "Value": ""}]}, "d has no value"),
    ],
)
def test_a_record_that_timestream_would_reject_is_rejected_with_the_reason(
    write: Any, record: dict[str, Any], reason: str
) -> None:
    [refusal] = refused(write, record, host="host-8")
    assert refusal["RecordIndex"] == 0
    assert reason in refusal["Reason"]


def test_late_records_are_taken_and_those_refused_are_reported_to_s3_and_as_a_metric(
    cloud: LocalCloud, write: Any, eventually: Any
) -> None:
    record = {"Time": str(NOW - 3 * 86400), "MeasureValue": "1", "Version": 2}
    assert refused(write, record, "late") == []
    assert refused(write, {**record, "MeasureValue": "2", "Version": 1}, "late") == []
    s3 = cloud.client("s3")
    [report] = eventually(lambda: s3.list_objects_v2(Bucket="rejected").get("Contents"))
    assert report["Key"].startswith("late/devops/late/")
    assert json.loads(s3.get_object(Bucket="rejected", Key=report["Key"])["Body"].read())["ExistingVersion"] == 2
    metrics = cloud.client("cloudwatch")
    found = eventually(lambda: metrics.list_metrics(Namespace="AWS/Timestream")["Metrics"])
    assert found[0]["MetricName"] == "MagneticStoreRejectedRecordCount"


def test_common_attributes_must_not_overlap_and_a_request_holds_a_hundred(write: Any) -> None:
    for records, reason in (
        ([{"Time": str(NOW), "MeasureValue": "1", "MeasureName": "again"}], "overlap"),
        ([{"Time": str(NOW), "MeasureValue": "1"}] * 101, "100|length"),
    ):
        with pytest.raises(Exception, match=reason):
            write.write_records(DatabaseName="devops", TableName="hosts", CommonAttributes=common(), Records=records)
