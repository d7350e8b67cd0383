"""A queue, and the alarm on one in which failures wait for somebody."""

from __future__ import annotations

from typing import Any

from aws_cdk import Duration, RemovalPolicy, aws_cloudwatch, aws_lambda, aws_sqs
from constructs import Construct

from infra.constructs.alerts import Alerts, alarm
from infra.guardrails import acknowledge

KEPT = Duration.days(14)
"""How long a message waits at most, which is as long as SQS allows."""


def private_queue(scope: Construct, name: str, *, policy: RemovalPolicy, **options: Any) -> aws_sqs.Queue:
    """Make a queue that is encrypted, reached through TLS only, and keeps its messages for 14 days.

        failed = private_queue(self, "FailedEvents", policy=self.policy)
        failures_alarm(self.topic, "FailedEventsAlarm", failed, what_to_do="Read the function's log.")

    Args:
        scope: Where it stands.
        name: Its construct's name.
        policy: What becomes of it when its stack goes.
        options: More of `aws_sqs.Queue`, such as `fifo`.
    """
    queue = aws_sqs.Queue(
        scope,
        name,
        encryption=aws_sqs.QueueEncryption.SQS_MANAGED,
        enforce_ssl=True,
        retention_period=KEPT,
        removal_policy=policy,
        **options,
    )
    acknowledge(queue, {"CKV_AWS_27": "Encrypted under SQS's own key, which checkov does not count."})
    return queue


def lost_events_alarm(topic: Alerts, function: aws_lambda.IFunction) -> aws_cloudwatch.CfnAlarm:
    """Make an alarm that goes off when Lambda could not put an event that failed into the function's queue.

        lost_events_alarm(self.topic, report)

    See https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html.

    Args:
        topic: Told when it goes off; the alarm stands beside it.
        function: A function with a dead-letter queue; the alarm has its name.
    """
    return alarm(
        topic,
        f"{function.node.id}LostEventsAlarm",
        what_to_do="An event that a function could not handle is lost: Lambda could not put it into the dead-letter "
        "queue. Check that the queue exists, and that the function's role may send to it.",
        runbook="an-event-could-not-be-handled",
        namespace="AWS/Lambda",
        metric="DeadLetterErrors",
        dimensions={"FunctionName": function.function_name},
    )


def failures_alarm(topic: Alerts, name: str, queue: aws_sqs.IQueue, *, what_to_do: str) -> aws_cloudwatch.CfnAlarm:
    """Make an alarm that goes off when a message waits in a queue of failures.

    Args:
        topic: Told when it goes off; the alarm stands beside it.
        name: Its construct's name.
        queue: Where failures wait.
        what_to_do: Its description, which the e-mail carries.
    """
    return alarm(
        topic,
        name,
        what_to_do=what_to_do,
        runbook="an-event-could-not-be-handled",
        namespace="AWS/SQS",
        metric="ApproximateNumberOfMessagesVisible",
        dimensions={"QueueName": queue.queue_name},
        statistic="Maximum",
    )
