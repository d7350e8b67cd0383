"""Define the monitoring: alarms that say what to do, mails on failed jobs, and a dashboard."""

from __future__ import annotations

from aws_cdk import Aws, Stack, aws_batch, aws_cloudwatch, aws_logs

from contract.dead_letters import DEAD_LETTER
from infra.constructs.alerts import Alerts, alarm
from infra.constructs.dashboard import GraphWidget, Line
from infra.constructs.dashboard import dashboard as make_dashboard
from infra.constructs.jobs import failed_jobs, tell
from infra.constructs.queue import failures_alarm
from infra.data_ecosystem.engines import Database, Graph, Search
from infra.data_ecosystem.projections import Projections, Queues

MINUTES_BEHIND = 15
REDO = "docs/stacks/data-ecosystem.md says how to write what was given up again."


class Monitoring:
    """The alarms and the dashboard of a stack.

    Args:
        topic: The topic that the alarms publish to.
        namespace: The namespace of the stack's own metrics.
    """

    def __init__(self, topic: Alerts, namespace: str) -> None:
        self._topic, self._namespace = topic, namespace

    def functions(self, projections: Projections, queues: Queues) -> None:
        """Make alarms on changes that a function gave up, on events that failed, and on events that wait too long."""
        for function in (projections.indexer, projections.projector):
            aws_logs.MetricFilter(
                self._topic.stack,
                f"{function.node.id}DeadLetters",
                log_group=function.logs,
                filter_pattern=aws_logs.FilterPattern.literal(f'{{ $.event = "{DEAD_LETTER}" }}'),
                metric_namespace=self._namespace,
                metric_name="DeadLetters",
                metric_value="1",
            )
        alarm(
            self._topic,
            "DeadLettersAlarm",
            what_to_do="A change or an event could not be written, so an engine lacks it. The table DeadLetters has it "
            f"with its reason; fix the cause. {REDO}",
            runbook="an-event-could-not-be-handled",
            namespace=self._namespace,
            metric="DeadLetters",
        )
        for name, queue, function_name in (
            ("FailedBatchesAlarm", queues.failed_batches, "catalog_indexer"),
            ("UndeliveredAlarm", queues.undelivered, "rental_projector"),
        ):
            failures_alarm(
                self._topic,
                name,
                queue,
                what_to_do=f"The function {function_name} ended before it could say why: read its log, fix the cause. "
                f"{REDO}",
            )
        alarm(
            self._topic,
            "SearchBehindAlarm",
            what_to_do="Changes of the film library have not reached the search index for a while. Check that "
            "OpenSearch is up and that the index exists, which migrate creates. The log of the function "
            "catalog_indexer says what it waits for.",
            runbook="an-engine-lags-behind",
            namespace="AWS/Lambda",
            metric="IteratorAge",
            dimensions={"FunctionName": projections.indexer.function_name},
            statistic="Maximum",
            threshold=MINUTES_BEHIND * 60_000,
        )
        alarm(
            self._topic,
            "RentalsBehindAlarm",
            what_to_do="Rentals have not reached the graph and the trends for a while. Check that Neptune and "
            "Timestream are up. The log of the function rental_projector says what it waits for.",
            runbook="an-engine-lags-behind",
            namespace="AWS/SQS",
            metric="ApproximateAgeOfOldestMessage",
            dimensions={"QueueName": queues.rentals.queue_name},
            statistic="Maximum",
            threshold=MINUTES_BEHIND * 60,
        )

    def engines(self, database: Database, graph: Graph, search: Search) -> None:
        """Make alarms on engines that are at their limit."""
        alarm(
            self._topic,
            "DatabaseBusyAlarm",
            what_to_do="PostgreSQL has been at its limit for a quarter of an hour: look for slow statements in its "
            "log, or choose a larger instance type for the database.",
            runbook="a-database-is-at-its-limit",
            namespace="AWS/RDS",
            metric="CPUUtilization",
            dimensions={"DBInstanceIdentifier": database.instance.ref},
            statistic="Average",
            threshold=90,
            datapoints_to_alarm=15,
            evaluation_periods=15,
        )
        alarm(
            self._topic,
            "GraphBusyAlarm",
            what_to_do="Neptune has been at its largest capacity for a quarter of an hour: raise the "
            "maximum that the stack was given.",
            runbook="a-database-is-at-its-limit",
            namespace="AWS/Neptune",
            metric="NCUUtilization",
            dimensions={"DBClusterIdentifier": graph.cluster.ref},
            statistic="Average",
            threshold=95,
            datapoints_to_alarm=15,
            evaluation_periods=15,
        )
        for name, metric, what_to_do in (
            (
                "SearchDownAlarm",
                "ClusterStatus.red",
                "A part of the search index is lost: rebuild it with movie-rental rebuild.",
            ),
            (
                "SearchFullAlarm",
                "ClusterIndexWritesBlocked",
                "OpenSearch takes no writes, usually because its storage is full: give the domain more storage.",
            ),
        ):
            alarm(
                self._topic,
                name,
                what_to_do=what_to_do,
                runbook="a-database-is-at-its-limit",
                namespace="AWS/ES",
                metric=metric,
                dimensions={"DomainName": search.domain.ref, "ClientId": Aws.ACCOUNT_ID},
                statistic="Maximum",
            )

    def jobs(self, queue: aws_batch.CfnJobQueue) -> None:
        """Send a mail when a job fails, with the reason that Batch gives."""
        message = {
            "what happened": "Job <name> (<job>) failed.",
            "reason": "<reason>",
            "what to do": "Its log is in the stack's log group. Correct the cause and submit it again: it goes on "
            "where it stopped.",
        }
        rule = failed_jobs(self._topic, [queue], message=message)
        tell(self._topic, {rule: "no e-mail was sent about a failed job; the Batch console lists what did"})


