"""Schedules of rules."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from moto.events.models import Rule, events_backends

from localcloud.cloud.account import ACCOUNT, REGION
from localcloud.cloud.context import Cloud
from localcloud.services.events import schedules
from localcloud.services.events.schedules import Cron, parse


@pytest.mark.parametrize(
    ("expression", "rate"),
    [
        ("rate(1 minute)", timedelta(minutes=1)),
        ("rate(5 minutes)", timedelta(minutes=5)),
        ("rate(1 hour)", timedelta(hours=1)),
        ("rate(7 days)", timedelta(days=7)),
    ],
)
def test_a_rate_is_an_interval(expression: str, rate: timedelta) -> None:
    assert parse(expression) == rate


@pytest.mark.parametrize(
    ("fields", "moment", "due"),
    [
        ("0 10 * * ? *", (2026, 3, 5, 10, 0), True),
        ("0 10 * * ? *", (2026, 3, 5, 10, 1), False),
        ("15 12 * * ? *", (2026, 3, 5, 12, 15), True),
        ("0 18 ? * MON-FRI *", (2026, 3, 6, 18, 0), True),  # a Friday
        ("0 18 ? * MON-FRI *", (2026, 3, 7, 18, 0), False),
        ("0 8 1 * ? *", (2026, 3, 1, 8, 0), True),
        ("0/15 * * * ? *", (2026, 3, 5, 7, 45), True),
        ("0/15 * * * ? *", (2026, 3, 5, 7, 40), False),
        ("0 0 L * ? *", (2028, 2, 29, 0, 0), True),
        ("0 0 15W * ? *", (2026, 3, 16, 0, 0), True),  # the 15th is a Sunday
        ("0 0 1W * ? *", (2026, 8, 3, 0, 0), True),  # the 1st is a Saturday: not the month before
        ("0 0 ? * 6L *", (2026, 3, 27, 0, 0), True),  # the last Friday
        ("0 0 ? * 6#3 *", (2026, 3, 20, 0, 0), True),  # the third Friday
        ("0 0 ? * 6#3 *", (2026, 3, 13, 0, 0), False),
        ("0 0 ? * 1 2026", (2026, 3, 1, 0, 0), True),  # 1 is Sunday
        ("0,30 9-11 ? JAN,jul MON *", (2026, 7, 6, 10, 30), True),
    ],
)
def test_a_cron_expression_is_due_in_its_minutes(
    fields: str, moment: tuple[int, int, int, int, int], *, due: bool
) -> None:
    schedule = parse(f"cron({fields})")
    assert isinstance(schedule, Cron)
    assert schedule.is_due(datetime(*moment, tzinfo=UTC)) is due


@pytest.mark.parametrize(
    "expression",
    [
        "rate(1 minutes)",
        "rate(5 minute)",
        "rate(0 minutes)",
        "rate(5 seconds)",
        "rate( 5 minutes )",
        "cron(0 10 * * ?)",
        "cron(0 10 * * * *)",  # neither day is ?
        "cron(0 10 ? * ? *)",
        "cron(71 8 1 * ? *)",
        "cron(0 dummy ? * MON-FRI *)",
        "cron(7 20 ? * NOT *)",
        "cron(0/0 10 * * ? *)",
        "at(2026-01-01T00:00:00)",
        "",
    ],
)
def test_what_is_no_schedule_is_refused(expression: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse(expression)


@pytest.mark.parametrize(
    ("expression", "seconds", "times"),
    [("rate(1 minute)", 61, 2), ("cron(* * * * ? *)", 61, 2), ("rate(1 hour)", 61, 0)],
)
def test_a_rule_sends_an_event_whenever_it_is_due(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, expression: str, seconds: int, times: int
) -> None:
    cloud = Cloud(tmp_path, "http://localhost")
    sent: list[tuple[Rule, dict[str, Any]]] = []
    monkeypatch.setattr(schedules, "send", lambda _cloud, rule, event: sent.append((rule, event)))
    backend = events_backends[ACCOUNT][REGION]
    rule = backend.put_rule("scheduled", scheduled_expression=expression)
    try:
        now = datetime.now(UTC) + timedelta(seconds=seconds)
        for _ in range(2):
            schedules.run(cloud, now)  # once in its minute
        schedules.run(cloud, now + timedelta(seconds=seconds))
    finally:
        backend.delete_rule("scheduled", None)
    assert len(sent) == times
    for found, event in sent:
        assert found is rule
        assert (event["source"], event["detail-type"], event["detail"]) == ("aws.events", "Scheduled Event", {})
        assert event["resources"] == [rule.arn]
