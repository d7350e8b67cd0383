"""Stops trainings over two processes by signals: `python -m ... FOLDER`, for all cases in `CASES`.

Each case tells one rank to end at one moment. The processes are forked, so that PyTorch is imported once. Prints, for
each case, the exit codes of the ranks, the last batch of each, whether the stopped run was published, and whether the
run that continues it has the weights and the losses of one that nobody disturbed.

Started by torchrun, as `FOLDER RANK TARGET`, it trains one process of a run of which the given rank, in the middle of
the second epoch, sends SIGTERM to itself or to its torchrun.
"""

from __future__ import annotations

import contextlib
import io
import json
import multiprocessing
import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from contract.errors import GroundworkError, report
from tests.unit.training.test_run import Settings, line, outcome
from workloads.training.runtime import agreement
from workloads.training.runtime.run import Run
from workloads.training.runtime.settings import RunOptions
from workloads.training.runtime.train import train

FORK = multiprocessing.get_context("fork")
RANKS = 2
HANGS = 120.0  # seconds after which processes are taken to wait for each other


CASES = {
    f"rank {rank} at {moment}": {rank: moment}
    for rank in range(RANKS)
    for moment in ("0/0", "1/2", "2/4", "checkpoint", "validation")
}
BOTH = "both ranks, at different batches"


def told_at(moment: str, process: int) -> Callable[[int, int], None]:
    """Return what a rank does after a batch: nothing, or it sends SIGTERM to a process at its moment."""

    def end(*_: Any, **__: Any) -> None:
        os.kill(process, signal.SIGTERM)

    def before(call: Callable[..., Any]) -> Callable[..., Any]:
        def told(*arguments: Any, **options: Any) -> Any:
            end()
            return call(*arguments, **options)

        return told

    if moment == "checkpoint":
        Run._save = before(Run._save)  # type: ignore[method-assign]
    elif moment == "validation":
        Run.record = before(Run.record)  # type: ignore[method-assign]
    return lambda epoch, batch: end() if moment == f"{epoch}/{batch}" else None


def work(rank: int, port: int, output: Path, moment: str, every_seconds: float) -> None:
    """Train as one of several processes."""
    values = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(RANKS)}
    os.environ.update(values, RANK=str(rank), LOCAL_RANK=str(rank))
    agreement._EVERY_SECONDS = every_seconds
    train_rank(rank, output, told_at(moment, os.getpid()))


def train_rank(rank: int, output: Path, tell: Callable[[int, int], None]) -> None:
    """Train in this process, and note the last batch."""
    last = output.with_name(f"{output.name}-{rank}.batch")

    def after_batch(epoch: int, batch: int) -> None:
        last.write_text(f"{epoch}/{batch}")
        tell(epoch, batch)

    options = RunOptions(device="cpu", strategy="ddp", figures=False)
    with contextlib.redirect_stdout(io.StringIO()):
        try:
            train("line", line(after_batch), Settings(), options=options, data=".", output=str(output))
        except GroundworkError as error:
            os._exit(report(error))


def attempt(output: Path, moments: dict[int, str], every_seconds: float) -> list[int | None]:
    """Train over all ranks; their exit codes, None for one that never ended."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    arguments = [(rank, port, output, moments.get(rank, ""), every_seconds) for rank in range(RANKS)]
    processes = [FORK.Process(target=work, args=each) for each in arguments]
    for process in processes:
        process.start()
    for process in processes:
        process.join(HANGS)
    codes = [process.exitcode for process in processes]
    for process in processes:
        process.kill()
        process.join()
    return codes


def stop(output: Path, whole: Path, moments: dict[int, str], every_seconds: float) -> dict[str, Any]:
    """Stop a run and continue it."""
    codes = attempt(output, moments, every_seconds)
    batches = [output.with_name(f"{output.name}-{rank}.batch").read_text() for rank in range(RANKS)]
    checkpoint = any(output.glob("checkpoints/*.checkpoint"))
    published = (output / "metrics.json").exists()
    continued = attempt(output, {}, every_seconds)
    same = continued == [0] * RANKS and outcome(output) == outcome(whole)
    return {
        "codes": codes,
        "batches": batches,
        "checkpoint": checkpoint,
        "published": published,
        "continued": continued,
        "same": same,
    }


def main() -> None:
    """Stop each case, or be one process of torchrun."""
    if "RANK" in os.environ:
        folder, told, target = sys.argv[1:]
        rank, process = int(os.environ["RANK"]), os.getppid() if target == "torchrun" else os.getpid()
        train_rank(rank, Path(folder), told_at("1/2" if rank == int(told) else "", process))
        return
    torch.set_num_threads(1)
    folder = Path(sys.argv[1])
    whole = folder / "whole"
    assert attempt(whole, {}, 0.5) == [0] * RANKS
    results = {
        name: stop(folder / str(number), whole, moments, every_seconds=0)
        for number, (name, moments) in enumerate(CASES.items())
    }
    results[BOTH] = stop(folder / "both", whole, {0: "1/3", 1: "1/1"}, every_seconds=0.5)
    print(json.dumps(results))  # noqa: T201


if __name__ == "__main__":
    main()
