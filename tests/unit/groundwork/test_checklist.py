"""The demonstration's checklist: promises are ticked off or end it."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from groundwork.demo.checklist import Checklist, PromiseBrokenError


@pytest.fixture
def report() -> Checklist:
    return Checklist(Console(file=StringIO(), width=200))


def told(report: Checklist) -> str:
    assert isinstance(report.console.file, StringIO)
    return report.console.file.getvalue()


def test_a_kept_promise_is_ticked_off_with_its_evidence(report: Checklist) -> None:
    report.promise("accuracy is at least 90 %", held=True, seen="93 %")
    assert "✔ accuracy is at least 90 % (93 %)" in told(report)
    assert report.promises_kept == 1


def test_a_broken_promise_says_what_was_seen_instead(report: Checklist) -> None:
    with pytest.raises(PromiseBrokenError, match=r"^accuracy is at least 90 %: This does not hold \(12 %\)\.$"):
        report.promise("accuracy is at least 90 %", held=False, seen="12 %")
    assert report.promises_kept == 0


def test_an_awaited_promise_is_probed_until_it_holds(report: Checklist) -> None:
    answers = iter([None, "", "mail"])
    assert report.await_promise("a mail comes", lambda: next(answers)) == "mail"
    assert report.promises_kept == 1


def test_an_awaited_promise_that_never_holds_is_broken(report: Checklist) -> None:
    with pytest.raises(PromiseBrokenError, match="a mail comes: This did not happen within 0 seconds"):
        report.await_promise("a mail comes", lambda: None, seconds=0.1)


def test_what_programs_write_is_shown_as_it_is(report: Checklist) -> None:
    report.line("[bold]not markup[/] [/wrong]")
    assert "[bold]not markup[/] [/wrong]" in told(report)
