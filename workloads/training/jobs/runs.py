"""The finished runs below a place, with their figures."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from contract.errors import InputError
from contract.stacks import TrainingOutput
from workloads.storage import locate
from workloads.training.jobs.stack import TrainingStack
from workloads.training.runtime.run_folder import METRICS, parse_metrics

if TYPE_CHECKING:
    from collections.abc import Iterable

    from workloads.storage import Location

#: The figure on the test set that stands for a run, the first that it has.
FIGURES = ("accuracy", "frechet_distance", "r2", "macro_f1")
#: What the list of runs shows of each.
SHOWN = ("started", "epochs", "seconds", "machine")
_READERS = 8


def finished_runs(places: Iterable[Location]) -> list[dict[str, Any]]:
    """Return the content of metrics.json of every run below some places, the newest first, with its place as `run`.

    Raises:
        InputError: A metrics.json there is damaged, or not of a run.
    """
    files = [place / name for place in places for name in place.names() if name.rpartition("/")[2] == METRICS]
    with ThreadPoolExecutor(_READERS) as readers:
        documents = list(readers.map(lambda file: parse_metrics(file, *SHOWN), files))
    runs = [
        {**document, "run": file.uri.removesuffix(METRICS).rstrip("/")}
        for file, document in zip(files, documents, strict=True)
    ]
    return sorted(runs, key=lambda run: str(run.get("started")), reverse=True)


def latest_run(stack: str) -> str:
    """Return the s3:// URI of the newest finished run of a stack.

    Args:
        stack: The name of a deployed stack Training.

    Raises:
        InputError: The stack has none.
    """
    bucket = TrainingStack.find(stack)[TrainingOutput.ARTIFACT_BUCKET_NAME]
    for run in finished_runs([locate(f"s3://{bucket}")]):
        return str(run["run"])
    raise InputError(f"Stack {stack}: It has no finished run yet. `groundwork submit` makes one.")


def headline(run: dict[str, Any]) -> str:
    """Return the figure that stands for a run; it says so where it was measured on sample data."""
    test = run.get("test", {})
    name = next((name for name in FIGURES if isinstance(test.get(name), int | float)), None)
    sample = " (sample data)" if run.get("data", {}).get("sample") else ""
    return f"{name.replace('_', ' ')} {test[name]:.4f}{sample}" if name else ""
