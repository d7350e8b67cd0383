"""The simulation of the alarm's path loses no event unseen, and keeps to the limits."""

from __future__ import annotations

import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest

SIMULATION = SimpleNamespace(**runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "termination_burst.py")))
LOAD = 3000


@pytest.mark.parametrize("concurrency", [1, 20, 1000])
def test_each_termination_is_recorded_or_a_dead_letter(concurrency: int) -> None:
    limits = SIMULATION.Limits(concurrency=concurrency)
    outcome = SIMULATION.simulate(LOAD, limits)
    assert outcome.recorded + outcome.dead_letters == LOAD
    assert outcome.most_concurrent <= concurrency
    # EC2 answers no more than the bucket holds, and what it gains until the last line
    assert outcome.recorded <= limits.requests_at_once + limits.requests * (outcome.last_seconds + 1)


def test_what_ec2_answers_at_once_is_recorded_at_once() -> None:
    outcome = SIMULATION.simulate(1000, SIMULATION.Limits())
    assert (outcome.recorded, outcome.failed_runs) == (1000, 0)
    assert outcome.last_seconds < 2 * SIMULATION.BURST_SECONDS


def test_fewer_runs_at_once_lose_less_when_ec2_throttles() -> None:
    many, few = (SIMULATION.simulate(10_000, SIMULATION.Limits(concurrency=number)) for number in (1000, 20))
    assert few.dead_letters == 0 < many.dead_letters
