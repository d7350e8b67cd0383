"""Define an Auto Scaling group whose lost instances raise an alarm.

EC2 tells EventBridge that an instance was terminated; a function finds out why and writes one line; a metric filter
counts the lines that matter; an alarm watches the count and sends an e-mail, and a report that names the instances.
"""

from __future__ import annotations

from aws_cdk import (
    Aws,
    RemovalPolicy,
    aws_autoscaling,
    aws_cloudwatch,
    aws_dynamodb,
    aws_ec2,
    aws_events,
    aws_iam,
    aws_logs,
    aws_sqs,
)

from contract.stacks import TerminationAlarmOutput
from infra.constructs.alerts import Alerts, alarm, delivery_alarm
from infra.constructs.functions import Function
from infra.constructs.instances import instance_profile, launch_template
from infra.constructs.network import Network
from infra.constructs.permissions import own_namespace
from infra.constructs.queue import failures_alarm, lost_events_alarm, private_queue
from infra.guardrails import acknowledge
from infra.parameters import text
from infra.settings.termination_alarm import TerminationAlarmSettings
from infra.stack import GroundworkStack

METRIC = "CountedTerminations"


class TerminationAlarm(GroundworkStack):
    """A stack of a group, and of what leads from a terminated instance to an e-mail."""

    DESCRIPTION = "An Auto Scaling group, and an alarm with e-mail when it loses instances unexpectedly."
    SECTION = "termination_alarm"
    settings: TerminationAlarmSettings

    def build(self) -> None:
        """Make the group, the functions and the alarm."""
        self.namespace = own_namespace()

        # Where other groups are watched, the stack has none of its own.
        watches_others = self.settings.watch.startswith(("groups:", "tag:"))
        if not watches_others:
            self.heading("The group: instances without SSH, in their network.")
        group = None if watches_others else self._group()
        self.heading("Whom to tell: an encrypted topic with an e-mail subscription.")
        topic = self.topic
        self.heading("What could not be handled, and an alarm that says so.")
        failed_events = self._failed_events(topic)
        self.heading("Each termination: why it went, and whether that was expected.")
        terminations = self._terminations()
        logger = self._logger(group, terminations, failed_events)
        self._rule(topic, logger, failed_events)
        self.heading("The alarm: counted terminations, and a report that names them.")
        report = self._report(topic, terminations, logger, failed_events)
        termination_alarm = self._alarm(topic, logger, report)
        for function in (logger, report):
            lost_events_alarm(topic, function)

        if group:
            self.output(
                TerminationAlarmOutput.AUTO_SCALING_GROUP_NAME, group.ref, "The group whose instances are watched."
            )
        self.output_topic()
        self.output(
            TerminationAlarmOutput.LOG_GROUP_NAME,
            logger.logs.log_group_name,
            "Holds one line for each terminated instance.",
        )
        self.output(TerminationAlarmOutput.FUNCTION_NAME, logger.function_name, "The function that writes the lines.")
        self.output(TerminationAlarmOutput.ALARM_NAME, termination_alarm.ref, "The alarm on counted terminations.")
        self.output(
            TerminationAlarmOutput.METRIC_NAMESPACE, self.namespace, "Namespace of the metric that the alarm watches."
        )
        self.output(TerminationAlarmOutput.METRIC_NAME, METRIC, "Name of the metric that the alarm watches.")
        self.output(
            TerminationAlarmOutput.DEAD_LETTER_QUEUE_URL,
            failed_events.queue_url,
            "Holds the events that could not be handled.",
        )

    def _group(self) -> aws_autoscaling.CfnAutoScalingGroup:
        settings = self.settings
        network = Network(self, "Network", settings, log_retention_days=settings.log_retention_days, policy=self.policy)
        profile = instance_profile(
            self,
            "Instance",
            purpose="Lets Systems Manager reach the instances: no SSH, no open port.",
            managed_policy="AmazonSSMManagedInstanceCore",
        )
        template = launch_template(
            self,
            "LaunchTemplate",
            volume_gib=settings.volume_gib,
            instance_type=settings.instance_type,
            image_id=settings.machine_image,
            iam_instance_profile=aws_ec2.CfnLaunchTemplate.IamInstanceProfileProperty(arn=profile.instance_profile_arn),
            security_group_ids=[network.security_group.security_group_id],
            monitoring=aws_ec2.CfnLaunchTemplate.MonitoringProperty(enabled=settings.detailed_monitoring),
        )
        group = aws_autoscaling.CfnAutoScalingGroup(
            self,
            "AutoScalingGroup",
            launch_template=aws_autoscaling.CfnAutoScalingGroup.LaunchTemplateSpecificationProperty(
                launch_template_id=template.ref, version=template.attr_latest_version_number
            ),
            min_size=text(settings.minimum_instances),
            desired_capacity=text(settings.desired_instances),
            max_size=text(settings.maximum_instances),
            vpc_zone_identifier=network.subnet_ids,
            health_check_type="EC2",
            metrics_collection=[aws_autoscaling.CfnAutoScalingGroup.MetricsCollectionProperty(granularity="1Minute")],
        )
        group.tags.set_tag("Name", Aws.STACK_NAME, apply_to_launched_instances=True)
        group.node.add_dependency(*network.routes)
        acknowledge(
            group, {"AS3": "What matters is told by the alarm; a mail for every launch and scale-in would hide it."}
        )
        return group

    def _failed_events(self, topic: Alerts) -> aws_sqs.Queue:
        """Make the queue of events that could not be handled; somebody must look, so an alarm says so."""
        queue = private_queue(self, "FailedEvents", policy=self.policy)
        failures_alarm(
            topic,
            "FailedEventsAlarm",
            queue,
            what_to_do="An event could not be handled, so a termination may be missing from the log. Read the event in "
            "the dead-letter queue and the error in the function's log, fix the cause, then redrive the event.",
        )
        return queue

    def _terminations(self) -> aws_dynamodb.Table:
        """Make the table of logged terminations. Its records expire in two weeks, so it is deleted with its stack."""
        table = aws_dynamodb.Table(
            self,
            "Terminations",
            partition_key=aws_dynamodb.Attribute(name="instanceId", type=aws_dynamodb.AttributeType.STRING),
            billing_mode=aws_dynamodb.BillingMode.PAY_PER_REQUEST,
            time_to_live_attribute="expiresAt",
            removal_policy=RemovalPolicy.DESTROY,
        )
        short_lived = "Records live two weeks; if they were lost, a repeated event might count twice."
        own_key = "Encrypted under DynamoDB's own key; it holds ids of instances, no secret."
        acknowledge(table, {"DDB3": short_lived, "CKV_AWS_28": short_lived, "CKV_AWS_119": own_key})
        return table

    def _logger(
        self,
        group: aws_autoscaling.CfnAutoScalingGroup | None,
        terminations: aws_dynamodb.Table,
        failed_events: aws_sqs.Queue,
    ) -> Function:
        logger = Function(
            self,
            "TerminationLogger",
            folder="termination_logger",
            description="Writes one line for each terminated instance: why it went, and whether that was expected.",
            environment={
                "GROUP": group.ref if group else "",
                "TABLE": terminations.table_name,
                "WATCH": self.settings.watch,
                "COUNT_EXPECTED": text(self.settings.count_expected),
            },
            failed_events=failed_events,
            log_retention_days=self.settings.log_retention_days,
            policy=self.policy,
            timeout_seconds=60,  # the scaling activities of a large group fill many pages
        )
        terminations.grant(logger, "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem")
        logger.permissions.add_to_policy(
            aws_iam.PolicyStatement(
                actions=[
                    "autoscaling:DescribeAutoScalingGroups",
                    "autoscaling:DescribeAutoScalingInstances",
                    "autoscaling:DescribeScalingActivities",
                    "ec2:DescribeInstances",
                ],
                resources=["*"],
            )
        )
        acknowledge(logger.permissions, {"IAM5[Resource::*]": "These calls know no resource-level permissions."})
        return logger

    def _rule(self, topic: Alerts, logger: Function, failed_events: aws_sqs.Queue) -> None:
        rule = aws_events.CfnRule(
            self,
            "TerminationRule",
            description="Every EC2 instance that was terminated.",
            event_pattern={
                "source": ["aws.ec2"],
                "detail-type": ["EC2 Instance State-change Notification"],
                "detail": {"state": ["terminated"]},
            },
            targets=[
                aws_events.CfnRule.TargetProperty(
                    id="TerminationLogger",
                    arn=logger.function_arn,
                    dead_letter_config=aws_events.CfnRule.DeadLetterConfigProperty(arn=failed_events.queue_arn),
                )
            ],
        )
        events = aws_iam.ServicePrincipal("events.amazonaws.com")
        logger.add_permission("CalledByRule", principal=events, source_arn=rule.attr_arn)
        failed_events.add_to_resource_policy(
            aws_iam.PolicyStatement(
                sid="RuleSendsUndelivered",
                principals=[events],
                actions=["sqs:SendMessage"],
                resources=[failed_events.queue_arn],
                conditions={"ArnEquals": {"aws:SourceArn": rule.attr_arn}},
            )
        )
        delivery_alarm(topic, rule, consequence="a termination may be missing from the log")

    def _report(
        self, topic: Alerts, terminations: aws_dynamodb.Table, logger: Function, failed_events: aws_sqs.Queue
    ) -> Function:
        """Report the names of the instances when the alarm goes off; CloudWatch's own e-mail has only their number."""
        report = Function(
            self,
            "TerminationReport",
            folder="termination_report",
            description="Sends an e-mail with the terminated instances when the alarm goes off.",
            environment={
                "TOPIC": topic.topic_arn,
                "STACK": Aws.STACK_NAME,
                "LOG_GROUP": logger.logs.log_group_name,
                "TABLE": terminations.table_name,
                "PERIOD_SECONDS": text(self.settings.period_seconds),
                "EVALUATION_PERIODS": text(self.settings.evaluation_periods),
            },
            failed_events=failed_events,
            log_retention_days=self.settings.log_retention_days,
            policy=self.policy,
        )
        terminations.grant(report, "dynamodb:Scan")
        for statement in topic.publishing():
            report.permissions.add_to_policy(statement)
        return report

    def _alarm(self, topic: Alerts, logger: Function, report: Function) -> aws_cloudwatch.CfnAlarm:
        aws_logs.MetricFilter(
            self,
            "TerminationFilter",
            log_group=logger.logs,
            filter_pattern=aws_logs.FilterPattern.literal('{ $.event = "instance-terminated" && $.counted IS TRUE }'),
            metric_namespace=self.namespace,
            metric_name=METRIC,
            metric_value="1",
        )
        termination_alarm = alarm(
            topic,
            "TerminationAlarm",
            what_to_do="Instances were terminated. A second e-mail names them and says why, and so does the log group "
            f"{logger.logs.log_group_name}. Tag instances groundwork:expected-termination before you terminate them on "
            "purpose.",
            runbook="instances-were-terminated",
            namespace=self.namespace,
            metric=METRIC,
            period_seconds=self.settings.period_seconds,
            threshold=self.settings.threshold,
            datapoints_to_alarm=self.settings.datapoints_to_alarm,
            evaluation_periods=self.settings.evaluation_periods,
            more_actions=[report.function_arn],
        )
        report.add_permission(
            "CalledByAlarm",
            principal=aws_iam.ServicePrincipal("lambda.alarms.cloudwatch.amazonaws.com"),
            source_account=Aws.ACCOUNT_ID,
            source_arn=termination_alarm.attr_arn,
        )
        return termination_alarm
