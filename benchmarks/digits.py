"""How fast and how good the digit classifier is, on this machine.

    GROUNDWORK_DATA=... python benchmarks/digits.py speed [--runs 3]
    GROUNDWORK_DATA=... python benchmarks/digits.py quality [--seeds 3] [--preset best]
    GROUNDWORK_DATA=... python benchmarks/digits.py goals [--seeds 30]
    GROUNDWORK_DATA=... python benchmarks/digits.py cost

`speed`: the default settings beside the recipe that most tutorials share: two convolutions, dropout, Adadelta whose
rate falls by 0.7 an epoch, batches of 64, 14 epochs, in float32. Both have the data in memory and the same threads.
Ours counts its whole epoch, validation included, in the precision that `groundwork train` chooses; of the peer's, only
the training counts. All 14 epochs of the peer are run, and our runs, each with a seed of its own, are spread over them,
so that other work of the machine slows down both. The two do different work, so no ratio of their times is given.

`quality`: accuracy on MNIST's test set for several seeds.

`goals`: the CPU-seconds to 99.0, 99.3, 99.5 and 99.7 %, on one thread. Each recipe trains once for each seed. It
has reached a goal where the lower bound of a one-sided 95 % confidence interval (Student's t) of its mean test accuracy
has.
The cost of a goal is the median of the cheapest such recipe, for a whole run: reading, training, validation, test. The
recipes are fixed before one of them is tested.

`cost`: one epoch of each preset and of the peer, each in a process of its own, on one thread: images/s, the CPU-seconds
of the process, imports included, and the most memory that it held (VmHWM).
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from measurement import circumstances, record, recorded, seconds
from scipy import stats
from torch import nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from workloads.storage import locate
from workloads.training.mnist import load_mnist
from workloads.training.models.digit_classifier.model import NAME, WORKLOAD, build
from workloads.training.runtime.settings import RunOptions
from workloads.training.runtime.train import train

if TYPE_CHECKING:
    from collections.abc import Mapping

GOAL = 0.993
GOALS = (0.99, 0.993, 0.995, 0.997)
RECIPES: dict[str, Mapping[str, Any]] = {
    "--preset fast --training-images 14000": {**WORKLOAD.settings.presets["fast"], "training_images": 14_000},
    "--preset fast": WORKLOAD.settings.presets["fast"],
    "default, one epoch": {},
}
PEER_EPOCHS, PEER_BATCH_SIZE = 14, 64
IMAGES = 60_000  # of MNIST, which the peer trains on


def main() -> None:
    """Measure, print, and keep the figures in benchmarks/results/digits.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    speed = commands.add_parser("speed")
    speed.add_argument("--runs", type=int, default=3, help=f"of ours, at most {PEER_EPOCHS} (default: 3)")
    quality = commands.add_parser("quality")
    quality.add_argument("--seeds", type=int, default=3)
    quality.add_argument("--preset", choices=["fast", "best", "ensemble", "tiny"])
    goals = commands.add_parser("goals")
    goals.add_argument("--seeds", type=int, default=30, help="at least 2 (default: 30)")
    commands.add_parser("cost")
    arguments = parser.parse_args()
    if "GROUNDWORK_DATA" not in os.environ:
        parser.error("set GROUNDWORK_DATA to a folder that has mnist/*.gz: MNIST's figures need MNIST")
    data = str(Path(os.environ["GROUNDWORK_DATA"], "mnist"))

    if arguments.command == "speed":
        record("digits", {"speed": measure_speed(data, arguments.runs)})
    elif arguments.command == "goals":
        torch.set_num_threads(1)
        record("digits", {"goals": measure_goals(data, arguments.seeds)})
    elif arguments.command == "cost":
        record("digits", {"cost": measure_cost(data)})
    else:
        measured = measure_quality(data, arguments.seeds, arguments.preset)
        quality = recorded("digits").get("quality", {}) | {arguments.preset or "default": measured}
        record("digits", {"quality": quality})