def dashboard(
    stack: Stack,
    projections: Projections,
    queues: Queues,
    *,
    table: str,
    database: Database,
    graph: Graph,
    search: Search,
) -> aws_cloudwatch.CfnDashboard:
    """Make a dashboard of the load of the engines and the delay of the projections."""
    of_database = {"DBInstanceIdentifier": database.instance.ref}
    of_graph = {"DBClusterIdentifier": graph.cluster.ref}
    of_domain = {"DomainName": search.domain.ref, "ClientId": Aws.ACCOUNT_ID}
    of_indexer = {"FunctionName": projections.indexer.function_name}
    of_projector = {"FunctionName": projections.projector.function_name}
    graphs = [
        GraphWidget(
            "film library: capacity used",
            "AWS/DynamoDB",
            left=[
                Line(f"Consumed{kind}CapacityUnits", {"TableName": table}, "Sum", label)
                for kind, label in (("Read", "read"), ("Write", "written"))
            ],
            left_unit="units",
        ),
        GraphWidget(
            "PostgreSQL",
            "AWS/RDS",
            left=[Line("CPUUtilization", of_database, label="processor")],
            left_unit="%",
            right=[Line("DatabaseConnections", of_database, label="connections")],
            right_unit="connections",
        ),
        GraphWidget(
            "Neptune",
            "AWS/Neptune",
            left=[Line("NCUUtilization", of_graph, label="share of the largest capacity")],
            left_unit="%",
            right=[Line("ServerlessDatabaseCapacity", of_graph, label="capacity")],
            right_unit="capacity units",
        ),
        GraphWidget(
            "OpenSearch",
            "AWS/ES",
            left=[Line("CPUUtilization", of_domain, label="processor")],
            left_unit="%",
            right=[Line("SearchableDocuments", of_domain, label="documents")],
            right_unit="documents",
        ),
        GraphWidget(
            "how far search and graph are behind",
            "AWS/Lambda",
            left=[Line("IteratorAge", of_indexer, "Maximum", "search")],
            left_unit="ms",
            right=[
                Line(
                    "ApproximateAgeOfOldestMessage",
                    {"QueueName": queues.rentals.queue_name},
                    "Maximum",
                    "rentals",
                    "AWS/SQS",
                )
            ],
            right_unit="s",
        ),
        GraphWidget(
            "functions",
            "AWS/Lambda",
            left=[
                Line(metric, of_function, "Sum", f"{name}: {metric.lower()}")
                for name, of_function in (("indexer", of_indexer), ("projector", of_projector))
                for metric in ("Invocations", "Errors")
            ],
            left_unit="calls a minute",
        ),
    ]
    return make_dashboard(stack, graphs)
