"""One workload, from the location of its data to its published run folder."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
import tempfile
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import torch

from contract.errors import InputError
from workloads.cache import through_cache
from workloads.sample import is_sample
from workloads.storage import Bucket, locate
from workloads.training.runtime.run import Run
from workloads.training.runtime.run_folder import METRICS, write_run_folder
from workloads.training.runtime.tensorboard import EVENTS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from workloads.storage import Location
    from workloads.training.runtime.results import Results
    from workloads.training.runtime.settings import RunOptions, TrainingSettings
    from workloads.training.runtime.workload import Workload

_PACKAGES = ("torch", "torchvision", "numpy", "scikit-learn", "pandas", "safetensors")


def train(
    name: str,
    workload: Workload[Any],
    settings: TrainingSettings,
    *,
    options: RunOptions,
    data: str,
    output: str,
    check_data: Callable[[str], None] = lambda _sha256: None,
) -> Results:
    """Train a workload and publish its run folder.

    Args:
        name: Its name on the command line.
        workload: What its model file offers.
        settings: What decides the weights.
        options: Where and how to run.
        data: A folder or s3:// URI.
        output: A folder or s3:// URI for the run folder. A finished run there is replaced when this one has finished
            too, an unfinished one is continued; other files of the same names are not replaced.
        check_data: Told the SHA-256 of what the data holds before anything is learned from it; may raise InputError.

    Raises:
        InputError: The data, a setting or the output cannot be used.
        TrainingStopped: The loss became NaN, or the process was told to end.
    """
    target, sample = locate(output), is_sample(data)
    with Run(name, settings, options, target, workload.unit, check_data=check_data, sample=sample) as run:
        results = workload.fit(settings, through_cache(locate(data)), run)
        facts = {
            "workload": name,
            "settings": settings.model_dump(mode="json"),
            "options": options.model_dump(mode="json"),
            "seed": settings.seed,
            "data": {"uri": data, "sha256": run.data_sha256, "sample": sample},
            "started": run.started,
            "seconds": round(run.seconds, 3),
            "attempts": run.attempts,
            "epochs": len(run.history),
            "commit": _commit(),
            "versions": {"python": platform.python_version()} | {name: metadata.version(name) for name in _PACKAGES},
            "machine": _machine(run),
        }
        if run.is_main:
            published = results if options.figures else replace(results, figures=tuple)
            if run.events:
                published = replace(published, files={**results.files, EVENTS: run.events.content})
            _publish(target, published, run.history, facts)
            run.forget_checkpoints()
        figures = "  ".join(f"{name} {value}" for name, value in results.headline.items())
        run.say(f"{'On sample data: ' if sample else ''}{figures}\n{target}\n{_next(target)}")
    return results


def _publish(target: Location, results: Results, history: Sequence[Mapping[str, float]], facts: dict[str, Any]) -> None:
    """Write the run folder on this machine, and bring it to its place, metrics.json last.

    Raises:
        InputError: It cannot be written, for example because a disk is full.
    """
    try:
        with tempfile.TemporaryDirectory() as folder:
            write_run_folder(Path(folder), results, history, facts)
            (target / METRICS).delete()
            if EVENTS not in results.files:
                (target / EVENTS).delete()  # of the run that this one replaces
            target.write_all(Path(folder), last=METRICS)
    except OSError as error:
        raise InputError(
            f"{target}: The run folder cannot be written: {error.strerror or error}. "
            f"It is put together in {tempfile.gettempdir()}; TMPDIR names another place. "
            "The same command goes on from the last checkpoint."
        ) from error


def _next(target: Location) -> str:
    """Return how a person comes to the report."""
    place = shlex.quote(str(target))
    if isinstance(target, Bucket):
        return f"`groundwork fetch {place} --output FOLDER` brings the run with its report to this machine."
    return f"`groundwork open {place}` shows the report."


def _machine(run: Run) -> dict[str, Any]:
    return {
        "platform": platform.platform(),
        "processor": _processor(),
        "cpus": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "device": str(run.device),
        "precision": run.precision,
        "gpu": torch.cuda.get_device_name(run.device) if run.device.type == "cuda" else None,
        "gpus": torch.cuda.device_count(),
    }


def _commit() -> str | None:
    """Return the Git commit of this code, with "+" if files have changed since; None where Git does not know it."""
    source = Path(__file__)
    git = ["git", "-C", str(source.parent)]
    try:
        # An installed copy may lie in the repository of somebody else.
        subprocess.run([*git, "ls-files", "--error-unmatch", source.name], check=True, capture_output=True)
        described = [*git, "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty=+"]
        return subprocess.run(described, check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