def measure_speed(data: str, runs: int) -> dict[str, Any]:
    """Seconds of our one epoch, and those of the peer's whole recipe, in turns."""
    ours: list[dict[str, Any]] = []
    peer_epochs, peer = [], Peer(data)
    for epoch in range(PEER_EPOCHS):
        if epoch * runs >= len(ours) * PEER_EPOCHS:
            ours.append(run_ours(data, len(ours), {}))
            print(f"ours: {ours[-1]['seconds']:.1f} s, test accuracy {ours[-1]['accuracy']:.2%}", flush=True)
        peer_epochs.append(peer.train_epoch())
        print(f"peer, epoch {epoch + 1}: {peer_epochs[-1]:.1f} s", flush=True)
    seconds = [run["seconds"] for run in ours]
    images_per_second = statistics.median(run["images_per_second"] for run in ours)
    precision = ours[0]["machine"]["precision"]
    peak = matrix_rate(getattr(torch, precision))
    achieved = images_per_second * training_operations_per_image() / 1e9
    print(f"{ours[0]['machine']['processor']}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    print(f"ours, {ours[0]['epochs']} epoch: {_spread(seconds)} s, {images_per_second:,.0f} images/s")
    print(f"{sum(run['accuracy'] >= GOAL for run in ours)} of {runs} runs reached {GOAL:.1%}")
    print(f"peer, {PEER_EPOCHS} epochs in float32: {sum(peer_epochs):.0f} s, test accuracy {peer.accuracy():.2%}")
    print(f"{achieved:.0f} of {peak:.0f} billion operations a second in {precision}: {achieved / peak:.0%} of a matmul")
    return {
        **circumstances("torch"),
        "ours": ours,
        "reached_goal": sum(run["accuracy"] >= GOAL for run in ours),
        "peer": {"epoch_seconds": peer_epochs, "seconds": sum(peer_epochs), "accuracy": peer.accuracy()},
        "images_per_second": images_per_second,
        "matrix_peak_gflops": peak,
        "achieved_gflops": achieved,
        "share_of_peak": achieved / peak,
    }


def _spread(values: list[float]) -> str:
    return f"median {statistics.median(values):.1f} ({min(values):.1f} to {max(values):.1f} in {len(values)})"


def measure_quality(data: str, seeds: int, preset: str | None) -> dict[str, Any]:
    """Test accuracy of the default settings or a preset for some seeds."""
    given = WORKLOAD.settings.presets[preset] if preset else {}
    runs = []
    for seed in range(seeds):
        run = run_ours(data, seed, given)
        print(
            f"seed {seed}: {run['accuracy']:.2%}, worst class {run['worst_class']:.2%}, {run['seconds']:.0f} s",
            flush=True,
        )
        runs.append(run)
    mean = statistics.mean(run["accuracy"] for run in runs)
    worst = min(run["worst_class"] for run in runs)
    classes = [
        statistics.mean(values) for values in zip(*(run["per_class_accuracy"].values() for run in runs), strict=True)
    ]
    print(f"{preset or 'default'}: mean {mean:.3%} of {seeds} seeds")
    print(f"worst class {min(classes):.2%}, of any seed {worst:.2%}")
    return {
        **circumstances("torch"),
        "mean": mean,
        "worst_class_mean": min(classes),
        "worst_class": worst,
        "runs": runs,
    }


def measure_goals(data: str, seeds: int) -> dict[str, Any]:
    """CPU-seconds to each goal, by the cheapest recipe whose mean test accuracy reaches it with 95 % confidence."""
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in RECIPES}
    for seed in range(seeds):
        for name, given in RECIPES.items():
            runs[name].append(run := run_ours(data, seed, given))
            print(f"{name}, seed {seed}: {run['accuracy']:.2%}, CPU: {run['cpu_seconds']:.1f} s", flush=True)
    recipes: dict[str, dict[str, Any]] = {}
    for name, given in RECIPES.items():
        accuracies, times = ([run[key] for run in runs[name]] for key in ("accuracy", "cpu_seconds"))
        error = statistics.stdev(accuracies) / seeds**0.5
        mean = statistics.mean(accuracies)
        recipes[name] = {
            "settings": given,
            "mean": mean,
            "at_least": mean - float(stats.t.ppf(0.95, seeds - 1)) * error,
            "cpu_seconds": statistics.median(times),
            "epoch_seconds": statistics.median(run["seconds"] for run in runs[name]),
            "all_cpu_seconds": times,
            "accuracies": accuracies,
        }
        print(f"{name}: {mean:.3%}, at least {recipes[name]['at_least']:.3%}; CPU: {_spread(times)} s", flush=True)
    reached: dict[str, str | None] = {}
    for goal in GOALS:
        able = [name for name, recipe in recipes.items() if recipe["at_least"] >= goal]
        reached[f"{goal:.1%}"] = min(able, key=lambda name: recipes[name]["cpu_seconds"], default=None)
    return {**circumstances("torch"), "seeds": seeds, "recipes": recipes, "reached": reached}


def measure_cost(data: str) -> dict[str, Any]:
    """What an epoch of each preset, and of the peer, costs in a process of its own."""
    presets = WORKLOAD.settings.presets
    epochs: dict[str, Mapping[str, Any] | None]
    epochs = {"default": {}} | {f"--preset {name}": {**presets[name], "epochs": 1} for name in presets} | {"peer": None}
    costs = {}
    for name, settings in epochs.items():
        with ProcessPoolExecutor(1, get_context("spawn")) as process:
            costs[name] = process.submit(_epoch, data, settings).result()
        print(f"{name}: {costs[name]}", flush=True)
    return {**circumstances("torch"), "epochs": costs}


