"""EventBridge: events of the services reach the targets of the rules that they match.

moto gaps: rules reach neither functions nor topics, ignore inputs, state and dead-letter queues, and time is a number;
what could not be delivered is not counted.
"""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from jsonpath_ng.ext.parser import parse as json_path
from moto.events.models import Rule, events_backends
from moto.events.utils import EventTemplateParser

from localcloud.cloud.account import ACCOUNT, REGION
from localcloud.cloud.background import background, client
from localcloud.hooks import instead
from localcloud.services.cloudwatch.metrics import measure
from localcloud.services.kms import key_policies

SERVICE = "events.amazonaws.com"
#: The target by which the rule of an archive fills it.
ARCHIVES = f"arn:aws:events:{REGION}:::"


def publish(source: str, kind: str, detail: dict[str, Any], resources: Iterable[str]) -> None:
    """Put an event of a service on the default bus, once the caller has finished."""
    entry = {"Source": source, "DetailType": kind, "Detail": json.dumps(detail), "Resources": [*resources]}
    background(events_backends[ACCOUNT][REGION].put_events, [entry])


def deliver(arn: str, payload: str, target: dict[str, Any] | None = None) -> None:
    """Hand ``payload`` to whatever the ARN names.

    Raises:
        NotImplementedError: The local cloud does not deliver to that service.
    """
    target = target or {}
    match arn.split(":", 3)[2]:
        case "lambda":
            client("lambda").invoke(FunctionName=arn, InvocationType="Event", Payload=payload)
        case "sns":
            client("sns").publish(TopicArn=arn, Message=payload)
        case "sqs":
            url = client("sqs").get_queue_url(QueueName=arn.rpartition(":")[2])["QueueUrl"]
            client("sqs").send_message(QueueUrl=url, MessageBody=payload, **target.get("SqsParameters", {}))
        case "logs":
            log_lines(arn.split(":log-group:")[1].removesuffix(":*"), str(uuid4()), [payload])
        case "events" if ":event-bus/" in arn:
            client("events").put_events(Entries=[_entry(json.loads(payload), arn)])
        case service:
            raise NotImplementedError(f"the local cloud does not deliver to {service}: {arn}")


def _entry(event: dict[str, Any], bus: str) -> dict[str, Any]:
    """An event as `PutEvents` takes it, for another event bus. It keeps its source, time and resources."""
    return {
        "Source": event["source"],
        "DetailType": event["detail-type"],
        "Detail": json.dumps(event["detail"]),
        "Resources": event["resources"],
        "Time": datetime.fromisoformat(event["time"]),
        "EventBusName": bus,
    }


def log_lines(group: str, stream: str, lines: list[str]) -> None:
    """Write lines to a new stream of a log group."""
    now = int(datetime.now(UTC).timestamp() * 1000)
    client("logs").create_log_stream(logGroupName=group, logStreamName=stream)
    events = [{"timestamp": now, "message": line} for line in lines]
    client("logs").put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)


@instead(Rule, "send_to_targets")
def _send_to_targets(_: Any, self: Rule, event: Any, transform_input: bool = True) -> None:  # noqa: ARG001
    pattern = self.event_pattern
    if self.state != "ENABLED" or not pattern.get_pattern() or not pattern.matches_event(event):
        return
    for target in list(self.targets):
        if target["Arn"] == ARCHIVES:
            _archive(self.name, event)
            continue
        background(_send, self.name, target, {**event, "time": _iso(event["time"])})


def _archive(rule: str, event: Any) -> None:
    archives = events_backends[ACCOUNT][REGION].archives.values()
    next(archive for archive in archives if archive.rule and archive.rule.name == rule).events.append(event)


def _send(rule: str, target: dict[str, Any], event: Any) -> None:
    try:
        _deliver(target["Arn"], json.dumps(_input(target, event)), target)
    except Exception:
        measure("AWS/Events", "FailedInvocations", 1, {"RuleName": rule})
        if "DeadLetterConfig" not in target:
            raise
        _deliver(target["DeadLetterConfig"]["Arn"], json.dumps(event))


def _deliver(arn: str, payload: str, target: dict[str, Any] | None = None) -> None:
    """Deliver in EventBridge's own name. It tells KMS neither the account nor the rule."""
    key_policies.check(arn, SERVICE, context={})
    deliver(arn, payload, target)


def _input(target: dict[str, Any], event: Any) -> Any:
    if transformer := target.get("InputTransformer"):
        return EventTemplateParser.parse(transformer["InputTemplate"], transformer.get("InputPathsMap", {}), event)
    if "Input" in target:
        return json.loads(target["Input"])
    if "InputPath" in target:
        return json_path(target["InputPath"]).find(event)[0].value
    return {name: value for name, value in event.items() if name != "ingestion-time"}


def _iso(time: Any) -> str:
    moment = time if isinstance(time, datetime) else datetime.fromtimestamp(float(time), UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
