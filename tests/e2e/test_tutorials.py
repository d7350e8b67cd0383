"""The tutorials work as they are written: a shell runs every command, and prints what the page shows."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.shell_pages import follow, steps

ROOT = Path(__file__).parents[2]
TUTORIALS = sorted((ROOT / "docs" / "tutorials").glob("*.md"))
#: The folder of the repository, as far as commands need it there.
NEEDED = ("app.py", "cdk.json", "infra", "node_modules", ".venv")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder in which the tutorial's cloud is the default one."""
    for name in NEEDED:
        (tmp_path / name).symlink_to(ROOT / name)
    yield tmp_path
    subprocess.run(["groundwork", "local", "down"], cwd=tmp_path, env=environment(), check=False)


def environment() -> dict[str, str]:
    """The variables of a new shell."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTEST_"))}
    return kept | {"PYTHONPATH": str(ROOT), "COLUMNS": "120"}


@pytest.mark.timeout(900)
@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.stem)
def test_a_tutorial_works_as_it_is_written(page: Path, folder: Path) -> None:
    follow(steps(page), folder, environment())


def test_every_kind_of_reader_has_a_tutorial() -> None:
    assert len(TUTORIALS) == 3
    assert all(len(steps(page)) >= 4 for page in TUTORIALS)
