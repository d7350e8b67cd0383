"""Bulk operations of DynamoDB: items from S3 enter a table as if they were put, and what is refused is reported."""

from __future__ import annotations

import base64
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

Json = dict[str, Any]
Eventually = Callable[..., Any]
ACCOUNT = "123456789012"


def line(item: Any) -> str:
    return json.dumps({"Item": item})


def film(number: int, **attributes: Json) -> Json:
    return {"title": {"S": f"film {number}"}, "copy": {"N": str(number)}, **attributes}


class Store:
    """A table, a bucket for its input, one for reports, and what tests ask of them."""

    def __init__(self, cloud: LocalCloud, eventually: Eventually, **table: Any) -> None:
        self.cloud, self._eventually = cloud, eventually
        self.name = f"store-{uuid4().hex[:8]}"
        self.client, self.s3 = cloud.client("dynamodb"), cloud.client("s3")
        self.client.create_table(
            TableName=self.name,
            KeySchema=[{"AttributeName": "title", "KeyType": "HASH"}, {"AttributeName": "copy", "KeyType": "RANGE"}],
            AttributeDefinitions=[
                {"AttributeName": "title", "AttributeType": "S"},
                {"AttributeName": "copy", "AttributeType": "N"},
                *([{"AttributeName": "year", "AttributeType": "N"}] if "GlobalSecondaryIndexes" in table else []),
            ],
            BillingMode="PAY_PER_REQUEST",
            **table,
        )
        for kind in ("input", "report"):
            self.s3.create_bucket(Bucket=f"{self.name}-{kind}")

    def upload(self, name: str, lines: Iterable[str], pack: Callable[[bytes], bytes] = bytes) -> None:
        body = "".join(f"{line}\n" for line in lines).encode()
        self.s3.put_object(Bucket=f"{self.name}-input", Key=name, Body=pack(body))

    def request(self, compression: str = "NONE", **changes: Any) -> Json:
        source = {"S3Bucket": f"{self.name}-input", "InputFormat": "DYNAMODB_JSON", "InputCompressionType": compression}
        report = {"S3Bucket": f"{self.name}-report", "S3KeyPrefix": "reports", "OutputType": ["ERROR"]}
        return {
            "TableName": self.name,
            "InputS3Configuration": source | changes.pop("source", {}),
            "OutputS3Configuration": report | changes.pop("report", {}),
            **changes,
        }

    def start(self, client: Any = None, **changes: Any) -> Json:
        started = (client or self.client).start_bulk_put_items(**self.request(**changes))
        description: Json = started["BulkOperationDescription"]
        return description

    def describe(self, arn: str) -> Json:
        description: Json = self.client.describe_bulk_operation(BulkOperationArn=arn)["BulkOperationDescription"]
        return description

    def ended(self, operation: Json) -> Json:
        """Wait for the end of an operation, and give its description."""
        arn = operation["BulkOperationArn"]
        self._eventually(lambda: "EndTime" in self.describe(arn))
        return self.describe(arn)

    def items(self) -> dict[str, Json]:
        pages = self.client.get_paginator("scan").paginate(TableName=self.name)
        return {item["title"]["S"]: item for page in pages for item in page["Items"]}

    def reports(self) -> dict[str, Any]:
        """What has been reported, by the ends of the keys; a file of errors as a list."""
        listed = self.s3.list_objects_v2(Bucket=f"{self.name}-report").get("Contents", [])
        bodies = {
            entry["Key"]: self.s3.get_object(Bucket=f"{self.name}-report", Key=entry["Key"])["Body"].read()
            for entry in listed
        }
        return {
            key: json.loads(body) if key.endswith("manifest.json") else [*map(json.loads, body.splitlines())]
            for key, body in bodies.items()
        }


@pytest.fixture
def store(cloud: LocalCloud, eventually: Eventually) -> Store:
    return Store(cloud, eventually)


