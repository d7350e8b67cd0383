"""Measure the precision and recall of the detector: `python benchmarks/devops_metrics.py detection`."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any

from devops_metrics_fleet import influx, ingest_file

from workloads.devops_metrics.anomalies import evaluate
from workloads.devops_metrics.queries import ask
from workloads.devops_metrics.settings import FleetSettings
from workloads.devops_metrics.simulate import simulate

if TYPE_CHECKING:
    from pathlib import Path


def detection(folder: Path, seeds: int) -> dict[str, Any]:
    """Measure precision and recall on simulated fleets of the default settings."""
    scores = []
    for seed in range(1000, 1000 + seeds):
        with influx(folder / f"influxdb{seed}") as store:
            file = folder / f"{seed}.csv"
            _, incidents = simulate(FleetSettings(seed=seed), file, folder / f"{seed}.labels.csv")
            ingest_file(file, store)
            scores.append(evaluate(ask(store, "anomalies"), incidents))
    return {
        "fleets": seeds,
        "incidents": sum(score.incidents for score in scores),
        "precision": round(statistics.mean(score.precision for score in scores), 3),
        "recall": round(statistics.mean(score.recall for score in scores), 3),
        "worst_precision": round(min(score.precision for score in scores), 3),
        "worst_recall": round(min(score.recall for score in scores), 3),
    }
