"""The scoreboard of behaviours: forty sentences, all of which hold in the local cloud."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def test_all_forty_behaviours_have_been_measured_and_hold_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)
    from behaviours import behaviours

    measured = json.loads((BENCHMARKS / "results" / "scoreboard.json").read_text())
    sentences = {name: behaviour.__doc__ for name, behaviour in behaviours().items()}
    assert len(sentences) == 40
    assert measured["behaviours"] == sentences
    assert measured["holds"]["the local cloud"] == [*sentences]
    for name in [name for name in sys.modules if name.partition(".")[0] == "behaviours"]:
        monkeypatch.delitem(sys.modules, name)
