"""Send an e-mail that names the instances of an alarm: CloudWatch's own notification has only their number."""

import json
import os
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import boto3

TOPIC, STACK, LOG_GROUP = (os.environ[name] for name in ("TOPIC", "STACK", "LOG_GROUP"))
PARTITION, REGION, ACCOUNT = (TOPIC.split(":")[part] for part in (1, 3, 4))
CONSOLES = {"aws-cn": "amazonaws.cn", "aws-us-gov": "amazonaws-us-gov.com"}
CLOUDWATCH = f"https://{REGION}.console.{CONSOLES.get(PARTITION, 'aws.amazon.com')}/cloudwatch/home?region={REGION}"
# What the logger's classes mean to a person.
CAUSES = {
    "scale-in": "the group shrank or rebalanced",
    "refresh": "an instance refresh replaced it",
    "unhealthy": "a health check failed",
    "spot-interruption": "EC2 took the spot instance back",
    "person-or-program": "somebody called the API, or the machine shut itself down",
    "aws": "AWS ended it: failed hardware, or retirement",
    "launch-failure": "it never came up",
}
# The alarm's window, and time for logs and metrics to arrive.
WINDOW = timedelta(seconds=int(os.environ["PERIOD_SECONDS"]) * int(os.environ["EVALUATION_PERIODS"]) + 300)
MOST = 100  # instances told in one e-mail

sns: Any = boto3.client("sns")
table: Any = boto3.resource("dynamodb").Table(os.environ["TABLE"])


def handler(event: dict[str, Any], _context: Any) -> int:
    """Send the report; of what the alarm says, only its name adds something."""
    since = datetime.now(UTC) - WINDOW
    lines = counted_since(since.isoformat(timespec="seconds"))
    alarm = event.get("alarmData", {}).get("alarmName", "")
    ids = ", ".join(line["instanceId"] for line in lines)
    sns.publish(TopicArn=TOPIC, Subject=f"Terminated: {ids or 'see the log'}"[:100], Message=report(lines, alarm))
    return len(lines)


def counted_since(moment: str) -> list[dict[str, Any]]:
    """The lines counted since a moment, oldest first. The table holds two weeks of terminations at most."""
    lines: list[dict[str, Any]] = []
    page: dict[str, Any] | None = {}
    while page is not None:
        answer = table.scan(
            FilterExpression="counted = :yes AND recordedAt >= :moment",
            ExpressionAttributeValues={":yes": True, ":moment": moment},
            ConsistentRead=True,
            **page,
        )
        lines += [json.loads(item["line"]) for item in answer["Items"]]
        page = {"ExclusiveStartKey": answer["LastEvaluatedKey"]} if "LastEvaluatedKey" in answer else None
    return sorted(lines, key=lambda line: line["terminatedAt"])


def report(lines: list[dict[str, Any]], alarm: str) -> str:
    """What the e-mail says; SNS takes 256 KiB."""
    told = [
        f"{line['terminatedAt']}  {line['instanceId']}\n"
        f"    Type: {line.get('instanceType') or 'not known any more'}\n"
        f"    Zone: {line.get('zone') or 'not known any more'}\n"
        f"    Group: {line['group'] or 'none'}\n"
        f"    Cause: {line['class']} ({CAUSES.get(line['class'], 'nobody can tell any more')})\n"
        f"    AWS says: {line['reason'][:1000] or 'nothing'}"
        for line in lines[:MOST]
    ]
    if len(lines) > MOST:
        told.append(f"... and {len(lines) - MOST} more: see the log.")
    log = quote(quote(LOG_GROUP, safe=""), safe="").replace("%", "$")
    links = [f"The log: {CLOUDWATCH}#logsV2:log-groups/log-group/{log}"]
    if alarm:
        links = [f"The alarm: {CLOUDWATCH}#alarmsV2:alarm/{quote(alarm, safe='')}", *links]
    where = f"Stack:   {STACK}\nRegion:  {REGION}\nAccount: {ACCOUNT}"
    return "\n\n".join([f"Instances terminated, counted by the alarm: {len(lines)}", where, *told, "\n".join(links)])
