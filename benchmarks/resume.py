"""Kills trainings and compares: `python benchmarks/resume.py [--kills N] [--workload NAME ...]`.

Every workload is trained on the samples that the project makes, killed by SIGKILL at random moments of its training and
resumed, until it ends; its weights must be those of an undisturbed run, bit by bit. A run that ends before its kill
comes is compared like the others, and the next one begins. Each attempt is a process of its own, forked, so that no
kill falls into the seconds in which PyTorch is imported.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

from measurement import circumstances, record, recorded

from contract.workloads import DATA_SETS
from workloads.storage import locate
from workloads.training.models import load
from workloads.training.runtime.run import Run
from workloads.training.runtime.settings import RunOptions
from workloads.training.runtime.train import train
from workloads.transfer import send

if TYPE_CHECKING:
    from collections.abc import Iterator

TRAININGS: dict[str, tuple[str, dict[str, Any]]] = {
    "digit-classifier": ("mnist", {"epochs": 6, "batch_size": 100}),
    "digit-gan": ("mnist", {"epochs": 6, "batch_size": 100}),
    "delivery-time": ("delivery", {"epochs": 60, "splits": 0, "repeats": 1, "folds": 2}),
    "player-position": ("nfl", {"epochs": 60, "splits": 0, "trees": 20, "folds": 2}),
}
PART_BEFORE_KILL = 1 / 3  # of the training, at most: a kill may come before the next checkpoint, or after several
FORK = multiprocessing.get_context("fork")


def attempt(workload: str, data: str, output: Path, fuse: float | None = None) -> float | None:
    """Train in a process that kills itself so many seconds after its epochs began.

    Returns:
        How long its epochs took, checkpoints included, in seconds; None when it was killed.
    """
    seconds = FORK.RawValue("d", 0)
    process = FORK.Process(target=_train, args=(workload, data, output, fuse, seconds))
    process.start()
    process.join()
    if process.exitcode not in (0, -signal.SIGKILL):
        raise RuntimeError(f"{workload} does not train, or go on where it was killed")
    return None if process.exitcode else float(seconds.value)


def _train(name: str, data: str, output: Path, fuse: float | None, seconds: Any) -> None:
    epochs = Run.epochs

    def timed(run: Run, total: int) -> Iterator[int]:
        began = time.perf_counter()
        if fuse is not None:
            threading.Timer(fuse, os.kill, (os.getpid(), signal.SIGKILL)).start()
        yield from epochs(run, total)
        seconds.value = time.perf_counter() - began

    Run.epochs = timed  # type: ignore[assignment, method-assign]
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    workload = load(name)
    settings = workload.settings(**TRAININGS[name][1])
    train(name, workload, settings, options=RunOptions(device="cpu"), data=data, output=str(output))
    os._exit(0)  # without waiting for the fuse


def measure(workload: str, kills: int, folder: Path, chance: random.Random) -> dict[str, Any]:
    """One workload: undisturbed, then killed so many times."""
    dataset = TRAININGS[workload][0]
    data, began = str(folder / dataset), time.perf_counter()
    send(resolve_name(DATA_SETS[dataset].sample)(), locate(data), lambda _: None)
    load(workload)
    whole = folder / workload / "whole"
    training = attempt(workload, data, whole)
    if training is None:
        raise RuntimeError(f"{workload}: somebody else killed the undisturbed run")

    runs, done, resumed = [folder / workload / "killed-0"], 0, 0
    while True:
        goes_on = any(runs[-1].glob("checkpoints/*.checkpoint"))
        fuse = chance.uniform(0, PART_BEFORE_KILL * training) if done < kills else None
        if attempt(workload, data, runs[-1], fuse) is None:
            done, resumed = done + 1, resumed + goes_on
        elif fuse is None:
            break
        else:
            runs.append(folder / workload / f"killed-{len(runs)}")
    weights = {(run / "model.safetensors").read_bytes() for run in (whole, *runs)}
    row = {
        "kills": done,
        "kills_after_resuming": resumed,
        "runs": len(runs),
        "equal": len(weights) == 1,
        "training_seconds": round(training, 2),
        "seconds": round(time.perf_counter() - began, 1),
    }
    print(workload, row, file=sys.stderr, flush=True)
    return row


def main() -> None:
    """Measure, print and record the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--workload", action="append", choices=TRAININGS)
    options = parser.parse_args()
    chance = random.Random(0)  # noqa: S311 - moments, not secrets
    with tempfile.TemporaryDirectory() as folder:
        rows = {name: measure(name, options.kills, Path(folder), chance) for name in options.workload or TRAININGS}
    workloads = recorded("resume").get("workloads", {}) | rows
    record("resume", {"workloads": workloads, "data": "the project's samples", **circumstances("torch")})
    if not all(row["equal"] for row in rows.values()):
        sys.exit("the weights differ")


if __name__ == "__main__":
    main()
