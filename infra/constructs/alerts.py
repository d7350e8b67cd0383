"""How a stack tells people: an encrypted topic with an e-mail subscription, and alarms that say what to do."""

from collections.abc import Sequence
from typing import Any

from aws_cdk import Aws, Duration, RemovalPolicy, aws_cloudwatch, aws_events, aws_iam, aws_kms, aws_sns
from constructs import Construct

from infra.parameters import only_if_given

OF_THIS_ACCOUNT = {"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}}


class AlertTopic(aws_sns.Topic):
    """A topic for alarms, encrypted, reached through TLS alone.

    The key is the stack's own: CloudWatch may not use the one that AWS keeps for SNS (`alias/aws/sns`), and an alarm
    that publishes under that key fails in silence.

    Attributes:
        key: encrypts the messages.
    """

    def __init__(self, scope: Construct, name: str, *, email: str) -> None:
        self.key = aws_kms.Key(
            scope,
            f"{name}Key",
            description="Encrypts the alarm's notifications.",
            enable_key_rotation=True,
            pending_window=Duration.days(7),
            # It protects messages on their way, not data at rest: nothing is lost with it.
            removal_policy=RemovalPolicy.DESTROY,
        )
        super().__init__(scope, name, master_key=self.key, enforce_ssl=True)
        self._let_publish("Alarms", "cloudwatch", OF_THIS_ACCOUNT, for_the_key=OF_THIS_ACCOUNT)
        if email:
            subscription = aws_sns.CfnSubscription(
                scope, "EmailSubscription", topic_arn=self.topic_arn, protocol="email", endpoint=email
            )
            only_if_given(subscription, email)

    def let_publish(self, *rules: aws_events.CfnRule) -> None:
        """Let rules of EventBridge publish what they match.

        The topic's policy says which rules may publish. The key's policy cannot: EventBridge tells KMS neither account
        nor rule, so a condition there would keep every message from its topic.
        See https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html#compatibility-with-aws-services.
        """
        of_the_rules = {"ArnEquals": {"aws:SourceArn": [rule.attr_arn for rule in rules]}}
        self._let_publish("Rules", "events", of_the_rules, for_the_key=None)

    def _let_publish(
        self, who: str, service: str, conditions: dict[str, Any], *, for_the_key: dict[str, Any] | None
    ) -> None:
        """Let a service publish to the topic and use its key, each under conditions."""
        principal = aws_iam.ServicePrincipal(f"{service}.amazonaws.com")
        self.key.add_to_resource_policy(
            aws_iam.PolicyStatement(
                sid=f"{who}UseTheKey",
                principals=[principal],
                actions=["kms:Decrypt", "kms:GenerateDataKey*"],
                resources=["*"],  # in a key's policy: this key
                conditions=for_the_key,
            )
        )
        self.add_to_resource_policy(
            aws_iam.PolicyStatement(
                sid=f"{who}Publish",
                principals=[principal],
                actions=["sns:Publish"],
                resources=[self.topic_arn],
                conditions=conditions,
            )
        )


def alarm(
    topic: AlertTopic,
    name: str,
    *,
    what_to_do: str,
    namespace: str,
    metric: str,
    dimensions: dict[str, str] | None = None,
    statistic: str = "Sum",
    period_seconds: int = 60,
    threshold: int = 1,
    datapoints_to_alarm: int = 1,
    evaluation_periods: int = 1,
    on_silence: bool = False,
    more_actions: Sequence[str] = (),
) -> aws_cloudwatch.CfnAlarm:
    """An alarm that tells the topic when a metric reaches the threshold in M of N periods; silence is no breach.

    Args:
        topic: told when the alarm goes off; the alarm stands beside it.
        name: its construct's name.
        what_to_do: its description, which the e-mail carries.
        namespace: the metric's namespace.
        metric: the metric's name.
        dimensions: the metric's dimensions.
        statistic: over a period.
        period_seconds: length of a period, in seconds.
        threshold: reached from below.
        on_silence: the other way round: tell when the metric is below the threshold, or missing.
        datapoints_to_alarm: M.
        evaluation_periods: N.
        more_actions: ARNs told besides the topic.
    """
    return aws_cloudwatch.CfnAlarm(
        topic.stack,
        name,
        alarm_description=what_to_do,
        namespace=namespace,
        metric_name=metric,
        dimensions=[
            aws_cloudwatch.CfnAlarm.DimensionProperty(name=key, value=value)
            for key, value in (dimensions or {}).items()
        ]
        or None,
        statistic=statistic,
        period=period_seconds,
        threshold=threshold,
        datapoints_to_alarm=datapoints_to_alarm,
        evaluation_periods=evaluation_periods,
        comparison_operator="LessThanThreshold" if on_silence else "GreaterThanOrEqualToThreshold",
        treat_missing_data="breaching" if on_silence else "notBreaching",
        alarm_actions=[topic.topic_arn, *more_actions],
    )


def delivery_alarm(topic: AlertTopic, rule: aws_events.CfnRule, *, lost: str) -> aws_cloudwatch.CfnAlarm:
    """An alarm that tells the topic when EventBridge could not deliver what a rule matched, however often it tried.

    See https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-monitoring.html.

    Args:
        topic: told when the alarm goes off.
        rule: a rule of the default bus; the alarm has its name.
        lost: what is missing then, as a clause.
    """
    return alarm(
        topic,
        f"{rule.node.id.removesuffix('Rule')}RuleAlarm",
        what_to_do=f"EventBridge could not deliver an event, so {lost}. Check that the target of the rule {rule.ref} "
        "exists, and that the policies of the target and of its key let events.amazonaws.com use them.",
        namespace="AWS/Events",
        metric="FailedInvocations",
        dimensions={"RuleName": rule.ref},
    )
