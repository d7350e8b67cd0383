"""Values of properties in the files of Neptune's bulk loader: the types of columns, and how their texts are read.

Sources: https://docs.aws.amazon.com/neptune/latest/userguide/bulk-load-tutorial-format-gremlin.html and
https://docs.aws.amazon.com/neptune/latest/userguide/bulk-load-tutorial-format-opencypher.html
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

Value = str | bool | int | float | datetime

INTEGER = re.compile(r"[+-]?[0-9]+")
DECIMAL = re.compile(r"[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|Infinity)|NaN")
#: `yyyy-MM-dd`, `yyyy-MM-ddTHH:mm`, `yyyy-MM-ddTHH:mm:ss` and `yyyy-MM-ddTHH:mm:ssZ`.
DATE = re.compile(r"\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:?\d\d)?)?)?", re.ASCII)
BITS = {"byte": 8, "short": 16, "int": 32, "long": 64}
#: Significant digits that any 32-bit number needs at most.
FLOAT_DIGITS = 9


class ValueFault(Exception):  # noqa: N818 - one of Neptune's data type mismatches
    """A value that does not have the type of its column."""


def _boolean(text: str) -> bool:
    """Return whether a text is `true`; any other one counts as false."""
    return text.lower() == "true"


def _integer(kind: str, text: str) -> int:
    if not INTEGER.fullmatch(text):
        raise ValueFault(f"The value {text!r} is not a whole number, as {kind} is")
    value = int(text)
    if not -(1 << BITS[kind] - 1) <= value < 1 << BITS[kind] - 1:
        raise ValueFault(f"The value {text!r} is outside the range of {kind}")
    return value


def _double(text: str) -> float:
    if not DECIMAL.fullmatch(text):
        raise ValueFault(f"The value {text!r} is not a number")
    return float(text)


def _float(text: str) -> float:
    """Return a number of 32 bits by the fewest digits that tell it from its neighbours, as Java writes it."""
    value = _double(text)
    if math.isnan(value) or math.isinf(value):
        return value
    try:
        packed = struct.pack("<f", value)
    except OverflowError:
        return math.copysign(math.inf, value)
    rounded = struct.unpack("<f", packed)[0]
    texts = (f"{rounded:.{digits}g}" for digits in range(6, FLOAT_DIGITS + 1))
    return next(float(text) for text in texts if struct.pack("<f", float(text)) == packed)


def _time(text: str) -> datetime:
    if not DATE.fullmatch(text):
        raise ValueFault(f"The value {text!r} is not a date of ISO 8601")
    try:
        value = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueFault(f"The value {text!r} is not a date: {error}") from error
    return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


_NUMBERS: dict[str, Callable[[str], Value]] = {
    **{kind: partial(_integer, kind) for kind in BITS},
    "bool": _boolean,
    "boolean": _boolean,
    "float": _float,
    "double": _double,
    "string": str,
    "datetime": _time,
}
#: How a text is read, by the type's name in lower case, in Gremlin's format.
CONVERSIONS = _NUMBERS | {"date": _time}
#: The same in openCypher's format, which keeps the texts of some types as they are.
OPENCYPHER_CONVERSIONS = _NUMBERS | dict.fromkeys(
    ("char", "date", "localdate", "localdatetime", "duration", "point"), str
)
