"""The restores of docs/restore.md, as a person would do them."""

from __future__ import annotations

import sys

import pytest

from groundwork.__main__ import main
from groundwork.drill.rehearsals import REHEARSALS
from tests.documents import document

pytestmark = pytest.mark.timeout(900)


@pytest.mark.parametrize("rehearsal", REHEARSALS, ids=lambda rehearsal: rehearsal.STACK)
def test_every_row_comes_back(
    rehearsal: type, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """All engines of a stack in one rehearsal: `drill` with one engine does the same and counts less."""
    monkeypatch.setattr("groundwork.drill.rehearsals.REHEARSALS", (rehearsal,))
    monkeypatch.setattr(sys, "argv", ["groundwork", "drill", "all", "--json"])
    assert main() == 0
    engines = document(capsys.readouterr().out, "drill ENGINE")["engines"]
    assert [row["engine"] for row in engines] == [*rehearsal.COUNTS]
    assert all(row["rows"] == row["rows_before"] > 0 for row in engines)


def test_an_engine_without_a_drill_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["groundwork", "drill", "oracle"])
    assert main() == 2
    assert "There is no drill for oracle. There are mysql, postgresql" in capsys.readouterr().err
