"""Schedules that call their targets: once, at a rate, or by a cron expression.

moto gaps: it never acts on a schedule, takes any expression and target, forgets a changed `ActionAfterCompletion`,
stops a schedule that is changed without a `State`, and fails on a group that is not there.

Sources: https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html, and managing-targets.html,
configuring-schedule-dlq.html and cross-service-confused-deputy-prevention.html there.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import boto3
from botocore import xform_name
from botocore.exceptions import ClientError
from moto.core.exceptions import JsonRESTError
from moto.core.utils import get_service_model
from moto.scheduler.exceptions import ValidationException
from moto.scheduler.models import EventBridgeSchedulerBackend, Schedule, scheduler_backends

from localcloud.access import service_calls, sessions
from localcloud.cloud.account import ACCOUNT, REGION
from localcloud.cloud.context import Cloud
from localcloud.hooks import after, wrap
from localcloud.services.events.schedules import parse

Json = dict[str, Any]

SERVICE = "scheduler.amazonaws.com"
AT = re.compile(r"at\((\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})\)")
UNIVERSAL = re.compile(r"arn:aws:scheduler:::aws-sdk:(?P<service>[a-z0-9-]+):(?P<operation>\w+)")
#: The targets that have templates of their own here, by the service in their ARN.
TEMPLATED = {"events", "lambda", "sns", "sqs", "states"}
#: boto3's name of a service, where its ARNs have another one.
SERVICES = {"states": "stepfunctions"}
#: How late a schedule may run that is due when it is made: EventBridge Scheduler is precise to a minute.
PRECISION = timedelta(minutes=1)


@dataclass
class ScheduleState:
    """When a schedule called its target last; at first, when it was made."""

    ran: datetime = field(default_factory=lambda: datetime.now(UTC))
    is_complete: bool = False


def run(cloud: Cloud, now: datetime | None = None) -> None:
    """Call the target of each schedule that is due.

    Args:
        cloud: The cloud whose schedules they are.
        now: The time, by default the real one.
    """
    now = now or datetime.now(UTC)
    for group in list(scheduler_backends[ACCOUNT][REGION].schedule_groups.values()):
        for schedule in list(group.schedules.values()):
            if schedule.state == "ENABLED" and _is_due(cloud, schedule, now):
                state = cloud.state(ScheduleState, schedule)
                state.ran = now
                cloud.background(_call, cloud, schedule, now)
                if AT.fullmatch(schedule.schedule_expression):
                    state.is_complete = True
                    if schedule.action_after_completion == "DELETE":
                        group.schedules.pop(schedule.name, None)


def _is_due(cloud: Cloud, schedule: Schedule, now: datetime) -> bool:
    state, expression = cloud.state(ScheduleState, schedule), schedule.schedule_expression
    zone = ZoneInfo(schedule.schedule_expression_timezone)
    if once := AT.fullmatch(expression):
        moment = datetime.fromisoformat(once[1]).replace(tzinfo=zone)
        return not state.is_complete and state.ran - PRECISION <= moment <= now
    start, end = _moment(schedule.start_date), _moment(schedule.end_date)
    if (start and now < start) or (end and now >= end):
        return False
    when = parse(expression)
    if isinstance(when, timedelta):
        return bool(now - state.ran >= when)
    minute = now.astimezone(zone).replace(second=0, microsecond=0)
    return bool(state.ran < minute) and when.is_due(minute)


def _moment(date: Any) -> datetime | None:
    return datetime.fromtimestamp(float(date), UTC) if date else None


def _call(cloud: Cloud, schedule: Schedule, now: datetime) -> None:
    """Call the target of a schedule as its role; what fails becomes a dead letter, if there is a queue for them."""
    time = f"{now:%Y-%m-%dT%H:%M:%SZ}"
    text = schedule.target.get("Input") or _event(schedule, time)
    attributes = {
        "schedule-arn": schedule.arn,
        "scheduled-time": time,
        "execution-id": str(uuid4()),
        "attempt-number": "1",
    }
    for name, value in attributes.items():
        text = text.replace(f"<aws.scheduler.{name}>", value)
    try:
        _send(cloud, schedule, text)
    except Exception as error:
        queue = schedule.target.get("DeadLetterConfig", {}).get("Arn")
        if not queue:
            raise
        response = error.response["Error"] if isinstance(error, ClientError) else {}
        reasons = {
            "ERROR_CODE": response.get("Code", type(error).__name__),
            "ERROR_MESSAGE": response.get("Message") or str(error) or "The target could not be called.",
            "SCHEDULE_ARN": schedule.arn,
            "SCHEDULED_TIME": time,
            "TARGET_ARN": schedule.target["Arn"],
        }
        sqs = _client(cloud, "sqs", schedule)
        sqs.send_message(
            QueueUrl=sqs.get_queue_url(QueueName=queue.rpartition(":")[2])["QueueUrl"],
            MessageBody=text,
            MessageAttributes={name: {"DataType": "String", "StringValue": reason} for name, reason in reasons.items()},
        )


def _event(schedule: Schedule, time: str) -> str:
    """Return what a target gets whose schedule gives no input."""
    return json.dumps(
        {
            "version": "0",
            "id": str(uuid4()),
            "detail-type": "Scheduled Event",
            "source": "aws.scheduler",
            "account": ACCOUNT,
            "time": time,
            "region": REGION,
            "resources": [schedule.arn],
            "detail": "{}",
        }
    )


def _send(cloud: Cloud, schedule: Schedule, text: str) -> None:
    target, arn = schedule.target, schedule.target["Arn"]
    if universal := UNIVERSAL.fullmatch(arn):
        name = _operation(arn) or ""
        shape = get_service_model(universal["service"]).operation_model(name).input_shape
        operation = getattr(_client(cloud, universal["service"], schedule), xform_name(name))
        operation(**_as_members(json.loads(text), shape))
        return
    service = arn.split(":")[2]
    client = _client(cloud, SERVICES.get(service, service), schedule)
    match service:
        case "lambda":
            client.invoke(FunctionName=arn, InvocationType="Event", Payload=text)
        case "sns":
            client.publish(TopicArn=arn, Message=text)
        case "sqs":
            url = cloud.client("sqs").get_queue_url(QueueName=arn.rpartition(":")[2])["QueueUrl"]
            client.send_message(QueueUrl=url, MessageBody=text, **target.get("SqsParameters", {}))
        case "states":
            client.start_execution(stateMachineArn=arn, input=text)
        case _:
            entry = {**target.get("EventBridgeParameters", {}), "Detail": text, "EventBusName": arn}
            client.put_events(Entries=[entry])


def _as_members(value: Any, shape: Any) -> Any:
    """Return a universal target's input with the members' names of the service, which may begin with a small letter.

    Inputs begin theirs with a capital one, as `JobName` for Batch's `jobName`.
    """
    if isinstance(value, dict) and shape and shape.type_name == "structure":
        members = {name[:1].upper() + name[1:]: name for name in shape.members}
        names = {key: members.get(key, key) for key in value}
        return {names[key]: _as_members(item, shape.members.get(names[key])) for key, item in value.items()}
    if isinstance(value, dict) and shape and shape.type_name == "map":
        return {key: _as_members(item, shape.value) for key, item in value.items()}
    if isinstance(value, list) and shape and shape.type_name == "list":
        return [_as_members(item, shape.member) for item in value]
    return value


def _client(cloud: Cloud, service: str, schedule: Schedule) -> Any:
    """Return a client that signs as the schedule's role, so that IAM judges what it does."""
    variables = sessions.environment(cloud, schedule.target["RoleArn"], schedule.name)
    if not variables:
        return cloud.client(service)
    session: Any = boto3.session.Session(
        variables["AWS_ACCESS_KEY_ID"], variables["AWS_SECRET_ACCESS_KEY"], variables["AWS_SESSION_TOKEN"], REGION
    )
    return session.client(service, endpoint_url=cloud.environment()["AWS_ENDPOINT_URL"])


