"""InfluxDB over the network: certificates, wrong passwords, a busy or missing server."""

from __future__ import annotations

import http.server
import subprocess
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from contract.errors import InputError, UnavailableError
from contract.timeseries import address
from localcloud.cloud import processes
from localcloud.cloud.certificates import Certificate, issue
from localcloud.engines.influxdb.influxd import LISTENING
from localcloud.services.timestreaminfluxdb import behaviour as influxdb
from workloads.timeseries.influxdb import InfluxDB
from workloads.timeseries.row import Row
from workloads.timeseries.schema import Schema

from .conftest import ACCESS

ROWS = [Row(2, time.time_ns() // 1000, ("web-1", "web"), (1.0, 2.0, 3.0, 200), "text")]


class Access(NamedTuple):
    """How to reach a running InfluxDB."""

    url: str
    token: str

    def store(self, database: str = "devops", **options: Any) -> InfluxDB:
        return InfluxDB(self.url, database, **{"token": self.token} | options)


@pytest.fixture(scope="module")
def access(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Access]:
    process, port, token = influxdb.start(tmp_path_factory.mktemp("influxdb"), **ACCESS, bucket="devops")
    yield Access(f"http://localhost:{port}", token)
    processes.end(process)


def test_plain_http_is_for_this_machine_only() -> None:
    with pytest.raises(InputError, match="reached by https only, so that nobody can read along"):
        InfluxDB("http://metrics.example.com:8086", "devops")
    assert (
        address("abc.timestream-influxdb.us-east-1.on.aws") == "https://abc.timestream-influxdb.us-east-1.on.aws:8086"
    )
    assert address("localhost:1234") == "http://localhost:1234"


def test_a_token_that_is_not_valid_is_named(access: Access) -> None:
    for ask in (lambda store: store.write(ROWS, 1), lambda store: store.describe()):
        with pytest.raises(InputError, match=r"InfluxDB \(401\) refuses .*Rotate the token of the stack"):
            ask(access.store(token="wrong"))  # noqa: S106


def test_a_database_that_is_not_there_is_named(access: Access) -> None:
    with pytest.raises(InputError, match=r"InfluxDB \(404\) refuses .*no dbrp mapping found"):
        access.store("nowhere").write(ROWS, 1)
    with pytest.raises(InputError, match="database not found: nowhere"):
        access.store("nowhere").describe()


def test_a_server_that_is_away_is_tried_again_and_then_named(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr("tenacity.nap.time.sleep", waits.append)
    with pytest.raises(UnavailableError, match="InfluxDB cannot be reached"):
        InfluxDB("http://localhost:9", "devops", attempts=4).write(ROWS, 1)
    assert len(waits) == 3


def test_a_row_is_where_its_time_says(access: Access) -> None:
    """InfluxDB 2 takes a precision that it does not know, such as u, for nanoseconds: without an error, in 1970."""
    store = access.store(measurement="moments")
    assert store.write(ROWS, 1).rows == 1
    assert store.describe().newest == datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=ROWS[0].time)


def test_a_dimension_with_a_line_break_is_refused_and_begins_no_other_point(access: Access) -> None:
    store = access.store(measurement="attacked")
    bad = ROWS[0]._replace(dimensions=("web-1", "web CPU_Usage=1\nother,x=1"))
    written = store.write([bad, *ROWS], 1)
    assert (written.rows, [row for row, _ in written.rejected]) == (1, [bad])
    assert "Application_Name: InfluxDB cannot hold a line break" in written.rejected[0][1]
    measurements = [row["name"] for row in store.rows("SHOW MEASUREMENTS")]
    assert "attacked" in measurements
    assert "other" not in measurements


TEXTS = ["two\nlines", 'other,x=1 y=1 "', "\\", 'a\\"b\n', "\r\n", "\t\x00", " ", ",=", "\\\nother x=1"]


def test_any_text_of_a_measure_comes_back_as_it_was(access: Access) -> None:
    schema = Schema(dimensions=("host",), measures={"note": "VARCHAR"})
    store = access.store(measurement="texts", schema=schema)
    rows = [Row(number, ROWS[0].time + number, ("web-1",), (text,), "") for number, text in enumerate(TEXTS)]
    assert store.write(rows, 1).rows == len(TEXTS)
    assert [row["note"] for row in store.rows('SELECT "note" FROM "texts"')] == TEXTS


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    """Answers with the given statuses, one after the other, then 204; and the authorizations and bodies it saw."""
    statuses, seen = list(request.param), []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            seen.append((self.headers["Authorization"], body))
            self.answer(statuses.pop(0) if statuses else 204)

        def do_GET(self) -> None:
            self.answer(204)

        def answer(self, status: int) -> None:
            self.send_response(status)
            self.send_header("X-Influxdb-Version", "v2.7.12")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://localhost:{running.server_port}", seen
        running.shutdown()


@pytest.mark.parametrize("server", [(429, 503, 204)], indirect=True)
def test_a_busy_server_is_asked_again_with_growing_random_waits(
    server: tuple[str, list[tuple[str, bytes]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr("tenacity.nap.time.sleep", waits.append)
    url, seen = server
    assert InfluxDB(url, "devops", token="abc").write(ROWS, 1).rows == 1  # noqa: S106
    assert [authorization for authorization, _ in seen] == ["Token abc"] * 3
    assert len(waits) == 2


@pytest.mark.parametrize("server", [(413, 413)], indirect=True)
def test_a_request_that_is_too_large_is_halved_until_one_row_is(server: tuple[str, list[tuple[str, bytes]]]) -> None:
    rows = [ROWS[0]._replace(line=number, time=ROWS[0].time + number) for number in range(3)]
    written = InfluxDB(server[0], "devops").write(rows, 1)
    assert (written.rows, written.requests) == (2, 3)
    assert [row.line for row, _ in written.rejected] == [0]


@pytest.mark.parametrize("server", [()], indirect=True)
def test_requests_stay_below_what_influxdb_takes(server: tuple[str, list[tuple[str, bytes]]]) -> None:
    schema = Schema(dimensions=("host",), measures={f"note_{number}": "VARCHAR" for number in range(100)})
    rows = [Row(number, ROWS[0].time + number, ("web-1",), ("x" * 2000,) * 100, "") for number in range(100)]
    assert InfluxDB(server[0], "devops", schema=schema).write(rows, 1).rows == 100
    bodies = [body for _, body in server[1]]
    assert len(bodies) == 5
    assert max(map(len, bodies)) < 5_000_000
    assert sum(body.count(b"\n") for body in bodies) == 100


def test_certificates_are_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = issue(tmp_path, tmp_path)
    log = tmp_path / "influxd.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [influxdb.find("influxd"), "run"], env=influxdb.settings(tmp_path) | _https(certificate), stderr=output
        )
    try:
        while not (listening := LISTENING.search(log.read_text())):
            assert process.poll() is None
            time.sleep(0.05)
        url = f"https://{listening[1]}"
        with pytest.raises(InputError, match="The certificate of InfluxDB is not trusted"):
            InfluxDB(url, "devops").describe()
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate.authority))
        with pytest.raises(InputError, match="database not found"):  # so it was let in
            InfluxDB(url, "devops").describe()
    finally:
        process.terminate()
        process.wait()


def _https(certificate: Certificate) -> dict[str, str]:
    return {
        "INFLUXDB_HTTP_AUTH_ENABLED": "false",
        "INFLUXDB_HTTP_HTTPS_ENABLED": "true",
        "INFLUXDB_HTTP_HTTPS_CERTIFICATE": str(certificate.certificate),
        "INFLUXDB_HTTP_HTTPS_PRIVATE_KEY": str(certificate.key),
    }
