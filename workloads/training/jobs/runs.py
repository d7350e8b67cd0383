"""The finished runs below a place, with their figures."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from workloads.training.runtime.run_folder import METRICS

if TYPE_CHECKING:
    from workloads.storage import Location

#: The figure on the test set that stands for a run, the first that it has.
FIGURES = ("accuracy", "frechet_distance", "r2", "macro_f1")
_READERS = 8


def finished_runs(place: Location) -> list[dict[str, Any]]:
    """Return the content of metrics.json of every run, the newest first, with the run's place as `run`."""
    names = [name for name in place.names() if name.rpartition("/")[2] == METRICS]
    with ThreadPoolExecutor(_READERS) as readers:
        contents = list(readers.map(lambda name: (place / name).read(), names))
    runs = [
        {**json.loads(content), "run": (place / name.removesuffix(METRICS)).uri.rstrip("/")}
        for name, content in zip(names, contents, strict=True)
    ]
    return sorted(runs, key=lambda run: str(run.get("started")), reverse=True)


def headline(run: dict[str, Any]) -> str:
    """The figure that stands for a run."""
    test = run.get("test", {})
    name = next((name for name in FIGURES if isinstance(test.get(name), int | float)), None)
    return f"{name.replace('_', ' ')} {test[name]:.4f}" if name else ""
