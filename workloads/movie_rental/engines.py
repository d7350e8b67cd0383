"""The engines of a deployed stack, found by its outputs."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Self
from urllib.parse import quote

from contract.errors import InputError, UnavailableError
from contract.stacks import DataEcosystemOutput, StackName
from workloads.movie_rental import database
from workloads.movie_rental.bulk import BulkLoaders
from workloads.movie_rental.embeddings import restored
from workloads.movie_rental.graph import NeptuneGraph
from workloads.movie_rental.ledger import PostgresLedger
from workloads.movie_rental.library import DynamoLibrary
from workloads.movie_rental.outbox import FifoQueue
from workloads.movie_rental.search_index import OpenSearchIndex
from workloads.movie_rental.timeseries import SCHEMA, TimestreamSeries
from workloads.secrets import CURRENT, PENDING
from workloads.stack_outputs import stack_outputs
from workloads.storage import Bucket
from workloads.timeseries.connection import database_access, store_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workloads.movie_rental.ports import (
        Embedder,
        Graph,
        Library,
        Queue,
        RelationalLedger,
        SearchIndex,
        TimeSeries,
    )

STACK = StackName.DATA_ECOSYSTEM


@dataclass(frozen=True)
class Engines:
    """Every engine behind its port.

    Attributes:
        ledger: PostgreSQL.
        library: DynamoDB.
        index: OpenSearch.
        graph: Neptune.
        series: Timestream.
        queue: SQS.
        loaders: The bulk loaders of Neptune and DynamoDB, if there are any.
    """

    ledger: RelationalLedger
    library: Library
    index: SearchIndex
    graph: Graph
    series: TimeSeries
    queue: Queue
    loaders: BulkLoaders | None = None

    def embedder(self) -> Embedder:
        """Return the model that the movies' vectors came from.

        Raises:
            InputError: Nothing was migrated yet.
        """
        models = self.ledger.ask("model.sql")
        if not models:
            raise InputError("There is no model of the movies' vectors yet. Migrate first.")
        return restored(**models[0])


class Stack(Engines):
    """The engines of a deployed stack: each is connected to when it is first used.

    Args:
        name: Of the stack.

    Raises:
        InputError: There is no such stack.
        UnavailableError: AWS cannot be reached.
    """

    def __init__(self, name: str = STACK) -> None:
        self.name = name
        self._outputs: Mapping[str, str] = stack_outputs(name)

    def _output(self, name: str) -> str:
        if name not in self._outputs:
            raise InputError(f"Stack {self.name}: The stack has no output {name}. Name a stack that is a {STACK}.")
        return self._outputs[name]

    @cached_property
    def database_url(self) -> str:
        """The database's URL, as its secret tells host, port and password.

        A rotation gives the server the new password before the secret's current version has it. If the rotation is
        interrupted there, the pending version's password is the one that the server takes.
        """
        current = self._database_url(CURRENT)
        try:
            pending = self._database_url(PENDING)
        except (InputError, UnavailableError):  # nothing is being rotated
            return current
        if pending != current:
            try:
                database.connect(current).close()
            except InputError:
                return pending
        return current

    def _database_url(self, stage: str) -> str:
        secret = database_access(self._output(DataEcosystemOutput.DATABASE_SECRET_ARN), stage)
        user, password = quote(secret["username"], safe=""), quote(secret["password"], safe="")
        host, port = secret["host"], secret["port"]
        trust = os.environ.get("PGSSLROOTCERT", "")
        mode = f"verify-full&sslrootcert={quote(trust)}" if trust else "require"
        return f"postgresql://{user}:{password}@{host}:{port}/{secret.get('dbname', 'postgres')}?sslmode={mode}"

    @cached_property
    def ledger(self) -> PostgresLedger:
        """PostgreSQL."""
        return PostgresLedger(self.database_url)

    @cached_property
    def library(self) -> DynamoLibrary:
        """DynamoDB."""
        return DynamoLibrary(self._output(DataEcosystemOutput.MOVIES_TABLE_NAME))

    @cached_property
    def index(self) -> OpenSearchIndex:
        """OpenSearch."""
        return OpenSearchIndex(
            self._output(DataEcosystemOutput.SEARCH_ENDPOINT), certificates=os.environ.get("AWS_CA_BUNDLE")
        )

    @cached_property
    def graph(self) -> NeptuneGraph:
        """Neptune."""
        return NeptuneGraph(self._output(DataEcosystemOutput.GRAPH_ENDPOINT))

    @cached_property
    def series(self) -> TimestreamSeries:
        """Timestream."""
        return TimestreamSeries(store_of(self._outputs, SCHEMA))

    @cached_property
    def queue(self) -> FifoQueue:
        """SQS."""
        return FifoQueue(self._output(DataEcosystemOutput.RENTAL_EVENTS_QUEUE_URL))

    @cached_property
    def loaders(self) -> BulkLoaders | None:
        """The bulk loaders; a stack of an earlier release has none."""
        bucket = self._outputs.get(DataEcosystemOutput.BULK_LOAD_BUCKET_NAME)
        if not bucket:
            return None
        return BulkLoaders(
            Bucket(bucket, ""),
            self._output(DataEcosystemOutput.GRAPH_ENDPOINT),
            self._output(DataEcosystemOutput.GRAPH_LOADER_ROLE_ARN),
            self._output(DataEcosystemOutput.MOVIES_TABLE_NAME),
            self.library,
        )

    @property
    def search_writer(self) -> str:
        """The role that the library's stream writes to the search index with."""
        return self._outputs.get(DataEcosystemOutput.SEARCH_WRITER_ROLE_ARN, "")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        if "ledger" in self.__dict__:
            self.ledger.close()
