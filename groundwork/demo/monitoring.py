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
    fleet_totals = run(
        cloud, report, "devops-metrics", "simulate", "--output", str(fleet), "--interval", "300", "--services", "2"
    )

    incidents_by_engine = []
    for engine in ENGINES:
        report.step(f"cdk deploy DevOpsMetrics -c devops_metrics.engine={engine}")
        if cloud.outputs(StackName.DEVOPS_METRICS)[TimeSeriesOutput.ENGINE] != engine:
            cloud.deploy(StackName.DEVOPS_METRICS, context={"devops_metrics.engine": engine})
        for name, value in cloud.outputs(StackName.DEVOPS_METRICS).items():
            report.fact(name, value)
        totals = run(cloud, report, "devops-metrics", "ingest", str(fleet))
        all_written = (totals["written"], totals["quarantined"]) == (fleet_totals["rows"], 0)
        report.promise("every line is written", held=all_written, seen=f"{totals['written']:,}")
        table, figure = folder / f"incidents-{engine}.csv", folder / f"incidents-{engine}.png"
        incidents = run(
            cloud,
            report,
            *("devops-metrics", "query", "anomalies", "--incidents", str(fleet.with_suffix(".incidents.csv"))),
            *("--plot", str(figure), "--csv", str(table)),
        )["rows"]
        report.promise("incidents are found and drawn", held=bool(incidents) and figure.exists(), seen=len(incidents))
        report.picture(figure, f"The fleet's incidents, as {engine} answers: {len(incidents)} found.")
        incidents_by_engine.append({_place(incident) for incident in incidents})
    report.promise("both engines found the same incidents", held=incidents_by_engine[0] == incidents_by_engine[1])


def _place(incident: dict[str, Any]) -> tuple[str, ...]:
    """Return where and when an incident was, without its figures, which the engines round differently."""
    return tuple(value for value in incident.values() if isinstance(value, str))
