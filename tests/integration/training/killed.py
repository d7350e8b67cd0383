"""Trains a workload that is killed again and again: `python killed.py WORKLOAD DATA FOLDER KILLS SETTINGS`.

Each attempt is a process of its own (forked, so that PyTorch is imported once), killed by SIGKILL at a random moment of
its training. Prints the number of kills, and fails unless the weights are those of a run that nobody disturbed.
"""

import json
import os
import random
import shutil
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

from workloads.training.runtime.run import Run
from workloads.training.runtime.settings import RunOptions
from workloads.training.runtime.train import train
from workloads.training.runtime.workload import load


def attempt(name: str, data: str, output: Path, settings: dict[str, Any], fuse: float | None) -> bool:
    """Train in a child that kills itself so many seconds after its training began; whether it finished."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    if fuse is not None:
        keep = Run.keep

        def lit(run: Run, **parts: Any) -> None:
            keep(run, **parts)
            threading.Timer(fuse, os.kill, (os.getpid(), signal.SIGKILL)).start()

        Run.keep = lit  # type: ignore[method-assign]
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    workload = load(name)
    options = RunOptions(device="cpu")
    train(name, workload, workload.settings(**settings), options=options, data=data, output=str(output))
    os._exit(0)


def main() -> None:
    """Compare the killed run with an undisturbed one."""
    name, data, folder, kills = sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4])
    settings = json.loads(sys.argv[5])
    load(name)
    started = time.monotonic()
    assert attempt(name, data, folder / "whole", settings, None)
    epoch = (time.monotonic() - started) / settings["epochs"]
    chance = random.Random(0)  # noqa: S311 (moments, not secrets)
    done = 0
    while done < kills:
        if attempt(name, data, folder / "killed", settings, chance.uniform(0, 1.2 * epoch)):
            shutil.rmtree(folder / "killed")  # it got away: once more
        else:
            done += 1
    assert attempt(name, data, folder / "killed", settings, None)
    weights = [(folder / run / "model.safetensors").read_bytes() for run in ("whole", "killed")]
    assert weights[0] == weights[1], "the weights differ"
    print(done)  # noqa: T201


if __name__ == "__main__":
    main()
