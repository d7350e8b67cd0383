"""Streams and queues reach functions: in order, again after a failure, and what is given up goes where it should."""

from __future__ import annotations

import io
import json
import uuid
import zipfile
from typing import Any

from localcloud import LocalCloud

#: Writes what it gets to a table. Fails on `bad` (all of the batch), reports `again` on its first two runs.
CODE = """
import boto3, json, os
seen = boto3.client("dynamodb")

def handler(event, context):
    keys = []
    for record in event["Records"]:
        if "dynamodb" in record:
            keys.append((record["dynamodb"]["Keys"]["k"]["S"], record["dynamodb"]["SequenceNumber"]))
        else:
            keys.append((record["body"], record["messageId"]))
    answer = seen.update_item(
        TableName=os.environ["SEEN"], Key={"k": {"S": "runs"}}, ReturnValues="UPDATED_NEW",
        UpdateExpression="SET batches = list_append(if_not_exists(batches, :none), :batch)",
        ExpressionAttributeValues={":none": {"L": []}, ":batch": {"L": [{"S": json.dumps([key for key, _ in keys])}]}})
    if any(key == "bad" for key, _ in keys):
        raise ValueError("poison")
    runs = len(answer["Attributes"]["batches"]["L"])
    return {"batchItemFailures": [{"itemIdentifier": number} for key, number in keys if key == "again" and runs < 3]}
"""


class Function:
    """A function that remembers its batches."""

    def __init__(self, cloud: LocalCloud) -> None:
        self._cloud, self.name = cloud, f"f-{uuid.uuid4().hex[:8]}"
        self._seen = table(cloud)
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr("index.py", CODE)
        role = cloud.client("iam").create_role(RoleName=self.name, AssumeRolePolicyDocument="{}")["Role"]["Arn"]
        cloud.client("lambda").create_function(
            FunctionName=self.name,
            Runtime="python3.14",
            Role=role,
            Handler="index.handler",
            Code={"ZipFile": archive.getvalue()},
            Environment={"Variables": {"SEEN": self._seen}},
        )

    @property
    def batches(self) -> list[list[str]]:
        """What it got, a list for each run."""
        found = self._cloud.client("dynamodb").get_item(TableName=self._seen, Key={"k": {"S": "runs"}})
        return [json.loads(batch["S"]) for batch in found.get("Item", {}).get("batches", {"L": []})["L"]]

    def follow(self, arn: str, **options: Any) -> str:
        made = self._cloud.client("lambda").create_event_source_mapping(
            FunctionName=self.name,
            EventSourceArn=arn,
            FunctionResponseTypes=["ReportBatchItemFailures"],
            **({"StartingPosition": "TRIM_HORIZON"} if ":dynamodb:" in arn else {}),
            **options,
        )
        return str(made["UUID"])


def table(cloud: LocalCloud) -> str:
    """A new table with a stream: its name."""
    name = f"t-{uuid.uuid4().hex[:8]}"
    cloud.client("dynamodb").create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    return name


def stream(cloud: LocalCloud, name: str) -> str:
    return str(cloud.client("dynamodb").describe_table(TableName=name)["Table"]["LatestStreamArn"])


def put(cloud: LocalCloud, name: str, *keys: str) -> None:
    for key in keys:
        cloud.client("dynamodb").put_item(TableName=name, Item={"k": {"S": key}, "data": {"B": b"\x00\xff"}})


def queue(cloud: LocalCloud, **attributes: str) -> tuple[str, str]:
    """A new queue's URL and ARN."""
    sqs, name = cloud.client("sqs"), uuid.uuid4().hex
    url = sqs.create_queue(QueueName=f"{name}.fifo" if attributes else name, Attributes=attributes)["QueueUrl"]
    return url, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def test_a_stream_comes_from_its_beginning_in_order(cloud: LocalCloud, eventually: Any) -> None:
    name, function = table(cloud), Function(cloud)
    put(cloud, name, "a", "b")
    function.follow(stream(cloud, name), BatchSize=2)
    put(cloud, name, "c")
    assert eventually(lambda: sum(map(len, function.batches)) == 3)
    assert [key for batch in function.batches for key in batch] == ["a", "b", "c"]


def test_a_batch_comes_again_from_the_first_record_that_was_not_taken(cloud: LocalCloud, eventually: Any) -> None:
    name, function = table(cloud), Function(cloud)
    put(cloud, name, "a", "again", "c")
    function.follow(stream(cloud, name))
    assert eventually(lambda: len(function.batches) == 3)
    assert function.batches == [["a", "again", "c"], ["again", "c"], ["again", "c"]]


