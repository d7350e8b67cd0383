"""Define the monitoring: alarms that say what to do, mails on failed jobs, and a dashboard."""

from __future__ import annotations

from typing import Any

from aws_cdk import Aws, Stack, aws_batch, aws_cloudwatch, aws_logs

from contract.dead_letters import DEAD_LETTER
from infra.constructs.alerts import AlertTopic, alarm
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

    def __init__(self, topic: AlertTopic, namespace: str) -> None:
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
            what_to_do="Changes of the film library have not reached the search index for a while: is OpenSearch up, "
            "is the index there (migrate makes it)? The log of the function catalog_indexer says what it waits for.",
            namespace="AWS/Lambda",
            metric="IteratorAge",
            dimensions={"FunctionName": projections.indexer.function_name},
            statistic="Maximum",
            threshold=MINUTES_BEHIND * 60_000,
        )
        alarm(
            self._topic,
            "RentalsBehindAlarm",
            what_to_do="Rentals have not reached the graph and the trends for a while: are Neptune and Timestream up? "
            "The log of the function rental_projector says what it waits for.",
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
                "A part of the search index is lost: make it anew with movie-rental rebuild.",
            ),
            (
                "SearchFullAlarm",
                "ClusterIndexWritesBlocked",
                "OpenSearch takes no writes, mostly for want of storage: give the search index more.",
            ),
        ):
            alarm(
                self._topic,
                name,
                what_to_do=what_to_do,
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
        tell(self._topic, {rule: "nobody was told that a job failed; the Batch console lists what did"})


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

    def graph_of(title: str, *metrics: list[Any], statistic: str = "Average") -> dict[str, Any]:
        properties = {"title": title, "region": Aws.REGION, "period": 60, "stat": statistic, "metrics": list(metrics)}
        return {"type": "metric", "width": 8, "properties": properties}

    domain = ["DomainName", search.domain.ref, "ClientId", Aws.ACCOUNT_ID]
    functions = [projections.indexer.function_name, projections.projector.function_name]
    queued = ["QueueName", queues.rentals.queue_name]
    widgets = [
        graph_of(
            "film library: units",
            ["AWS/DynamoDB", "ConsumedReadCapacityUnits", "TableName", table],
            ["AWS/DynamoDB", "ConsumedWriteCapacityUnits", "TableName", table],
            statistic="Sum",
        ),
        graph_of(
            "PostgreSQL: load, connections",
            ["AWS/RDS", "CPUUtilization", "DBInstanceIdentifier", database.instance.ref],
            ["AWS/RDS", "DatabaseConnections", "DBInstanceIdentifier", database.instance.ref],
        ),
        graph_of(
            "Neptune: capacity units",
            ["AWS/Neptune", "ServerlessDatabaseCapacity", "DBClusterIdentifier", graph.cluster.ref],
        ),
        graph_of(
            "OpenSearch: load, documents",
            ["AWS/ES", "CPUUtilization", *domain],
            ["AWS/ES", "SearchableDocuments", *domain],
        ),
        graph_of(
            "behind: search (ms), rentals (s)",
            ["AWS/Lambda", "IteratorAge", "FunctionName", functions[0]],
            ["AWS/SQS", "ApproximateAgeOfOldestMessage", *queued],
            statistic="Maximum",
        ),
        graph_of(
            "functions: runs, errors",
            *(
                ["AWS/Lambda", metric, "FunctionName", name]
                for name in functions
                for metric in ("Invocations", "Errors")
            ),
            statistic="Sum",
        ),
    ]
    return aws_cloudwatch.CfnDashboard(stack, "Dashboard", dashboard_body=stack.to_json_string({"widgets": widgets}))