def _epoch(data: str, settings: Mapping[str, Any] | None) -> dict[str, float]:
    """Train for an epoch in this process: ours with these settings, or the peer."""
    torch.set_num_threads(1)
    if settings is None:
        images_per_second = IMAGES / Peer(data).train_epoch()
    else:
        images_per_second = run_ours(data, 0, settings)["images_per_second"]
    memory = re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text(encoding="utf-8"))
    return {
        "images_per_second": round(images_per_second),
        "cpu_seconds": round(time.process_time(), 1),
        "peak_mib": int(memory[1]) >> 10 if memory else 0,
    }


def run_ours(data: str, seed: int, given: Mapping[str, Any]) -> dict[str, Any]:
    """One training run through the same function as `groundwork train`; what its run folder says."""
    settings = WORKLOAD.settings(**{**given, "seed": seed})
    with tempfile.TemporaryDirectory() as folder:
        began = time.process_time()
        train(NAME, WORKLOAD, settings, options=RunOptions(figures=False), data=data, output=folder)
        cpu_seconds = time.process_time() - began
        metrics = json.loads(Path(folder, "metrics.json").read_text())
        history = Path(folder, "history.csv").read_text().splitlines()
    rows = [dict(zip(history[0].split(","), map(float, row.split(",")), strict=True)) for row in history[1:]]
    return {
        "accuracy": metrics["test"]["accuracy"],
        "worst_class": min(metrics["test"]["per_class_accuracy"].values()),
        "per_class_accuracy": metrics["test"]["per_class_accuracy"],
        "epochs": len(rows),
        "seconds": sum(row["epoch_seconds"] for row in rows),
        "cpu_seconds": cpu_seconds,
        "images_per_second": statistics.median(row["samples_per_second"] for row in rows),
        "machine": metrics["machine"],
        "versions": metrics["versions"],
    }


class Peer:
    """The recipe of the tutorials, in training.

    Args:
        data: A folder with MNIST.
    """

    def __init__(self, data: str) -> None:
        torch.manual_seed(0)
        digits = load_mnist(locate(data))
        self._train, self._test = (
            (torch.from_numpy(images).unsqueeze(1).float().div(255).sub(0.1307).div(0.3081), torch.from_numpy(labels))
            for images, labels in (
                (digits.train_images, digits.train_labels.astype("int64")),
                (digits.test_images, digits.test_labels.astype("int64")),
            )
        )
        self._model = nn.Sequential(
            nn.Conv2d(1, 32, 3),
            nn.ReLU(),
            nn.Conv2d(32, 64, 3),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Dropout(0.25),
            nn.Flatten(),
            nn.Linear(64 * 12 * 12, 128),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(128, 10),
        )
        self._optimiser = torch.optim.Adadelta(self._model.parameters(), lr=1)
        self._schedule = torch.optim.lr_scheduler.StepLR(self._optimiser, step_size=1, gamma=0.7)

    def train_epoch(self) -> float:
        """Train for an epoch; the seconds it took."""
        images, labels = self._train
        torch.use_deterministic_algorithms(mode=False)  # as it is unless asked for, which our runs do
        self._model.train()
        started = time.perf_counter()
        for rows in torch.split(torch.randperm(len(images)), PEER_BATCH_SIZE):
            self._optimiser.zero_grad()
            loss = functional.cross_entropy(self._model(images[rows]), labels[rows])
            loss.backward()  # type: ignore[no-untyped-call]
            self._optimiser.step()
        self._schedule.step()
        return time.perf_counter() - started

    @torch.inference_mode()
    def accuracy(self) -> float:
        """On the test set."""
        images, labels = self._test
        self._model.eval()
        predicted = torch.cat([self._model(batch).argmax(1) for batch in torch.split(images, 1000)])
        return float((predicted == labels).double().mean())


def training_operations_per_image() -> float:
    """Floating-point operations of matrices and convolutions, forwards and backwards, in the default network."""
    model, images = build(WORKLOAD.settings().architecture), torch.zeros(8, 28, 28, dtype=torch.uint8)
    with FlopCounterMode(display=False) as counter:
        model(images).sum().backward()
    return float(counter.get_total_flops()) / len(images)


def matrix_rate(kind: torch.dtype, size: int = 2048) -> float:
    """Billion floating-point operations a second of a square matrix product: the best of five."""
    matrix = torch.randn(size, size).to(kind)
    return 2 * size**3 / min(seconds(lambda: matrix @ matrix) for _ in range(5)) / 1e9


if __name__ == "__main__":
    main()
