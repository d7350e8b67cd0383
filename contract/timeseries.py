"""How a time series database is reached and written to: Timestream for InfluxDB, and Timestream for LiveAnalytics.

A line of InfluxDB's line protocol is `measurement,tag=value,... field=value,... nanoseconds`. The rules follow the
parser of InfluxDB 1 and 2 (influxdata/influxdb, `models/points.go`): a line break ends a line unless it is within a
quoted field, and a backslash escapes only a comma, an equals sign or a blank, so that some values of tags cannot be
written at all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping

INFLUXDB_PORT = 8086
"""The port of InfluxDB 2."""

INFLUXDB3 = "influxdb3"
"""What a stack publishes as its engine where that is InfluxDB 3."""

INFLUXDB3_PORT = 8181
"""The port of InfluxDB 3."""

LINES_REFUSED = (400, 413, 422)
"""Answers that are about lines of a request: malformed, too many, or refused."""

MEASURE_NAME = "metrics"
"""The `measure_name` of every record of LiveAnalytics: the measures of a row are written as one record."""

_LOOPBACK = ("localhost", "127.0.0.1")
_TOKEN = re.compile(r"[\w.=+/-]{20,}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_BACKSLASH = re.compile(r"\\(?=[,= ]|$)")
_SPECIAL = re.compile(r"([,= ])")


def address(endpoint: str, engine: str = "") -> str:
    """Return the URL of an endpoint as AWS gives it, `host` or `host:port`: https, but http on this machine.

    Args:
        endpoint: What AWS gives.
        engine: `INFLUXDB3` has another port than InfluxDB 2.
    """
    host, _, port = endpoint.partition(":")
    usual = INFLUXDB3_PORT if engine == INFLUXDB3 else INFLUXDB_PORT
    return f"{'http' if host in _LOOPBACK else 'https'}://{host}:{port or usual}"


def authorization(token: str) -> str:
    """Return the header `Authorization` for InfluxDB 2 and 3, whose `/write` and `/query` take no user's password."""
    return f"Token {token}"


def token_in(secret: str) -> str:
    """Return the token that a secret holds: as `token` of a JSON object, or as its whole text.

    Timestream makes the secret of InfluxDB 3 and does not document its form.

    Raises:
        ValueError: It holds neither.
    """
    text = secret.strip()
    if _TOKEN.fullmatch(text):
        return text
    try:
        document = json.loads(text)
    except ValueError:
        raise ValueError("the secret is not JSON") from None
    if not isinstance(document, dict) or not document.get("token"):
        raise ValueError("the secret is not a JSON object with token")
    return str(document["token"])


def series(measurement: str, tags: Mapping[str, str]) -> str:
    r"""Return the beginning of a line, which names a series.

    Raises:
        ValueError: InfluxDB cannot hold a name or a value: it is empty, has a control character (a line break would
            begin another point), or a backslash before a comma, an equals sign, a blank, or at its end.
    """
    pairs = [f"{_escaped('tag', name)}={_escaped(name, value)}" for name, value in tags.items()]
    return ",".join([_escaped("measurement", measurement), *pairs])


def field_key(name: str) -> str:
    """Return the name of a field as a line has it.

    Raises:
        ValueError: As `series`.
    """
    return _escaped("field", name)


def line(start: str, fields: Iterable[tuple[str, float | bool | str | None]], nanoseconds: int) -> str:
    """Return a point as a line.

    Args:
        start: What `series` gave.
        fields: By name, which is letters, digits and `_.-`, or what `field_key` gave; None is left out. A text may
            hold anything.
        nanoseconds: Since 1970-01-01 UTC.
    """
    values = ",".join([f"{name}={field_value(value)}" for name, value in fields if value is not None])
    return f"{start} {values} {nanoseconds}"


def field_value(value: float | bool | str) -> str:
    """Return a value as a line has it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return f"{value}i"
    if isinstance(value, float):
        return repr(value)
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _escaped(name: str, value: str) -> str:
    if not value:
        raise ValueError(f"{name}: InfluxDB cannot hold an empty value")
    if _CONTROL.search(value):
        raise ValueError(f"{name}: InfluxDB cannot hold a line break or another control character: {value!r}")
    if _BACKSLASH.search(value):
        raise ValueError(f"{name}: InfluxDB cannot hold a backslash before , = or a blank, or at the end: {value!r}")
    return _SPECIAL.sub(r"\\\1", value)
