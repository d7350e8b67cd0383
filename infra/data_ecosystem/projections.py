"""Define the functions that keep search, graph and trends in step, their event sources and failure queues."""

from __future__ import annotations

from aws_cdk import Duration, RemovalPolicy, aws_dynamodb, aws_iam, aws_lambda, aws_sqs
from constructs import Construct

from contract.projections import (
    ATTEMPTS,
    BATCH_MESSAGES,
    MESSAGE_BYTES,
    PATIENCE_SECONDS,
    RECEIVES,
    TIMEOUT_SECONDS,
    VISIBILITY_SECONDS,
)
from infra.constructs.functions import Function, InNetwork
from infra.constructs.queue import private_queue
from infra.guardrails import acknowledge
from infra.settings.data_ecosystem import DataEcosystemSettings

INDEX = "movies"
BATCH = 500  # changes of the film library a run: with their vectors far below Lambda's 6 MB
REPORTED = ["ReportBatchItemFailures"]


class Queues(Construct):
    """The queues of rental events and of failures.

    Attributes:
        rentals: Events of rentals, first in, first out by customer.
        undelivered: Events that no run of the projector could handle.
        failed_batches: References to changes of the film library that no run of the indexer could handle.
    """

    def __init__(self, scope: Construct, name: str, policy: RemovalPolicy) -> None:
        super().__init__(scope, name)
        self.failed_batches = private_queue(self, "FailedBatches", policy=policy)
        self.undelivered = private_queue(self, "Undelivered", policy=policy, fifo=True)
        self.rentals = private_queue(
            self,
            "Rentals",
            policy=policy,
            fifo=True,
            deduplication_scope=aws_sqs.DeduplicationScope.MESSAGE_GROUP,
            fifo_throughput_limit=aws_sqs.FifoThroughputLimit.PER_MESSAGE_GROUP_ID,
            visibility_timeout=Duration.seconds(VISIBILITY_SECONDS),
            max_message_size_bytes=MESSAGE_BYTES,
            # The last resort: the function counts attempts and gives events up, with the reason.
            dead_letter_queue=aws_sqs.DeadLetterQueue(queue=self.undelivered, max_receive_count=RECEIVES),
        )


class Projections:
    """The two functions, which are made before the engines that let them in.

    Attributes:
        indexer: Copies the film library to the search index.
        projector: Writes the events of rentals to graph and trends.
    """

    def __init__(
        self,
        scope: Construct,
        settings: DataEcosystemSettings,
        queues: Queues,
        dead_letters: aws_dynamodb.Table,
        policy: RemovalPolicy,
        *,
        indexer: InNetwork,
        projector: InNetwork,
    ) -> None:
        self._scope, self._queues = scope, queues

        def function(name: str, folder: str, description: str, network: InNetwork) -> Function:
            projection = Function(
                scope,
                name,
                folder=folder,
                description=description,
                environment={"DEAD_LETTERS": dead_letters.table_name},
                failed_events=queues.failed_batches,
                log_retention_days=settings.log_retention_days,
                policy=policy,
                timeout_seconds=TIMEOUT_SECONDS,
                network=network,
            )
            dead_letters.grant(projection, "dynamodb:PutItem")
            return projection

        self.indexer = function(
            "CatalogIndexer", "catalog_indexer", "Keeps the search index in step with the film library.", indexer
        )
        self.projector = function(
            "RentalProjector", "rental_projector", "Projects rentals into the graph and the trends.", projector
        )
        self.indexer.add_environment("SEARCH_INDEX", INDEX)
        self.indexer.add_environment("PATIENCE_SECONDS", str(PATIENCE_SECONDS))
        dead_letters.grant(self.projector, "dynamodb:UpdateItem")  # where it counts attempts
        self.projector.add_environment("ATTEMPTS", str(ATTEMPTS))

    def follow_library(self, movies: aws_dynamodb.ITable) -> None:
        """Invoke the indexer with the changes of each film in order, until it handles them or they expire."""
        stream = movies.table_stream_arn or ""
        permissions = aws_iam.Policy(
            self._scope,
            "LibraryStream",
            statements=[
                aws_iam.PolicyStatement(
                    actions=[
                        "dynamodb:DescribeStream",
                        "dynamodb:GetRecords",
                        "dynamodb:GetShardIterator",
                    ],
                    resources=[stream],
                ),
                aws_iam.PolicyStatement(actions=["dynamodb:ListStreams"], resources=["*"]),
            ],
            roles=[self.indexer.permissions],
        )
        acknowledge(
            permissions,
            {
                "IAM5[Resource::*]": "The list of streams knows no resource.",
            },
        )
        source = aws_lambda.CfnEventSourceMapping(
            self._scope,
            "LibraryChanges",
            function_name=self.indexer.function_name,
            event_source_arn=stream,
            starting_position="TRIM_HORIZON",
            batch_size=BATCH,
            maximum_batching_window_in_seconds=1,
            bisect_batch_on_function_error=True,
            # The function gives up what waited for too long, with the reason; this is for what kills its run.
            maximum_record_age_in_seconds=86400,
            function_response_types=REPORTED,
            destination_config=aws_lambda.CfnEventSourceMapping.DestinationConfigProperty(
                on_failure=aws_lambda.CfnEventSourceMapping.OnFailureProperty(
                    destination=self._queues.failed_batches.queue_arn
                )
            ),
        )
        source.node.add_dependency(permissions)

    def follow_rentals(self) -> None:
        """Invoke the projector with the events of rentals."""
        permissions = aws_iam.Policy(
            self._scope,
            "RentalEvents",
            statements=[
                aws_iam.PolicyStatement(
                    actions=[
                        "sqs:ReceiveMessage",
                        "sqs:DeleteMessage",
                        "sqs:ChangeMessageVisibility",
                        "sqs:GetQueueAttributes",
                    ],
                    resources=[self._queues.rentals.queue_arn],
                )
            ],
            roles=[self.projector.permissions],
        )
        source = aws_lambda.CfnEventSourceMapping(
            self._scope,
            "RentalEventSource",
            function_name=self.projector.function_name,
            event_source_arn=self._queues.rentals.queue_arn,
            batch_size=BATCH_MESSAGES,
            function_response_types=REPORTED,
            # Neptune at its smallest; what waits, waits in the queue.
            scaling_config=aws_lambda.CfnEventSourceMapping.ScalingConfigProperty(maximum_concurrency=5),
        )
        source.node.add_dependency(permissions)
