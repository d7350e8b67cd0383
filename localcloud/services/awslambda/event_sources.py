"""What comes into a table's stream or a queue reaches its function, in order, as its event source mapping asks.

moto gaps: it calls functions within the write, knows no retries, partial failures, filters nor failure destinations,
and loses what a function has not taken. A stream has one shard here, which keeps the order of all keys; what Lambda
does after a failure it does here, too, only sooner.
"""

from __future__ import annotations

import base64
import json
import math
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from moto.awslambda.models import EventSourceMapping, lambda_backends
from moto.core.utils import unix_time
from moto.dynamodb.models.table import StreamShard

from localcloud.cloud.account import ACCOUNT, REGION
from localcloud.cloud.context import Cloud
from localcloud.services.awslambda.behaviour import invoke
from localcloud.services.awslambda.destinations import hand_over
from localcloud.services.awslambda.event_source_mappings import Progress, queue_of, shard_of
from localcloud.services.events.patterns import compile_pattern

Json = dict[str, Any]
#: How many batches of a queue are handled at a time, unless the mapping says otherwise; Lambda begins with as many.
#: Source: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
POLLERS = 5
#: How many messages SQS gives at a time.
MESSAGES = 10
#: How many bytes of messages a batch may have, which is what a function may be called with.
BATCH_BYTES = 6 * 1024 * 1024


def poll(cloud: Cloud) -> None:
    """Set to work at each mapping whom its source has something for: one worker for a stream, several for a queue."""
    for mapping in list(_mappings()):
        progress, shard, queue = cloud.state(Progress, mapping), shard_of(mapping), queue_of(mapping)
        waiting = queue.messages if queue else shard and len(shard.items) > progress.position
        limit = int((mapping.scaling_config or {}).get("MaximumConcurrency") or POLLERS) if queue else 1
        if waiting and mapping.enabled and len(progress.workers) < limit:
            worker = object()
            progress.workers.add(worker)
            cloud.background(_work, cloud, mapping, shard, worker)


def _mappings() -> Iterator[EventSourceMapping]:
    yield from lambda_backends[ACCOUNT][REGION]._event_source_mappings.values()  # noqa: SLF001


def _live(mapping: EventSourceMapping) -> bool:
    return mapping.enabled and any(mapping is current for current in list(_mappings()))


def _work(cloud: Cloud, mapping: EventSourceMapping, shard: StreamShard | None, worker: object) -> None:
    try:
        if shard:
            _read_stream(cloud, mapping, shard)
        else:
            _read_queue(cloud, mapping)
    finally:
        cloud.state(Progress, mapping).workers.discard(worker)


# Streams


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
    attempt, progress = 0, cloud.state(Progress, mapping)
    while records and _live(mapping):
        refused, failed = _offer(cloud, mapping, records, _sequence_number)
        progress.result = "PROBLEM: Function call failed" if failed else "OK"
        first = next((place for place, record in enumerate(records) if _sequence_number(record) in refused), None)
        if first is None:
            return
        if first:  # the function told where it stopped
            records, attempt = records[first:], 0
        elif mapping.bisect_on_error and len(records) > 1:
            middle = len(records) // 2
            _process(cloud, mapping, records[:middle])
            records = records[middle:]
        elif condition := _exhausted(mapping, records, attempt):
            _give_up(cloud, mapping, records, condition, attempt + 1, failed=failed)
            return
        else:
            time.sleep(cloud.settings.retry_seconds * min(2**attempt, 8))
            attempt += 1


def _sequence_number(record: Json) -> str:
    return str(record["dynamodb"]["SequenceNumber"])


def _exhausted(mapping: EventSourceMapping, records: list[Json], attempt: int) -> str:
    """Return which of the mapping's limits is reached, in Lambda's words; empty if none. -1 and nothing mean none."""
    attempts = -1 if mapping.max_retry_attempts is None else int(mapping.max_retry_attempts)
    oldest = -1 if mapping.max_record_age is None else int(mapping.max_record_age)
    age = time.time() - records[0]["dynamodb"]["ApproximateCreationDateTime"]
    if 0 <= attempts <= attempt:
        return "RetryAttemptsExhausted"
    return "RecordAgeExceeded" if 0 <= oldest <= age else ""


def _give_up(
    cloud: Cloud, mapping: EventSourceMapping, records: list[Json], condition: str, count: int, *, failed: bool
) -> None:
    """Send what a function has not taken to the mapping's failure destination; a bucket also gets the records."""
    target = ((mapping.destination_config or {}).get("OnFailure") or {}).get("Destination")
    if not target:
        return
    first, last = records[0]["dynamodb"], records[-1]["dynamodb"]
    times = [datetime.fromtimestamp(record["ApproximateCreationDateTime"], UTC) for record in (first, last)]
    arrivals = [f"{moment:%Y-%m-%dT%H:%M:%SZ}" for moment in times]
    now, shard = datetime.now(UTC), "shardId-00000001541626099285-f35f62ef"
    envelope = {
        "requestContext": {
            "requestId": str(uuid4()),
            "functionArn": mapping.function_arn,
            "condition": condition,
            "approximateInvokeCount": count,
        },
        "responseContext": {
            "statusCode": 200,
            "executedVersion": "$LATEST",
            "functionError": "Unhandled" if failed else None,
        },
        "version": "1.0",
        "timestamp": f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03d}Z",
        "DDBStreamBatchInfo": {
            "shardId": shard,
            "startSequenceNumber": first["SequenceNumber"],
            "endSequenceNumber": last["SequenceNumber"],
            "approximateArrivalOfFirstRecord": arrivals[0],
            "approximateArrivalOfLastRecord": arrivals[1],
            "batchSize": len(records),
            "streamArn": mapping.event_source_arn,
        },
    }
    key = ""
    if target.startswith("arn:aws:s3:"):
        key = f"aws/lambda/{mapping.uuid}/{shard}/{now:%Y/%m/%d/%Y-%m-%dT%H.%M.%S}-{uuid4()}"
        envelope["payload"] = json.dumps({"Records": records})
    function = lambda_backends[ACCOUNT][REGION].get_function(mapping.function_arn)
    hand_over(cloud, function, target, json.dumps(envelope), key=key)


