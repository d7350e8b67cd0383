"""Trains workloads that are killed again and again: `python killed.py KILLS FOLDER TRAININGS`.

A process of its own makes each attempt, and kills itself by SIGKILL at a call drawn from all that Python makes in the
epochs, be it in a step, in validation or in writing a checkpoint: so it does not depend on how busy the machine is
where the kills come. Prints how many kills of each met a run that went on from a checkpoint, and fails unless each run
that ends has the weights and the losses of one that nobody disturbed.
"""

from __future__ import annotations

import contextlib
import csv
import gc
import io
import json
import multiprocessing
import os
import random
import shutil
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from workloads.training.models import load
from workloads.training.models.digit_gan import judge as digit_judge
from workloads.training.runtime.run import Run
from workloads.training.runtime.settings import RunOptions
from workloads.training.runtime.train import train

FORK = multiprocessing.get_context("fork")  # so that PyTorch is imported once


class Training:
    """One workload, its data and settings."""

    def __init__(self, name: str, data: str, settings: dict[str, Any]) -> None:
        self.name, self.data = name, data
        self.workload = load(name)
        self.settings = self.workload.settings(**settings)

    def train(self, output: Path, last: int = 0) -> int:
        """Train, and die at the given call, if any; how many calls the epochs made."""
        calls = 0
        epochs = Run.epochs

        def call(*_: object) -> None:
            nonlocal calls
            calls += 1
            if calls == last:
                os.kill(os.getpid(), signal.SIGKILL)

        def counted(run: Run, total: int) -> Iterator[int]:
            sys.setprofile(call)
            yield from epochs(run, total)
            sys.setprofile(None)

        Run.epochs = counted  # type: ignore[method-assign]
        with contextlib.redirect_stdout(io.StringIO()):
            options = RunOptions(device="cpu", figures=False)
            train(self.name, self.workload, self.settings, options=options, data=self.data, output=str(output))
        Run.epochs = epochs  # type: ignore[method-assign]
        return calls

    def attempt(self, output: Path, last: int = 0) -> bool:
        """Train in a process that dies at the given call; whether it ended before."""
        assert threading.active_count() == 1, "a fork would have the memory of the others without themselves"
        process = FORK.Process(target=self.train, args=(output, last))
        process.start()
        process.join()
        assert process.exitcode in {0, -signal.SIGKILL}, f"{self.name} failed"
        return process.exitcode == 0


def outcome(run: Path) -> tuple[bytes, list[list[str]]]:
    """What must be equal, bit by bit: the weights and every loss."""
    rows = csv.DictReader((run / "history.csv").read_text().splitlines())
    losses = [[value for name, value in row.items() if name.endswith("loss")] for row in rows]
    return (run / "model.safetensors").read_bytes(), losses


def survive(training: Training, kills: int, folder: Path) -> int:
    """Kill a training so many times; how many of the kills met a run that went on from a checkpoint."""
    whole, killed = folder / "whole", folder / "killed"
    epoch = training.train(whole) // training.settings.epochs  # what it imports, the attempts have
    gc.freeze()
    chance = random.Random(0)  # noqa: S311 - moments, not secrets
    done = resumed = 0
    while True:
        begun = any(killed.glob("checkpoints/*.checkpoint"))
        if training.attempt(killed, chance.randint(1, 2 * epoch) if done < kills else 0):
            assert outcome(killed) == outcome(whole), f"{training.name} does not end as if nobody had disturbed it"
            shutil.rmtree(killed)
            if done == kills:
                return resumed
        else:
            assert not (killed / "metrics.json").exists()
            done, resumed = done + 1, resumed + begun


def main() -> None:
    """Kill each."""
    kills, folder, trainings = int(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3])
    digit_judge._LEAST_STEPS = 1  # how well it judges does not matter
    resumed = {name: survive(Training(name, *given), kills, folder / name) for name, given in trainings.items()}
    print(json.dumps(resumed))  # noqa: T201


if __name__ == "__main__":
    main()
