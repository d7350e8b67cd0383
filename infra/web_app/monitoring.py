"""Define the alarms of the web application, which say what to do, and its dashboard."""

from __future__ import annotations

from aws_cdk import Aws, Stack, aws_cloudwatch

from contract.metrics import Namespace, StorefrontMetric
from infra.constructs.alerts import Alerts, alarm
from infra.constructs.dashboard import GraphWidget, Line
from infra.constructs.dashboard import dashboard as make_dashboard
from infra.settings.web_app import WebAppSettings

GIB = 1024**3
LOW_STORAGE = 2 * GIB
SITE = {"Stack": Aws.STACK_NAME}
"""The dimension of what the site itself sends."""
#: What each alarm is on.
WATCHED = {
    "ProcessorAlarm": "a busy processor",
    "StatusCheckAlarm": "failed status checks of an instance",
    "DatabaseStorageAlarm": "a database that fills up",
    "DatabaseConnectionsAlarm": "many connections to the database",
    "ApplicationErrorsAlarm": "errors that visitors met",
}


def alarms(
    topic: Alerts, settings: WebAppSettings, instances: tuple[str, str], database: str
) -> dict[str, aws_cloudwatch.CfnAlarm]:
    """Make the alarms, and return them by their names in the template.

    Args:
        topic: The topic that they publish to.
        settings: Their thresholds.
        instances: Name and value of the dimension of EC2's metrics.
        database: Identifier of the RDS instance.
    """
    servers, rds = dict([instances]), {"DBInstanceIdentifier": database}
    metric_alarms = (
        alarm(
            topic,
            "ProcessorAlarm",
            what_to_do="The processor has been busy for a quarter of an hour. Is it visitors (Requests on the "
            "dashboard) or something else (in Session Manager: top)? If visitors: choose a larger instance "
            "type, or give a certificate, for several instances.",
            runbook="the-web-site-is-slow-or-fails",
            namespace="AWS/EC2",
            metric="CPUUtilization",
            dimensions=servers,
            statistic="Average",
            period_seconds=300,
            threshold=settings.processor_percent,
            datapoints_to_alarm=3,
            evaluation_periods=3,
        ),
        alarm(
            topic,
            "StatusCheckAlarm",
            what_to_do="An instance fails EC2's status checks. Look at its status in the EC2 console. If AWS does not "
            "recover it within minutes, stop and start it (that moves it to another host), or update the stack with a "
            "changed setting, which makes a new one. It holds no data.",
            runbook="the-web-site-is-slow-or-fails",
            namespace="AWS/EC2",
            metric="StatusCheckFailed",
            dimensions=servers,
            statistic="Maximum",
            datapoints_to_alarm=2,
            evaluation_periods=2,
        ),
        alarm(
            topic,
            "DatabaseStorageAlarm",
            what_to_do="The database has less than 2 GiB of free storage, or does not report: is it running? RDS "
            "enlarges the storage by itself up to the maximum that the stack was given; raise that, or delete what is "
            "not needed. A full database takes no rentals.",
            runbook="a-database-is-at-its-limit",
            namespace="AWS/RDS",
            metric="FreeStorageSpace",
            dimensions=rds,
            statistic="Minimum",
            period_seconds=300,
            threshold=LOW_STORAGE,
            datapoints_to_alarm=3,
            evaluation_periods=3,
            on_silence=True,
        ),
        alarm(
            topic,
            "DatabaseConnectionsAlarm",
            what_to_do="The database has unusually many connections; near its limit it refuses new ones. Who are they? "
            "SHOW PROCESSLIST tells. Restart the storefront (sudo systemctl restart storefront) if it leaks them; "
            "with more instances, choose a larger instance type for the database, and a higher threshold.",
            runbook="a-database-is-at-its-limit",
            namespace="AWS/RDS",
            metric="DatabaseConnections",
            dimensions=rds,
            statistic="Maximum",
            period_seconds=300,
            threshold=settings.database_connections,
        ),
        alarm(
            topic,
            "ApplicationErrorsAlarm",
            what_to_do="Visitors met errors. Read the log group: lines with level error have the traceback, lines "
            'with "unavailable" say whether the database or the bucket was away.',
            runbook="the-web-site-is-slow-or-fails",
            namespace=Namespace.STOREFRONT,
            metric=StorefrontMetric.ERRORS,
            dimensions=SITE,
            period_seconds=300,
            threshold=5,
        ),
    )
    return {metric_alarm.node.id: metric_alarm for metric_alarm in metric_alarms}


def dashboard(stack: Stack, instances: tuple[str, str], database: str) -> aws_cloudwatch.CfnDashboard:
    """Make the dashboard of the site, its instances and its database."""
    servers, rds = dict([instances]), {"DBInstanceIdentifier": database}
    return make_dashboard(
        stack,
        [
            GraphWidget("requests", Namespace.STOREFRONT, [Line(StorefrontMetric.REQUESTS, SITE, "Sum")], "a minute"),
            GraphWidget(
                "latency",
                Namespace.STOREFRONT,
                [
                    Line(StorefrontMetric.LATENCY, SITE, statistic, label)
                    for statistic, label in (("p50", "half of the requests"), ("p99", "99 of 100"))
                ],
                "ms",
            ),
            GraphWidget(
                "application errors",
                Namespace.STOREFRONT,
                [Line(StorefrontMetric.ERRORS, SITE, "Sum")],
                "in five minutes",
                period=300,
            ),
            GraphWidget("processor", "AWS/EC2", [Line("CPUUtilization", servers)], "%"),
            GraphWidget(
                "network",
                "AWS/EC2",
                [
                    Line(metric, servers, "Sum", label)
                    for metric, label in (("NetworkIn", "received"), ("NetworkOut", "sent"))
                ],
                "bytes a minute",
            ),
            GraphWidget("failed status checks", "AWS/EC2", [Line("StatusCheckFailed", servers, "Maximum")], "failed"),
            GraphWidget(
                "memory and disk",
                Namespace.STOREFRONT,
                [
                    Line(StorefrontMetric.MEMORY_UTILIZATION, SITE, "Maximum", "memory"),
                    Line(StorefrontMetric.DISK_UTILIZATION, SITE, "Maximum", "disk"),
                ],
                "%",
            ),
            GraphWidget(
                "database: connections", "AWS/RDS", [Line("DatabaseConnections", rds, "Maximum")], "connections"
            ),
            GraphWidget("database: free storage", "AWS/RDS", [Line("FreeStorageSpace", rds, "Minimum")], "bytes"),
        ],
    )