def _record(record: Json, mapping: EventSourceMapping) -> Json:
    created = record["dynamodb"]["ApproximateCreationDateTime"]
    change = {**record["dynamodb"], "ApproximateCreationDateTime": unix_time(created)}
    stream_record = {**record, "dynamodb": change, "eventSourceARN": mapping.event_source_arn}
    plain: Json = json.loads(json.dumps(stream_record, default=lambda binary: base64.b64encode(binary).decode()))
    return plain


# Queues


def _read_queue(cloud: Cloud, mapping: EventSourceMapping) -> None:
    sqs = cloud.client("sqs")
    url = sqs.get_queue_url(QueueName=mapping.event_source_arn.rpartition(":")[2])["QueueUrl"]
    while _live(mapping):
        records, others = list[Json](), list[Json]()
        for record in _received(sqs, url, mapping):
            (records if _selected(mapping, record) else others).append(record)
        if not records and not others:
            return
        refused = _offer(cloud, mapping, records, lambda record: str(record["messageId"]))[0] if records else set()
        for record in records + others:  # what the filters do not let through is deleted, too
            handle = {"QueueUrl": url, "ReceiptHandle": record["receiptHandle"]}
            if record["messageId"] in refused:
                sqs.change_message_visibility(**handle, VisibilityTimeout=round(cloud.settings.retry_seconds))
            else:
                sqs.delete_message(**handle)
        if refused:
            return  # messages to be retried must become visible first


def _received(sqs: Any, url: str, mapping: EventSourceMapping) -> list[Json]:
    """Take the messages of one batch; more of them are awaited for as long as the mapping's window."""
    options = {"MessageAttributeNames": ["All"], "MessageSystemAttributeNames": ["All"], "QueueUrl": url}
    records, size, closes = list[Json](), 0, time.monotonic()
    while (room := mapping.batch_size - len(records)) > 0 and size < BATCH_BYTES:
        patience = min(max(0, math.ceil(closes - time.monotonic())), 1)
        received = sqs.receive_message(MaxNumberOfMessages=min(room, MESSAGES), WaitTimeSeconds=patience, **options)
        messages = received.get("Messages", [])
        if messages and not records:
            closes = time.monotonic() + (mapping.max_batch_window or 0)
        if not messages and time.monotonic() >= closes:
            break
        records += [_message(message, mapping) for message in messages]
        size += sum(len(message["Body"]) for message in messages)
    return records


def _message(message: Json, mapping: EventSourceMapping) -> Json:
    attributes = {
        name: {
            **({"stringValue": value["StringValue"]} if "StringValue" in value else {}),
            **({"binaryValue": base64.b64encode(value["BinaryValue"]).decode()} if "BinaryValue" in value else {}),
            "stringListValues": [],
            "binaryListValues": [],
            "dataType": value["DataType"],
        }
        for name, value in message.get("MessageAttributes", {}).items()
    }
    digest = message.get("MD5OfMessageAttributes")
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message["Attributes"],
        "messageAttributes": attributes,
        **({"md5OfMessageAttributes": digest} if digest else {}),
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": mapping.event_source_arn,
        "awsRegion": REGION,
    }


# What reaches the function, and what it says of a batch


def _selected(mapping: EventSourceMapping, record: Json) -> bool:
    """Return whether one of the mapping's filters lets a record through, or there is none.

    Source: https://docs.aws.amazon.com/lambda/latest/dg/with-sqs-filtering.html
    """
    patterns = [criterion["Pattern"] for criterion in (mapping.filter_criteria or {}).get("Filters") or []]
    return not patterns or any(compile_pattern(pattern)(_comparable(pattern, record)) for pattern in patterns)


def _comparable(pattern: str, record: Json) -> Json:
    """Return a record as a pattern sees it: a message's body as JSON, where the pattern asks for fields of it."""
    if not isinstance(json.loads(pattern).get("body"), dict) or "body" not in record:
        return record
    try:
        return {**record, "body": json.loads(record["body"])}
    except ValueError:
        return record


def _offer(cloud: Cloud, mapping: EventSourceMapping, records: list[Json], identity: Any) -> tuple[set[str], bool]:
    """Call the function with records.

    Returns:
        The identities of those that it did not take: none, all, or those that it reports; and whether it failed.
    """
    everything = {identity(record) for record in records}
    response, failed = invoke(cloud, mapping.function_arn, {"Records": records})
    if failed:
        return everything, True
    if "ReportBatchItemFailures" not in (mapping.function_response_types or []) or not response:
        return set(), False
    try:
        reported = {failure["itemIdentifier"] for failure in response.get("batchItemFailures") or []}
    except (AttributeError, KeyError, TypeError):
        return everything, False  # as in Lambda, a response of another shape is a failure
    return (everything if reported - everything else reported), False
