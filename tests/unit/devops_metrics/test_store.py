"""A store that is asked each question once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pandas as pd

from workloads.timeseries.schema import Schema
from workloads.timeseries.store import Aggregation, AskedOnce, Column, Description, MetricStore, Period, Written

START = datetime(2026, 1, 1, tzinfo=UTC)
DAY, HOUR = (Period(START, START + timedelta(**length)) for length in ({"days": 1}, {"hours": 1}))
CPU, MEMORY = (Aggregation((Column(name, "mean", name),)) for name in ("CPU_Usage", "Memory_Usage"))


class Counting(MetricStore):
    """Answers with how often it was asked."""

    def __init__(self) -> None:
        self.schema = Schema.load(None)
        self.asked = 0

    def write(self, _rows: object, version: int) -> Written:
        return Written(requests=version)

    def aggregate(self, _question: Aggregation, _period: Period) -> pd.DataFrame:
        self.asked += 1
        return pd.DataFrame({"answer": [self.asked]})

    def statements(self, question: Aggregation, _period: Period) -> list[str]:
        return [question.columns[0].name]

    def describe(self) -> Description:
        return Description("none", "nowhere", 0, None, None, None)


def answer(store: MetricStore, question: Aggregation, period: Period) -> int:
    return int(store.aggregate(question, period)["answer"][0])


def test_each_question_of_each_period_is_asked_once() -> None:
    store = AskedOnce(Counting())
    asked = ((CPU, DAY), (CPU, HOUR), (MEMORY, DAY), (CPU, DAY), (MEMORY, DAY))
    assert [answer(store, *each) for each in asked] == [1, 2, 3, 1, 3]


def test_what_is_done_to_an_answer_stays_out_of_the_next() -> None:
    store = AskedOnce(Counting())
    first = store.aggregate(CPU, DAY)
    first["answer"] = 99
    assert answer(store, CPU, DAY) == 1


def test_what_was_written_is_seen() -> None:
    store = AskedOnce(Counting())
    assert answer(store, CPU, DAY) == 1
    assert store.write([], 7).requests == 7
    assert answer(store, CPU, DAY) == 2


def test_it_is_otherwise_the_store() -> None:
    counting = Counting()
    store = AskedOnce(counting)
    assert (store.schema, store.describe(), store.statements(CPU, DAY)) == (
        counting.schema,
        counting.describe(),
        ["CPU_Usage"],
    )
