"""Event source mappings: what comes into a table's stream or a queue reaches its function, in order.

moto gaps: it calls functions within the write, knows no retries, partial failures, filters nor failure destinations,
and loses what a function has not taken. A stream has one shard here, which keeps the order of all keys; what Lambda
does after a failure it does here, too, only sooner.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from moto.awslambda.exceptions import InvalidParameterValueException
from moto.awslambda.models import EventSourceMapping, LambdaBackend, lambda_backends
from moto.core.utils import unix_time
from moto.dynamodb.models import dynamodb_backends
from moto.dynamodb.models.table import StreamShard
from moto.events.models import EventPattern
from moto.sqs.models import Queue, sqs_backends

from localcloud.access import service_calls
from localcloud.access.actions.derivation import Need
from localcloud.cloud.account import ACCOUNT, REGION
from localcloud.cloud.context import Cloud
from localcloud.hooks import after, wrap
from localcloud.services.awslambda.behaviour import invoke, retry_seconds
from localcloud.services.awslambda.destinations import hand_over

Json = dict[str, Any]
#: What Lambda does with an event source as the function's role, by the service of the source.
READING: dict[str, tuple[str, ...]] = {
    "dynamodb": ("dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"),
    "sqs": ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"),
}


@dataclass
class Progress:
    """How far an event source mapping has come.

    Attributes:
        position: How many records of its stream its function has taken.
        at_work: Whether a thread works at it.
    """

    position: int = 0
    at_work: bool = False


@wrap(LambdaBackend, "create_event_source_mapping")
def _map(cloud: Cloud, original: Any, self: LambdaBackend, spec: Json) -> EventSourceMapping:
    """Refuse a mapping whose function's role may not read the source, as Lambda does.

    Source: https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html
    """
    arn = spec.get("EventSourceArn") or ""
    kind = arn.split(":")[2] if arn.count(":") >= 5 else ""  # noqa: PLR2004 - the colons of an ARN
    function = self.get_function(spec["FunctionName"]) if kind in READING and spec.get("FunctionName") else None
    if function:
        needed = [Need(action, arn) for action in READING[kind]]
        try:
            service_calls.check_role(cloud, str(function.role), function.function_name, *needed)
        except PermissionError as error:
            message = "The provided execution role does not have permissions to read the event source"
            raise InvalidParameterValueException(f"{message} {arn}. {error}") from error
    mapping: EventSourceMapping = original(self, spec)
    return mapping


@after(LambdaBackend, "create_event_source_mapping")
def _mapped(cloud: Cloud, mapping: EventSourceMapping, *_args: Any) -> None:
    """Take the source over from moto."""
    if shard := _shard(mapping):
        shard.table.lambda_event_source_mappings.clear()
        cloud.state(Progress, mapping).position = len(shard.items) if mapping.starting_position == "LATEST" else 0
    if queue := _queue(mapping):
        queue.lambda_event_source_mappings.clear()


def poll(cloud: Cloud) -> None:
    """Set every mapping to work that is not at it."""
    for mapping in list(_mappings()):
        progress = cloud.state(Progress, mapping)
        if mapping.enabled and not progress.at_work:
            shard, queue = _shard(mapping), _queue(mapping)
            if (queue and queue.messages) or (shard and len(shard.items) > progress.position):
                progress.at_work = True
                cloud.background(_work, cloud, mapping, shard)


def _mappings() -> Iterator[EventSourceMapping]:
    yield from lambda_backends[ACCOUNT][REGION]._event_source_mappings.values()  # noqa: SLF001


def _live(mapping: EventSourceMapping) -> bool:
    return mapping.enabled and any(mapping is current for current in list(_mappings()))


def _work(cloud: Cloud, mapping: EventSourceMapping, shard: StreamShard | None) -> None:
    try:
        if shard:
            _read_stream(cloud, mapping, shard)
        else:
            _read_queue(cloud, mapping)
    finally:
        cloud.state(Progress, mapping).at_work = False


# Streams


def _shard(mapping: EventSourceMapping) -> StreamShard | None:
    if ":dynamodb:" not in mapping.event_source_arn:
        return None
    name = mapping.event_source_arn.split(":table/")[1].split("/")[0]
    table = dynamodb_backends[ACCOUNT][REGION].tables.get(name)
    return table.stream_shard if table else None


def _read_stream(cloud: Cloud, mapping: EventSourceMapping, shard: StreamShard) -> None:
    progress = cloud.state(Progress, mapping)
    while batch := shard.items[progress.position :][: mapping.batch_size]:
        records = [_record(item.to_json(), mapping) for item in batch]
        _process(cloud, mapping, [record for record in records if _selected(mapping, record)])
        if not _live(mapping):
            return
        progress.position += len(batch)


def _process(cloud: Cloud, mapping: EventSourceMapping, records: list[Json]) -> None:
    """Give the function a batch until it has taken all of it, or Lambda gives a part up."""
    attempt = 0
    while records and _live(mapping):
        failed = _failures(cloud, mapping, records, lambda record: record["dynamodb"]["SequenceNumber"])
        if not failed:
            return
        if failed != len(records):  # the function told where it stopped
            records, attempt = records[-failed:], 0
        elif mapping.bisect_on_error and len(records) > 1:
            middle = len(records) // 2
            _process(cloud, mapping, records[:middle])
            records = records[middle:]
        elif _exhausted(mapping, records, attempt):
            _give_up(cloud, mapping, records, attempt)
            return
        else:
            time.sleep(retry_seconds() * min(2**attempt, 8))
            attempt += 1


def _exhausted(mapping: EventSourceMapping, records: list[Json], attempt: int) -> bool:
    """Whether the mapping's limits on attempts or age are reached; -1 and nothing mean none."""
    attempts = -1 if mapping.max_retry_attempts is None else int(mapping.max_retry_attempts)
    oldest = -1 if mapping.max_record_age is None else int(mapping.max_record_age)
    age = time.time() - records[0]["dynamodb"]["ApproximateCreationDateTime"]
    return 0 <= attempts <= attempt or 0 <= oldest <= age


