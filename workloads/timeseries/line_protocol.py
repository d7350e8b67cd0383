"""InfluxDB's line protocol. Whatever is written to InfluxDB is put into lines here, and nowhere else.

A line is `measurement,tag=value,... field=value,... nanoseconds`. The rules follow the parser of InfluxDB 1 and 2
(influxdata/influxdb, `models/points.go`): a line break ends a line unless it is within a quoted field, and a backslash
escapes only a comma, an equals sign or a blank, so that some values of tags cannot be written at all.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_BACKSLASH = re.compile(r"\\(?=[,= ]|$)")
_SPECIAL = re.compile(r"([,= ])")


def series(measurement: str, tags: Mapping[str, str]) -> str:
    r"""The beginning of a line: what a point is called.

    Raises:
        ValueError: InfluxDB cannot hold a name or a value: it is empty, has a control character (a line break would
            begin another point), or a backslash before a comma, an equals sign, a blank, or at its end.
    """
    pairs = [f"{_escaped('tag', name)}={_escaped(name, value)}" for name, value in tags.items()]
    return ",".join([_escaped("measurement", measurement), *pairs])


def line(start: str, fields: Iterable[tuple[str, float | bool | str | None]], nanoseconds: int) -> str:
    """One point.

    Args:
        start: What `series` gave.
        fields: By name, which is letters, digits and `_.-`; None is left out. A text may hold anything.
        nanoseconds: Since 1970-01-01 UTC.
    """
    values = ",".join([f"{name}={_field(value)}" for name, value in fields if value is not None])
    return f"{start} {values} {nanoseconds}"


def _escaped(name: str, value: str) -> str:
    if not value:
        raise ValueError(f"{name}: InfluxDB cannot hold an empty value")
    if _CONTROL.search(value):
        raise ValueError(f"{name}: InfluxDB cannot hold a line break or another control character: {value!r}")
    if _BACKSLASH.search(value):
        raise ValueError(f"{name}: InfluxDB cannot hold a backslash before , = or a blank, or at the end: {value!r}")
    return _SPECIAL.sub(r"\\\1", value)


def _field(value: float | bool | str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return f"{value}i"
    if isinstance(value, float):
        return repr(value)
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
