"""What people see and are told: a dashboard, mails on failed and stuck jobs, alarms."""

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
    """The training metrics of a workload, which the reader chooses at the top."""
    names = list(TRAINING)

    def graph(title: str, first: str, *others: str) -> dict[str, Any]:
        metrics = [[Namespace.TRAINING, first, "Workload", names[0]], *([".", name, ".", "."] for name in others)]
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
    """Mail that a job failed, and that one cannot start, each with the reason that Batch gives."""
    every = (queues.cpu, queues.gpu, queues.multi_node)
    whole = {"index": [{"exists": False}]}  # an array's jobs end in one of their own
    failed = failed_jobs(topic, every, message=FAILED, more_paths=MORE_PATHS, arrayProperties=whole)
    stuck = job_rule(
        topic,
        "StuckJobs",
        description="Jobs that wait for capacity, or for what no instance has.",
        event="Batch Job Queue Blocked",
        queues=every,
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
    whose = "The dashboard shows which workload it is, `groundwork jobs` which job."
    for metric, threshold, what_to_do in (
        (TrainingMetric.NON_FINITE_LOSS, 1, f"A loss became NaN or infinite: try a lower learning rate. {whose}"),
        (
            TrainingMetric.SECONDS_SINCE_PROGRESS,
            NO_PROGRESS_SECONDS,
            f"A training runs but does not move on: read its log. {whose}",
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