def test_items_of_all_objects_below_a_prefix_are_put(store: Store) -> None:
    store.upload("films/1.json", [line(film(number)) for number in range(300)])
    store.upload("films/2.json", [line(film(number)) for number in range(300, 700)])
    store.upload("films/empty", [])
    store.upload("other", ["no JSON"])
    started = store.start(source={"S3KeyPrefix": "films/"})
    assert started["BulkOperationStatus"] == "IN_PROGRESS"
    assert started["BulkOperationArn"].startswith(f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/{store.name}/")
    assert "TotalInputBytes" not in started and "EndTime" not in started  # noqa: PT018
    ended = store.ended(started)
    assert ended["BulkOperationStatus"] == "COMPLETED"
    assert (ended["ProcessedItemCount"], ended["FailedItemCount"]) == (700, 0)
    assert ended["ProcessedInputBytes"] == ended["TotalInputBytes"] > 0
    assert "FailureCode" not in ended
    table = store.client.describe_table(TableName=store.name)["Table"]
    assert ended["TableDetails"] == [{"TableName": store.name, "TableId": table["TableId"]}]
    assert store.items().keys() == {f"film {number}" for number in range(700)}
    [(key, manifest)] = store.reports().items()
    assert key.startswith("reports/AWSDynamoDB/")
    assert manifest["processedItemCount"] == 700


def test_an_item_is_what_put_item_makes_of_it(store: Store) -> None:
    attributes: Json = {
        "text": {"S": "zażółć 🦑"},
        "price": {"N": "-17.50"},
        "bytes": {"B": base64.b64encode(b"\x00\xff").decode()},
        "yes": {"BOOL": True},
        "none": {"NULL": True},
        "texts": {"SS": ["a", "b"]},
        "numbers": {"NS": ["1", "2.5"]},
        "binaries": {"BS": [base64.b64encode(b"\x01").decode()]},
        "list": {"L": [{"S": "a"}, {"M": {"deep": {"N": "1"}}}]},
        "map": {"M": {"empty": {"S": ""}, "binary": {"B": base64.b64encode(b"\x02").decode()}}},
    }
    store.upload("films.json.gz", [line(film(1, **attributes))], gzip.compress)
    assert store.ended(store.start(compression="GZIP"))["BulkOperationStatus"] == "COMPLETED"
    bulk = store.items()["film 1"]
    binaries = {"bytes": {"B": b"\x00\xff"}, "binaries": {"BS": [b"\x01"]}}
    inner = {"M": {"empty": {"S": ""}, "binary": {"B": b"\x02"}}}
    assert bulk == film(1, **(attributes | binaries | {"map": inner}))
    store.client.put_item(TableName=store.name, Item=bulk)
    assert store.items() == {"film 1": bulk}
    added = {"UpdateExpression": "ADD price :one"}
    store.client.update_item(
        TableName=store.name,
        Key={name: bulk[name] for name in ("title", "copy")},
        ExpressionAttributeValues={":one": {"N": "1"}},
        **added,
    )
    assert store.items()["film 1"]["price"] == {"N": "-16.50"}


def test_items_with_the_same_keys_are_replaced_and_the_stream_tells_of_what_changes(
    cloud: LocalCloud, eventually: Eventually
) -> None:
    stream = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    store = Store(cloud, eventually, StreamSpecification=stream)
    for number in (1, 2):
        store.client.put_item(TableName=store.name, Item=film(number, note={"S": "old"}))
    new = [film(1, note={"S": "old"}), film(2, note={"S": "new"}), film(3, note={"S": "new"})]
    store.upload("films", map(line, new))
    assert store.ended(store.start())["BulkOperationStatus"] == "COMPLETED"
    assert store.items() == {item["title"]["S"]: item for item in new}
    streams = cloud.client("dynamodbstreams")
    arn = store.client.describe_table(TableName=store.name)["Table"]["LatestStreamArn"]
    shard = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"][0]["ShardId"]
    iterator = streams.get_shard_iterator(StreamArn=arn, ShardId=shard, ShardIteratorType="TRIM_HORIZON")
    records = streams.get_records(ShardIterator=iterator["ShardIterator"])["Records"]
    told = [(record["eventName"], record["dynamodb"]["NewImage"]["title"]["S"]) for record in records]
    assert told == [("INSERT", "film 1"), ("INSERT", "film 2"), ("MODIFY", "film 2"), ("INSERT", "film 3")]


def test_indexes_have_the_items_and_usage_counts_their_bytes(cloud: LocalCloud, eventually: Eventually) -> None:
    index = {
        "IndexName": "by-year",
        "KeySchema": [{"AttributeName": "year", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"},
    }
    store = Store(cloud, eventually, GlobalSecondaryIndexes=[index])
    store.upload("films", [line(film(1, year={"N": "2006"})), line(film(2))])
    [usage] = store.ended(store.start())["BulkOperationUsage"]
    sizes = [len("title") + 6 + len("copy") + 2 + more for more in (len("year") + 3, 0)]
    assert usage["Table"] == {"BulkPutBytes": sum(sizes)}
    assert usage["GlobalSecondaryIndexes"] == {"by-year": {"BulkPutBytes": sizes[0]}}
    assert usage["BulkPutBytes"] == sum(sizes) + sizes[0]
    found = store.client.query(
        TableName=store.name,
        IndexName="by-year",
        KeyConditionExpression="#y = :y",
        ExpressionAttributeNames={"#y": "year"},
        ExpressionAttributeValues={":y": {"N": "2006"}},
    )
    assert [item["title"]["S"] for item in found["Items"]] == ["film 1"]


def test_what_is_refused_is_reported_and_the_rest_is_put(store: Store) -> None:
    wrong = [film(1) | {"copy": {"S": "1"}}, {"title": {"S": "x"}}]
    store.upload("1", [line(film(1)), *map(line, wrong), "", "   ", line(film(2))])
    store.upload("2", [line(film(3)), '{"Item": ', line(film(4))])
    store.upload("3", ['{"title": {"S": "x"}}', line(film(5))])
    condition = {"Item": film(6), "ConditionExpression": "attribute_not_exists(title)"}
    store.upload("4", [json.dumps(condition), line(film(7)) + line(film(8))])
    ended = store.ended(store.start())
    assert ended["BulkOperationStatus"] == "COMPLETED_WITH_ERRORS"
    assert (ended["ProcessedItemCount"], ended["FailedItemCount"]) == (10, 5)
    assert store.items().keys() == {f"film {number}" for number in (1, 2, 3, 7, 8)}
    [errors] = [lines for key, lines in store.reports().items() if key.endswith("error/00001.json")]
    places = [(error["itemS3Pointer"]["key"], error["itemS3Pointer"]["itemIndex"]) for error in errors]
    assert places == [("1", 1), ("1", 2), ("2", 1), ("3", 0), ("4", 0)]
    messages = [error["errorMessages"][0] for error in errors]
    assert messages[0] == "One or more parameter values were invalid: Type mismatch for key copy expected: N actual: S"
    assert messages[1] == "One or more parameter values were invalid: Missing the key copy in the item"
    assert messages[2].startswith("Unexpected token")
    assert messages[3] == "Expected 'Item' top level container"
    assert "ConditionExpression" in messages[4]


def test_errors_are_only_counted_where_no_report_of_them_is_wanted(store: Store) -> None:
    store.upload("1", [line({"title": {"S": "x"}})])
    assert store.ended(store.start(report={"OutputType": ["CONDITION_CHECK_FAILURE"]}))["FailedItemCount"] == 1
    assert [key.rpartition("/")[2] for key in store.reports()] == ["manifest.json"]


def test_an_object_that_is_not_compressed_as_it_should_be_is_reported(store: Store) -> None:
    store.upload("1", [line(film(1))])
    ended = store.ended(store.start(compression="GZIP"))
    assert (ended["BulkOperationStatus"], ended["FailedItemCount"]) == ("COMPLETED_WITH_ERRORS", 1)


@pytest.mark.parametrize("place", ["source", "report"])
def test_an_operation_fails_without_its_buckets(store: Store, place: str) -> None:
    ended = store.ended(store.start(**{place: {"S3Bucket": "nowhere-at-all"}}))
    assert (ended["BulkOperationStatus"], ended["FailureCode"]) == ("FAILED", "S3NoSuchBucket")
    assert "nowhere-at-all" in ended["FailureMessage"]
    of_others = store.ended(store.start(**{place: {"S3BucketOwner": "0" * 12}}))
    assert (of_others["BulkOperationStatus"], of_others["FailureCode"]) == ("FAILED", "S3AccessDenied")


def test_a_report_is_encrypted_as_asked(store: Store) -> None:
    key = store.cloud.client("kms").create_key()["KeyMetadata"]["Arn"]
    store.ended(store.start(report={"S3SseAlgorithm": "KMS", "S3SseKmsKeyId": key}))
    [name] = store.reports()
    head = store.s3.head_object(Bucket=f"{store.name}-report", Key=name)
    assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", key)


def test_a_token_starts_an_operation_once(store: Store) -> None:
    token = uuid4().hex
    first = store.start(ClientToken=token)
    assert store.start(ClientToken=token)["BulkOperationArn"] == first["BulkOperationArn"]
    with pytest.raises(ClientError, match="IdempotentParameterMismatchException"):
        store.start(ClientToken=token, PerformanceTier="ACCELERATED")
    assert store.start()["BulkOperationArn"] != first["BulkOperationArn"]


def test_an_operation_that_is_limited_can_be_cancelled(store: Store) -> None:
    store.upload("films", [line(film(number, note={"S": "x" * 10_000})) for number in range(1000)])
    arn = store.start(MaxWriteRequestUnits=1024)["BulkOperationArn"]
    assert store.client.cancel_bulk_operation(BulkOperationArn=arn)["BulkOperationStatus"] == "CANCELLING"
    ended = store.ended({"BulkOperationArn": arn})
    assert ended["BulkOperationStatus"] == "CANCELLED"
    assert ended["MaxWriteRequestUnits"] == 1024
    assert ended["ProcessedItemCount"] == len(store.items()) < 1000
    with pytest.raises(ClientError, match="CANCELLED"):
        store.client.cancel_bulk_operation(BulkOperationArn=arn)


def test_an_operation_fails_when_its_table_is_deleted(store: Store) -> None:
    store.upload("films", [line(film(number, note={"S": "x" * 10_000})) for number in range(1000)])
    operation = store.start(MaxWriteRequestUnits=1024)
    store.client.delete_table(TableName=store.name)
    ended = store.ended(operation)
    assert (ended["BulkOperationStatus"], ended["FailureCode"]) == ("FAILED", "ResourceNotFoundException")


def test_operations_are_listed_page_by_page_the_newest_first(store: Store) -> None:
    arns = [store.ended(store.start())["BulkOperationArn"] for _ in range(3)]
    pages: list[str] = []
    token: Json = {}
    while len(pages) < 3:
        page = store.client.list_bulk_operations(MaxResults=1, **token)
        [summary] = page["BulkOperationsSummaryList"]
        assert summary["BulkOperationStatus"] == "COMPLETED"
        pages.append(summary["BulkOperationArn"])
        token = {"NextToken": page["NextToken"]} if "NextToken" in page else {}
    assert pages == arns[::-1]


def unchecked(cloud: LocalCloud) -> Any:
    """A client that sends whatever it is given."""
    variables = cloud.environment()
    return boto3.client(
        "dynamodb",
        endpoint_url=cloud.endpoint,
        region_name="us-east-1",
        aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
        config=Config(parameter_validation=False),
    )


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"TableName": "nowhere"}, "ResourceNotFoundException", "not found"),
        ({"MaxWriteRequestUnits": 1023}, "ValidationException", "greater than or equal to 1024"),
        ({"source": {"InputFormat": "ION"}}, "ValidationException", "does not read ION"),
        ({"source": {"InputCompressionType": "ZSTD"}}, "ValidationException", "does not read ZSTD"),
        ({"source": {"InputFormat": "CSV"}}, "ValidationException", "inputFormat"),
        ({"report": {"OutputType": []}}, "ValidationException", "OutputType"),
        ({"report": {"S3SseAlgorithm": "KMS"}}, "ValidationException", "S3SseKmsKeyId"),
        ({"report": {"S3SseAlgorithm": "AES256", "S3SseKmsKeyId": "k"}}, "ValidationException", "S3SseKmsKeyId"),
    ],
)
def test_wrong_requests_are_refused(store: Store, changes: Json, code: str, words: str) -> None:
    with pytest.raises(ClientError, match=words) as refused:
        store.start(unchecked(store.cloud), **changes)
    assert refused.value.response["Error"]["Code"] == code


