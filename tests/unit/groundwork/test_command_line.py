"""The command line: misuse ends with one line that says what to do, and exit code 2."""

from __future__ import annotations

import re
import sys

import pytest

from groundwork.__main__ import main

MISUSE = [
    "nonsense",
    "train nonsense",
    "local deploy --nonsense",
    "data put mnist",
    "data put nonsense --to x",
    "cost WebApp -c nonsense",
    "cost WebApp -c web_app.nonsense=1",
    "local status --name nonsense",
    "runs nonsense",
    "devops-metrics query nonsense",
    "devops-metrics ingest nonsense.csv",
    "storefront cards",
    "jobs",
    "movie-rental search word",
]


@pytest.mark.parametrize("words", MISUSE)
def test_misuse_is_told_in_one_line(
    words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["groundwork", *words.split()])
    for name in ("AWS_DEFAULT_REGION", "AWS_REGION", "AWS_PROFILE", "STOREFRONT_BUCKET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    assert main() == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert re.fullmatch(r"Error: .+\n", told.err)


def test_without_words_it_shows_what_there_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["groundwork"])
    assert main() == 2
    told = capsys.readouterr()
    assert "groundwork demo" in told.out
    assert told.err == ""
