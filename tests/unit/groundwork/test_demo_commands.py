"""The demonstration runs commands as a person does, shows what they print, and checks their documents."""

from __future__ import annotations

import os
from io import StringIO
from pathlib import Path
from subprocess import CalledProcessError
from typing import Any

import pytest
from rich.console import Console

from groundwork.demo.checklist import Checklist
from groundwork.demo.cli import run


class Cloud:
    """Stands in for a local cloud, of which a command needs the environment only."""

    def inherited_environment(self) -> dict[str, str]:
        return os.environ | {"AWS_DEFAULT_REGION": "us-east-1"}


@pytest.fixture
def report() -> Checklist:
    return Checklist(Console(file=StringIO(), width=200))


@pytest.fixture
def cloud() -> Any:
    return Cloud()


def test_a_command_returns_its_document_and_its_lines_are_shown(cloud: Any, report: Checklist, tmp_path: Path) -> None:
    document = run(cloud, report, "data", "sample", "delivery", "--to", str(tmp_path))
    assert document["sent"] == 2  # the orders, and the mark of a sample
    command, line, *_ = report.steps[0].log
    assert (command.name, command.value) == ("$", f"groundwork data sample delivery --to {tmp_path}")
    assert " bytes" in line.name


def test_the_output_of_a_command_is_kept_in_full_for_the_page(cloud: Any, report: Checklist) -> None:
    listed = run(cloud, report, "data", "list", in_full=True)
    [output] = report.steps[0].outputs
    assert output.name == "groundwork data list"
    assert len(output.value.splitlines()) == len(listed["data_sets"]) + 1
    assert not output.value.startswith("{")


def test_options_behind_two_hyphens_stay_there(cloud: Any, report: Checklist) -> None:
    with pytest.raises(CalledProcessError) as failed:
        run(cloud, report, "submit", "digit-knitter", "--", "--epochs", "3")
    assert failed.value.returncode == 2
    assert "There is no workload digit-knitter" in str(failed.value.stderr)


def test_a_command_that_fails_ends_the_demonstration_with_its_lines_shown(cloud: Any, report: Checklist) -> None:
    with pytest.raises(CalledProcessError):
        run(cloud, report, "data", "verify", "nowhere")
    assert any("There is no SHA256SUMS" in entry.name for entry in report.steps[0].log)
