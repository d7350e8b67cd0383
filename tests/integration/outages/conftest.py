"""Services that are out of order, each in its own way, behind the endpoints that the workloads use."""

from __future__ import annotations

import functools
import json
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal

import pytest
import trustme
from botocore.retries.bucket import TokenBucket

from workloads import storage
from workloads.__main__ import main

Weather = Literal["fine", "closed", "hangs up", "throttled", "fails", "denied", "missing"]
OUTAGES: tuple[Weather, ...] = ("closed", "hangs up", "throttled", "fails")
REFUSALS: tuple[Weather, ...] = ("denied", "missing")
Answer = tuple[int, str]  # an HTTP status and a code, or a number or SQLSTATE of a database and its words
PASSWORD = "secret-password"  # noqa: S105 - of databases that are none

_JSON = {"throttled": (400, "ThrottlingException"), "fails": (500, "InternalServerError")}
_JSON |= {"denied": (400, "AccessDeniedException"), "missing": (400, "ResourceNotFoundException")}
#: What each service answers, where it is not as most others do.
ANSWERS: dict[str, dict[str, Answer]] = {
    "cloudformation": {
        "throttled": (400, "Throttling"),
        "fails": (503, "ServiceUnavailable"),
        "denied": (403, "AccessDenied"),
        "missing": (400, "ValidationError"),
    },
    "secrets_manager": _JSON,
    "dynamodb": {**_JSON, "throttled": (400, "ProvisionedThroughputExceededException")},
    "sqs": {**_JSON, "throttled": (400, "RequestThrottled"), "missing": (400, "QueueDoesNotExist")},
    "s3": {
        "throttled": (503, "SlowDown"),
        "fails": (500, "InternalError"),
        "denied": (403, "AccessDenied"),
        "missing": (404, "NoSuchBucket"),
    },
    "timestream_write": {**_JSON, "throttled": (429, "ThrottlingException")},
    "timestream_query": {**_JSON, "throttled": (429, "ThrottlingException")},
    "neptune": {**_JSON, "throttled": (429, "TooManyRequestsException"), "missing": (400, "InvalidParameterException")},
    "batch": {**_JSON, "throttled": (429, "TooManyRequestsException"), "missing": (400, "ClientException")},
    "bedrock_runtime": {**_JSON, "throttled": (429, "ThrottlingException")},
    "opensearch": {
        "throttled": (429, "rejected_execution_exception"),
        "fails": (503, "cluster_block_exception"),
        "denied": (403, "security_exception"),
        "missing": (404, "index_not_found_exception"),
    },
    "influxdb": {
        "throttled": (429, "too many requests"),
        "fails": (503, "service unavailable"),
        "denied": (401, "authorization failed"),
        "missing": (404, "database not found"),
    },
    "postgresql": {
        "throttled": (53300, "sorry, too many clients already"),
        "fails": (57, "the database system is starting up"),
        "denied": (28, 'password authentication failed for user "u"'),
        "missing": (3, 'database "old" does not exist'),
    },
    "mysql": {
        "throttled": (1040, "Too many connections"),
        "fails": (1053, "Server shutdown in progress"),
        "denied": (1045, "Access denied for user 'u'"),
        "missing": (1049, "Unknown database 'storefront'"),
    },
}
_XML = {"cloudformation": "<ErrorResponse><Error>{}</Error></ErrorResponse>", "s3": "<Error>{}</Error>"}


@functools.cache
def _authority() -> bytes:
    """The certificate of an authority; making one takes a while."""
    return trustme.CA().cert_pem.bytes()


class _Http(BaseHTTPRequestHandler):
    """Answers every request as the weather is."""

    server: HttpService
    protocol_version = "HTTP/1.1"

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except ConnectionError:
            self.close_connection = True

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.server.weather == "hangs up":
            self.close_connection = True
            return
        if self.server.weather == "fine":
            status, code, content = 200, "", self.server.content(self.path, body)
        else:
            status, code = ANSWERS[self.server.name][self.server.weather]
            content = self.server.error(code)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        if code:
            self.send_header("x-amzn-ErrorType", code.replace(" ", "-"))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_POST = do_PUT = do_DELETE = do_HEAD = do_GET  # noqa: N815 - names of the base class

    def log_message(self, *_: object) -> None:
        """Be quiet."""


