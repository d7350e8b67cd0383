"""What people see and are told: a dashboard, mails on failed and stuck jobs, alarms."""

import json
from typing import Any

from aws_cdk import Aws, Stack, aws_cloudwatch, aws_events

from contract.metrics import Namespace, TrainingMetric
from contract.workloads import TRAINING
from infra.constructs.alerts import AlertTopic, alarm, delivery_alarm
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
#: What a mail says of a job; EventBridge leaves out what an event does not have.
FAILED = (
    '"Job <name> failed: <reason> <detail> (exit code <code>). Its log: groundwork logs <job>. What to do: '
    'docs/operations.md"'
)
STUCK = '"Job <name> (<job>) cannot start: <reason>. What to do: docs/operations.md"'
PATHS = {"name": "$.detail.jobName", "job": "$.detail.jobId", "reason": "$.detail.statusReason"}
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


def tell(topic: AlertTopic, queues: Queues) -> None:
    """Mail on a job that failed, and on one that cannot start, each with the reason that Batch gives."""
    arns = [queue.attr_job_queue_arn for queue in (queues.cpu, queues.gpu, queues.multi_node)]
    whole = {"arrayProperties": {"index": [{"exists": False}]}}  # an array's jobs end in one of their own
    failed = _rule(
        topic,
        "FailedJobs",
        description="Jobs that failed, and why.",
        pattern={
            "detail-type": ["Batch Job State Change"],
            "detail": {"jobQueue": arns, "status": ["FAILED"], **whole},
        },
        message=FAILED,
        paths=PATHS | MORE_PATHS,
    )
    stuck = _rule(
        topic,
        "StuckJobs",
        description="Jobs that wait for capacity, or for what no instance has.",
        pattern={"detail-type": ["Batch Job Queue Blocked"], "detail": {"jobQueue": arns}},
        message=STUCK,
        paths=PATHS,
    )
    topic.let_publish(failed, stuck)
    delivery_alarm(topic, failed, lost="nobody was told that a job failed; `groundwork jobs` lists what did")
    delivery_alarm(topic, stuck, lost="nobody was told that a job cannot start; `groundwork jobs` lists what waits")


def _rule(
    topic: AlertTopic, name: str, *, description: str, pattern: dict[str, Any], message: str, paths: dict[str, str]
) -> aws_events.CfnRule:
    target = aws_events.CfnRule.TargetProperty(
        id="Topic",
        arn=topic.topic_arn,
        input_transformer=aws_events.CfnRule.InputTransformerProperty(input_paths_map=paths, input_template=message),
    )
    return aws_events.CfnRule(
        topic.stack, name, description=description, event_pattern={"source": ["aws.batch"], **pattern}, targets=[target]
    )


def alarms(topic: AlertTopic) -> None:
    """Alarms on training that goes wrong while its job runs on, whichever workload it is."""
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
