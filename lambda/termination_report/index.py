"""Tells by e-mail which instances an alarm is about: CloudWatch's own notification knows their number alone."""

import json
import os
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3

TOPIC = os.environ["TOPIC"]
# The alarm's window, and time for logs and metrics to arrive.
WINDOW = timedelta(seconds=int(os.environ["PERIOD_SECONDS"]) * int(os.environ["EVALUATION_PERIODS"]) + 300)
MOST = 100  # instances told in one e-mail

sns: Any = boto3.client("sns")
table: Any = boto3.resource("dynamodb").Table(os.environ["TABLE"])


def handler(_event: dict[str, Any], _context: Any) -> int:
    """Send the report; the alarm that calls is the stack's own, so what it says adds nothing."""
    since = datetime.now(UTC) - WINDOW
    lines = counted_since(since.isoformat(timespec="seconds"))
    ids = ", ".join(line["instanceId"] for line in lines)
    sns.publish(TopicArn=TOPIC, Subject=f"Terminated: {ids or 'see the log'}"[:100], Message=report(lines))
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


def report(lines: list[dict[str, Any]]) -> str:
    """What the e-mail says; SNS takes 256 KiB."""
    told = [
        f"{line['terminatedAt']}  {line['instanceId']}  {line['class']}\n"
        f"    group: {line['group'] or 'none'}\n    AWS says: {line['reason'][:1000] or 'nothing'}"
        for line in lines[:MOST]
    ]
    if len(lines) > MOST:
        told.append(f"... and {len(lines) - MOST} more: see the log.")
    return "\n\n".join([f"Instances terminated, counted by the alarm: {len(lines)}", *told])
