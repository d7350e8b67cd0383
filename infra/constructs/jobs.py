"""What the job queues of AWS Batch have in common: what they give up on, and who is told that a job failed."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from aws_cdk import aws_batch, aws_events
from constructs import Construct

from infra.constructs.alerts import Alerts, delivery_alarm

#: Why Batch lets a job wait, in its own words; a job that waits too long for one of them is cancelled.
WAITING = (
    "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY",
    "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE",
    "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT",
)
#: What a mail may say of a job, and where an event of Batch has it.
PATHS = {"name": "$.detail.jobName", "job": "$.detail.jobId", "reason": "$.detail.statusReason"}


def job_queue(
    scope: Construct,
    name: str,
    environments: Sequence[aws_batch.CfnComputeEnvironment],
    *,
    longest_wait_seconds: int,
    **options: Any,
) -> aws_batch.CfnJobQueue:
    """Make a queue that prefers the first environment, and gives up on jobs for which no capacity comes.

        queue = job_queue(self, "Queue", [spot, on_demand], longest_wait_seconds=1800)

    Args:
        scope: Where it stands.
        name: Its construct's name.
        environments: Where its jobs run, the preferred one first.
        longest_wait_seconds: How long the first job may wait for capacity before Batch cancels it.
        options: More of `aws_batch.CfnJobQueue`.
    """
    queue = aws_batch.CfnJobQueue
    return queue(
        scope,
        name,
        priority=1,
        compute_environment_order=[
            queue.ComputeEnvironmentOrderProperty(
                compute_environment=environment.attr_compute_environment_arn, order=order
            )
            for order, environment in enumerate(environments, start=1)
        ],
        job_state_time_limit_actions=[
            queue.JobStateTimeLimitActionProperty(
                action="CANCEL", state="RUNNABLE", max_time_seconds=longest_wait_seconds, reason=reason
            )
            for reason in WAITING
        ],
        **options,
    )


def job_rule(
    topic: Alerts,
    name: str,
    *,
    description: str,
    event: str,
    queues: Sequence[aws_batch.CfnJobQueue],
    message: Mapping[str, str],
    more_paths: Mapping[str, str] | None = None,
    **detail: Any,
) -> aws_events.CfnRule:
    """Make a rule that mails what Batch says of jobs in some queues. `tell` lets it publish.

        failed = job_rule(
            topic, "FailedJobs", description="Jobs that failed, and why.", event="Batch Job State Change",
            queues=[queue], message={"failed": "<name>", "reason": "<reason>"}, status=["FAILED"],
        )
        tell(topic, {failed: "no e-mail was sent about a failed job"})

    Args:
        topic: Where the mail is published; the rule stands beside it.
        name: Its construct's name.
        description: What the rule matches.
        event: The type of the event, in the words of Batch.
        queues: Whose jobs.
        message: What the mail says, as the fields of a JSON object: `<name>`, `<job>` and `<reason>` stand for what
            the event says. What may contain quotation marks, such as the reason, must be a field by itself.
        more_paths: More of an event that the message names.
        detail: More that the event must have, as a pattern of EventBridge.
    """
    return aws_events.CfnRule(
        topic.stack,
        name,
        description=description,
        event_pattern={
            "source": ["aws.batch"],
            "detail-type": [event],
            "detail": {"jobQueue": [queue.attr_job_queue_arn for queue in queues], **detail},
        },
        targets=[
            aws_events.CfnRule.TargetProperty(
                id="Topic",
                arn=topic.topic_arn,
                input_transformer=aws_events.CfnRule.InputTransformerProperty(
                    input_paths_map={**PATHS, **(more_paths or {})}, input_template=template(message)
                ),
            )
        ],
    )


def template(message: Mapping[str, str]) -> str:
    """Return the input template of EventBridge for a message.

    A placeholder by itself stands outside quotation marks, where EventBridge inserts the value as JSON. Between
    quotation marks it does not escape the value, and a reason that contains one would lose the mail. See
    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html.
    """
    fields = (f"  {json.dumps(name)}: {_value(text)}" for name, text in message.items())
    return "{\n" + ",\n".join(fields) + "\n}"


def _value(text: str) -> str:
    return text if re.fullmatch(r"<\w+>", text) else json.dumps(text)


def failed_jobs(
    topic: Alerts,
    queues: Sequence[aws_batch.CfnJobQueue],
    *,
    message: Mapping[str, str],
    more_paths: Mapping[str, str] | None = None,
    **detail: Any,
) -> aws_events.CfnRule:
    """Make the rule `FailedJobs`, which mails that a job failed, and why; the arguments are those of `job_rule`."""
    return job_rule(
        topic,
        "FailedJobs",
        description="Jobs that failed, and why.",
        event="Batch Job State Change",
        queues=queues,
        message=message,
        more_paths=more_paths,
        status=["FAILED"],
        **detail,
    )


def tell(topic: Alerts, consequences: Mapping[aws_events.CfnRule, str]) -> None:
    """Let rules publish to the topic, and raise an alarm where EventBridge could not deliver what one matched.

    Args:
        topic: Where they publish.
        consequences: What is missing when a rule's mail is not delivered, as a clause.
    """
    topic.let_publish(*consequences)
    for rule, consequence in consequences.items():
        delivery_alarm(topic, rule, consequence=consequence)
