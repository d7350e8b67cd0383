"""How a stack informs people: an encrypted topic with an e-mail subscription, and alarms that say what to do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from aws_cdk import Aws, Duration, Fn, RemovalPolicy, Stack, aws_cloudwatch, aws_events, aws_iam, aws_kms, aws_sns
from constructs import Construct

from infra.parameters import only_if_set

#: The page with what to do about alarms, by symptom.
RUNBOOKS = "docs/operations.md"
OF_THIS_ACCOUNT = {"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}}


class Alerts(Protocol):
    """Where alarms are published: the stack's own topic, or one that exists."""

    @property
    def stack(self) -> Stack: ...  # noqa: D102 - a construct's
    @property
    def topic_arn(self) -> str: ...  # noqa: D102 - a topic's

    def let_publish(self, *rules: aws_events.CfnRule) -> None:
        """Let rules of EventBridge publish what they match."""

    def publishing(self) -> list[aws_iam.PolicyStatement]:
        """Return the permissions of a role that publishes."""


class ExistingTopic(Construct):
    """A topic that another stack or team owns, whose policy already lets CloudWatch and EventBridge publish.

        topic = ExistingTopic(self, "Topic", "arn:aws:sns:eu-west-1:123456789012:operations", email="")

    Attributes:
        topic_arn: Its ARN.
    """

    def __init__(self, scope: Construct, name: str, topic_arn: str, *, email: str) -> None:
        """Take the topic, and subscribe an address to it if there is one."""
        super().__init__(scope, name)
        self.topic_arn = topic_arn
        if email:
            aws_sns.CfnSubscription(scope, "EmailSubscription", topic_arn=topic_arn, protocol="email", endpoint=email)

    @property
    def stack(self) -> Stack:
        """The stack whose alarms are published there."""
        return Stack.of(self)

    def let_publish(self, *rules: aws_events.CfnRule) -> None:
        """Leave the policy of the topic to its owner."""

    def publishing(self) -> list[aws_iam.PolicyStatement]:
        """Return the permissions of a role that publishes; the key is used only through SNS, whichever it is."""
        any_key = f"arn:{Aws.PARTITION}:kms:{Aws.REGION}:{Aws.ACCOUNT_ID}:key/*"
        through_sns = {"StringEquals": {"kms:ViaService": f"sns.{Aws.REGION}.{Aws.URL_SUFFIX}"}}
        return [
            aws_iam.PolicyStatement(actions=["sns:Publish"], resources=[self.topic_arn]),
            aws_iam.PolicyStatement(
                actions=["kms:Decrypt", "kms:GenerateDataKey"],
                resources=[any_key],
                conditions=through_sns,
            ),
        ]


