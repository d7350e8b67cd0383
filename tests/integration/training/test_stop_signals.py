"""A signal to one process of a run stops all of them at the same batch, and the run continues as if undisturbed."""

from __future__ import annotations

import json
import socket
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


@pytest.mark.parametrize(
    ("nodes", "rank", "target"),
    [(1, 1, "rank"), (1, 0, "torchrun"), (2, 0, "torchrun"), (2, 1, "torchrun"), (2, 1, "rank")],
)
def test_torchrun_ends_with_the_code_for_another_attempt_on_every_node(
    tmp_path: Path, nodes: int, rank: int, target: str
) -> None:
    """On two nodes, only one of them is told; both have to stop."""
    output = tmp_path / "run"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    processes = [
        subprocess.Popen(
            [
                *(sys.executable, "-m", "workloads.training.runtime.launch"),
                *("--nnodes", str(nodes), "--node-rank", str(node), "--nproc-per-node", str(stopped.RANKS // nodes)),
                *("--master-addr", "127.0.0.1", "--master-port", str(port)),
                *("-m", stopped.__name__, str(output), str(rank), target),
            ],
            cwd=PROJECT,
            stderr=subprocess.PIPE,
            text=True,
        )
        for node in range(nodes)
    ]
    try:
        errors = [process.communicate(timeout=stopped.HANGS)[1] for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [Interrupted.exit_code] * nodes, errors
    batches = [(tmp_path / f"run-{number}.batch").read_text() for number in range(stopped.RANKS)]
    assert len(set(batches)) == 1
    assert not (output / "metrics.json").exists()
    assert [*output.glob("checkpoints/*.checkpoint")]
