"""Define the dashboard, the mails on failed and stuck jobs, and the alarms of training."""

from __future__ import annotations

import json
from typing import Any

from aws_cdk import Aws, Stack, aws_cloudwatch

from contract.metrics import Namespace, TrainingMetric
from contract.workloads import TRAINING
from infra.constructs.alerts import AlertTopic, alarm
from infra.constructs.jobs import failed_jobs, job_rule, tell
from infra.training.compute import Queues

NO_PROGRESS_SECONDS = 1800  # of a job whose process still runs
#: The dashboard's graphs: title, and the metrics in it.
GRAPHS = {
    "loss": (TrainingMetric.TRAINING_LOSS, TrainingMetric.VALIDATION_LOSS),
    "accuracy": (TrainingMetric.VALIDATION_ACCURACY,),
    "samples per second": (TrainingMetric.SAMPLES_PER_SECOND,),
    "machine, %": (TrainingMetric.CPU_UTILIZATION, TrainingMetric.MEMORY_UTILIZATION, TrainingMetric.GPU_UTILIZATION),
    "problems": (TrainingMetric.SECONDS_SINCE_PROGRESS, TrainingMetric.NON_FINITE_LOSS, TrainingMetric.MODE_COLLAPSE),
}
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

    def graph(title: str, metric: str, *more_metrics: str) -> dict[str, Any]:
        metrics = [
            [Namespace.TRAINING, metric, "Workload", names[0]],
            *([".", name, ".", "."] for name in more_metrics),
        ]
        properties = {"title": title, "region": Aws.REGION, "period": 60, "metrics": metrics}
        return {"type": "metric", "width": 8, "properties": properties}

    choice: dict[str, Any] = {
        "type": "property",
        "property": "Workload",
        "inputType": "select",
        "id": "workload",
        "visible": True,
    }
    choice |= {"label": "Workload", "defaultValue": names[0]}
    choice["values"] = [{"value": name} for name in names]
    body = {"variables": [choice], "widgets": [graph(title, *metrics) for title, metrics in GRAPHS.items()]}
    return aws_cloudwatch.CfnDashboard(stack, "Dashboard", dashboard_body=json.dumps(body))


def mails(topic: AlertTopic, queues: Queues) -> None:
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
            failed: "nobody was told that a job failed; `groundwork jobs` lists what did",
            stuck: "nobody was told that a job cannot start; `groundwork jobs` lists what waits",
        },
    )


def alarms(topic: AlertTopic) -> None:
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
            namespace=Namespace.TRAINING,
            metric=metric,
            statistic="Maximum",
            threshold=threshold,
        )
