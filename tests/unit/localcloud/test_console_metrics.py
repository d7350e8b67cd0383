"""The console aggregates metrics as CloudWatch does, and draws them with text that is text."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from moto.cloudwatch.models import cloudwatch_backends

from localcloud.cloud.account import ACCOUNT, REGION
from localcloud.console.charts import Chart, Moment, Threshold, short, svg
from localcloud.console.metrics import Metric, Series, is_known, read

NOON = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)


@pytest.fixture
def send() -> Iterator[Any]:
    backend = cloudwatch_backends[ACCOUNT][REGION]

    def put(value: float, seconds: float = 0, unit: str = "", **dimensions: str) -> None:
        datum = {
            "MetricName": "Load",
            "Value": value,
            "Timestamp": (NOON + timedelta(seconds=seconds)).replace(tzinfo=None),
            "Dimensions": [{"Name": name, "Value": of} for name, of in dimensions.items()],
            **({"Unit": unit} if unit else {}),
        }
        backend.put_metric_data("Test", [datum])

    yield put
    backend.metric_data.clear()


def series(statistic: str, **settings: Any) -> Series:
    metric = Metric("Test", "Load", statistic=statistic, label="load", **settings)
    [shown] = read([metric], NOON - timedelta(hours=1), NOON + timedelta(hours=1))
    return shown


@pytest.mark.parametrize(
    ("statistic", "value"),
    [("Sum", 10), ("Average", 2.5), ("Minimum", 1), ("Maximum", 4), ("SampleCount", 4), ("p50", 2.5), ("p100", 4)],
)
def test_a_period_is_aggregated_by_its_statistic(send: Any, statistic: str, value: float) -> None:
    for number in (3, 1, 4, 2):
        send(number)
    assert series(statistic).values == (value,)


def test_periods_begin_at_multiples_of_their_length(send: Any) -> None:
    send(1, 59)
    send(2, 61)
    send(4, 119)
    shown = series("Sum", period=60)
    assert shown.times == (NOON, NOON + timedelta(minutes=1))
    assert shown.values == (1, 6)


def test_only_values_with_exactly_these_dimensions_count(send: Any) -> None:
    send(1)
    send(2, Site="shop")
    send(4, Site="shop", Host="one")
    assert series("Sum").values == (1,)
    assert series("Sum", dimensions={"Site": "shop"}).values == (2,)


def test_a_long_time_has_longer_periods_instead_of_thousands(send: Any) -> None:
    send(1)
    send(2, 60)
    [shown] = read(
        [Metric("Test", "Load", statistic="Sum", period=60)], NOON - timedelta(days=6), NOON + timedelta(days=1)
    )
    assert shown.values == (3,)


def test_a_unit_is_known_if_all_values_have_it(send: Any) -> None:
    send(1, unit="Seconds")
    assert series("Average").unit == "Seconds"
    assert series("SampleCount").unit == "Count"
    send(1, unit="Bytes")
    assert series("Average").unit == ""


def test_a_statistic_that_is_not_computed_is_not_known() -> None:
    assert is_known("p99.9")
    assert not is_known("tm99")
    assert not is_known("p101")


def test_a_chart_says_its_labels_thresholds_and_units_as_text(send: Any) -> None:
    send(1, unit="Seconds")
    send(3, 300, unit="Seconds")
    chart = Chart(
        NOON - timedelta(hours=1),
        NOON + timedelta(hours=1),
        [series("Average")],
        thresholds=[Threshold(2, "promised")],
        moments=[Moment(NOON, "in alarm")],
        left="Seconds",
    )
    drawn = ET.fromstring(svg(chart, 600, 240))  # noqa: S314 - our own
    texts = {element.text for element in drawn.iter("{http://www.w3.org/2000/svg}text")}
    assert {"load", "promised", "in alarm", "Seconds", "12:00"} <= texts
    assert drawn.get("viewBox") == "0 0 600 240"


def test_a_chart_without_values_says_so_in_light_and_dark() -> None:
    chart = Chart(NOON - timedelta(hours=1), NOON, [Series(Metric("Test", "Load"), (), (), "")])
    light, dark = svg(chart, 300, 200), svg(chart, 300, 200, "dark")
    assert b"No data" in light
    assert b"No data" in dark
    assert light != dark


def test_an_axis_says_numbers_as_people_write_them() -> None:
    numbers = {0: "0", 0.25: "0.25", 750: "750", 1200: "1,200", 20_000: "20k", 3.4e6: "3.4M", -5e9: "-5G"}
    assert {value: short(value) for value in numbers} == numbers


def test_an_axis_begins_at_zero_also_for_a_line_that_is_always_zero(send: Any) -> None:
    send(0)
    send(0, 300)
    drawn = ET.fromstring(svg(Chart(NOON, NOON + timedelta(hours=1), [series("Average")]), 600, 240))  # noqa: S314 - our own
    texts = {element.text for element in drawn.iter("{http://www.w3.org/2000/svg}text")}
    assert "0" in texts
    assert not {text for text in texts if text and text.startswith(("-", "\u2212"))}
