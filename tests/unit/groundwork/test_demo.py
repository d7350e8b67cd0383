"""What the demonstration replaces, and what it leaves alone."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from groundwork.__main__ import main
from groundwork.demo import show
from localcloud import LocalCloud


@pytest.fixture
def demo(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The folders that were made ready for a cloud; it goes no further."""
    ready: list[Path] = []

    def stop(cloud: LocalCloud, *_args: object, **_options: object) -> None:
        ready.append(cloud.folder)
        raise KeyboardInterrupt

    monkeypatch.setattr(show, "deploy", stop)
    return ready


def run(monkeypatch: pytest.MonkeyPatch, results: Path) -> int:
    monkeypatch.setattr(sys, "argv", ["groundwork", "demo", "--only", "TerminationAlarm", "--results", str(results)])
    return main()


@pytest.mark.parametrize("where", ["precious", "precious/photos", "link"])
def test_a_folder_that_holds_anything_else_is_left_alone(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], demo: list[Path]
) -> None:
    (tmp_path / "precious" / "photos").mkdir(parents=True)
    files = {tmp_path / "precious" / "thesis.tex", tmp_path / "precious" / "photos" / "a.jpg"}
    for file in files:
        file.write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "precious")
    assert run(monkeypatch, tmp_path / where) == 2
    assert "so it is not replaced: choose another folder" in capsys.readouterr().err
    assert {path for path in (tmp_path / "precious").rglob("*") if path.is_file()} == files
    assert demo == []


def test_an_earlier_demonstrations_folder_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, demo: list[Path]
) -> None:
    results = tmp_path / "new" / "results"
    for _ in range(2):
        run(monkeypatch, results)
        assert [path.name for path in results.iterdir()] == [show.MARK]
        (results / "index.html").touch()
    assert demo == [results / "cloud"] * 2


def test_the_cloud_of_an_earlier_demonstration_is_stopped_by_the_command_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], demo: list[Path]
) -> None:
    run(monkeypatch, tmp_path / "results")
    with LocalCloud(tmp_path / "results" / "cloud") as cloud:
        assert run(monkeypatch, tmp_path / "results") == 2
        said = capsys.readouterr().err
        assert said.endswith(f"`groundwork local down --folder {cloud.folder}`.\n")
        monkeypatch.setattr(sys, "argv", said.partition("`")[2].partition("`")[0].split())
        assert main() == 0
        assert not cloud.running
