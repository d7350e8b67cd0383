"""InfluxDB 2 and 3 through the API that they share: line protocol on `/write`, InfluxQL on `/query`."""

from __future__ import annotations

import itertools
import json
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode, urlsplit

import numpy as np
import urllib3
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from contract.errors import InputError
from contract.services import is_untrusted, overloaded, passes, refused, unreachable
from contract.timeseries import LINES_REFUSED, authorization, field_key, field_value, series
from workloads.timeseries.columns import ROWS_AT_ONCE, Assembly, Columns, Integers
from workloads.timeseries.row import Row
from workloads.timeseries.schema import Schema
from workloads.timeseries.store import Aggregation, Column, Description, MetricStore, Period, Written, tidy

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import pandas as pd

    from contract.errors import UnavailableError
    from workloads.timeseries.row import Dimensions

_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DROPPED = re.compile(r"partial write: (?P<reason>.*?) dropped=(?P<count>\d+)")
_REQUEST_BYTES = 4 << 20  # InfluxDB takes 50 MB a request, a proxy before it may take less
_COUNTED_EXACTLY = 5  # measures
#: Conditions that any value meets, and no value does not.
_PRESENT = {
    "DOUBLE": '("{name}" >= 0 OR "{name}" < 0)',
    "BIGINT": '("{name}" >= 0 OR "{name}" < 0)',
    "BOOLEAN": '("{name}" = true OR "{name}" = false)',
    "VARCHAR": '"{name}" =~ /.*/',
}
#: How urllib3 sends parameters: a GET's are in the address, those of a POST in a form.
_FORM: dict[str, Any] = {"GET": {}, "POST": {"encode_multipart": False}}
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class _Busy(Exception):  # noqa: N818 - InfluxDB is fine, it only has too much to do
    """The server cannot take the request now."""


class _Points(NamedTuple):
    """Rows with the lines that write them.

    Attributes:
        rows: The rows.
        body: Their lines, each with its break.
        ends: Where each line ends, shape (n,).
    """

    rows: Sequence[Row]
    body: bytes
    ends: Integers

    def between(self, start: int, stop: int) -> _Points:
        """Return some of the points."""
        begin = int(self.ends[start - 1]) if start else 0
        end = int(self.ends[stop - 1])
        return _Points(self.rows[start:stop], self.body[begin:end], self.ends[start:stop] - begin)


