"""Timestream as the time series of rentals, through the store that DevOpsMetrics has: either engine."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar

from contract.errors import phrase
from contract.rentals import category_dimension, cents, point_time
from workloads.errors import RefusedRowError
from workloads.timeseries.row import Row
from workloads.timeseries.schema import Precision, Schema
from workloads.timeseries.store import Aggregation, Column, Period

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    import pandas as pd

    from workloads.movie_rental.model import Rental
    from workloads.timeseries.store import MetricStore


class RentalSchema(Schema):
    """Points in nanoseconds, whose last six digits tell rentals of one millisecond apart."""

    precision: ClassVar[Precision] = "NANOSECONDS"


SCHEMA = RentalSchema(dimensions=("category", "store"), measures={"value": "BIGINT", "amount": "BIGINT"})
#: Asked day by day, because weeks of InfluxDB begin on Thursdays, as 1970 did.
DAILY = Aggregation(
    (Column("rentals", "sum", "value"), Column("cents", "sum", "amount")),
    by=("category", "store"),
    window=timedelta(days=1),
)


class TimestreamSeries:
    """The time series in a store with `SCHEMA`.

    Args:
        store: Where.
    """

    def __init__(self, store: MetricStore) -> None:
        self.store = store

    def save(self, rentals: Sequence[Rental]) -> None:
        """Write rentals; a rental that is written twice is one point.

        Raises:
            RefusedRowError: The store refuses rentals, such as those older than it keeps.
            UnavailableError: The store cannot be reached.
        """
        rows = [
            Row(
                rental.id,
                point_time(rental.at, rental.id),
                (category_dimension(rental.category), str(rental.store_id)),
                (1, cents(rental.amount)),
                "",
            )
            for rental in rentals
        ]
        result = self.store.write(rows, version=time.time_ns() // 10**6)
        if result.rejected:
            row, reason = result.rejected[0]
            raise RefusedRowError(
                f"Rental {row.line}: Timestream refuses {len(result.rejected):,} rentals, this one because: "
                f"{phrase(reason)}."
            )

    def daily(self, start: datetime, end: datetime) -> pd.DataFrame:
        """`day`, `category`, `store`, `rentals`, `cents` for each day with rentals, sorted."""
        table = self.store.aggregate(DAILY, Period(start, end)).rename(columns={"time": "day"})
        return table.astype({"rentals": "int64", "cents": "int64"})

    def newest(self) -> datetime | None:
        """Return when the last rental was; None if there is none."""
        return self.store.describe().newest