class AlertTopic(aws_sns.Topic):
    """A topic for alarms that is encrypted and reached through TLS only.

        topic = AlertTopic(self, "Topic", email="you@example.com")
        alarm(topic, "Busy", what_to_do="Choose a larger instance type.", namespace="AWS/EC2", metric="CPUUtilization")

    A stack has one already: `GroundworkStack.topic`. Without an e-mail address nobody is subscribed. The key is the
    stack's own, because CloudWatch may not use the one that AWS keeps for SNS (`alias/aws/sns`): an alarm that
    publishes under that key fails without a word. Where another key is given, its policy is its owner's.

    Attributes:
        key: Encrypts the messages.
    """

    def __init__(self, scope: Construct, name: str, *, email: str, key_arn: str = "") -> None:
        """Make the topic; `key_arn` is that of an existing key, whose policy stays as it is."""
        self.key: aws_kms.IKey
        if key_arn:
            self.key = aws_kms.Key.from_key_arn(scope, f"{name}Key", key_arn)
        else:
            self.key = aws_kms.Key(
                scope,
                f"{name}Key",
                description="Encrypts the alarm's notifications.",
                enable_key_rotation=True,
                pending_window=Duration.days(7),
                # It protects messages on their way, not stored data, so nothing is lost when it goes.
                removal_policy=RemovalPolicy.DESTROY,
            )
        super().__init__(scope, name, master_key=self.key, enforce_ssl=True)
        self._let_publish("Alarms", "cloudwatch", OF_THIS_ACCOUNT, for_the_key=OF_THIS_ACCOUNT)
        if email:
            subscription = aws_sns.CfnSubscription(
                scope, "EmailSubscription", topic_arn=self.topic_arn, protocol="email", endpoint=email
            )
            only_if_set(subscription, email)
        # The topic's other subscribers hear of it; where there is none, the alarm's state shows it.
        alarm(
            self,
            f"{name}DeliveryAlarm",
            what_to_do="A subscriber of the topic did not get a message: remove or correct the failing subscription.",
            runbook="a-message-of-an-alarm-is-not-delivered",
            namespace="AWS/SNS",
            metric="NumberOfNotificationsFailed",
            dimensions={"TopicName": self.topic_name},
        )

    def let_publish(self, *rules: aws_events.CfnRule) -> None:
        """Let rules of EventBridge publish what they match.

        The topic's policy says which rules may publish. The key's policy cannot: EventBridge tells KMS neither account
        nor rule, so a condition there would keep every message from its topic.
        See https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html#compatibility-with-aws-services.
        """
        of_the_rules = {"ArnEquals": {"aws:SourceArn": [self._arn(rule) for rule in rules]}}
        self._let_publish("Rules", "events", of_the_rules, for_the_key=None)

    def publishing(self) -> list[aws_iam.PolicyStatement]:
        """Return the permissions of a role that publishes."""
        return [
            aws_iam.PolicyStatement(actions=["sns:Publish"], resources=[self.topic_arn]),
            aws_iam.PolicyStatement(actions=["kms:Decrypt", "kms:GenerateDataKey"], resources=[self.key.key_arn]),
        ]

    def _arn(self, rule: aws_events.CfnRule) -> str:
        """Return the ARN of a rule; where a condition leaves the rule out, the topic's, as no rule has it."""
        condition = rule.cfn_options.condition
        if not condition:
            return rule.attr_arn
        return Fn.condition_if(condition.logical_id, rule.attr_arn, self.topic_arn).to_string()

    def _let_publish(
        self, purpose: str, service: str, conditions: dict[str, Any], *, for_the_key: dict[str, Any] | None
    ) -> None:
        """Let a service publish to the topic and use the key, each under its conditions."""
        principal = aws_iam.ServicePrincipal(f"{service}.amazonaws.com")
        self.key.add_to_resource_policy(
            aws_iam.PolicyStatement(
                sid=f"{purpose}UseTheKey",
                principals=[principal],
                actions=["kms:Decrypt", "kms:GenerateDataKey*"],
                resources=["*"],  # in a key's policy: this key
                conditions=for_the_key,
            )
        )
        self.add_to_resource_policy(
            aws_iam.PolicyStatement(
                sid=f"{purpose}Publish",
                principals=[principal],
                actions=["sns:Publish"],
                resources=[self.topic_arn],
                conditions=conditions,
            )
        )


def alarm(
    topic: Alerts,
    name: str,
    *,
    what_to_do: str,
    runbook: str = "",
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
    """Make an alarm that informs the topic when a metric reaches a threshold in M of N periods.

        alarm(topic, "Errors", what_to_do="Read the log.", namespace="Shop", metric="Errors", threshold=5)

    By default one error in one minute is enough. A period without data does not count as a breach.

    Args:
        topic: Informed when the alarm goes off; the alarm stands beside it.
        name: Its construct's name.
        what_to_do: Its description, which the e-mail carries.
        runbook: The heading of docs/operations.md that says more, as a link names it; the description ends with it.
        namespace: The metric's namespace.
        metric: The metric's name.
        dimensions: The metric's dimensions.
        statistic: What is computed over a period.
        period_seconds: The length of a period, in seconds.
        threshold: The value that must be reached, in the metric's unit.
        on_silence: Watch for the opposite: the alarm goes off when the metric is below the threshold or missing.
        datapoints_to_alarm: M.
        evaluation_periods: N.
        more_actions: ARNs that are informed besides the topic.
    """
    return aws_cloudwatch.CfnAlarm(
        topic.stack,
        name,
        alarm_description=f"{what_to_do} Runbook: {RUNBOOKS}#{runbook}" if runbook else what_to_do,
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


def delivery_alarm(topic: Alerts, rule: aws_events.CfnRule, *, consequence: str) -> aws_cloudwatch.CfnAlarm:
    """Make an alarm that goes off when EventBridge could not deliver what a rule matched, however often it tried.

        delivery_alarm(topic, rule, consequence="a termination may be missing from the log")

    See https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-monitoring.html.

    Args:
        topic: Informed when the alarm goes off.
        rule: A rule of the default bus; the alarm has its name.
        consequence: What is missing then, as a clause.
    """
    return alarm(
        topic,
        f"{rule.node.id.removesuffix('Rule')}RuleAlarm",
        what_to_do=f"EventBridge could not deliver an event, so {consequence}. Check that the target of the rule "
        f"{rule.ref} exists, and that the policies of the target and of its key let events.amazonaws.com use them.",
        runbook="a-rule-cannot-deliver",
        namespace="AWS/Events",
        metric="FailedInvocations",
        dimensions={"RuleName": rule.ref},
    )
