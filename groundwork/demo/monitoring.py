"""A fleet's monitoring data in both time series databases: the same incidents are found, with the same figures."""

from pathlib import Path

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
    run(cloud, report, "devops-metrics", "simulate", "--output", str(fleet), "--interval", "300", "--services", "2")
    lines = fleet.read_text(encoding="utf-8").count("\n") - 1

    answers = []
    for engine in ENGINES:
        report.step(f"cdk deploy DevOpsMetrics -c devops_metrics.engine={engine}")
        if cloud.outputs(StackName.DEVOPS_METRICS)[TimeSeriesOutput.ENGINE] != engine:
            cloud.deploy(StackName.DEVOPS_METRICS, context={"devops_metrics.engine": engine})
        for name, value in cloud.outputs(StackName.DEVOPS_METRICS).items():
            report.fact(name, value)
        told = run(cloud, report, "devops-metrics", "ingest", str(fleet))
        report.promise("every line is written", held=f"{lines:,} written, 0 quarantined" in told, seen=f"{lines:,}")
        answer, figure = folder / f"incidents-{engine}.csv", folder / f"incidents-{engine}.png"
        run(
            cloud,
            report,
            *("devops-metrics", "query", "anomalies", "--incidents", str(fleet.with_suffix(".incidents.csv"))),
            *("--plot", str(figure), "--csv", str(answer)),
        )
        found = answer.read_text(encoding="utf-8").splitlines()[1:]
        report.promise("incidents are found and drawn", held=bool(found) and figure.exists(), seen=len(found))
        report.picture(figure, f"The fleet's incidents, as {engine} answers: {len(found)} found.")
        answers.append(found)
    report.promise("both engines found the same incidents", held=_places(answers[0]) == _places(answers[1]))


def _places(answer: list[str]) -> set[str]:
    """The rows, less the figures: rounding differs between the engines' arithmetic."""
    return {",".join(cell for cell in row.split(",") if not _is_number(cell)) for row in answer}


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
