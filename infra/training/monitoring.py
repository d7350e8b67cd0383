"""Define the dashboard, the mails on failed and stuck jobs, and the alarms of training."""

from __future__ import annotations

from typing import Any

from aws_cdk import Stack, aws_cloudwatch

from contract.metrics import TrainingMetric
from contract.workloads import TRAINING
from infra.constructs.alerts import Alerts, alarm
from infra.constructs.dashboard import GraphWidget, Line
from infra.constructs.dashboard import dashboard as make_dashboard
from infra.constructs.jobs import failed_jobs, job_rule, tell
from infra.constructs.permissions import own_namespace
from infra.training.compute import Queues

NO_PROGRESS_SECONDS = 1800  # of a job whose process still runs
#: The dashboard's graphs: title, the metrics and the unit of the left axis, and those of the right one.
GRAPHS: dict[str, tuple[tuple[str, ...], str, tuple[str, ...], str]] = {
    "loss": ((TrainingMetric.TRAINING_LOSS, TrainingMetric.VALIDATION_LOSS), "", (), ""),
    "accuracy": ((TrainingMetric.VALIDATION_ACCURACY,), "share", (), ""),
    "speed": ((TrainingMetric.SAMPLES_PER_SECOND,), "samples per second", (), ""),
    "machine": (
        (TrainingMetric.CPU_UTILIZATION, TrainingMetric.MEMORY_UTILIZATION, TrainingMetric.GPU_UTILIZATION),
        "%",
        (),
        "",
    ),
    "problems": (
        (TrainingMetric.NON_FINITE_LOSS, TrainingMetric.MODE_COLLAPSE),
        "found",
        (TrainingMetric.SECONDS_SINCE_PROGRESS,),
        "seconds",
    ),
}
#: Metrics of which the worst counts, not the mean.
WORST = {TrainingMetric.NON_FINITE_LOSS, TrainingMetric.MODE_COLLAPSE, TrainingMetric.SECONDS_SINCE_PROGRESS}
#: What a mail says of a job.
FAILED = {
    "what happened": "Job <name> failed.",
    "reason": "<reason>",
    "detail": "<detail>",
    "exit code": "<code>",
    "its log": "groundwork logs <job>",
    "what to do": "docs/operations.md",
}
STUCK = {
    "what happened": "Job <name> (<job>) cannot start.",
    "reason": "<reason>",
    "what to do": "docs/operations.md",
}
MORE_PATHS = {"detail": "$.detail.container.reason", "code": "$.detail.container.exitCode"}


def dashboard(stack: Stack) -> aws_cloudwatch.CfnDashboard:
    """Make a dashboard of the training metrics of a workload, which the reader chooses at the top."""
    names = list(TRAINING)

    def lines(metrics: tuple[str, ...]) -> list[Line]:
        statistics = ["Maximum" if metric in WORST else "Average" for metric in metrics]
        return [
            Line(metric, {"Workload": names[0]}, statistic)
            for metric, statistic in zip(metrics, statistics, strict=True)
        ]

    graphs = [
        GraphWidget(title, own_namespace(), lines(left), left_unit, lines(right), right_unit)
        for title, (left, left_unit, right, right_unit) in GRAPHS.items()
    ]
    choice: dict[str, Any] = {
        "type": "property",
        "property": "Workload",
        "inputType": "select",
        "id": "workload",
        "visible": True,
    }
    choice |= {"label": "Workload", "defaultValue": names[0]}
    choice["values"] = [{"value": name} for name in names]
    return make_dashboard(stack, graphs, [choice])


def mails(topic: Alerts, queues: Queues) -> None:
    """Send a mail when a job fails or cannot start, with the reason that Batch gives."""
    all_queues = (queues.cpu, queues.gpu, queues.multi_node)
    not_of_array = {"index": [{"exists": False}]}  # the array itself ends in an event of its own
    failed = failed_jobs(topic, all_queues, message=FAILED, more_paths=MORE_PATHS, arrayProperties=not_of_array)
    stuck = job_rule(
        topic,
        "StuckJobs",
        description="Jobs that wait for capacity, or for what no instance has.",
        event="Batch Job Queue Blocked",
        queues=all_queues,
        message=STUCK,
    )
    tell(
        topic,
        {
            failed: "no e-mail was sent about a failed job; `groundwork jobs` lists what did",
            stuck: "no e-mail was sent about a job that cannot start; `groundwork jobs` lists what waits",
        },
    )


def alarms(topic: Alerts) -> None:
    """Make alarms on training that goes wrong while its job runs on, whichever workload it is."""
    hint = "The dashboard shows which workload it is, `groundwork jobs` which job."
    for metric, threshold, what_to_do in (
        (TrainingMetric.NON_FINITE_LOSS, 1, f"A loss became NaN or infinite: try a lower learning rate. {hint}"),
        (
            TrainingMetric.SECONDS_SINCE_PROGRESS,
            NO_PROGRESS_SECONDS,
            f"A training runs but does not move on: read its log. {hint}",
        ),
        (
            TrainingMetric.MODE_COLLAPSE,
            1,
            "The generator makes few different digits: see the figures of its run, try another seed.",
        ),
    ):
        alarm(
            topic,
            f"{metric}Alarm",
            what_to_do=what_to_do,
            runbook="a-training-goes-wrong",
            namespace=own_namespace(),
            metric=metric,
            statistic="Maximum",
            threshold=threshold,
        )
