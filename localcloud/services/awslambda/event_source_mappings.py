"""Event source mappings: what Lambda refuses when one is made, and how it describes them.

moto gaps: any pattern and any batch size will do, a second mapping of the same source to the same function is made, an
update does not say that it is under way, and mappings of queues are described as those of streams.

Source: https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from moto.awslambda.exceptions import InvalidParameterValueException, LambdaClientError
from moto.awslambda.models import EventSourceMapping, LambdaBackend
from moto.awslambda.responses import LambdaResponse
from moto.dynamodb.models import dynamodb_backends
from moto.dynamodb.models.table import StreamShard
from moto.sqs.models import Queue, sqs_backends

from localcloud.access import service_calls
from localcloud.access.actions.derivation import Need
from localcloud.cloud.account import ACCOUNT, REGION
from localcloud.cloud.context import Cloud
from localcloud.hooks import after, wrap
from localcloud.services.awslambda import qualifiers
from localcloud.services.events.patterns import PatternError, compile_pattern

Json = dict[str, Any]
#: What Lambda does with an event source as the function's role, by the service of the source.
READING: dict[str, tuple[str, ...]] = {
    "dynamodb": ("dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"),
    "sqs": ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"),
}
NO_QUEUE = (
    "Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. "
    "SQS Error Message: The specified queue does not exist."
)
#: The largest batch of a queue whose mapping does not wait for more.
LARGEST_WITHOUT_WINDOW = 10
#: The settings that a mapping has by default, by moto's names, and those of streams only.
DEFAULTS: Json = {"function_response_types": [], "max_batch_window": 0}
OF_STREAMS: Json = {
    "bisect_on_error": False,
    "destination_config": {"OnFailure": {}},
    "max_record_age": -1,
    "max_retry_attempts": -1,
    "parallelization_factor": 1,
    "tumbling_window": 0,
}


class ResourceConflictException(LambdaClientError):  # noqa: N818 - AWS's name
    """There is a mapping of the source to the function already."""

    code = 409

    def __init__(self, message: str) -> None:
        super().__init__("ResourceConflictException", message)


@dataclass
class Progress:
    """How far an event source mapping has come.

    Attributes:
        position: How many records of its stream its function has taken.
        workers: What works at it, one member for each thread.
        result: What came of the last batch of a stream, in Lambda's words.
    """

    position: int = 0
    workers: set[object] = field(default_factory=set)
    result: str = "No records processed"


def shard_of(mapping: EventSourceMapping) -> StreamShard | None:
    """Return the shard of the table's stream that a mapping reads; None if it reads none."""
    if ":dynamodb:" not in mapping.event_source_arn:
        return None
    name = mapping.event_source_arn.split(":table/")[1].split("/")[0]
    table = dynamodb_backends[ACCOUNT][REGION].tables.get(name)
    return table.stream_shard if table else None


def queue_of(mapping: EventSourceMapping) -> Queue | None:
    """Return the queue that a mapping reads; None if it reads none."""
    return _queue(mapping.event_source_arn)


def _queue(arn: str) -> Queue | None:
    queues: dict[str, Queue] = sqs_backends[ACCOUNT][REGION].queues
    return next((queue for queue in queues.values() if queue.queue_arn == arn), None)


@wrap(LambdaBackend, "create_event_source_mapping")
def _create(cloud: Cloud, original: Any, self: LambdaBackend, spec: Json) -> EventSourceMapping:
    """Refuse a mapping that Lambda would not make."""
    arn = str(spec.get("EventSourceArn") or "")
    kind = arn.split(":")[2] if arn.count(":") >= 5 else ""  # noqa: PLR2004 - the colons of an ARN
    function = self.get_function(spec["FunctionName"]) if kind in READING and spec.get("FunctionName") else None
    _check_filters(spec)
    if function:
        _check_batch(arn, int(spec.get("BatchSize") or 1), int(spec.get("MaximumBatchingWindowInSeconds") or 0))
        _check_role(cloud, str(function.role), function.function_name, kind, arn)
        _check_existence(arn)
        for other in self._event_source_mappings.values():
            if (other.event_source_arn, other.function_arn) == (arn, qualifiers.named(spec["FunctionName"]).arn):
                raise ResourceConflictException(_conflict(other, kind, function.function_name))
    mapping: EventSourceMapping = original(self, spec)
    return mapping


@wrap(LambdaBackend, "update_event_source_mapping")
def _update(original: Any, self: LambdaBackend, uuid: str, spec: Json) -> EventSourceMapping | None:
    """Refuse settings that Lambda would not take."""
    mapping = self.get_event_source_mapping(uuid)
    _check_filters(spec)
    if mapping:
        size = spec.get("BatchSize", mapping.batch_size)
        window = spec.get("MaximumBatchingWindowInSeconds", mapping.max_batch_window)
        _check_batch(mapping.event_source_arn, int(size), int(window or 0))
    updated: EventSourceMapping | None = original(self, uuid, spec)
    if updated and "FunctionName" in spec:
        updated.function_arn = qualifiers.named(spec["FunctionName"]).arn
    return updated


