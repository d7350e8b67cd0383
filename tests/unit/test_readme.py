"""The README says what is so: its figures, its links, its commands."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from groundwork.__main__ import app

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "cloudformation" / "README.md",
    *ROOT.glob("docs/**/*.md"),
]


def test_every_figure_comes_from_a_measurement() -> None:
    done = subprocess.run(
        [sys.executable, "benchmarks/tables.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_every_benchmark_is_in_the_table_and_in_make_bench() -> None:
    table = (ROOT / "README.md").read_text().partition("<!-- measured -->")[2].partition("<!-- end -->")[0]
    told = set(re.findall(r"\| (\w+\.py(?: [a-z]+)?)[^|]*\|$", table, re.MULTILINE))
    run = set(re.findall(r"^\tpython benchmarks/(\w+\.py(?: [a-z]+)?)", (ROOT / "Makefile").read_text(), re.MULTILINE))
    measuring = {path.name for path in (ROOT / "benchmarks").glob("*.py")} - {"measurement.py", "tables.py"}
    assert told <= run
    assert {command.split()[0] for command in told} == measuring


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_a_file(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_every_command_exists() -> None:
    commands = set(
        re.findall(r"^ *groundwork ((?:[a-z-]+)(?: [a-z-]+)?)", (ROOT / "README.md").read_text(), re.MULTILINE)
    )
    assert len(commands) > 5
    for command in sorted(commands):
        words = command.split()
        if words[0] not in ("local", "data", "storefront", "movie-rental", "devops-metrics"):
            words = words[:1]
        assert CliRunner().invoke(app, [*words, "--help"]).exit_code == 0, command


def test_every_target_of_make_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {target for page in PAGES for target in re.findall(r"`?make ([a-z]+)", page.read_text())}
    assert {"demo", "test", "check", "bench"} <= named & targets
