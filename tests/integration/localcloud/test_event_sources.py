"""Streams and queues reach functions: in order, again after a failure, and what is given up goes where it should."""

from __future__ import annotations

import io
import json
import uuid
import zipfile
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localcloud import LocalCloud
from tests.policies import allow, trust

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
        iam = cloud.client("iam")
        role = iam.create_role(RoleName=self.name, AssumeRolePolicyDocument=trust("lambda"))["Role"]["Arn"]
        iam.put_role_policy(RoleName=self.name, PolicyName="everything", PolicyDocument=allow("*"))
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


def test_a_queue_gives_only_what_a_filter_lets_through_and_drops_the_rest(cloud: LocalCloud, eventually: Any) -> None:
    function, sqs = Function(cloud), cloud.client("sqs")
    url, arn = queue(cloud)
    for body in ('{"kind": "sale"}', '{"kind": "return"}', "plain"):
        sqs.send_message(QueueUrl=url, MessageBody=body)
    function.follow(arn, FilterCriteria={"Filters": [{"Pattern": '{"body": {"kind": ["sale"]}}'}]})
    assert eventually(lambda: function.batches == [['{"kind": "sale"}']])
    counts = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    wanted = dict.fromkeys(counts, "0")
    assert eventually(lambda: sqs.get_queue_attributes(QueueUrl=url, AttributeNames=counts)["Attributes"] == wanted)


def test_a_batch_that_waits_for_more_may_be_larger_than_what_a_queue_gives_at_a_time(
    cloud: LocalCloud, eventually: Any
) -> None:
    function, sqs = Function(cloud), cloud.client("sqs")
    url, arn = queue(cloud)
    for number in range(15):
        sqs.send_message(QueueUrl=url, MessageBody=str(number))
    function.follow(arn, BatchSize=15, MaximumBatchingWindowInSeconds=60)
    assert eventually(lambda: [len(batch) for batch in function.batches] == [15])


def test_a_mapping_says_what_lambda_is_doing_with_it(cloud: LocalCloud) -> None:
    function, client = Function(cloud), cloud.client("lambda")
    _, arn = queue(cloud)
    made = client.create_event_source_mapping(FunctionName=function.name, EventSourceArn=arn)
    assert (made["State"], made["StateTransitionReason"]) == ("Creating", "USER_INITIATED")
    assert "LastProcessingResult" not in made
    uuid = made["UUID"]
    assert client.get_event_source_mapping(UUID=uuid)["State"] == "Enabled"
    assert client.update_event_source_mapping(UUID=uuid, BatchSize=5)["State"] == "Updating"
    assert client.update_event_source_mapping(UUID=uuid, Enabled=False)["State"] == "Disabling"
    assert client.get_event_source_mapping(UUID=uuid)["State"] == "Disabled"
    _, other = queue(cloud)
    made = client.create_event_source_mapping(FunctionName=function.name, EventSourceArn=other, Enabled=False)
    assert made["State"] == "Disabled"


def test_mappings_that_lambda_would_not_make_are_refused_in_its_words(cloud: LocalCloud) -> None:
    function, client = Function(cloud), cloud.client("lambda")
    _, arn = queue(cloud)
    with pytest.raises(ClientError, match="Invalid filter pattern definition"):
        function.follow(arn, FilterCriteria={"Filters": [{"Pattern": '{"body": "no list"}'}]})
    with pytest.raises(ClientError, match=r"SQS Error Code: AWS\.SimpleQueueService\.NonExistentQueue"):
        function.follow(f"{arn}-that-is-gone")
    with pytest.raises(ClientError, match="Stream not found: arn"):
        function.follow("arn:aws:dynamodb:us-east-1:123456789012:table/none/stream/2026-01-01T00:00:00.000")
    uuid = function.follow(arn)
    with pytest.raises(ClientError, match=f"already exists. Please update or delete the existing .* {uuid}") as error:
        function.follow(arn)
    assert error.value.response["Error"]["Code"] == "ResourceConflictException"
    with pytest.raises(ClientError, match="Maximum batch window in seconds must be greater than 0"):
        client.update_event_source_mapping(UUID=uuid, BatchSize=11)


def test_records_that_are_given_up_go_to_a_bucket_with_their_content(cloud: LocalCloud, eventually: Any) -> None:
    name, function, s3 = table(cloud), Function(cloud), cloud.client("s3")
    bucket = f"failures-{uuid.uuid4().hex[:8]}"
    s3.create_bucket(Bucket=bucket)
    put(cloud, name, "bad")
    destination = {"OnFailure": {"Destination": f"arn:aws:s3:::{bucket}"}}
    mapping = function.follow(stream(cloud, name), MaximumRetryAttempts=0, DestinationConfig=destination)
    [entry] = eventually(lambda: s3.list_objects_v2(Bucket=bucket).get("Contents"))
    assert entry["Key"].startswith(f"aws/lambda/{mapping}/shardId-")
    given_up = json.loads(s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read())
    [record] = json.loads(given_up["payload"])["Records"]
    assert record["dynamodb"]["Keys"] == {"k": {"S": "bad"}}


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
