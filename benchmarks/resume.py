"""Kills trainings and compares: `python benchmarks/resume.py [--kills N] [--workload NAME ...]`.

Every workload is trained on the samples that the project makes, killed by SIGKILL at random moments of its training and
resumed, until it ends; its weights must be those of an undisturbed run, bit by bit. A run that ends before its kill
comes is compared like the others, and the next one begins.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from workloads.data import DATASETS
from workloads.training.runtime.storage import locate
from workloads.transfer import send

RESULTS = Path(__file__).parent / "results" / "resume.json"
TRAININGS: dict[str, tuple[str, tuple[str, ...]]] = {
    "digit-classifier": ("mnist", ("--epochs", "12")),
    "digit-gan": ("mnist", ("--epochs", "8")),
    "delivery-time": ("delivery", ("--epochs", "20", "--splits", "0")),
    "player-position": ("nfl", ("--epochs", "30", "--splits", "0")),
}


def start(workload: str, data: str, output: Path) -> subprocess.Popen[bytes]:
    """The command as a person types it, as a process of its own."""
    options = ["--data", data, "--output", str(output), "--device", "cpu", *TRAININGS[workload][1]]
    program = [sys.executable, "-m", "workloads", "train", workload]
    return subprocess.Popen([*program, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def measure(workload: str, kills: int, folder: Path, chance: random.Random) -> dict[str, Any]:
    """One workload: undisturbed, then killed so many times."""
    dataset = TRAININGS[workload][0]
    data = str(folder / dataset)
    send(DATASETS[dataset].sample(), locate(data), lambda _: None)
    began = time.perf_counter()
    if start(workload, data, folder / workload / "whole").wait():
        raise RuntimeError(f"{workload} does not train undisturbed")
    whole = time.perf_counter() - began

    done, finished, resumed = 0, 0, False
    while done < kills:
        process, began = start(workload, data, folder / workload / f"killed-{finished}"), time.perf_counter()
        try:
            if process.wait(chance.uniform(0, whole)):
                raise RuntimeError(f"{workload} does not go on where it was killed")
            if not resumed:  # the machine is less busy than it was: later kills would come too late
                whole = min(whole, time.perf_counter() - began)
            finished, resumed = finished + 1, False
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            done, resumed = done + 1, True
    if start(workload, data, folder / workload / f"killed-{finished}").wait():
        raise RuntimeError(f"{workload} does not go on where it was killed")
    runs = [folder / workload / "whole", *(folder / workload / f"killed-{number}" for number in range(finished + 1))]
    weights = {(run / "model.safetensors").read_bytes() for run in runs}
    row = {
        "kills": done,
        "runs": finished + 1,
        "equal": len(weights) == 1,
        "undisturbed_seconds": round(whole, 2),
    }
    print(workload, row, flush=True)
    return row


def main() -> None:
    """Measure, print and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--workload", action="append", choices=TRAININGS)
    given = parser.parse_args()
    chance = random.Random(0)  # noqa: S311 (moments, not secrets)
    with tempfile.TemporaryDirectory() as folder:
        rows = {name: measure(name, given.kills, Path(folder), chance) for name in given.workload or TRAININGS}
    results = {
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"platform": platform.platform(), "cpus": os.cpu_count(), "load": os.getloadavg()},
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        "data": "the project's samples",
        "workloads": (json.loads(RESULTS.read_text())["workloads"] if RESULTS.exists() else {}) | rows,
    }
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")
    if not all(row["equal"] for row in rows.values()):
        sys.exit("the weights differ")


if __name__ == "__main__":
    main()
