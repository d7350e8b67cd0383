"""A rental as the time series holds it: one conversion, whoever writes it.

`workloads` writes rentals when it migrates, the function `rental_projector` when an event tells of one.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

NO_CATEGORY = "none"
"""The category of a film that has none: a dimension may not be empty."""

NOBODY = "0"
"""The customer of a rental whose customer was erased: it counts in the time series, and is not in the graph."""

_CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f]+")
_BACKSLASHES = re.compile(r"\\+(?=[,= ]|$)")
_FIRST_MOMENT = datetime(1970, 1, 1, tzinfo=UTC)


def category_dimension(category: str | None) -> str:
    """Return a category as the time series holds it, on both engines alike.

    Line breaks and other control characters become a blank, and backslashes that InfluxDB cannot hold a slash.
    """
    return _BACKSLASHES.sub("/", _CONTROL_CHARACTERS.sub(" ", category or "").strip()) or NO_CATEGORY


def point_time(at: datetime, rental_id: int) -> int:
    """Return the time of a rental's point in nanoseconds since 1970: to the millisecond, and the rental below it.

    Two rentals share a point only if they fall into the same millisecond and their numbers differ by a multiple of a
    million.
    """
    milliseconds = (at - _FIRST_MOMENT) // timedelta(milliseconds=1)
    return milliseconds * 1_000_000 + rental_id % 1_000_000


def cents(amount: Decimal) -> int:
    """Return an amount in whole cents.

    Raises:
        ValueError: It has fractions of a cent.
    """
    whole = amount * 100
    if whole != whole.to_integral_value():
        raise ValueError(f"{amount} has fractions of a cent")
    return int(whole)
