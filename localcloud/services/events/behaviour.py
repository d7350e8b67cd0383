"""EventBridge: events of the services reach the targets of the rules that they match.

moto gaps: rules reach neither functions nor topics, ignore inputs, state and dead-letter queues, and time is a number;
what could not be delivered is not counted.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from botocore.exceptions import ClientError
from moto.events.models import Rule, events_backends

from localcloud.access import service_calls
from localcloud.access.actions.derivation import Need
from localcloud.cloud.account import ACCOUNT, REGION
from localcloud.cloud.context import Cloud
from localcloud.hooks import replace
from localcloud.services.cloudwatch.metrics import measure
from localcloud.services.events import inputs

SERVICE = "events.amazonaws.com"
#: The target by which the rule of an archive fills it.
ARCHIVES = f"arn:aws:events:{REGION}:::"
#: The services that `deliver` delivers to, besides event buses.
DELIVERABLE = {"lambda", "logs", "sns", "sqs", "states"}
#: What EventBridge calls an error, by its kind, where the target's service does not name one.
CODES: dict[type[Exception], str] = {PermissionError: "NO_PERMISSIONS", NotImplementedError: "UNSUPPORTED_TARGET"}
DEFAULT_CODE = "INVALID_JSON"


def publish(cloud: Cloud, source: str, kind: str, detail: dict[str, Any], resources: Iterable[str]) -> None:
    """Put an event of a service on the default bus, once the caller has finished."""
    entry = {"Source": source, "DetailType": kind, "Detail": json.dumps(detail), "Resources": [*resources]}
    cloud.background(events_backends[ACCOUNT][REGION].put_events, [entry])


def deliver(cloud: Cloud, arn: str, payload: str, target: dict[str, Any] | None = None) -> None:
    """Hand ``payload`` to whatever the ARN names.

    Raises:
        NotImplementedError: The local cloud does not deliver to that service.
    """
    target = target or {}
    match arn.split(":", 3)[2]:
        case "lambda":
            cloud.client("lambda").invoke(FunctionName=arn, InvocationType="Event", Payload=payload)
        case "sns":
            cloud.client("sns").publish(TopicArn=arn, Message=payload)
        case "sqs":
            url = cloud.client("sqs").get_queue_url(QueueName=arn.rpartition(":")[2])["QueueUrl"]
            cloud.client("sqs").send_message(QueueUrl=url, MessageBody=payload, **target.get("SqsParameters", {}))
        case "logs":
            log_lines(cloud, arn.split(":log-group:")[1].removesuffix(":*"), str(uuid4()), [payload])
        case "states":
            cloud.client("stepfunctions").start_execution(stateMachineArn=arn, input=payload)
        case "events" if ":event-bus/" in arn:
            cloud.client("events").put_events(Entries=[_entry(json.loads(payload), arn)])
        case service:
            raise NotImplementedError(f"the local cloud does not deliver to {service}: {arn}")


def is_deliverable(arn: str) -> bool:
    """Return whether `deliver` knows what the ARN names."""
    service = arn.removeprefix("arn:aws:").partition(":")[0]
    return service in DELIVERABLE or arn == ARCHIVES or (service == "events" and ":event-bus/" in arn)


def _entry(event: dict[str, Any], bus: str) -> dict[str, Any]:
    """Return an event as `PutEvents` takes it, for another event bus. It keeps its source, time and resources."""
    return {
        "Source": event["source"],
        "DetailType": event["detail-type"],
        "Detail": json.dumps(event["detail"]),
        "Resources": event["resources"],
        "Time": datetime.fromisoformat(event["time"]),
        "EventBusName": bus,
    }


def log_lines(cloud: Cloud, group: str, stream: str, lines: list[str]) -> None:
    """Write lines to a new stream of a log group."""
    now = int(datetime.now(UTC).timestamp() * 1000)
    cloud.client("logs").create_log_stream(logGroupName=group, logStreamName=stream)
    events = [{"timestamp": now, "message": line} for line in lines]
    cloud.client("logs").put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)


@replace(Rule, "send_to_targets")
def _send_to_targets(cloud: Cloud, self: Rule, event: Any, transform_input: bool = True) -> None:  # noqa: ARG001
    public = {**event, "time": _iso(event["time"]), "ingestion-time": _iso(event["ingestion-time"])}
    pattern = self.event_pattern
    if self.state != "ENABLED" or not pattern.get_pattern():
        return
    plain_event: Any = {name: value for name, value in public.items() if name != "ingestion-time"}
    if pattern.matches_event(plain_event):
        send(cloud, self, public)


def send(cloud: Cloud, rule: Rule, event: dict[str, Any]) -> None:
    """Send an event to each target of a rule, once the caller has finished.

    Args:
        cloud: The cloud of both.
        rule: Its rule.
        event: The event in its public form, with ``ingestion-time`` beside it.
    """
    measure("AWS/Events", "MatchedEvents", 1, {"RuleName": rule.name})
    for target in list(rule.targets):
        if target["Arn"] == ARCHIVES:
            _archive(rule.name, event)
            continue
        cloud.background(_send, cloud, {"name": rule.name, "arn": rule.arn}, target, event)


def _archive(rule: str, event: Any) -> None:
    archives = events_backends[ACCOUNT][REGION].archives.values()
    next(archive for archive in archives if archive.rule and archive.rule.name == rule).events.append(event)


def _send(cloud: Cloud, rule: dict[str, str], target: dict[str, Any], event: Any) -> None:
    """Deliver an event to one target of a rule. What cannot be delivered is counted, and becomes a dead letter."""
    measure("AWS/Events", "Invocations", 1, {"RuleName": rule["name"]})
    try:
        _deliver(cloud, target["Arn"], inputs.render(target, event, rule), rule, target)
    except Exception as error:
        measure("AWS/Events", "FailedInvocations", 1, {"RuleName": rule["name"]})
        if "DeadLetterConfig" not in target:
            raise
        _bury(cloud, rule, target, event, error)


def _bury(cloud: Cloud, rule: dict[str, str], target: dict[str, Any], event: Any, error: Exception) -> None:
    """Put an event into the dead-letter queue of its target, with the reasons as message attributes.

    Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
    """
    code = error.response["Error"]["Code"] if isinstance(error, ClientError) else CODES.get(type(error), DEFAULT_CODE)
    reasons = {
        "RULE_ARN": rule["arn"],
        "TARGET_ARN": target["Arn"],
        "ERROR_CODE": code,
        "ERROR_MESSAGE": str(error) or code,
    }
    letter = json.dumps({name: value for name, value in event.items() if name != "ingestion-time"})
    queue = target["DeadLetterConfig"]["Arn"]
    attributes = {name: {"DataType": "String", "StringValue": reason} for name, reason in reasons.items()}
    try:
        service_calls.check(cloud, SERVICE, queue, rule["arn"])
        url = cloud.client("sqs").get_queue_url(QueueName=queue.rpartition(":")[2])["QueueUrl"]
        cloud.client("sqs").send_message(QueueUrl=url, MessageBody=letter, MessageAttributes=attributes)
    except Exception:
        measure("AWS/Events", "InvocationsFailedToBeSentToDlq", 1, {"RuleName": rule["name"]})
        raise
    measure("AWS/Events", "InvocationsSentToDlq", 1, {"RuleName": rule["name"]})


def _deliver(cloud: Cloud, arn: str, payload: str, rule: dict[str, str], target: dict[str, Any]) -> None:
    """Deliver in EventBridge's own name. It tells KMS neither the account nor the rule.

    Raises:
        PermissionError: The target's policy does not let the rule in, or a key's policy keeps EventBridge out.
    """
    if ":event-bus/" in arn:
        service_calls.check_bus(cloud, arn, rule["arn"], target.get("RoleArn", ""))
    elif arn.split(":")[2] == "states":
        service_calls.check_trust(cloud, SERVICE, target["RoleArn"])
        service_calls.check_role(cloud, target["RoleArn"], "events", Need("states:StartExecution", arn))
    else:
        service_calls.check(cloud, SERVICE, arn, rule["arn"])
    deliver(cloud, arn, payload, target)


def _iso(time: Any) -> str:
    if isinstance(time, str):
        return time
    moment = time if isinstance(time, datetime) else datetime.fromtimestamp(float(time), UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