class HttpService(ThreadingHTTPServer):
    """A service that speaks HTTP."""

    daemon_threads = True

    def __init__(self, name: str, weather: Weather, content: Callable[[str, bytes], bytes]) -> None:
        self.name, self.weather, self.content = name, weather, content
        super().__init__(("127.0.0.1", 0), _Http)

    def error(self, code: str) -> bytes:
        message = f"It is {self.weather}."
        if self.name in _XML:
            return _XML[self.name].format(f"<Code>{code}</Code><Message>{message}</Message>").encode()
        if self.name == "opensearch":
            return json.dumps({"error": {"type": code, "reason": message}}).encode()
        document = {"__type": code, "message": message}
        return json.dumps({"code": "any", "message": code} if self.name == "influxdb" else document).encode()

    def handle_error(self, *_: object) -> None:
        """A client that goes is not an error."""


class DatabaseService:
    """A database that answers the first words of a client as the weather is, and goes."""

    def __init__(self, name: str, weather: Weather) -> None:
        self.name, self.weather = name, weather
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.server_port = self._socket.getsockname()[1]

    def serve_forever(self, _interval: float) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                if self.weather != "hangs up":
                    self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        code, words = ANSWERS[self.name][self.weather]
        if self.name == "mysql":
            packet = b"\xff" + struct.pack("<H", code) + b"#HY000" + words.encode()
            connection.sendall(struct.pack("<I", len(packet))[:3] + b"\0" + packet)
            return
        connection.recv(1024)
        fields = b"SFATAL\0VFATAL\0C00000\0M" + words.encode() + b"\0\0"  # libpq tells no SQLSTATE of a connection
        connection.sendall(b"E" + struct.pack("!I", len(fields) + 4) + fields)
        connection.recv(1)

    def shutdown(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)

    def server_close(self) -> None:
        self._socket.close()


