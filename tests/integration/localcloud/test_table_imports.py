"""Imports of DynamoDB: objects of S3 become a new table, and what is refused is logged."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterable
from typing import Any
from uuid import uuid4

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from localcloud import LocalCloud
from tests.stacks import Stack, attribute, resource

Json = dict[str, Any]
Eventually = Callable[..., Any]
ACCOUNT = "123456789012"
GROUP = "/aws-dynamodb/imports"
KEYS: Json = {
    "KeySchema": [{"AttributeName": "title", "KeyType": "HASH"}, {"AttributeName": "copy", "KeyType": "RANGE"}],
    "AttributeDefinitions": [
        {"AttributeName": "title", "AttributeType": "S"},
        {"AttributeName": "copy", "AttributeType": "N"},
    ],
}
BY_YEAR: Json = {
    "IndexName": "by-year",
    "KeySchema": [{"AttributeName": "year", "KeyType": "HASH"}],
    "Projection": {"ProjectionType": "ALL"},
}
WITH_YEAR: Json = {
    "AttributeDefinitions": [*KEYS["AttributeDefinitions"], {"AttributeName": "year", "AttributeType": "N"}],
    "GlobalSecondaryIndexes": [BY_YEAR],
}


def film(number: int, **attributes: Json) -> Json:
    return {"title": {"S": f"film {number}"}, "copy": {"N": str(number)}, **attributes}


def line(item: Any) -> str:
    return json.dumps({"Item": item})


class Importer:
    """A bucket, and what tests ask of imports from it."""

    def __init__(self, cloud: LocalCloud, eventually: Eventually) -> None:
        self.cloud, self._eventually = cloud, eventually
        self.client, self.s3 = cloud.client("dynamodb"), cloud.client("s3")
        self.bucket = f"imports-{uuid4().hex[:8]}"
        self.table = f"films-{uuid4().hex[:8]}"
        self.s3.create_bucket(Bucket=self.bucket)

    def upload(self, name: str, lines: Iterable[str], pack: Callable[[bytes], bytes] = bytes) -> None:
        body = "".join(f"{line}\n" for line in lines).encode()
        self.s3.put_object(Bucket=self.bucket, Key=name, Body=pack(body))

    def request(self, **changes: Any) -> Json:
        creation = {"TableName": self.table, "BillingMode": "PAY_PER_REQUEST", **KEYS, **changes.pop("creation", {})}
        return {
            "S3BucketSource": {"S3Bucket": self.bucket, **changes.pop("source", {})},
            "InputFormat": "DYNAMODB_JSON",
            "TableCreationParameters": creation,
            **changes,
        }

    def start(self, sender: Any = None, **changes: Any) -> Json:
        started: Json = (sender or self.client).import_table(**self.request(**changes))["ImportTableDescription"]
        return started

    def describe(self, started: Json) -> Json:
        description: Json = self.client.describe_import(ImportArn=started["ImportArn"])["ImportTableDescription"]
        return description

    def ended(self, started: Json) -> Json:
        """Wait for the end of an import, and give its description."""
        self._eventually(lambda: "EndTime" in self.describe(started))
        return self.describe(started)

    def run(self, **changes: Any) -> Json:
        return self.ended(self.start(**changes))

    def items(self) -> dict[str, Json]:
        pages = self.client.get_paginator("scan").paginate(TableName=self.table)
        return {item["title"]["S"]: item for page in pages for item in page["Items"]}

    def exists(self) -> bool:
        return self.table in self.client.list_tables()["TableNames"]

    def errors(self, ended: Json) -> list[Json]:
        stream = ended["ImportArn"].rpartition("/")[2]
        events = self.cloud.client("logs").get_log_events(logGroupName=GROUP, logStreamName=f"{stream}/error")
        return [json.loads(event["message"]) for event in events["events"]]


@pytest.fixture
def importer(cloud: LocalCloud, eventually: Eventually) -> Importer:
    return Importer(cloud, eventually)


def test_a_table_has_the_items_of_all_objects_when_its_import_ends(importer: Importer) -> None:
    importer.upload("films/1", [line(film(number)) for number in range(300)])
    importer.upload("films/2", [line(film(number)) for number in range(300, 400)])
    importer.upload("other", ["no JSON"])
    started = importer.start(source={"S3KeyPrefix": "films/"})
    assert started["ImportStatus"] == "IN_PROGRESS"
    assert [started[name] for name in ("ProcessedItemCount", "ImportedItemCount", "ErrorCount")] == [0, 0, 0]
    assert not {"EndTime", "ProcessedSizeBytes", "FailureCode", "FailureMessage"} & started.keys()
    ended = importer.ended(started)
    assert ended["ImportStatus"] == "COMPLETED"
    assert [ended[name] for name in ("ProcessedItemCount", "ImportedItemCount", "ErrorCount")] == [400, 400, 0]
    objects = importer.s3.list_objects_v2(Bucket=importer.bucket, Prefix="films/")["Contents"]
    assert ended["ProcessedSizeBytes"] == sum(entry["Size"] for entry in objects)
    assert ended["CloudWatchLogGroupArn"] == f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:{GROUP}:*"
    unchanging = ("TableId", "TableArn", "ClientToken", "S3BucketSource", "TableCreationParameters", "StartTime")
    assert [ended[name] for name in unchanging] == [started[name] for name in unchanging]
    table = importer.client.describe_table(TableName=importer.table)["Table"]
    assert (table["TableStatus"], table["TableId"]) == ("ACTIVE", started["TableId"])
    assert importer.items().keys() == {f"film {number}" for number in range(400)}


def test_compressed_objects_count_as_what_is_in_them(importer: Importer) -> None:
    lines = [line(film(number)) for number in range(100)]
    importer.upload("films", lines, gzip.compress)
    ended = importer.run(InputCompressionType="GZIP")
    assert ended["ProcessedSizeBytes"] == sum(len(text) + 1 for text in lines)
    assert len(importer.items()) == 100


def test_a_table_has_the_indexes_the_throughput_and_the_encryption_that_are_asked_for(importer: Importer) -> None:
    importer.upload("films", [line(film(1, year={"N": "2006"})), line(film(2))])
    throughput = {"ReadCapacityUnits": 3, "WriteCapacityUnits": 2}
    index = BY_YEAR | {"ProvisionedThroughput": throughput}
    provisioned = {"BillingMode": "PROVISIONED", "ProvisionedThroughput": throughput, "GlobalSecondaryIndexes": [index]}
    creation = WITH_YEAR | provisioned | {"SSESpecification": {"Enabled": True, "SSEType": "KMS"}}
    assert importer.run(creation=creation)["ImportStatus"] == "COMPLETED"
    table = importer.client.describe_table(TableName=importer.table)["Table"]
    assert table["ProvisionedThroughput"].items() >= throughput.items()
    assert table["SSEDescription"]["SSEType"] == "KMS"
    found = importer.client.query(
        TableName=importer.table,
        IndexName="by-year",
        KeyConditionExpression="#y = :y",
        ExpressionAttributeNames={"#y": "year"},
        ExpressionAttributeValues={":y": {"N": "2006"}},
    )
    assert [item["title"]["S"] for item in found["Items"]] == ["film 1"]


ROWS = ["film 1;1;2006;first", '"film; 2";2;2007;"of two\nlines"']
CSV_ITEMS = {
    "film 1": film(1, year={"N": "2006"}, note={"S": "first"}),
    "film; 2": film(2, year={"N": "2007"}, note={"S": "of two\nlines"}) | {"title": {"S": "film; 2"}},
}


@pytest.mark.parametrize("place", ["object", "request"])
def test_columns_of_csv_are_texts_unless_they_are_keys(importer: Importer, place: str) -> None:
    header = ["title", "copy", "year", "note"]
    csv: Json = {"Delimiter": ";"} | ({"HeaderList": header} if place == "request" else {})
    importer.upload("films.csv", [*([";".join(header)] if place == "object" else []), *ROWS])
    ended = importer.run(creation=WITH_YEAR, InputFormat="CSV", InputFormatOptions={"Csv": csv})
    assert (ended["ImportStatus"], ended["ImportedItemCount"]) == ("COMPLETED", 2)
    assert ended["InputFormatOptions"] == {"Csv": csv}
    assert importer.items() == CSV_ITEMS


def test_rows_of_csv_without_a_key_are_refused(importer: Importer) -> None:
    importer.upload("films.csv", ["title,artist", "The Dark Side of the Moon,Pink Floyd"])
    ended = importer.run(InputFormat="CSV")
    assert (ended["ImportStatus"], ended["FailureCode"]) == ("FAILED", "ItemValidationError")
    assert importer.items() == {}


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["title,title", "a,b"], "names a column twice"),
        (["title,copy", "a,1,2"], "A row has 3 columns, and the header has 2"),
        (["title,copy", "a,one"], "cannot be converted to a numeric value"),
    ],
)
def test_wrong_csv_is_refused(importer: Importer, lines: list[str], words: str) -> None:
    importer.upload("films.csv", lines)
    ended = importer.run(InputFormat="CSV")
    [error] = importer.errors(ended)
    assert words in error["errorMessages"][0]


def test_refused_records_are_counted_and_logged_and_the_rest_is_imported(importer: Importer) -> None:
    importer.upload("1", [line(film(1)), line({"title": {"S": "x"}}), "", line(film(2))])
    importer.upload("2", ['{"Item": ', line(film(3))])
    importer.upload("3", [json.dumps(film(4))])
    importer.upload("4", [line(film(5, year={"S": "2006"}))])
    ended = importer.run(creation=WITH_YEAR)
    assert (ended["ImportStatus"], ended["FailureCode"]) == ("FAILED", "ItemValidationError")
    assert ended["FailureMessage"].startswith("Some of the items failed validation checks")
    assert [ended[name] for name in ("ProcessedItemCount", "ImportedItemCount", "ErrorCount")] == [6, 2, 4]
    assert importer.items().keys() == {"film 1", "film 2"}
    errors = importer.errors(ended)
    missing = "One or more parameter values were invalid: Missing the key copy in the item"
    assert errors[0] == {
        "itemS3Pointer": {"bucket": importer.bucket, "key": "1", "itemIndex": 1},
        "importArn": ended["ImportArn"],
        "errorMessages": [missing],
    }
    assert [error["itemS3Pointer"]["key"] for error in errors] == ["1", "2", "3", "4"]
    assert errors[2]["errorMessages"] == ["Expected 'Item' top level container"]
    assert "Type mismatch for Index Key year Expected: N Actual: S" in errors[3]["errorMessages"][0]


def test_an_import_of_nothing_makes_an_empty_table(importer: Importer) -> None:
    importer.upload("films", [line(film(1))])
    ended = importer.run(source={"S3KeyPrefix": "nothing/"})
    assert (ended["ImportStatus"], ended["ProcessedSizeBytes"]) == ("COMPLETED", 0)
    assert importer.items() == {}


@pytest.mark.parametrize(
    ("source", "code", "words"),
    [
        ({"S3Bucket": "nowhere-at-all"}, "S3NoSuchBucket", "The specified bucket does not exist"),
        ({"S3BucketOwner": "0" * 12}, "S3AccessDenied", "Access Denied"),
    ],
)
def test_without_its_bucket_an_import_makes_no_table(importer: Importer, source: Json, code: str, words: str) -> None:
    ended = importer.run(source=source)
    assert (ended["ImportStatus"], ended["FailureCode"]) == ("FAILED", code)
    assert words in ended["FailureMessage"]
    assert not importer.exists()


def test_a_table_that_exists_cannot_be_imported(importer: Importer) -> None:
    token = uuid4().hex
    importer.run(ClientToken=token)
    for again in ({}, {"ClientToken": token}):
        with pytest.raises(ClientError, match=f"ResourceInUseException.*Table already exists: {importer.table}"):
            importer.start(**again)


def test_a_token_starts_an_import_once(importer: Importer) -> None:
    nowhere, token = {"S3Bucket": "nowhere-at-all"}, uuid4().hex
    first = importer.run(source=nowhere, ClientToken=token)
    again = importer.start(InputCompressionType="GZIP", ClientToken=token)
    assert again == first
    with pytest.raises(ClientError, match=r"ImportConflictException.*Duplicate request"):
        importer.start(ClientToken=token, creation={"TableName": f"{importer.table}-2"})
    assert importer.run()["ImportStatus"] == "COMPLETED"


def test_nobody_takes_the_name_of_a_table_that_is_being_imported(importer: Importer) -> None:
    importer.upload("films", [line(film(number, note={"S": "x" * 10_000})) for number in range(2000)])
    started = importer.start()
    creation = {"TableName": importer.table, "BillingMode": "PAY_PER_REQUEST", **KEYS}
    with pytest.raises(ClientError, match="Table already exists"):
        importer.client.create_table(**creation)
    with pytest.raises(ClientError, match="Table already exists"):
        importer.start()
    assert importer.ended(started)["ImportedItemCount"] == len(importer.items()) == 2000


def unchecked(cloud: LocalCloud) -> Any:
    """A client that sends whatever it is given."""
    variables = cloud.environment()
    client = boto3.client(
        "dynamodb",
        endpoint_url=cloud.endpoint,
        region_name="us-east-1",
        aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
        config=Config(parameter_validation=False),
    )
    client.meta.events.unregister("provide-client-params.dynamodb.ImportTable")
    return client


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"ClientToken": "$"}, "clientToken"),
        ({"ClientToken": ""}, "clientToken"),
        ({"InputFormat": "XML"}, "inputFormat"),
        ({"InputFormat": "ION"}, "does not read ION"),
        ({"InputCompressionType": "ZSTD"}, "does not read ZSTD"),
        ({"InputFormatOptions": {"Csv": {"Delimiter": ","}}}, "InputFormatOptions"),
        ({"InputFormat": "CSV", "InputFormatOptions": {"Csv": {"Delimiter": "-"}}}, "delimiter"),
        ({"source": {"S3Bucket": "-nope!"}}, "s3Bucket"),
        (
            {"creation": {"BillingMode": "PROVISIONED"}},
            "ReadCapacityUnits and WriteCapacityUnits must both be specified",
        ),
        ({"creation": {"TableName": "no name!"}}, "tableName"),
        (
            {"creation": {"AttributeDefinitions": [{"AttributeName": "x", "AttributeType": "S"}]}},
            "Invalid KeySchema",
        ),
        (
            {
                "creation": WITH_YEAR
                | {"GlobalSecondaryIndexes": [BY_YEAR | {"WarmThroughput": {"ReadUnitsPerSecond": 1}}]}
            },
            "WarmThroughput is not supported on Global Secondary Indexes via ImportTable",
        ),
        ({"creation": {"OnDemandThroughput": {"MaxReadRequestUnits": 1}}}, "OnDemandThroughput"),
    ],
)
def test_wrong_requests_are_refused(importer: Importer, changes: Json, words: str) -> None:
    with pytest.raises(ClientError, match=f"ValidationException.*{words}"):
        importer.start(unchecked(importer.cloud), **changes)
    assert not importer.exists()


def test_imports_are_described_by_their_arns(importer: Importer) -> None:
    arn = f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/{importer.table}/import/01658528578619-c4d4e311"
    with pytest.raises(ClientError, match="ImportNotFoundException"):
        importer.client.describe_import(ImportArn=arn)
    with pytest.raises(ClientError, match=r"ValidationException.*Invalid Import ARN"):
        importer.client.describe_import(ImportArn=arn.replace(importer.table, "x"))


def test_imports_are_listed_by_table_and_page_by_page_the_newest_first(importer: Importer) -> None:
    nowhere = {"S3Bucket": "nowhere-at-all"}
    imports = [importer.run(source=nowhere) for _ in range(3)]
    pages: list[Json] = []
    token: Json = {}
    while token or not pages:
        page = importer.client.list_imports(TableArn=imports[0]["TableArn"], PageSize=1, **token)
        pages += page["ImportSummaryList"]
        token = {"NextToken": page["NextToken"]} if "NextToken" in page else {}
    assert [summary["ImportArn"] for summary in pages] == [entry["ImportArn"] for entry in imports[::-1]]
    shown = {"ImportArn", "ImportStatus", "TableArn", "S3BucketSource", "InputFormat", "StartTime", "EndTime"}
    assert pages[0].keys() == shown | {"CloudWatchLogGroupArn"}
    newest, *_ = importer.client.list_imports()["ImportSummaryList"]
    assert newest["StartTime"] >= imports[2]["StartTime"]
    with pytest.raises(ClientError, match="NextToken"):
        importer.client.list_imports(NextToken="0" * 112)


# Permissions


def test_the_caller_needs_what_the_import_does(enforcing: LocalCloud, eventually: Eventually) -> None:
    importer, iam = Importer(enforcing, eventually), enforcing.client("iam")
    importer.upload("films", [line(film(1))])
    permissions = {
        "dynamodb:ImportTable": "*",
        "logs:CreateLogGroup": f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:{GROUP}:*",
        "logs:CreateLogStream": f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:{GROUP}:*",
        "logs:PutLogEvents": f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:{GROUP}:log-stream:*",
        "s3:ListBucket": f"arn:aws:s3:::{importer.bucket}",
        "s3:GetObject": f"arn:aws:s3:::{importer.bucket}/*",
    }

    def allowed(names: set[str]) -> Any:
        user = f"importer-{uuid4().hex[:8]}"
        iam.create_user(UserName=user)
        statements = [{"Effect": "Allow", "Action": name, "Resource": permissions[name]} for name in names]
        policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
        iam.put_user_policy(UserName=user, PolicyName="own", PolicyDocument=policy)
        key = iam.create_access_key(UserName=user)["AccessKey"]
        session = boto3.session.Session(key["AccessKeyId"], key["SecretAccessKey"], region_name="us-east-1")
        return session.client("dynamodb", endpoint_url=enforcing.endpoint)

    for missing in permissions:
        client = allowed(permissions.keys() - {missing})
        if missing.startswith("dynamodb:"):
            with pytest.raises(ClientError, match="AccessDeniedException"):
                importer.start(client)
            continue
        ended = importer.ended(importer.start(client))
        code = "S3AccessDenied" if missing.startswith("s3:") else "CloudWatchLogsAccessDenied"
        assert (ended["ImportStatus"], ended["FailureCode"]) == ("FAILED", code)
        assert missing in ended["FailureMessage"]
        assert not importer.exists()
    assert importer.ended(importer.start(allowed({*permissions})))["ImportStatus"] == "COMPLETED"
    assert importer.items().keys() == {"film 1"}


# Stacks


def imported(importer: Importer, prefix: str = "films/", **properties: Any) -> Json:
    source = {
        "S3BucketSource": {"S3Bucket": importer.bucket, "S3KeyPrefix": prefix},
        "InputFormat": "CSV",
        "InputFormatOptions": {"Csv": {"Delimiter": ";", "HeaderList": ["title", "copy", "year", "note"]}},
    }
    more = {"BillingMode": "PAY_PER_REQUEST", **KEYS, **WITH_YEAR, "ImportSourceSpecification": source}
    return resource("DynamoDB::Table", **more | properties)


def test_a_stack_imports_a_table_and_gives_it_what_no_import_takes(importer: Importer) -> None:
    importer.upload("films/1.csv", ROWS)
    extra = {
        "StreamSpecification": {"StreamViewType": "KEYS_ONLY"},
        "TimeToLiveSpecification": {"AttributeName": "until", "Enabled": True},
        "Tags": [{"Key": "team", "Value": "films"}],
        "DeletionProtectionEnabled": False,
    }
    outputs = {"Arn": attribute("Films", "Arn"), "Stream": attribute("Films", "StreamArn")}
    stack = Stack(importer.cloud, outputs, Films=imported(importer, **extra))
    importer.table = first = stack.physical("Films")
    assert importer.items() == CSV_ITEMS
    table = importer.client.describe_table(TableName=first)["Table"]
    assert (table["TableArn"], table["LatestStreamArn"]) == (stack.output("Arn"), stack.output("Stream"))
    assert [index["IndexName"] for index in table["GlobalSecondaryIndexes"]] == ["by-year"]
    tags = importer.client.list_tags_of_resource(ResourceArn=table["TableArn"])["Tags"]
    assert {"Key": "team", "Value": "films"} in tags
    described = importer.client.describe_time_to_live(TableName=first)["TimeToLiveDescription"]
    assert described == {"TimeToLiveStatus": "ENABLED", "AttributeName": "until"}
    protected = imported(importer, **extra | {"DeletionProtectionEnabled": True})
    assert stack.update(Films=protected) == "UPDATE_COMPLETE"
    assert stack.physical("Films") == first
    assert importer.client.describe_table(TableName=first)["Table"]["DeletionProtectionEnabled"]
    assert stack.update(Films=imported(importer, **extra)) == "UPDATE_COMPLETE"
    assert stack.update(Films=imported(importer, "films", **extra)) == "UPDATE_COMPLETE"
    importer.table = stack.physical("Films")
    assert importer.table != first
    assert importer.items() == CSV_ITEMS
    stack.delete()
    assert not importer.exists()


def test_a_stack_whose_import_fails_is_rolled_back(importer: Importer) -> None:
    importer.upload("films/1.csv", [*ROWS, "film 3;three;2008;"])
    table = imported(importer, TableName=importer.table)
    with pytest.raises(AssertionError, match="ItemValidationError"):
        Stack(importer.cloud, Films=table)
    assert not importer.exists()
