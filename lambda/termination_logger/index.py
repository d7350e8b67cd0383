"""Writes one structured line for each terminated EC2 instance: why it went, and whether that was expected.

Events may come twice, even at the same time, and a run may die at any point. So the table holds a record for each
instance: a run claims it, writes the line, then marks it recorded.

- Recorded already: a duplicate; nothing is written.
- Claimed by another run that may still be at work: this run fails, so that Lambda repeats it later.
- Claimed by an earlier attempt of this run (Lambda repeats a failed run under its request id), or claimed too long ago:
  the run takes over. No termination is lost with a run that died.

Only a run that dies between writing the line and marking it writes it twice; the other order would lose it.
"""

import json
import os
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from contract.tags import EXPECTED_TERMINATION

GROUP = os.environ["GROUP"]  # the stack's own; empty if it has none
WATCH = os.environ["WATCH"]  # group, all, groups:NAME,NAME or tag:KEY=VALUE
COUNT_EXPECTED = os.environ["COUNT_EXPECTED"] == "true"
GROUP_TAG = "aws:autoscaling:groupName"
CLAIM_SECONDS = 90  # longer than a run may take
KEEP_SECONDS = 15 * 86400  # longer than a failed event waits in the dead-letter queue
LOOK_BACK = timedelta(days=3)  # longer than lifecycle hooks can delay a termination, which is two days

# What a group says of a termination, in its activity's cause; the first that fits holds.
CAUSES = (
    ("shrinking the capacity", "scale-in"),
    ("difference between desired and actual capacity", "scale-in"),
    ("instance refresh", "refresh"),
    ("in response to a user request", "person-or-program"),
    ("indicating it has been terminated or stopped", ""),  # the group noticed afterwards: EC2 knows why
    ("health", "unhealthy"),
    ("status checks failure", "unhealthy"),
)
# What EC2 says, in the code of the instance's state reason.
REASONS = (
    ("Server.Spot", "spot-interruption"),
    ("Client.UserInitiated", "person-or-program"),
    ("Client.InstanceInitiated", "person-or-program"),
    ("Server.", "aws"),
    ("Client.", "launch-failure"),
)
EXPECTED = ("scale-in", "refresh")

Json = dict[str, Any]

# When a large group shrinks, many runs ask at once: they wait longer and longer, at random, when AWS throttles them.
patient = Config(retries={"mode": "standard", "total_max_attempts": 8})
ec2: Any = boto3.client("ec2", config=patient)
autoscaling: Any = boto3.client("autoscaling", config=patient)
table: Any = boto3.resource("dynamodb").Table(os.environ["TABLE"])


def handler(event: Json, context: Any) -> str:
    """Handle one event; what it returns is for people who try it."""
    instance_id, at = read(event)
    instance = find_instance(instance_id)
    tags = {tag["Key"]: tag["Value"] for tag in instance.get("Tags", [])}
    watched = find_groups()
    group = tags.get(GROUP_TAG, "")
    activities = []
    for name in [group] if group else watched:
        activities = find_activities(name, instance_id, at)
        if activities:
            group = name
            break
    if not (WATCH == "all" or is_ours(instance, group, watched)):
        return "not of the group"
    if not claim(instance_id, context.aws_request_id):
        return "recorded already"
    kind, reason = classify(instance, activities)
    expected = kind in EXPECTED or tags.get(EXPECTED_TERMINATION, "false").lower() != "false"
    line = {
        "event": "instance-terminated",
        "instanceId": instance_id,
        "class": kind,
        "expected": expected,
        "counted": COUNT_EXPECTED or not expected,
        "reason": reason,
        "group": group,
        "instanceType": instance.get("InstanceType", ""),
        "zone": instance.get("Placement", {}).get("AvailabilityZone", ""),
        "terminatedAt": at,
        "eventId": event.get("id", ""),
    }
    print(json.dumps(line), flush=True)
    record(line)
    return "recorded"


def read(event: Json) -> tuple[str, str]:
    """The instance and the time of its termination; an event of another shape is refused."""
    try:
        instance_id, state, at = event["detail"]["instance-id"], event["detail"]["state"], event["time"]
    except (KeyError, TypeError) as missing:
        raise ValueError(f"not an EC2 state change: {missing} is missing in {json.dumps(event)[:1000]}") from missing
    if state != "terminated" or not str(instance_id).startswith("i-"):
        raise ValueError(f"not the termination of an instance: {instance_id!r} became {state!r}")
    return instance_id, at


