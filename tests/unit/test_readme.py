"""The figures in the README and in the workloads' pages are those that were measured."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("script", ["benchmarks/tables.py", "benchmarks/pages.py"])
def test_every_figure_comes_from_a_measurement(script: str) -> None:
    done = subprocess.run([sys.executable, script, "--check"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_benchmark_is_in_the_table_and_in_make_bench() -> None:
    table = (ROOT / "README.md").read_text().partition("<!-- measured -->")[2].partition("<!-- end -->")[0]
    listed = set(re.findall(r"\| (\w+\.py(?: [a-z]+)?)[^|]*\|$", table, re.MULTILINE))
    run = set(re.findall(r"^\tpython benchmarks/(\w+\.py(?: [a-z]+)?)", (ROOT / "Makefile").read_text(), re.MULTILINE))
    programs = {
        path.name for path in (ROOT / "benchmarks").glob("*.py") if '\nif __name__ == "__main__":\n' in path.read_text()
    }
    # The last two are a simulation, and what movie_rental.py runs in a process of its own.
    measuring = programs - {"tables.py", "pages.py", "termination_burst.py", "movie_rental_process.py"}
    assert listed <= run
    assert {command.split()[0] for command in listed} == measuring
