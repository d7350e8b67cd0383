"""The bulk loaders of Neptune and DynamoDB, which fill both in the first migration of a large company.

They write without looking at what is there, so they are used only where there is nothing yet; and what a process has
begun to load when it was interrupted is completed before anything else is written.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from workloads.movie_rental.graph_loader import NeptuneLoader
from workloads.movie_rental.library_loader import DynamoLoader

if TYPE_CHECKING:
    from workloads.movie_rental.ports import Library
    from workloads.storage import Bucket

Choice = Literal["auto", "always", "never"]
"""Whether bulk loaders fill empty engines; `auto`: from `LEAST_RENTALS` on."""

LEAST_RENTALS = 100_000


@dataclass(frozen=True)
class BulkLoaders:
    """What the loaders of a stack need.

    Attributes:
        bucket: Where loads are put.
        graph_endpoint: Neptune, `https://host:port`.
        graph_role_arn: The role of the cluster that reads the bucket.
        table: The library's table.
        library: The library, which tells what DynamoDB has refused.
    """

    bucket: Bucket
    graph_endpoint: str
    graph_role_arn: str
    table: str
    library: Library

    def of(self, partition: int) -> PartitionLoaders:
        """Return the loaders for a partition of a migration."""
        place = self._place / str(partition)
        return PartitionLoaders(
            NeptuneLoader(place / "graph", self.graph_endpoint, self.graph_role_arn),
            DynamoLoader(place / "library", self.table, self.library),
        )

    def finish(self) -> bool:
        """Complete what processes of all partitions have begun to load; return whether there was anything.

        None of these processes may run any more.
        """
        partitions = sorted({int(name.partition("/")[0]) for name in self._place.names()})
        return any([self.of(partition).finish() for partition in partitions])  # noqa: C419 - all of them

    @property
    def _place(self) -> Bucket:
        return self.bucket / "bulk"


@dataclass(frozen=True)
class PartitionLoaders:
    """What fills engines for one partition of a migration.

    Attributes:
        graph: Neptune's.
        library: DynamoDB's.
    """

    graph: NeptuneLoader
    library: DynamoLoader

    def finish(self) -> bool:
        """Complete what an interrupted process has begun to load, and drop the rest.

        Returns:
            Whether it had begun anything.

        Raises:
            InputError: An engine refuses.
            UnavailableError: An engine cannot be reached, or cannot do it now.
            TemporaryError: A load has ended early, and can be repeated.
        """
        return any([self.graph.finish(), self.library.finish()])
