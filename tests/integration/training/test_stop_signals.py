"""A signal to one process of a run stops all of them at the same batch, and the run continues as if undisturbed."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from workloads.errors import Interrupted

from . import stopped

PROJECT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What became of each case."""
    command = [sys.executable, "-m", stopped.__name__, str(tmp_path_factory.mktemp("stopped"))]
    process = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    outcomes: dict[str, dict[str, Any]] = json.loads(process.stdout)
    return outcomes


@pytest.mark.parametrize("case", [*stopped.CASES, stopped.BOTH])
def test_all_ranks_stop_at_the_same_batch_with_a_checkpoint_whichever_is_told(
    results: dict[str, dict[str, Any]], case: str
) -> None:
    result = results[case]
    assert result["codes"] == [Interrupted.exit_code] * stopped.RANKS
    assert len(set(result["batches"])) == 1
    assert (result["checkpoint"], result["published"]) == (True, False)


@pytest.mark.parametrize("case", [*stopped.CASES, stopped.BOTH])
def test_the_continued_run_has_the_same_weights_and_losses(results: dict[str, dict[str, Any]], case: str) -> None:
    assert results[case]["continued"] == [0] * stopped.RANKS
    assert results[case]["same"]