class InfluxDB(MetricStore):
    """One measurement of an InfluxDB database.

    Certificates are checked against the authorities that this machine trusts (`SSL_CERT_FILE` adds one).

    Args:
        url: `https://host:8086`; plain `http` is for this machine only.
        database: The bucket, which is found by its name or by its mapping.
        measurement: Name of the measurement.
        token: API token that may read and write the bucket.
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
        self._url, self._database, self.measurement = url.rstrip("/"), database, measurement
        self._http = urllib3.PoolManager(
            maxsize=connections,
            headers={"Authorization": authorization(token)} if token else {},
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

    @property
    def url(self) -> str:
        """The address of the server."""
        return self._url

    def write(self, rows: Sequence[Row], version: int) -> Written:  # noqa: ARG002 - here the last write wins
        """Write in requests of a few megabytes, and halve one that is refused until the refused rows are known.

        Times are sent in nanoseconds, which every version of InfluxDB knows by this name.
        """
        result = Written()
        self._write_points(self._points(Columns.holding(rows, self.schema), result), result)
        return result

    def write_lines(self, lines: Iterable[str]) -> Written:
        """Write lines of line protocol, with times in nanoseconds, as `write` does.

        Args:
            lines: Without line breaks at their ends.

        Returns:
            What became of them; the text of a rejected row is its line.

        Raises:
            InputError: InfluxDB refuses, for example because the token is wrong.
            UnavailableError: It cannot be reached, or cannot do it now.
        """
        result = Written()
        rows = [Row(number, 0, (), (), text) for number, text in enumerate(lines, 1)]
        encoded = [f"{row.text}\n".encode() for row in rows]
        ends = np.cumsum(np.fromiter(map(len, encoded), np.int64, len(encoded)))
        self._write_points(_Points(rows, b"".join(encoded), ends), result)
        return result

    def _points(self, rows: Columns, result: Written) -> _Points:
        """Return rows with their lines; reject those that have none."""
        starts, reasons = [b""] * len(rows.dimensions), dict[int, str]()
        for index in np.unique(rows.series).tolist():
            try:
                starts[index] = self._series(rows.dimensions[index]).encode()
            except ValueError as error:
                reasons[index] = str(error)
        if reasons:
            refused = np.isin(rows.series, [*reasons])
            bad = rows.of(np.flatnonzero(refused))
            result.rejected += [(row, reasons[at]) for row, at in zip(bad, bad.series.tolist(), strict=True)]
            rows = rows.of(np.flatnonzero(~refused))
        parts = [self._lines(rows[at : at + ROWS_AT_ONCE], starts) for at in range(0, len(rows), ROWS_AT_ONCE)]
        lengths = [np.zeros(0, np.int64), *(np.diff(ends, prepend=0) for _, ends in parts)]
        return _Points(rows, b"".join(body for body, _ in parts), np.cumsum(np.concatenate(lengths)))

    def _lines(self, rows: Columns, starts: Sequence[bytes]) -> tuple[bytes, Integers]:
        """Return the lines of rows, each with its break, and where each ends."""
        text = Assembly(rows.buffer, len(rows))
        text.add_choice(starts, rows.series)
        begun = np.zeros(len(rows), np.int64)
        for measure in rows.measures:
            present = measure.cells.length >= 0
            name = field_key(measure.name).encode()
            text.add_choice([b"", b" " + name + b"=", b"," + name + b"="], np.where(present, 1 + begun, 0))
            begun |= present
            match measure.kind:
                case "DOUBLE":
                    text.add(measure.cells)
                    text.add_text(b".0", measure.whole)
                case "BIGINT":
                    text.add(measure.cells)
                    text.add_text(b"i", present)
                case "BOOLEAN":
                    text.add(measure.cells)
                case "VARCHAR":
                    values = (
                        b"" if value is None else field_value(value).encode() for value in measure.values(rows.buffer)
                    )
                    text.add_choice([*values], np.arange(len(rows)))
        text.add_text(b" ")
        text.add_number(rows.times)
        to_nanoseconds = b"000" if self.schema.precision == "MICROSECONDS" else b""
        text.add_text(to_nanoseconds, rows.times != 0)
        text.add_text(b"\n")
        return text.finish()

    def _series(self, dimensions: Dimensions) -> str:
        return series(self.measurement, dict(zip(self.schema.dimensions, dimensions, strict=True)))

    def _write_points(self, points: _Points, result: Written) -> None:
        """Write points in requests of a few megabytes."""
        while len(points.rows):
            count = max(1, int(np.searchsorted(points.ends, _REQUEST_BYTES, "right")))
            self._write_request(points.between(0, count), result)
            points = points.between(count, len(points.rows))

    def _write_request(self, points: _Points, result: Written) -> None:
        status, body = self._request("/write", {"db": self._database, "precision": "ns"}, points.body)
        result.requests += 1
        count = len(points.rows)
        if status == 204:  # noqa: PLR2004 - no content: all is written
            result.rows += count
            return
        reason = _reason(body)
        if status not in LINES_REFUSED:
            raise self._refused(status, reason)
        dropped = _DROPPED.search(reason)
        if count == 1 or (dropped and int(dropped["count"]) == count):
            result.rejected += [(row, dropped["reason"] if dropped else reason) for row in points.rows]
            return
        half = count // 2
        self._write_request(points.between(0, half), result)
        self._write_request(points.between(half, count), result)

    def aggregate(self, question: Aggregation, period: Period) -> pd.DataFrame:
        """Ask in InfluxQL; if a question needs several statements, join their results."""
        rows: dict[tuple[object, ...], dict[str, object]] = {}
        for statement in self.statements(question, period):
            for row in self.rows(statement):
                if not question.window:
                    del row["time"]
                rows.setdefault(tuple(row[key] for key in question.keys), {}).update(row)
        return tidy(list(rows.values()), question)

    def statements(self, question: Aggregation, period: Period) -> list[str]:
        """Return one SELECT, and one more for each condition of a count."""
        columns_of_condition: dict[str, list[Column]] = {}
        for column in question.columns:
            condition = ""
            if column.between:
                low, high = column.between
                condition = f' AND "{column.measure}" >= {low} AND "{column.measure}" < {high}'
            columns_of_condition.setdefault(condition, []).append(column)
        groups = [f'"{name}"' for name in question.by]
        if question.window:
            groups.insert(0, f"time({question.window // timedelta(seconds=1)}s)")
        group = f"\nGROUP BY {', '.join(groups)}" if groups else ""
        fill = (" fill(linear)" if question.interpolate else " fill(none)") if question.window else ""
        when = f"time >= {_moment(period.start)} AND time < {_moment(period.end)}"
        return [
            f'SELECT {", ".join(_expression(column) for column in columns)}\nFROM "{self.measurement}"\n'
            f"WHERE {when}{condition}{group}{fill}"
            for condition, columns in columns_of_condition.items()
        ]

    def describe(self) -> Description:
        """Count the rows and read how long the bucket keeps them."""
        moments: list[datetime] = []
        for name in self.schema.measures:
            for function in ("first", "last"):
                rows = self.rows(f'{_select(function, name)} FROM "{self.measurement}"')
                moments += [_EPOCH + int(str(row["time"])) * _MICROSECOND for row in rows]
        count, exact = self._count()
        return Description(
            engine=f"InfluxDB {self._version()}",
            place=f"{self._database}.{self.measurement}",
            rows=count,
            oldest=min(moments, default=None),
            newest=max(moments, default=None),
            retention=self._retention(),
            notes=()
            if exact
            else ("some rows lack a measure: counted are those with the commonest, there may be more",),
        )

    def _retention(self) -> timedelta | None:
        """Return how long the bucket keeps points; InfluxQL says `0s` for every bucket of InfluxDB 2.

        InfluxDB 3 has no such list; Timestream's keeps what a database holds for ever unless somebody changes that.
        """
        status, body = self._request("/api/v2/buckets", {"name": self._database}, method="GET")
        if status == 404 and self._version().startswith("3"):  # noqa: PLR2004 - not found
            return None
        if status != 200:  # noqa: PLR2004 - OK
            raise self._refused(status, _reason(body))
        [rules] = [bucket["retentionRules"] for bucket in self._document(body)["buckets"]]
        return timedelta(seconds=rules[0]["everySeconds"]) if rules and rules[0]["everySeconds"] else None

    def _count(self) -> tuple[int, bool]:
        """Return how many rows there are, and whether that is exact: InfluxDB counts the values of a measure, not rows.

        Where rows lack measures, those that have any are counted by inclusion and exclusion. That takes a statement for
        each set of measures, so it is done for a few measures only.
        """
        measures = list(self.schema.measures)
        most = max(self._count_with([name]) for name in measures)
        if len(measures) == 1 or self._count_with(measures) == most:
            return most, True
        if len(measures) > _COUNTED_EXACTLY:
            return most, False
        sizes = range(1, len(measures) + 1)
        sets = (chosen for size in sizes for chosen in itertools.combinations(measures, size))
        return sum((-1) ** (len(chosen) + 1) * self._count_with(chosen) for chosen in sets), True

    def _count_with(self, measures: Sequence[str]) -> int:
        """Return how many rows have all of these measures."""
        first, *optional = measures
        present = " AND ".join(_PRESENT[self.schema.measures[name]].format(name=name) for name in optional)
        where = f" WHERE {present}" if optional else ""
        rows = self.rows(f'{_select("count", first)} FROM "{self.measurement}"{where}')
        return sum(int(str(row["count"])) for row in rows)

    def _version(self) -> str:
        try:
            response = self._http.request("GET", f"{self._url}/ping")
        except urllib3.exceptions.HTTPError as error:
            raise self._unreachable(error) from error
        return response.headers.get("X-Influxdb-Version", "").partition("~")[0].removeprefix("v")

    def query(self, statement: str, epoch: str = "u") -> Iterator[dict[str, Any]]:
        """Yield the series that InfluxDB answers to a statement: `columns`, `values`, and `tags` where it has groups.

        Args:
            statement: One statement of InfluxQL.
            epoch: The unit of times: `u` or `ns`.

        Raises:
            InputError: InfluxDB refuses.
            UnavailableError: It cannot be reached, or cannot do it now.
        """
        status, body = self._request("/query", {"db": self._database, "epoch": epoch, "q": statement})
        if status != 200:  # noqa: PLR2004 - OK
            raise self._refused(status, _reason(body))
        for result in self._document(body)["results"]:
            if "error" in result:
                raise refused(self._url, "InfluxDB", result["error"])
            yield from result.get("series", [])

    def rows(self, statement: str) -> Iterator[dict[str, object]]:
        """Yield the rows of a statement of InfluxQL; `time` is in microseconds since 1970."""
        for group in self.query(statement):
            for values in group["values"]:
                row = dict(zip(group["columns"], values, strict=True)) | group.get("tags", {})
                yield row

    def _request(
        self, path: str, parameters: dict[str, str], body: bytes | None = None, *, method: str = "POST"
    ) -> tuple[int, bytes]:
        def attempt() -> tuple[int, bytes]:
            if body is None:
                response = self._http.request(method, self._url + path, fields=parameters, **_FORM[method])
            else:
                response = self._http.request("POST", f"{self._url}{path}?{urlencode(parameters)}", body=body)
            if passes(response.status):
                raise _Busy(f"{response.status}: {_reason(response.data)}")
            return response.status, response.data

        try:
            return self._retrying(attempt)
        except _Busy as error:
            raise overloaded(self._url, "InfluxDB", error) from error
        except urllib3.exceptions.HTTPError as error:
            raise self._unreachable(error) from error

    def _document(self, body: bytes) -> dict[str, Any]:
        try:
            document = json.loads(body)
        except ValueError:
            document = None
        if not isinstance(document, dict) or not document.keys() & {"results", "buckets"}:  # a proxy responded
            raise overloaded(self._url, "InfluxDB", f"The answer is not one of InfluxDB: {_reason(body)}")
        return document

    def _unreachable(self, error: Exception) -> UnavailableError | InputError:
        return unreachable(self._url, "InfluxDB", error, trust="SSL_CERT_FILE")

    def _refused(self, status: int, reason: str) -> InputError:
        advice = ""
        if status in (401, 403):
            advice = (
                "The token is not valid, or not for this bucket. Rotate the token of the stack, as the stack's page "
                "in docs/stacks says."
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


def _moment(moment: datetime) -> str:
    return f"{(moment - _EPOCH) // _MICROSECOND}u"


def _reason(body: bytes) -> str:
    try:
        content = json.loads(body)
    except ValueError:
        return body.decode(errors="replace").strip()[:300]
    return str(content.get("error") or content.get("message") or content)
