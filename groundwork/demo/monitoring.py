"""A fleet's monitoring data in both time series databases: the same incidents are found, with the same figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from contract.stacks import StackName, TimeSeriesOutput
from groundwork.demo.checklist import Checklist
from groundwork.demo.cli import run
from localcloud import LocalCloud

ENGINES = ("influxdb", "liveanalytics")


def monitor(cloud: LocalCloud, report: Checklist, results: Path) -> None:
    """Simulate a fleet; deploy the stack on either engine, ingest the fleet, find its incidents."""
    report.step("A simulated fleet, with incidents")
    folder = results / "devops-metrics"
    folder.mkdir()
    fleet = folder / "fleet.csv"
    made = run(
        cloud, report, "devops-metrics", "simulate", "--output", str(fleet), "--interval", "300", "--services", "2"
    )

    places = []
    for engine in ENGINES:
        report.step(f"cdk deploy DevOpsMetrics -c devops_metrics.engine={engine}")
        if cloud.outputs(StackName.DEVOPS_METRICS)[TimeSeriesOutput.ENGINE] != engine:
            cloud.deploy(StackName.DEVOPS_METRICS, context={"devops_metrics.engine": engine})
        for name, value in cloud.outputs(StackName.DEVOPS_METRICS).items():
            report.fact(name, value)
        totals = run(cloud, report, "devops-metrics", "ingest", str(fleet))
        whole = (totals["written"], totals["quarantined"]) == (made["rows"], 0)
        report.promise("every line is written", held=whole, seen=f"{totals['written']:,}")
        answer, figure = folder / f"incidents-{engine}.csv", folder / f"incidents-{engine}.png"
        incidents = run(
            cloud,
            report,
            *("devops-metrics", "query", "anomalies", "--incidents", str(fleet.with_suffix(".incidents.csv"))),
            *("--plot", str(figure), "--csv", str(answer)),
        )["rows"]
        report.promise("incidents are found and drawn", held=bool(incidents) and figure.exists(), seen=len(incidents))
        report.picture(figure, f"The fleet's incidents, as {engine} answers: {len(incidents)} found.")
        places.append({_place(incident) for incident in incidents})
    report.promise("both engines found the same incidents", held=places[0] == places[1])


def _place(incident: dict[str, Any]) -> tuple[str, ...]:
    """Where and when an incident was, without its figures: rounding differs between the engines' arithmetic."""
    return tuple(value for value in incident.values() if isinstance(value, str))
