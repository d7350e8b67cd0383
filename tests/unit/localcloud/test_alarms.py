"""Alarms' judgement."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from moto.cloudwatch.exceptions import InvalidParameterCombination, ValidationError
from moto.cloudwatch.models import cloudwatch_backends

from localcloud.cloud.account import ACCOUNT, REGION
from localcloud.cloud.context import Cloud
from localcloud.services.cloudwatch import alarm_settings
from localcloud.services.cloudwatch.alarms import evaluate_alarms, judge

#: An alarm by the names of moto's ``put_metric_alarm``.
SETTINGS: dict[str, Any] = {
    "namespace": "N",
    "metric_name": "m",
    "comparison_operator": "GreaterThanThreshold",
    "evaluation_periods": 1,
    "period": 60,
    "threshold": 1.0,
    "statistic": "Sum",
}
TREATMENTS = ("missing", "ignore", "breaching", "notBreaching")


def points(text: str) -> list[float | None]:
    """AWS's notation: X breaches, 0 does not, - is missing."""
    return [{"X": 2.0, "0": 0.0, "-": None}[mark] for mark in text.split()]


def states(text: str, evaluated: int, needed: int) -> list[str]:
    return [
        judge(
            points(text), lambda value: value > 1, evaluated=evaluated, needed=needed, missing=treatment, state="KEPT"
        )
        for treatment in TREATMENTS
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0 - X - X", ["OK", "OK", "OK", "OK"]),
        ("- - - - 0", ["OK", "OK", "OK", "OK"]),
        ("- - - - -", ["INSUFFICIENT_DATA", "KEPT", "ALARM", "OK"]),
        ("0 X X - X", ["ALARM", "ALARM", "ALARM", "ALARM"]),
        ("- - X - -", ["ALARM", "KEPT", "ALARM", "OK"]),
    ],
)
def test_three_of_three_with_missing_data_as_aws_documents_it(text: str, expected: list[str]) -> None:
    assert states(text, evaluated=3, needed=3) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0 - X - X", ["ALARM", "ALARM", "ALARM", "ALARM"]),
        ("0 0 X 0 X", ["ALARM", "ALARM", "ALARM", "ALARM"]),
        ("0 - X - -", ["OK", "OK", "ALARM", "OK"]),
        ("- - - - 0", ["OK", "OK", "ALARM", "OK"]),
        ("- - - X -", ["ALARM", "KEPT", "ALARM", "OK"]),
    ],
)
def test_two_of_three_with_missing_data_as_aws_documents_it(text: str, expected: list[str]) -> None:
    assert states(text, evaluated=3, needed=2) == expected


@given(st.lists(st.sampled_from([0.0, 2.0]), min_size=1, max_size=8), st.data())
def test_without_missing_data_m_of_n_decides_alone(values: list[float], data: st.DataObject) -> None:
    needed = data.draw(st.integers(1, len(values)))
    expected = "ALARM" if values.count(2.0) >= needed else "OK"
    for treatment in TREATMENTS:
        state = judge(
            values, lambda value: value > 1, evaluated=len(values), needed=needed, missing=treatment, state="KEPT"
        )
        assert state == expected


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"comparison_operator": "GreaterThan"}, "Value 'GreaterThan' at 'comparisonOperator' failed to satisfy"),
        ({"comparison_operator": "LessThanLowerThreshold"}, "needs an anomaly detection band"),
        (
            {"statistic": "Median"},
            r"enum value set: \[SampleCount, Average, Sum, Minimum, Maximum\]",
        ),
        ({"unit": "Apples"}, "Value 'Apples' at 'unit'"),
        ({"metric_name": None, "threshold": None}, "needs MetricName, Threshold"),
        ({"statistic": None}, "needs Statistic"),
        ({"treat_missing_data": "fine"}, "Option fine is not supported"),
    ],
)
def test_an_alarm_that_cloudwatch_would_not_take_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        alarm_settings.check("queue", SETTINGS | changes)


def test_an_alarm_on_an_anomaly_detection_band_is_refused_rather_than_misjudged() -> None:
    with pytest.raises(InvalidParameterCombination, match="does not evaluate anomaly detection bands"):
        alarm_settings.check("queue", SETTINGS | {"threshold_metric_id": "band"})


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"unit": "Count/Second", "treat_missing_data": "notBreaching"},
    ],
)
def test_an_alarm_within_the_limits_is_taken(changes: dict[str, Any]) -> None:
    alarm_settings.check("queue", SETTINGS | changes)


def test_an_alarm_that_cannot_be_evaluated_does_not_keep_the_others_from_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cloud = Cloud(tmp_path, "http://localhost")
    backend = cloudwatch_backends[ACCOUNT][REGION]
    for name in ("bad", "good"):
        backend.put_metric_alarm(name, description="", dimensions=[], alarm_actions=[], ok_actions=[], **SETTINGS)
    backend.alarms["bad"].comparison_operator = "GreaterThan"
    backend.put_metric_data("N", [{"MetricName": "m", "Value": 5}])
    evaluate_alarms(cloud)
    evaluate_alarms(cloud)
    assert backend.alarms["good"].state_value == "ALARM"
    assert [record.getMessage() for record in caplog.records].count("alarm bad cannot be evaluated") == 1
