"""A film rental company's data: films, copies, customers, rentals, payments; Pagila's own or a generated one.

Both sources give the same tables with the same columns and exact types, row by row, so memory stays flat.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from workloads.rental_company.generated import GeneratedCompany
from workloads.rental_company.pagila import PagilaDump

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workloads.rental_company.tables import Row

PAGILA = "pagila/pagila-data.sql"


class RentalCompany(Protocol):
    """Where a company's data comes from.

    Attributes:
        origin: What it is, for people.
    """

    origin: str

    def rows(self, table: str) -> Iterator[Row]:
        """Return the rows of one of `tables.TABLES`: every column by name, in order of the table's key."""

    def count(self, table: str) -> int:
        """Return how many rows `rows` gives."""


def open_company(scale: float = 1.0, seed: int = 0) -> RentalCompany:
    """Pagila where `GROUNDWORK_DATA` has it, else a generated company of the same shape.

    Args:
        scale: Size of a generated company; 1 is Pagila's. Any other than 1 is always generated.
        seed: Of a generated company.

    Raises:
        InputError: The dump cannot be read, or the scale is none.
    """
    root = os.environ.get("GROUNDWORK_DATA")
    path = Path(root, PAGILA) if root else None
    if path and path.is_file() and scale == 1:
        return PagilaDump(path)
    return GeneratedCompany(scale, seed)