def _operation(arn: str) -> str | None:
    """Return the operation that a universal target names, as botocore writes it; None if there is none."""
    universal = UNIVERSAL.fullmatch(arn)
    try:
        names = get_service_model(universal["service"]).operation_names if universal else []
    except Exception:  # noqa: BLE001 - botocore has several errors for a service that is not there
        return None
    wanted = universal["operation"] if universal else ""
    return next((name for name in names if name.lower() == wanted.lower()), None)


@after(Schedule, "__init__")
@after(Schedule, "update")
def _made(cloud: Cloud, _: None, schedule: Schedule, *_args: Any, **_kwargs: Any) -> None:
    """A rate counts from when the schedule was made or changed."""
    cloud.set_state(schedule, ScheduleState())


@wrap(EventBridgeSchedulerBackend, "create_schedule", "update_schedule")
def _check(cloud: Cloud, original: Any, self: EventBridgeSchedulerBackend, **settings: Any) -> Schedule:
    """Take a schedule that can act.

    Raises:
        ValidationException: Names what is wrong with the expression, the time zone, the target or the role.
        ScheduleGroupNotFound: There is no such group.
    """
    group = self.get_schedule_group(settings["group_name"])
    expression, zone = settings["schedule_expression"], settings["schedule_expression_timezone"] or "UTC"
    try:
        if once := AT.fullmatch(expression):
            datetime.fromisoformat(once[1])
        else:
            parse(expression)
    except (ValueError, OverflowError):
        raise ValidationException(f"Invalid Schedule Expression {expression}.") from None
    try:
        ZoneInfo(zone)
    except Exception as error:
        raise ValidationException(f"Invalid Schedule Expression Timezone {zone}.") from error
    target = settings["target"]
    if not _is_reachable(target["Arn"]):
        raise ValidationException(f"The local cloud's schedules do not call {target['Arn']}.")
    try:
        origin = {"aws:sourceaccount": ACCOUNT, "aws:sourcearn": group.arn}
        service_calls.check_trust(cloud, SERVICE, target["RoleArn"], origin)
    except PermissionError as error:
        message = "The execution role you provide must allow AWS EventBridge Scheduler to assume the role."
        raise ValidationException(message) from error
    schedule: Schedule = original(self, **settings | {"state": settings["state"] or "ENABLED"})
    return schedule


def _is_reachable(arn: str) -> bool:
    if UNIVERSAL.fullmatch(arn):
        return _operation(arn) is not None
    elements = arn.split(":")
    return len(elements) > 5 and elements[2] in TEMPLATED  # noqa: PLR2004 - the elements of an ARN


@wrap(EventBridgeSchedulerBackend, "create_schedule_group")
def _create_group(original: Any, self: EventBridgeSchedulerBackend, name: str, tags: Any) -> Any:
    if name in self.schedule_groups:
        raise JsonRESTError("ConflictException", f"Schedule group {name} already exists.")
    return original(self, name, tags or [])