def test_a_batch_that_fails_is_halved_until_the_culprit_is_alone_and_then_given_up(
    cloud: LocalCloud, eventually: Any
) -> None:
    name, function = table(cloud), Function(cloud)
    url, arn = queue(cloud)
    put(cloud, name, "a", "b", "bad", "d")
    function.follow(
        stream(cloud, name),
        BisectBatchOnFunctionError=True,
        MaximumRetryAttempts=1,
        DestinationConfig={"OnFailure": {"Destination": arn}},
    )
    [message] = eventually(lambda: cloud.client("sqs").receive_message(QueueUrl=url).get("Messages"))
    told = json.loads(message["Body"])
    assert told["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert told["DDBStreamBatchInfo"]["batchSize"] == 1
    assert eventually(lambda: function.batches[-1] == ["d"])
    assert function.batches == [["a", "b", "bad", "d"], ["a", "b"], ["bad", "d"], ["bad"], ["bad"], ["d"]]


def test_only_what_the_filter_lets_through_comes(cloud: LocalCloud, eventually: Any) -> None:
    name, function = table(cloud), Function(cloud)
    pattern = json.dumps({"dynamodb": {"Keys": {"k": {"S": [{"prefix": "y"}]}}}})
    put(cloud, name, "x1", "y1", "x2", "y2")
    function.follow(stream(cloud, name), FilterCriteria={"Filters": [{"Pattern": pattern}]})
    assert eventually(lambda: function.batches == [["y1", "y2"]])


def test_a_mapping_that_is_deleted_gives_no_more(cloud: LocalCloud, eventually: Any) -> None:
    name, function = table(cloud), Function(cloud)
    identity = function.follow(stream(cloud, name))
    put(cloud, name, "a")
    assert eventually(lambda: function.batches == [["a"]])
    cloud.client("lambda").delete_event_source_mapping(UUID=identity)
    put(cloud, name, "b")
    other = Function(cloud)
    other.follow(stream(cloud, name))
    assert eventually(lambda: other.batches == [["a", "b"]])
    assert function.batches == [["a"]]


def test_a_queue_keeps_each_groups_order_and_gives_again_what_was_not_taken(cloud: LocalCloud, eventually: Any) -> None:
    function, sqs = Function(cloud), cloud.client("sqs")
    last_url, last = queue(cloud, FifoQueue="true")
    redrive = json.dumps({"deadLetterTargetArn": last, "maxReceiveCount": 2})
    url, arn = queue(cloud, FifoQueue="true", RedrivePolicy=redrive)
    for number, body in enumerate(["again", "b", "c"]):
        sqs.send_message(
            QueueUrl=url, MessageBody=body, MessageGroupId=f"g{number}", MessageDeduplicationId=str(number)
        )
    function.follow(arn)
    assert eventually(lambda: sqs.receive_message(QueueUrl=last_url).get("Messages"))
    assert function.batches[0] == ["again", "b", "c"]
    assert function.batches[1:] == [["again"]]


def test_an_index_is_added_to_a_table_that_holds_items(cloud: LocalCloud) -> None:
    cloudformation, stack = cloud.client("cloudformation"), f"stack-{uuid.uuid4().hex[:8]}"

    def body(*indexes: str) -> str:
        keys = [{"AttributeName": "k", "KeyType": "HASH"}]
        properties = {
            "BillingMode": "PAY_PER_REQUEST",
            "KeySchema": keys,
            "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in ("k", *indexes)],
            "GlobalSecondaryIndexes": [
                {
                    "IndexName": f"By{name}",
                    "KeySchema": [{"AttributeName": name, "KeyType": "HASH"}],
                    "Projection": {"ProjectionType": "KEYS_ONLY"},
                }
                for name in indexes
            ],
        }
        resources = {"Table": {"Type": "AWS::DynamoDB::Table", "Properties": properties}}
        return json.dumps({"Resources": resources, "Outputs": {"Name": {"Value": {"Ref": "Table"}}}})

    cloudformation.create_stack(StackName=stack, TemplateBody=body("g"), Capabilities=["CAPABILITY_IAM"])
    name = cloud.outputs(stack)["Name"]
    item = {"k": {"S": "1"}, "g": {"S": "drama"}, "y": {"S": "1999"}}
    cloud.client("dynamodb").put_item(TableName=name, Item=item)
    cloudformation.update_stack(StackName=stack, TemplateBody=body("g", "y"), Capabilities=["CAPABILITY_IAM"])
    assert cloud.outputs(stack)["Name"] == name
    found = cloud.client("dynamodb").query(
        TableName=name,
        IndexName="Byy",
        KeyConditionExpression="y = :year",
        ExpressionAttributeValues={":year": {"S": "1999"}},
    )
    assert [each["k"]["S"] for each in found["Items"]] == ["1"]
    cloudformation.update_stack(StackName=stack, TemplateBody=body("a", "b"), Capabilities=["CAPABILITY_IAM"])
    [status] = cloudformation.describe_stacks(StackName=stack)["Stacks"]
    assert "more than one GSI" in status["StackStatusReason"]
    indexes = cloud.client("dynamodb").describe_table(TableName=name)["Table"]["GlobalSecondaryIndexes"]
    assert {index["IndexName"] for index in indexes} == {"Byg", "Byy"}