@dataclass
class Services:
    """All services, most of them in order.

    Attributes:
        weathers: How those are that are not in order.
        engine: Which Timestream the stacks have.
        contents: What services answer, where a test says it.
        ports: Where they listen.
        running: The servers of those that answer.
        closed: What keeps the ports of those that do not.
    """

    folder: Path
    weathers: dict[str, Weather]
    engine: Literal["liveanalytics", "influxdb"] = "liveanalytics"
    contents: dict[str, object] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)
    running: list[Any] = field(default_factory=list)
    closed: list[socket.socket] = field(default_factory=list)

    def start(self) -> None:
        for name in ANSWERS:
            weather = self.weathers.get(name, "fine")
            if weather == "closed":
                self.ports[name] = self._unanswered()
                continue
            service: Any = (
                DatabaseService(name, weather)
                if name in {"postgresql", "mysql"}
                else HttpService(name, weather, self._content(name))
            )
            self.ports[name] = service.server_port
            threading.Thread(target=service.serve_forever, args=(0.01,), daemon=True).start()
            self.running.append(service)

    def _unanswered(self) -> int:
        """Keep a port at which nobody listens, so that no other program gets it meanwhile."""
        port = socket.socket()
        port.bind(("127.0.0.1", 0))
        self.closed.append(port)
        return int(port.getsockname()[1])

    def stop(self) -> None:
        for service in self.running:
            service.shutdown()
            service.server_close()
        for port in self.closed:
            port.close()

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.ports[name]}"

    @property
    def postgresql(self) -> str:
        """The address of the old database."""
        return f"postgresql://u:{PASSWORD}@127.0.0.1:{self.ports['postgresql']}/old?sslmode=disable"

    def environment(self) -> dict[str, str]:
        authority = self.folder / "authority.pem"
        authority.write_bytes(_authority())
        return {
            **{f"AWS_ENDPOINT_URL_{name.upper()}": self.url(name) for name in ANSWERS},
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_CONFIG_FILE": "/nonexistent",
            "STOREFRONT_DATABASE_SECRET": "database",
            "STOREFRONT_SESSION_SECRET": "session",
            "STOREFRONT_DATABASE_CA": str(authority),
            "STOREFRONT_BUCKET": "assets",
        }

    def _content(self, name: str) -> Callable[[str, bytes], bytes]:
        if name in self.contents:
            return lambda *_: json.dumps(self.contents[name]).encode()
        contents = {"cloudformation": self._outputs, "secrets_manager": self._secret}
        contents |= dict.fromkeys(("timestream_write", "timestream_query"), self._timestream)
        return contents.get(name, lambda *_: b"{}")

    def _timestream(self, _path: str, body: bytes) -> bytes:
        """Where Timestream is, of which clients ask first; and a table."""
        if "DatabaseName" not in json.loads(body):
            return json.dumps(
                {"Endpoints": [{"Address": self.url("timestream_write"), "CachePeriodInMinutes": 1}]}
            ).encode()
        retention = {"MemoryStoreRetentionPeriodInHours": 1, "MagneticStoreRetentionPeriodInDays": 1}
        return json.dumps({"Table": {"RetentionProperties": retention}}).encode()

    def _outputs(self, _path: str, body: bytes) -> bytes:
        """The outputs of any stack; a film rental company's has PostgreSQL."""
        database = {"DatabaseEndpoint": "127.0.0.1", "DatabasePort": str(self.ports["postgresql"])}
        outputs = {
            **database,
            "MoviesTableName": "movies",
            "DatabaseSecretArn": "ledger" if b"StackName=DataEcosystem" in body else "database",
            "GraphEndpoint": self.url("neptune"),
            "SearchEndpoint": self.url("opensearch"),
            "RentalEventsQueueUrl": f"{self.url('sqs')}/123456789012/events.fifo",
            "Engine": self.engine,
            "Endpoint": self.url("influxdb").removeprefix("http://"),
            "DatabaseName": "metrics",
            "TableName": "rows",
            "SecretArn": "database",
            "SessionSecretArn": "session",
            "AssetsBucketName": "assets",
            "LogGroupName": "",
        }
        members = (
            f"<member><OutputKey>{key}</OutputKey><OutputValue>{value}</OutputValue></member>"
            for key, value in outputs.items()
        )
        stack = f"<member><StackName>Any</StackName><Outputs>{''.join(members)}</Outputs></member>"
        result = f"<DescribeStacksResult><Stacks>{stack}</Stacks></DescribeStacksResult>"
        return f"<DescribeStacksResponse>{result}</DescribeStacksResponse>".encode()

    def _secret(self, _path: str, body: bytes) -> bytes:
        """The secret that is asked for."""
        access = {"username": "u", "password": PASSWORD, "host": "127.0.0.1", "dbname": "storefront", "token": PASSWORD}
        servers = {"database": "mysql", "ledger": "postgresql"}
        server = servers.get(json.loads(body)["SecretId"])
        text = json.dumps({**access, "port": self.ports[server]}) if server else "x" * 64
        return json.dumps({"Name": "any", "SecretString": text}).encode()


@pytest.fixture
def services(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Services]]:
    """Starts the services with some of them out of order, and leads all requests to them."""
    started: list[Services] = []
    monkeypatch.setattr(time, "sleep", lambda _: None)  # retries wait, and tests need not
    monkeypatch.setattr(TokenBucket, "acquire", lambda *_, **__: True)
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "PGSSLROOTCERT", "AWS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)

    def start(weathers: dict[str, Weather], **options: Any) -> Services:
        made = Services(tmp_path, weathers, **options)
        made.start()
        started.append(made)
        for name, value in made.environment().items():
            monkeypatch.setenv(name, value)
        storage.s3.cache_clear()
        return made

    yield start
    storage.s3.cache_clear()
    for made in started:
        made.stop()


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Runs a command line in this process: its exit code, and the one line that it says on standard error."""

    def command(*words: str) -> tuple[int, str]:
        monkeypatch.setattr("sys.argv", ["workloads", *words])
        with pytest.raises(SystemExit) as end:
            main()
        said = capsys.readouterr().err.strip().splitlines()
        assert len(said) == 1, said
        assert PASSWORD not in said[0]
        assert re.match(r"Error: .*\.$", said[0]), said[0]
        return int(end.value.code or 0), said[0]

    return command
