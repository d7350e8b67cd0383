"""One point of a time series, as a store takes it."""

from __future__ import annotations

from typing import NamedTuple

Value = float | int | bool | str
Dimensions = tuple[str, ...]


class Row(NamedTuple):
    """One point that can be written.

    Attributes:
        line: The number by which a person finds its origin: the line of a file, from 1 (the header), or a rental's id.
        time: Since 1970-01-01 UTC, in the schema's precision (microseconds in a file).
        dimensions: In the schema's order.
        measures: In the schema's order; None where there is no value.
        text: The line as it stands in the file; empty if there is no file.
    """

    line: int
    time: int
    dimensions: Dimensions
    measures: tuple[Value | None, ...]
    text: str
