"""DescribeAlarmHistory: what happened to alarms.

moto gap: it keeps the states that an alarm had, and tells nobody.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from moto.cloudwatch.models import Alarm
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.responses import ActionResult

from localcloud.cloud.context import Cloud
from localcloud.hooks import add

if TYPE_CHECKING:
    from collections.abc import Callable

#: How many items a response has at most, and how many the local cloud keeps.
PAGE, KEPT = 100, 10_000


@dataclass
class History:
    """What has happened to the alarms of the cloud, the latest last."""

    items: list[Item] = field(default_factory=list)


@dataclass(frozen=True)
class Item:
    """Something that happened to an alarm.

    Attributes:
        alarm: The alarm's name.
        composite: Whether it is a composite alarm.
        time: When it happened.
        kind: ``ConfigurationUpdate``, ``StateUpdate`` or ``Action``.
        summary: A sentence.
        data: What happened, as JSON.
    """

    alarm: str
    composite: bool
    time: datetime
    kind: str
    summary: str
    data: str

    def described(self) -> dict[str, Any]:
        """Return the item as DescribeAlarmHistory gives it."""
        return {
            "AlarmName": self.alarm,
            "AlarmType": "CompositeAlarm" if self.composite else "MetricAlarm",
            "Timestamp": self.time,
            "HistoryItemType": self.kind,
            "HistorySummary": self.summary,
            "HistoryData": self.data,
        }


def keep(cloud: Cloud, alarm: Alarm, kind: str, summary: str, data: dict[str, Any]) -> None:
    """Remember what happened to an alarm.

    Args:
        cloud: Its cloud.
        alarm: The alarm.
        kind: ``ConfigurationUpdate``, ``StateUpdate`` or ``Action``.
        summary: A sentence.
        data: What happened.
    """
    text = json.dumps({"version": "1.0", **data})
    items = cloud.state(History).items
    items.append(Item(alarm.name, alarm.rule is not None, datetime.now(UTC), kind, summary, text))
    del items[:-KEPT]


def state(value: str, reason: str, data: str | None) -> dict[str, Any]:
    """Return a state as an item's data has it."""
    described: dict[str, Any] = {"stateValue": value, "stateReason": reason}
    if reasons := json.loads(data or "{}"):
        described["stateReasonData"] = reasons
    return described


@add(CloudWatchResponse, "describe_alarm_history")
def describe_alarm_history(cloud: Cloud, self: CloudWatchResponse) -> ActionResult:
    """Answer DescribeAlarmHistory."""
    filters: list[Callable[[Item], bool]] = []
    if name := self._get_param("AlarmName"):
        filters.append(lambda item: item.alarm == name)
    if kind := self._get_param("HistoryItemType"):
        filters.append(lambda item: item.kind == kind)
    if begin := self._get_param("StartDate"):
        filters.append(lambda item: item.time >= _aware(begin))
    if end := self._get_param("EndDate"):
        filters.append(lambda item: item.time <= _aware(end))
    composite = "CompositeAlarm" in (kinds := self._get_param("AlarmTypes") or ["MetricAlarm"])
    metric = "MetricAlarm" in kinds
    filters.append(lambda item: composite if item.composite else metric)
    items = [item for item in cloud.state(History).items if all(test(item) for test in filters)]
    if self._get_param("ScanBy") != "TimestampAscending":
        items.reverse()
    begin_at, size = int(self._get_param("NextToken") or 0), int(self._get_param("MaxRecords") or PAGE)
    page = [item.described() for item in items[begin_at : begin_at + size]]
    more = {"NextToken": str(begin_at + size)} if begin_at + size < len(items) else {}
    return ActionResult({"AlarmHistoryItems": page, **more})


def _aware(time: datetime) -> datetime:
    return time if time.tzinfo else time.replace(tzinfo=UTC)
