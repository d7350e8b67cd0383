"""Every HTTP server of the local cloud, asked as browsers and their pages ask."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Callable, Iterator

import pytest

from localcloud import LocalCloud
from localcloud.cloud import processes
from localcloud.services.neptune import behaviour as neptune
from localcloud.services.opensearch import behaviour as opensearch
from localcloud.services.timestreaminfluxdb import behaviour as influxdb

STARTS: dict[str, Callable[..., tuple[object, int]]] = {
    "OpenSearch": opensearch.start,
    "Neptune": neptune.start,
    "InfluxDB": lambda folder: influxdb.start(folder, username="admin", password="long secret", bucket="first")[:2],  # noqa: S106
}
#: What each answers to anybody, and how.
QUESTIONS = {
    "AWS": ("GET", "/moto-api/hosts/none/latest/meta-data/spot/instance-action", 401),
    "OpenSearch": ("GET", "/_cluster/health", 200),
    "Neptune": ("GET", "/status", 200),
    "InfluxDB": ("GET", "/ping", 204),
}


@pytest.fixture(scope="module", params=QUESTIONS)
def server(
    request: pytest.FixtureRequest, cloud: LocalCloud, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, int]]:
    """The name of a server, and its port."""
    if request.param == "AWS":
        yield request.param, int(cloud.endpoint.rpartition(":")[2])
        return
    process, port = STARTS[request.param](tmp_path_factory.mktemp("engine"))
    yield request.param, port
    processes.end(process)  # type: ignore[arg-type]


def ask(server: tuple[str, int], method: str = "", **headers: str) -> tuple[int, http.client.HTTPMessage, bytes]:
    name, port = server
    usual, path, _ = QUESTIONS[name]
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method or usual, path, None, {key.replace("_", "-"): value for key, value in headers.items()})
    answer = connection.getresponse()
    result = answer.status, answer.headers, answer.read()
    connection.close()
    return result


def test_programs_are_answered(server: tuple[str, int]) -> None:
    assert ask(server)[0] == QUESTIONS[server[0]][2]


def test_its_own_pages_and_the_address_bar_are_answered(server: tuple[str, int]) -> None:
    name, port = server
    for headers in (
        {"Host": f"localhost:{port}", "Origin": f"http://localhost:{port}", "Sec_Fetch_Site": "same-origin"},
        {"Host": "name.localhost"},
        {"Sec_Fetch_Site": "none"},
    ):
        assert ask(server, **headers)[0] == QUESTIONS[name][2]


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "localhost.evil.example"},
        {"Host": "0.0.0.0"},  # noqa: S104 - a header
        {"Origin": "http://evil.example"},
        {"Origin": "http://localhost:1"},
        {"Origin": "null"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Origin": "http://evil.example", "Connection": "Upgrade", "Upgrade": "websocket"},
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_other_pages_are_refused_and_may_read_nothing(
    server: tuple[str, int], method: str, headers: dict[str, str]
) -> None:
    status, answered, body = ask(server, method, **headers)
    assert status == 403
    assert [name for name in answered if name.lower().startswith("access-control-")] == []
    assert body.startswith((b"The host", b"The origin", b"A browser"))


def test_a_preflight_gets_no_permission(server: tuple[str, int]) -> None:
    wish = {"Access_Control_Request_Method": "POST", "Access_Control_Request_Headers": "authorization"}
    for origin in ({}, {"Origin": "http://evil.example"}):
        _, answered, _ = ask(server, "OPTIONS", **wish, **origin)
        assert [name for name in answered if name.lower().startswith("access-control-")] == []


@pytest.mark.parametrize(
    "head",
    [
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
        "GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 4\r\n\r\nbody",
    ],
)
def test_a_request_that_hides_its_host_is_refused_and_ends_the_connection(server: tuple[str, int], head: str) -> None:
    with socket.create_connection(("127.0.0.1", server[1]), timeout=60) as client:
        client.sendall(head.encode())
        answer = b"".join(iter(lambda: client.recv(10_000), b""))
    assert b" 403 " in answer.partition(b"\r\n")[0]