def _give_up(cloud: Cloud, mapping: EventSourceMapping, records: list[Json], attempt: int) -> None:
    target = (mapping.destination_config or {}).get("OnFailure", {}).get("Destination")
    if not target:
        return
    first, last = records[0]["dynamodb"], records[-1]["dynamodb"]
    times = [datetime.fromtimestamp(record["ApproximateCreationDateTime"], UTC) for record in (first, last)]
    arrivals = [f"{moment:%Y-%m-%dT%H:%M:%SZ}" for moment in times]
    envelope = {
        "requestContext": {
            "requestId": str(uuid4()),
            "functionArn": mapping.function_arn,
            "condition": "RetryAttemptsExhausted",
            "approximateInvokeCount": attempt + 1,
        },
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "version": "1.0",
        "timestamp": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.000Z}",
        "DDBStreamBatchInfo": {
            "shardId": "shardId-00000001541626099285-f35f62ef",
            "startSequenceNumber": first["SequenceNumber"],
            "endSequenceNumber": last["SequenceNumber"],
            "approximateArrivalOfFirstRecord": arrivals[0],
            "approximateArrivalOfLastRecord": arrivals[1],
            "batchSize": len(records),
            "streamArn": mapping.event_source_arn,
        },
    }
    function = lambda_backends[ACCOUNT][REGION].get_function(mapping.function_arn)
    hand_over(cloud, function, target, json.dumps(envelope))


def _record(record: Json, mapping: EventSourceMapping) -> Json:
    created = record["dynamodb"]["ApproximateCreationDateTime"]
    change = {**record["dynamodb"], "ApproximateCreationDateTime": unix_time(created)}
    stream_record = {**record, "dynamodb": change, "eventSourceARN": mapping.event_source_arn}
    plain: Json = json.loads(json.dumps(stream_record, default=lambda binary: base64.b64encode(binary).decode()))
    return plain


def _selected(mapping: EventSourceMapping, record: Json) -> bool:
    filters = (mapping.filter_criteria or {}).get("Filters", [])
    return not filters or any(_matches(criterion["Pattern"], record) for criterion in filters)


def _matches(pattern: str, record: Any) -> bool:
    return bool(EventPattern.load(pattern).matches_event(record))


# Queues


def _queue(mapping: EventSourceMapping) -> Queue | None:
    queues: dict[str, Queue] = sqs_backends[ACCOUNT][REGION].queues
    return next((queue for queue in queues.values() if queue.queue_arn == mapping.event_source_arn), None)


def _read_queue(cloud: Cloud, mapping: EventSourceMapping) -> None:
    sqs = cloud.client("sqs")
    url = sqs.get_queue_url(QueueName=mapping.event_source_arn.rpartition(":")[2])["QueueUrl"]
    while _live(mapping):
        options = {"MessageAttributeNames": ["All"], "MessageSystemAttributeNames": ["All"], "WaitTimeSeconds": 0}
        received = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=min(mapping.batch_size, 10), **options)
        messages = received.get("Messages", [])
        if not messages:
            return
        records = [_message(message, mapping) for message in messages]
        refused = _refused(cloud, mapping, records, lambda record: record["messageId"])
        for record in records:
            handle = {"QueueUrl": url, "ReceiptHandle": record["receiptHandle"]}
            if record["messageId"] in refused:
                sqs.change_message_visibility(**handle, VisibilityTimeout=round(retry_seconds()))
            else:
                sqs.delete_message(**handle)
        if refused:
            return  # messages to be retried must become visible first


def _message(message: Json, mapping: EventSourceMapping) -> Json:
    attributes = {
        name: {
            "stringValue": value.get("StringValue"),
            "stringListValues": [],
            "binaryListValues": [],
            "dataType": value["DataType"],
        }
        for name, value in message.get("MessageAttributes", {}).items()
    }
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message["Attributes"],
        "messageAttributes": attributes,
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": mapping.event_source_arn,
        "awsRegion": REGION,
    }


# What the function says of a batch


def _refused(cloud: Cloud, mapping: EventSourceMapping, records: list[Json], identity: Any) -> set[str]:
    """Return the identities of the records that the function did not take: none, all, or those that it reports."""
    everything = {identity(record) for record in records}
    response, failed = invoke(cloud, mapping.function_arn, {"Records": records})
    if failed:
        return everything
    if "ReportBatchItemFailures" not in (mapping.function_response_types or []) or not response:
        return set()
    try:
        reported = {failure["itemIdentifier"] for failure in response.get("batchItemFailures") or []}
    except (AttributeError, KeyError, TypeError):
        return everything  # as in Lambda, a response of another shape is a failure
    unknown = reported - everything
    return everything if unknown else reported


def _failures(cloud: Cloud, mapping: EventSourceMapping, records: list[Json], identity: Any) -> int:
    """How many records, counted from the end, are to be given again: from the first that was not taken."""
    refused = _refused(cloud, mapping, records, identity)
    first = next((place for place, record in enumerate(records) if identity(record) in refused), len(records))
    return len(records) - first