def find_instance(instance_id: str) -> Json:
    """What EC2 still knows; nothing if it does not know the instance (any more)."""
    try:
        answer = ec2.describe_instances(InstanceIds=[instance_id])
    except ClientError as error:
        if error.response["Error"]["Code"] != "InvalidInstanceID.NotFound":
            raise
        return {}
    return next((instance for found in answer["Reservations"] for instance in found["Instances"]), {})


def find_groups() -> list[str]:
    """The names of the watched groups. Those with a tag are asked for each time, because groups come and go."""
    kind, _, value = WATCH.partition(":")
    if kind == "groups":
        return value.split(",")
    if kind == "tag":
        key, _, tag = value.partition("=")
        pages = autoscaling.get_paginator("describe_auto_scaling_groups").paginate(
            Filters=[{"Name": f"tag:{key}", "Values": [tag]}]
        )
        return [group["AutoScalingGroupName"] for page in pages for group in page["AutoScalingGroups"]]
    return [GROUP] if GROUP else []


def find_activities(group: str, instance_id: str, at: str = "") -> list[Json]:
    """The group's activities that name the instance, latest first; none from long before it was terminated.

    Auto Scaling lists the latest first, a hundred in a page. What comes after the first page that names the instance is
    from its earlier life, so that page is the last one to read.
    """
    oldest = datetime.fromisoformat(at) - LOOK_BACK if at else datetime.min.replace(tzinfo=UTC)
    page: Json = {}
    while True:
        answer = autoscaling.describe_scaling_activities(
            AutoScalingGroupName=group, IncludeDeletedGroups=True, MaxRecords=100, **page
        )
        activities = answer["Activities"]
        named = [activity for activity in activities if instance_id in activity.get("Description", "")]
        too_old = bool(activities) and activities[-1].get("StartTime", oldest) < oldest
        if named or too_old or not answer.get("NextToken"):
            return named
        page = {"NextToken": answer["NextToken"]}


def is_ours(instance: Json, group: str, watched: list[str]) -> bool:
    """Whether the instance is of a group. One of which nothing is known any more might be: it is not passed over."""
    if group:
        return group in watched
    if not instance:
        return True
    if instance.get("Tags"):
        return False
    # Tags vanish soon after a termination, but then the group has not yet let go of the instance.
    listed = autoscaling.describe_auto_scaling_instances(InstanceIds=[instance["InstanceId"]])
    return any(entry["AutoScalingGroupName"] in watched for entry in listed["AutoScalingInstances"])


def classify(instance: Json, activities: list[Json]) -> tuple[str, str]:
    """The class of a termination, and the words of AWS that it rests on."""
    state = instance.get("StateReason", {})
    code, message = state.get("Code", ""), state.get("Message", "")
    if code.startswith("Server.Spot"):
        return "spot-interruption", message
    for activity in activities:
        if activity["Description"].startswith("Terminating"):
            cause = activity.get("Cause", "")
            if kind := next((kind for words, kind in CAUSES if words in cause), ""):
                return kind, cause
    return next((kind for start, kind in REASONS if code.startswith(start)), "unknown"), message


def claim(instance_id: str, run: str) -> bool:
    """Take the instance for this run; False if its line has been written."""
    now = int(time.time())
    try:
        table.put_item(
            Item={
                "instanceId": instance_id,
                "run": run,
                "claimedUntil": now + CLAIM_SECONDS,
                "expiresAt": now + KEEP_SECONDS,
            },
            ConditionExpression="attribute_not_exists(instanceId) OR "
            "(attribute_not_exists(recordedAt) AND (#run = :run OR claimedUntil < :now))",
            ExpressionAttributeNames={"#run": "run"},
            ExpressionAttributeValues={":run": run, ":now": now},
        )
    except table.meta.client.exceptions.ConditionalCheckFailedException:
        held = table.get_item(Key={"instanceId": instance_id}, ConsistentRead=True).get("Item", {})
        if "recordedAt" in held:
            return False
        raise RuntimeError(f"{instance_id} is claimed by run {held.get('run')}: to be tried again") from None
    return True


def record(line: Json) -> None:
    """Mark the line as written, and keep what it says for the report."""
    table.update_item(
        Key={"instanceId": line["instanceId"]},
        UpdateExpression="SET recordedAt = :at, counted = :counted, line = :line",
        ExpressionAttributeValues={
            ":at": datetime.now(UTC).isoformat(timespec="seconds"),
            ":counted": line["counted"],
            ":line": json.dumps(line),
        },
    )
