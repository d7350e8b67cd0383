"""Several processes end as their training does: the exit code decides whether their job is tried again."""

from __future__ import annotations

import signal
import sys

import pytest
from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, ProcessFailure

from workloads import bootstrap
from workloads.errors import Interrupted
from workloads.training.runtime import launch


def failed(code: int) -> Exception:
    """What torchrun raises when its first process has ended so."""
    return ChildFailedError("workloads", {0: ProcessFailure(local_rank=0, pid=1, exitcode=code, error_file="<N/A>")})


@pytest.mark.parametrize(
    ("end", "code"),
    [
        (failed(2), 2),
        (failed(75), 75),
        (failed(-signal.SIGKILL), 137),
        (SignalException("told to end", signal.SIGTERM), Interrupted.exit_code),
        (None, 0),
    ],
)
def test_it_ends_with_the_code_of_the_training(
    monkeypatch: pytest.MonkeyPatch, end: Exception | None, code: int
) -> None:
    def main(arguments: list[str]) -> None:
        assert arguments == ["--nnodes", "2"]
        if end:
            raise end

    monkeypatch.setattr(launch, "main", main)
    assert launch.launch(["--nnodes", "2"]) == code


@pytest.mark.parametrize(("nodes", "several"), [("1", False), ("2", True)])
def test_it_is_what_starts_the_training_on_several_nodes(
    monkeypatch: pytest.MonkeyPatch, nodes: str, several: bool
) -> None:
    monkeypatch.setenv("AWS_BATCH_JOB_NUM_NODES", nodes)
    monkeypatch.setenv("AWS_BATCH_JOB_NODE_INDEX", "1")
    monkeypatch.setenv("AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS", "10.0.0.7")
    words = bootstrap.launcher()
    assert words[0] == sys.executable
    assert (launch.__name__ in words) is several
    if several:
        assert {"--node-rank", "--master-addr", "10.0.0.7"} <= set(words)
