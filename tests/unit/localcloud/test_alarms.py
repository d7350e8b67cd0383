"""Alarms' judgement."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.services.cloudwatch.alarms import judge

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
