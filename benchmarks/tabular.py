"""How good the models of tables are beside the baselines, on splits that nothing was fitted to.

    GROUNDWORK_DATA=... python benchmarks/tabular.py [NAME ...] [--splits N]

Each name below is one run; without names all are done. Figures are means and standard deviations over the splits. With
`nested` in the name, settings were searched for in each split's training rows; with `grid`, the forest's.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import Any

from measurement import circumstances, record

from workloads.storage import locate
from workloads.training.models import load
from workloads.training.runtime.run_folder import load_metrics
from workloads.training.runtime.settings import RunOptions
from workloads.training.runtime.train import train

DATA = {"delivery-time": "delivery", "player-position": "nfl"}
RECEIVING: dict[str, Any] = {"features": "receiving", "rows": "with-receptions"}
RUNS: dict[str, tuple[str, dict[str, Any]]] = {
    "delivery": ("delivery-time", {}),
    "delivery-reference": ("delivery-time", {"architecture": "reference"}),
    "delivery-nested": ("delivery-time", {"nested_trials": 10, "splits": 5}),
    "position": ("player-position", {}),
    "position-season": ("player-position", {"level": "season"}),
    "position-receiving": ("player-position", RECEIVING),
    "position-receiving-season": ("player-position", {**RECEIVING, "level": "season"}),
    "position-receiving-season-grid": (
        "player-position",
        {**RECEIVING, "level": "season", "forest": "grid", "splits": 5},
    ),
}
SCORES = {"delivery-time": ("r2", "mae", "rmse"), "player-position": ("accuracy", "macro_f1")}


def main() -> None:
    """Measure, print, and keep the figures in benchmarks/results/tabular.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(RUNS))
    parser.add_argument("--splits", type=int, help="instead of each run's own")
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.names) - set(RUNS))
    if unknown:
        parser.error(f"no run is called {', '.join(unknown)}")
    if "GROUNDWORK_DATA" not in os.environ:
        parser.error("set GROUNDWORK_DATA to a folder that has delivery/ and nfl/")
    for name in arguments.names or RUNS:
        measured = measure(name, {"splits": arguments.splits} if arguments.splits else {})
        record("tabular", {name: measured})
        print(f"\n{name}\n{as_table(measured)}\n")


def measure(name: str, changes: dict[str, Any]) -> dict[str, Any]:
    """The scores of one run's model and its baselines."""
    workload_name, given = RUNS[name]
    workload = load(workload_name)
    settings = workload.settings(**{**given, **changes})
    data = str(Path(os.environ["GROUNDWORK_DATA"], DATA[workload_name]))
    with tempfile.TemporaryDirectory() as folder:
        output = f"{folder}/run"
        train(workload_name, workload, settings, options=RunOptions(), data=data, output=output)
        metrics = load_metrics(locate(output))
    test = metrics["test"]
    scores = {key: value for key, value in test.items() if isinstance(value, float)}
    given = {key: value for key, value in given.items() if key != "splits"}
    facts = {"workload": workload_name, "given": given, "splits": test["splits"], "seconds": metrics["seconds"]}
    return {**circumstances("torch", "scikit-learn"), **facts, "test": scores, "models": test["models"]}


def as_table(measured: dict[str, Any]) -> str:
    """The models of a run as a Markdown table."""
    scores = SCORES[measured["workload"]]
    lines = [f"| model | {' | '.join(scores)} |", f"|---{'|---' * len(scores)}|"]
    for model, figures in measured["models"].items():
        cells = (f"{figures[score]['mean']:.3f} ± {figures[score]['sd']:.3f}" for score in scores)
        lines.append(f"| {model} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