def test_a_report_needs_a_bucket(store: Store) -> None:
    request = store.request()
    del request["OutputS3Configuration"]["S3Bucket"]
    with pytest.raises(ClientError, match="S3Bucket"):
        store.client.start_bulk_put_items(**request)


def test_operations_that_are_not_there_are_not_found(store: Store) -> None:
    arn = f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/{store.name}/bulk-operation/0"
    for ask in (store.client.describe_bulk_operation, store.client.cancel_bulk_operation):
        with pytest.raises(ClientError, match="ResourceNotFoundException"):
            ask(BulkOperationArn=arn)


# Permissions


def allowed(store: Store, *statements: tuple[str, str]) -> Any:
    """A client of a new user who may do this on these resources."""
    iam, name = store.cloud.client("iam"), f"loader-{uuid4().hex[:8]}"
    iam.create_user(UserName=name)
    document = [{"Effect": "Allow", "Action": action, "Resource": resource} for action, resource in statements]
    policy = json.dumps({"Version": "2012-10-17", "Statement": document})
    iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=policy)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    session = boto3.session.Session(key["AccessKeyId"], key["SecretAccessKey"], region_name="us-east-1")
    return session.client("dynamodb", endpoint_url=store.cloud.endpoint)


def needed(store: Store) -> list[tuple[str, str]]:
    return [
        ("dynamodb:StartBulkPutItems", f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/{store.name}"),
        ("s3:ListBucket", f"arn:aws:s3:::{store.name}-input"),
        ("s3:GetObject", f"arn:aws:s3:::{store.name}-input/*"),
        ("s3:PutObject", f"arn:aws:s3:::{store.name}-report/reports/*"),
    ]


def test_the_caller_needs_what_the_operation_does(enforcing: LocalCloud, eventually: Eventually) -> None:
    store = Store(enforcing, eventually)
    store.upload("films", [line(film(1))])
    permissions = needed(store)
    for missing in permissions:
        client = allowed(store, *(permission for permission in permissions if permission != missing))
        if missing[0].startswith("dynamodb:"):
            with pytest.raises(ClientError, match="AccessDeniedException"):
                store.start(client)
            continue
        ended = store.ended(store.start(client))
        assert (ended["BulkOperationStatus"], ended["FailureCode"]) == ("FAILED", "S3AccessDenied")
        assert missing[0] in ended["FailureMessage"]
    assert store.items() == {}
    assert store.ended(store.start(allowed(store, *permissions)))["BulkOperationStatus"] == "COMPLETED"
    assert store.items().keys() == {"film 1"}
