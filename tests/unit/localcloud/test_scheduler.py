"""When EventBridge Scheduler's schedules are due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from moto.scheduler.models import Schedule

from localcloud.cloud.context import Cloud
from localcloud.services.scheduler import schedules

MADE = datetime(2026, 3, 2, 8, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "zone", "later", "due"),
    [
        ("rate(5 minutes)", "UTC", timedelta(minutes=5), True),
        ("rate(5 minutes)", "UTC", timedelta(minutes=4), False),
        ("at(2026-03-02T08:01:00)", "UTC", timedelta(minutes=1), True),
        ("at(2026-03-02T08:01:00)", "UTC", timedelta(seconds=10), False),
        ("at(2026-03-02T09:01:00)", "Europe/Berlin", timedelta(minutes=1), True),
        ("at(2026-03-01T08:01:00)", "UTC", timedelta(minutes=1), False),
        ("cron(5 9 * * ? *)", "Europe/Berlin", timedelta(minutes=5), True),
        ("cron(5 9 * * ? *)", "UTC", timedelta(minutes=5), False),
    ],
)
def test_a_schedule_is_due(tmp_path: Path, expression: str, zone: str, later: timedelta, *, due: bool) -> None:
    cloud, schedule = Cloud(tmp_path, "http://localhost:1"), _schedule(expression, zone)
    cloud.state(schedules.ScheduleState, schedule).ran = MADE
    assert schedules._is_due(cloud, schedule, MADE + later) is due


@pytest.mark.parametrize(("start", "end"), [(600, None), (None, 60)])
def test_a_schedule_rests_before_its_start_and_after_its_end(
    tmp_path: Path, start: int | None, end: int | None
) -> None:
    cloud, schedule = Cloud(tmp_path, "http://localhost:1"), _schedule("rate(1 minute)", "UTC")
    cloud.state(schedules.ScheduleState, schedule).ran = MADE
    now = MADE + timedelta(minutes=5)
    assert schedules._is_due(cloud, schedule, now)
    schedule.start_date = str(MADE.timestamp() + start) if start else None
    schedule.end_date = str(MADE.timestamp() + end) if end else None
    assert not schedules._is_due(cloud, schedule, now)


def _schedule(expression: str, zone: str) -> Schedule:
    return Schedule(
        region="us-east-1",
        account_id="123456789012",
        group_name="default",
        name="nightly",
        description=None,
        schedule_expression=expression,
        schedule_expression_timezone=zone,
        flexible_time_window={"Mode": "OFF"},
        target={"Arn": "arn:aws:sqs:us-east-1:123456789012:q", "RoleArn": "arn:aws:iam::123456789012:role/r"},
        state="ENABLED",
        kms_key_arn=None,
        start_date=None,
        end_date=None,
        action_after_completion="NONE",
    )
