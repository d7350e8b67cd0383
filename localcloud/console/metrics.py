"""The values of metrics, by period, as CloudWatch aggregates them.

They are read where moto keeps them. `GetMetricData` looks through all values again for each period, which would take
seconds for a dashboard, and it has no percentiles.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from moto.cloudwatch.models import MetricDatum, MetricDatumBase, Statistics, cloudwatch_backends

from localcloud.cloud.account import ACCOUNT, REGION

AGGREGATES = ("Average", "Sum", "Minimum", "Maximum", "SampleCount")
PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d{1,10})?|100)", re.ASCII)
#: As many periods a chart shows at most; CloudWatch, too, lengthens periods where there would be more.
MOST_PERIODS = 360


@dataclass(frozen=True)
class Metric:
    """What is drawn as one line.

    Attributes:
        namespace: The metric's namespace.
        name: Its name.
        dimensions: Its dimensions, by name.
        statistic: How the values of a period become one: one of `AGGREGATES`, or a percentile such as ``p99``.
        period: Length of a period, in seconds.
        label: The name of the line.
        right: Whether it belongs to the axis on the right.
        colour: Its colour, if the dashboard chooses one, as ``#rrggbb``.
    """

    namespace: str
    name: str
    dimensions: dict[str, str] = field(default_factory=dict)
    statistic: str = "Average"
    period: int = 300
    label: str = ""
    right: bool = False
    colour: str = ""


@dataclass(frozen=True)
class Series:
    """A metric with its values.

    Attributes:
        metric: The metric.
        times: The beginnings of those periods that have a value, in UTC.
        values: The values.
        unit: The unit that the values were sent with; empty if they have none.
    """

    metric: Metric
    times: tuple[datetime, ...]
    values: tuple[float, ...]
    unit: str

    @property
    def latest(self) -> float | None:
        """The latest value; None if there is none."""
        return self.values[-1] if self.values else None


def is_known(statistic: str) -> bool:
    """Whether the console can compute a statistic."""
    return statistic in AGGREGATES or PERCENTILE.fullmatch(statistic) is not None


def read(metrics: Sequence[Metric], begin: datetime, end: datetime) -> list[Series]:
    """Return the values of metrics between two moments.

    Args:
        metrics: The metrics, whose statistics `is_known` knows.
        begin: When the first period begins, in UTC.
        end: When the last one ends.
    """
    wanted: dict[tuple[str, str], list[MetricDatumBase]] = {(metric.namespace, metric.name): [] for metric in metrics}
    for datum in list(cloudwatch_backends[ACCOUNT][REGION].metric_data):
        if (data := wanted.get((datum.namespace, datum.name))) is not None and begin <= _utc(datum.timestamp) < end:
            data.append(datum)
    return [_series(metric, wanted[metric.namespace, metric.name], begin, end) for metric in metrics]


def _series(metric: Metric, data: Sequence[MetricDatumBase], begin: datetime, end: datetime) -> Series:
    period = _period(metric.period, end - begin)
    by_period: defaultdict[int, list[MetricDatumBase]] = defaultdict(list)
    units = set[str]()
    for datum in data:
        if {dimension.name: dimension.value for dimension in datum.dimensions} == metric.dimensions:
            by_period[int(_utc(datum.timestamp).timestamp()) // period * period].append(datum)
            units.add(str(datum.unit or ""))
    points = [(time, _aggregate(metric.statistic, values)) for time, values in sorted(by_period.items())]
    known = [(datetime.fromtimestamp(time, UTC), value) for time, value in points if value is not None]
    unit = "Count" if metric.statistic == "SampleCount" else units.pop() if len(units) == 1 else ""
    return Series(
        metric, tuple(time for time, _ in known), tuple(value for _, value in known), unit.replace("None", "")
    )


def _period(seconds: int, span: timedelta) -> int:
    """Return a period of the same length, or longer if a chart would have too many, in whole minutes."""
    least = math.ceil(span.total_seconds() / MOST_PERIODS / 60) * 60
    return max(seconds, least)


def _aggregate(statistic: str, data: list[MetricDatumBase]) -> float | None:
    if percentile := PERCENTILE.fullmatch(statistic):
        values = sorted(float(datum.value) for datum in data if isinstance(datum, MetricDatum))
        return _percentile(values, float(percentile[1]) / 100) if values else None
    aggregated = Statistics([statistic], data[0].timestamp)
    aggregated.metric_data = data
    value = aggregated.get_statistics_for_type(statistic)
    return None if value is None else float(value)


def _percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which a share of sorted values lies, interpolated between neighbours."""
    place = (len(values) - 1) * share
    low = math.floor(place)
    high = min(low + 1, len(values) - 1)
    return values[low] + (values[high] - values[low]) * (place - low)


def _utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
