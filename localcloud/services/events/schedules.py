"""Schedules of rules: rates and cron expressions, by which a rule sends its targets an event of its own.

moto gap: it keeps schedules, some of them wrong, and never acts on one.

Syntax: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from moto.events.exceptions import ValidationException
from moto.events.models import EventsBackend, Rule, events_backends

from localcloud.cloud.account import ACCOUNT, REGION
from localcloud.cloud.context import Cloud
from localcloud.hooks import after, wrap
from localcloud.services.events.behaviour import send

RATE = re.compile(r"rate\((?:1 (?P<one>minute|hour|day)|(?P<count>(?!1 )[1-9]\d*) (?P<many>minute|hour|day)s)\)")
CRON = re.compile(r"cron\((.*)\)")
MONTHS = {name.upper(): number for number, name in enumerate(calendar.month_abbr) if name}
DAYS = {name: number for number, name in enumerate(("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"), start=1)}
#: The fields of a cron expression: what they are called, the first and last value, and names of values.
FIELDS: tuple[tuple[str, int, int, dict[str, int]], ...] = (
    ("minute", 0, 59, {}),
    ("hour", 0, 23, {}),
    ("day of month", 1, 31, {}),
    ("month", 1, 12, MONTHS),
    ("day of week", 1, 7, DAYS),
    ("year", 1970, 2199, {}),
)
DAY_OF_MONTH, DAY_OF_WEEK = 2, 4


@dataclass(frozen=True)
class Cron:
    """A cron expression.

    Attributes:
        values: The values of minute, hour, month and year at which it is due.
        days: Whether it is due on a day.
    """

    values: tuple[frozenset[int], ...]
    days: Callable[[datetime], bool]

    def is_due(self, minute: datetime) -> bool:
        """Return whether the expression is due in a minute."""
        now = (minute.minute, minute.hour, minute.month, minute.year)
        return all(number in values for number, values in zip(now, self.values, strict=True)) and self.days(minute)


def parse(expression: str) -> timedelta | Cron:
    """Return the rate or the cron expression that a schedule is.

    Raises:
        ValueError: It is neither.
    """
    if match := RATE.fullmatch(expression):
        unit = f"{match['one'] or match['many']}s"
        return timedelta(**{unit: int(match["count"] or 1)})
    if match := CRON.fullmatch(expression):
        return _cron(match[1].split())
    raise ValueError(f"{expression} is neither rate(...) nor cron(...)")


def _cron(fields: list[str]) -> Cron:
    if len(fields) != len(FIELDS):
        raise ValueError(f"a cron expression has {len(FIELDS)} fields")
    if (fields[DAY_OF_MONTH] == "?") == (fields[DAY_OF_WEEK] == "?"):
        raise ValueError("one of day of month and day of week, and no other field, is ?")
    values = tuple(_values(fields[place], FIELDS[place]) for place in (0, 1, 3, 5))
    days = _days_of_week(fields[4]) if fields[DAY_OF_MONTH] == "?" else _days_of_month(fields[2])
    return Cron(values, days)


def _values(text: str, field: tuple[str, int, int, dict[str, int]]) -> frozenset[int]:
    """Return the values that ``*``, single values, ranges, steps and lists of them name.

    Raises:
        ValueError: Names the field.
    """
    name, first, last, names = field
    values: set[int] = set()
    for item in text.split(","):
        span, slash, step = item.partition("/")
        low, dash, high = span.partition("-")
        begin, end = (first, last) if span == "*" else (_number(low, names), _number(high or low, names))
        if slash and not dash:
            end = last
        if not first <= begin <= end <= last or (slash and not 1 <= int(step or "0") <= last):
            raise ValueError(f"{item} is not a {name}")
        values |= {*range(begin, end + 1, int(step or "1"))}
    return frozenset(values)


def _number(text: str, names: dict[str, int]) -> int:
    return names[text.upper()] if text.upper() in names else int(text)


def _days_of_month(text: str) -> Callable[[datetime], bool]:
    """Return the test of a day: by number, the last day (``L``), or the weekday nearest to a day (``15W``)."""
    if text == "L":
        return lambda day: day.day == calendar.monthrange(day.year, day.month)[1]
    if match := re.fullmatch(r"(\d{1,2})W", text):
        day_of_month = int(match[1])
        _values(match[1], FIELDS[DAY_OF_MONTH])
        return lambda day: day.day == _nearest_weekday(day, day_of_month)
    values = _values(text, FIELDS[DAY_OF_MONTH])
    return lambda day: day.day in values


def _nearest_weekday(month: datetime, day: int) -> int:
    last = calendar.monthrange(month.year, month.month)[1]
    number = min(day, last)
    match calendar.weekday(month.year, month.month, number):
        case calendar.SATURDAY:
            return number - 1 if number > 1 else number + 2
        case calendar.SUNDAY:
            return number + 1 if number < last else number - 2
        case _:
            return number


def _days_of_week(text: str) -> Callable[[datetime], bool]:
    """Days by number, the last such day of the month (``6L``), or the n-th (``6#3``)."""
    field = FIELDS[DAY_OF_WEEK]
    if match := re.fullmatch(r"(\w{1,3}?)L", text):
        (only,) = _values(match[1], field)
        return lambda day: _weekday(day) == only and day.day > calendar.monthrange(day.year, day.month)[1] - 7
    if match := re.fullmatch(r"(\w{1,3})#([1-5])", text):
        (only,) = _values(match[1], field)
        return lambda day: _weekday(day) == only and (day.day + 6) // 7 == int(match[2])
    if text == "L":
        text = "7"
    values = _values(text, field)
    return lambda day: _weekday(day) in values


def _weekday(day: datetime) -> int:
    """Return the number of a day in the week, where Sunday is 1."""
    return day.isoweekday() % 7 + 1


@dataclass
class RuleState:
    """When a scheduled rule was last due; at first, when it was created."""

    ran: datetime = field(default_factory=lambda: datetime.now(UTC))


def run(cloud: Cloud, now: datetime | None = None) -> None:
    """Send the targets of each scheduled rule that is due their event.

    Args:
        cloud: The cloud whose rules they are.
        now: The time, by default the real one.
    """
    now = now or datetime.now(UTC)
    for rule in list(events_backends[ACCOUNT][REGION].event_buses["default"].rules.values()):
        if rule.scheduled_expression and rule.state == "ENABLED" and _is_due(cloud, rule, now):
            cloud.state(RuleState, rule).ran = now
            _send(cloud, rule, now)


def _is_due(cloud: Cloud, rule: Rule, now: datetime) -> bool:
    schedule, last = parse(str(rule.scheduled_expression)), cloud.state(RuleState, rule).ran
    if isinstance(schedule, timedelta):
        return bool(now - last >= schedule)
    minute = now.replace(second=0, microsecond=0)
    return bool(last < minute) and schedule.is_due(minute)


def _send(cloud: Cloud, rule: Rule, now: datetime) -> None:
    event = {
        "version": "0",
        "id": str(uuid4()),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": ACCOUNT,
        "time": f"{now:%Y-%m-%dT%H:%M:%SZ}",
        "region": REGION,
        "resources": [rule.arn],
        "detail": {},
        "ingestion-time": f"{now:%Y-%m-%dT%H:%M:%SZ}",
    }
    send(cloud, rule, event)


@after(Rule, "__init__")
def _created(cloud: Cloud, _: None, rule: Rule, *_args: Any, **_kwargs: Any) -> None:
    """A rate counts from the creation of the rule."""
    cloud.state(RuleState, rule).ran = datetime.now(UTC)


@wrap(EventsBackend, "put_rule")
def _put_rule(original: Any, self: EventsBackend, name: str, *args: Any, **settings: Any) -> Rule:
    if expression := settings.get("scheduled_expression"):
        try:
            parse(expression)
        except (ValueError, OverflowError):
            raise ValidationException("Parameter ScheduleExpression is not valid.") from None
    rule: Rule = original(self, name, *args, **settings)
    return rule