def _check_role(cloud: Cloud, role: str, function: str, kind: str, arn: str) -> None:
    """Refuse a source that the function's role may not read.

    Source: https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html
    """
    try:
        service_calls.check_role(cloud, role, function, *(Need(action, arn) for action in READING[kind]))
    except PermissionError as error:
        message = "The provided execution role does not have permissions to read the event source"
        raise InvalidParameterValueException(f"{message} {arn}. {error}") from error


def _check_existence(arn: str) -> None:
    if ":sqs:" in arn and not _queue(arn):
        raise InvalidParameterValueException(NO_QUEUE)
    tables = dynamodb_backends[ACCOUNT][REGION].tables.values()
    streams = {f"{table.table_arn}/stream/{table.latest_stream_label}" for table in tables}
    if ":dynamodb:" in arn and arn not in streams:
        raise InvalidParameterValueException(f"Stream not found: {arn}")


def _check_batch(arn: str, size: int, window: int) -> None:
    if ":sqs:" in arn and size > LARGEST_WITHOUT_WINDOW and window == 0:
        limit = f"greater than 0 if maximum batch size is greater than {LARGEST_WITHOUT_WINDOW}"
        raise InvalidParameterValueException(f"Maximum batch window in seconds must be {limit}")


def _check_filters(spec: Json) -> None:
    for criterion in (spec.get("FilterCriteria") or {}).get("Filters") or []:
        try:
            compile_pattern(str(criterion.get("Pattern") or ""))
        except PatternError as error:
            raise InvalidParameterValueException("Invalid filter pattern definition.") from error


def _conflict(other: EventSourceMapping, kind: str, function: str) -> str:
    advice = f"Please update or delete the existing mapping with UUID {other.uuid}"
    source, name = f'(" {other.event_source_arn} ")', f'(" {function} ")'
    if kind == "sqs":
        return f"An event source mapping with SQS arn {source} and function {name} already exists. {advice}"
    return f"The event source arn {source} and function {name} provided mapping already exists. {advice}"


@after(LambdaBackend, "create_event_source_mapping")
def _created(cloud: Cloud, mapping: EventSourceMapping, _: LambdaBackend, spec: Json) -> None:
    """Take the source over from moto, with the settings that Lambda gives a mapping by default.

    moto names the version that an alias stands for now; the alias is what is called.
    """
    mapping.function_arn = qualifiers.named(spec["FunctionName"]).arn
    defaults = DEFAULTS | OF_STREAMS if mapping.starting_position else DEFAULTS
    for name, default in defaults.items():
        if getattr(mapping, name) in (None, {}):
            setattr(mapping, name, default)
    if shard := shard_of(mapping):
        shard.table.lambda_event_source_mappings.clear()
        cloud.state(Progress, mapping).position = len(shard.items) if mapping.starting_position == "LATEST" else 0
    if queue := queue_of(mapping):
        queue.lambda_event_source_mappings.clear()


@wrap(EventSourceMapping, "get_configuration")
def _described(cloud: Cloud, original: Any, self: EventSourceMapping) -> Json:
    described: Json = original(self)
    is_stream = bool(self.starting_position)
    described["StateTransitionReason"] = "User action" if is_stream else "USER_INITIATED"
    if is_stream:
        described["LastProcessingResult"] = cloud.state(Progress, self).result
    for name in ("FilterCriteria", "Tags"):
        if not any((described.get(name) or {}).values()):
            described.pop(name, None)
    return described


@wrap(LambdaResponse, "create_event_source_mapping")
def _create_response(original: Any, self: LambdaResponse) -> Any:
    answer = original(self)
    return _under_way(answer, "Creating" if json.loads(answer[2])["State"] == "Enabled" else "Disabled")


@wrap(LambdaResponse, "update_event_source_mapping")
def _update_response(original: Any, self: LambdaResponse) -> Any:
    mapping = self.backend.get_event_source_mapping(self.path.split("/")[-1])
    before = mapping.enabled if mapping else None
    answer = original(self)
    if not mapping:
        return answer
    state = "Updating" if mapping.enabled == before else "Enabling" if mapping.enabled else "Disabling"
    return _under_way(answer, state)


def _under_way(answer: Any, state: str) -> Any:
    """Return the answer to a request whose work Lambda does after it has answered."""
    _, headers, body = answer
    accepted = 202
    return accepted, {**headers, "status": accepted}, json.dumps({**json.loads(body), "State": state})
