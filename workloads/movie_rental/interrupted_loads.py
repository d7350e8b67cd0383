"""Bulk loads that a process had begun when it was interrupted: they are completed before anything else is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from contract.errors import TemporaryError
from workloads.movie_rental import database

if TYPE_CHECKING:
    from workloads.movie_rental.bulk import BulkLoaders, PartitionLoaders
    from workloads.movie_rental.engines import Engines


def complete(loaders: BulkLoaders | PartitionLoaders, engines: Engines) -> None:
    """Complete the loads of an interrupted process. Nobody who was erased since then comes back with them."""
    if loaders.finish():
        erased = engines.ledger.connection.execute("SELECT customer_id FROM erasures ORDER BY customer_id")
        for (customer,) in erased.fetchall():
            engines.graph.erase_customer(customer)


def leave_to_queries(engines: Engines) -> None:
    """Complete what was begun to load, and let a migration go on by queries: a loader would double what these write.

    Raises:
        TemporaryError: A process is migrating.
        InputError: An engine refuses.
        UnavailableError: An engine cannot be reached.
    """
    if not engines.loaders:
        return
    connection = engines.ledger.connection
    with database.asking(engines.ledger.url), connection.transaction():
        database.lock_plan(connection)
        if not database.no_partition_held(connection):
            raise TemporaryError(
                "Another process is migrating into this database. Wait until it has ended, or end it, and run the same "
                "command again."
            )
        complete(engines.loaders, engines)
        connection.execute("UPDATE partitions SET in_bulk = false")
