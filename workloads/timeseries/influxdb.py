"""InfluxDB through the API that all its versions share: line protocol on `/write`, InfluxQL on `/query`."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

import urllib3
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from contract.errors import InputError
from contract.services import is_untrusted, overloaded, passes, refused, unreachable
from workloads.timeseries.schema import Schema
from workloads.timeseries.store import Aggregation, Column, Description, MetricStore, Period, Written, tidy

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pandas as pd

    from contract.errors import UnavailableError
    from workloads.timeseries.row import Row, Value

_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DROPPED = re.compile(r"partial write: (?P<reason>.*?) dropped=(?P<count>\d+)")
_UNITS = {"h": 3600, "m": 60, "s": 1}
_PRECISIONS = {"MICROSECONDS": "u", "NANOSECONDS": "ns"}
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class _Busy(Exception):  # noqa: N818 - InfluxDB is fine, it only has too much to do
    """The server cannot take the request now."""


class InfluxDB(MetricStore):
    """One measurement of an InfluxDB database.

    Certificates are checked against the authorities that this machine trusts (`SSL_CERT_FILE` adds one).

    Args:
        url: `https://host:8086`; plain `http` is for this machine only.
        database: Database, or bucket of InfluxDB 2.
        measurement: Name of the measurement.
        username: With `password`, for InfluxDB 1.
        password: Its password.
        token: API token, for InfluxDB 2, whose passwords do not open this API.
        schema: Names of dimensions (tags) and measures (fields).
        connections: How many threads may write at once.
        attempts: How often a request is tried while the server is busy or away.

    Raises:
        InputError: The address is plain http, and not on this machine.
    """

    def __init__(
        self,
        url: str,
        database: str,
        measurement: str = "metrics",
        *,
        username: str = "",
        password: str = "",
        token: str = "",
        schema: Schema | None = None,
        connections: int = 8,
        attempts: int = 8,
    ) -> None:
        address = urlsplit(url)
        if address.scheme != "https" and address.hostname not in _LOOPBACK:
            raise InputError(
                f"{url}: InfluxDB on another machine is reached by https only, so that nobody can read along."
            )
        self.schema = schema or Schema()
        self._url, self._database, self._measurement = url.rstrip("/"), database, measurement
        if token:
            headers = {"Authorization": f"Token {token}"}
        else:
            headers = urllib3.make_headers(basic_auth=f"{username}:{password}") if username else {}
        self._http = urllib3.PoolManager(
            maxsize=connections,
            headers=headers,
            timeout=urllib3.Timeout(connect=5, read=120),
            retries=False,
            cert_reqs="CERT_REQUIRED",
        )
        self._retrying = Retrying(
            retry=retry_if_exception(_may_pass),
            wait=wait_random_exponential(multiplier=0.5, max=20),
            stop=stop_after_attempt(attempts),
            reraise=True,
        )

    def write(self, rows: Sequence[Row], version: int) -> Written:  # noqa: ARG002 - here the last write wins
        """Write in one request; where InfluxDB drops rows without saying which, halve until it is known."""
        written = Written()
        lines: list[str] = []
        sent: list[Row] = []
        starts: dict[tuple[str, ...], str | None] = {}
        for row in rows:
            if row.dimensions not in starts:
                starts[row.dimensions] = self._line_start(row.dimensions)
            start = starts[row.dimensions]
            if start is None:
                written.rejected.append(
                    (row, "InfluxDB cannot hold a dimension with a backslash before , = or a blank")
                )
            else:
                sent.append(row)
                lines.append(f"{start} {self._fields(row.measures)} {row.time}")
        if sent:
            self._write_lines(sent, lines, written)
        return written

    def _write_lines(self, rows: Sequence[Row], lines: Sequence[str], written: Written) -> None:
        parameters = {"db": self._database, "precision": _PRECISIONS[self.schema.precision]}
        status, body = self._request("/write", parameters, "\n".join(lines).encode())
        written.requests += 1
        if status == 204:  # noqa: PLR2004 - no content: all is written
            written.rows += len(rows)
            return
        reason = _reason(body)
        if status != 400:  # noqa: PLR2004 - bad request: some lines are bad
            raise self._refused(status, reason)
        dropped = _DROPPED.search(reason)
        if len(rows) == 1 or (dropped and int(dropped["count"]) == len(rows)):
            written.rejected += [(row, dropped["reason"] if dropped else reason) for row in rows]
            return
        half = len(rows) // 2
        self._write_lines(rows[:half], lines[:half], written)
        self._write_lines(rows[half:], lines[half:], written)

    def _line_start(self, dimensions: Sequence[str]) -> str | None:
        """Measurement and tags; None if a value cannot be escaped."""
        if any(re.search(r"\\(?=[,= ]|$)", value) for value in dimensions):
            return None
        pairs = zip(self.schema.dimensions, dimensions, strict=True)
        tags = [name + "=" + re.sub(r"([,= ])", r"\\\1", value) for name, value in pairs]
        return ",".join([self._measurement, *tags])

    def _fields(self, measures: Sequence[Value | None]) -> str:
        return ",".join(
            [
                f"{name}={_field(value)}"
                for name, value in zip(self.schema.measures, measures, strict=True)
                if value is not None
            ]
        )

    def aggregate(self, question: Aggregation, period: Period) -> pd.DataFrame:
        """Ask in InfluxQL; where a question needs several statements, their answers are joined."""
        found: dict[tuple[object, ...], dict[str, object]] = {}
        for statement in self.statements(question, period):
            for row in self._rows(statement):
                if not question.window:
                    del row["time"]
                found.setdefault(tuple(row[key] for key in question.keys), {}).update(row)
        return tidy(list(found.values()), question)

    def statements(self, question: Aggregation, period: Period) -> list[str]:
        """One SELECT, and one more for each condition that a count has."""
        parts: dict[str, list[Column]] = {}
        for column in question.columns:
            condition = ""
            if column.between:
                low, high = column.between
                condition = f' AND "{column.measure}" >= {low} AND "{column.measure}" < {high}'
            parts.setdefault(condition, []).append(column)
        groups = [f'"{name}"' for name in question.by]
        if question.window:
            groups.insert(0, f"time({question.window // timedelta(seconds=1)}s)")
        group = f"\nGROUP BY {', '.join(groups)}" if groups else ""
        fill = (" fill(linear)" if question.interpolate else " fill(none)") if question.window else ""
        when = f"time >= {_moment(period.start)} AND time < {_moment(period.end)}"
        return [
            f'SELECT {", ".join(_expression(column) for column in columns)}\nFROM "{self._measurement}"\n'
            f"WHERE {when}{condition}{group}{fill}"
            for condition, columns in parts.items()
        ]

    def describe(self) -> Description:
        """Count the rows and read the retention policy."""
        counted: dict[str, int] = {}
        moments: list[datetime] = []
        for name in self.schema.measures:
            for row in self._rows(f'{_select("count", name)} FROM "{self._measurement}"'):
                counted[name] = int(str(row["count"]))
            for function in ("first", "last"):
                found = self._rows(f'{_select(function, name)} FROM "{self._measurement}"')
                moments += [_EPOCH + int(str(row["time"])) * _MICROSECOND for row in found]
        policies = [row for row in self._rows(f'SHOW RETENTION POLICIES ON "{self._database}"') if row["default"]]
        kept = _duration(str(policies[0]["duration"])) if policies else timedelta()
        partly = len(set(counted.values())) > 1
        return Description(
            engine=f"InfluxDB {self._version()}",
            place=f"{self._database}.{self._measurement}",
            rows=max(counted.values(), default=0),
            oldest=min(moments, default=None),
            newest=max(moments, default=None),
            retention=kept or None,
            notes=("some rows lack a measure: rows is the count of the commonest one",) if partly else (),
        )

    def _version(self) -> str:
        try:
            answer = self._http.request("GET", f"{self._url}/ping")
        except urllib3.exceptions.HTTPError as error:
            raise self._unreachable(error) from error
        return answer.headers.get("X-Influxdb-Version", "").partition("~")[0].removeprefix("v")

    def _rows(self, statement: str) -> Iterator[dict[str, object]]:
        status, body = self._request("/query", {"db": self._database, "epoch": "u", "q": statement})
        if status != 200:  # noqa: PLR2004 - OK
            raise self._refused(status, _reason(body))
        for result in self._results(body):
            if "error" in result:
                raise refused(self._url, "InfluxDB", result["error"])
            for series in result.get("series", []):
                for values in series["values"]:
                    row = dict(zip(series["columns"], values, strict=True)) | series.get("tags", {})
                    yield row

    def _request(self, path: str, parameters: dict[str, str], body: bytes | None = None) -> tuple[int, bytes]:
        def attempt() -> tuple[int, bytes]:
            if body is None:
                answer = self._http.request("POST", self._url + path, fields=parameters, encode_multipart=False)
            else:
                answer = self._http.request("POST", f"{self._url}{path}?{urlencode(parameters)}", body=body)
            if passes(answer.status):
                raise _Busy(f"{answer.status}: {_reason(answer.data)}")
            return answer.status, answer.data

        try:
            return self._retrying(attempt)
        except _Busy as error:
            raise overloaded(self._url, "InfluxDB", error) from error
        except urllib3.exceptions.HTTPError as error:
            raise self._unreachable(error) from error

    def _results(self, body: bytes) -> list[dict[str, Any]]:
        try:
            results: list[dict[str, Any]] = json.loads(body)["results"]
        except (ValueError, LookupError, TypeError) as error:  # a proxy has answered
            raise overloaded(self._url, "InfluxDB", f"The answer is not one of InfluxDB: {_reason(body)}") from error
        return results

    def _unreachable(self, error: Exception) -> UnavailableError | InputError:
        return unreachable(self._url, "InfluxDB", error, trust="SSL_CERT_FILE")

    def _refused(self, status: int, reason: str) -> InputError:
        advice = ""
        if status in (401, 403):
            advice = (
                "InfluxDB 2 opens this API with a token only. Make one that may read and write the bucket, and add it "
                'as "token" to the secret of the stack.'
                if self._version().startswith("2")
                else "Check the name and the password."
            )
        return refused(self._url, f"InfluxDB ({status})", reason, advice)


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, _Busy | urllib3.exceptions.HTTPError) and not is_untrusted(error)


def _expression(column: Column) -> str:
    function = "stddev" if column.function == "deviation" else column.function  # the others have InfluxQL's own names
    percent = f", {column.percent}" if column.function == "percentile" else ""
    return f'{function}("{column.measure}"{percent}) AS "{column.name}"'


def _select(function: str, measure: str) -> str:
    return f'SELECT {function}("{measure}")'


def _field(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return f"{value}i"
    if isinstance(value, float):
        return repr(value)
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _moment(moment: datetime) -> str:
    return f"{(moment - _EPOCH) // _MICROSECOND}u"


def _duration(text: str) -> timedelta:
    """`168h0m0s`; zero stands for ever."""
    return timedelta(seconds=sum(int(count) * _UNITS[unit] for count, unit in re.findall(r"(\d+)([hms])", text)))


def _reason(body: bytes) -> str:
    try:
        found = json.loads(body)
    except ValueError:
        return body.decode(errors="replace").strip()[:300]
    return str(found.get("error") or found.get("message") or found)
