"""What is sent over one connection: every request is answered in its turn, and half of one is none."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from localcloud import LocalCloud

from .conftest import signed

BUCKET = "connections"
Ask = Callable[..., tuple[int, bytes]]


@pytest.fixture(scope="module")
def port(cloud: LocalCloud) -> int:
    cloud.client("s3").create_bucket(Bucket=BUCKET)
    return int(cloud.endpoint.rpartition(":")[2])


@pytest.fixture
def ask(cloud: LocalCloud, connection: http.client.HTTPConnection) -> Ask:
    """Sends a signed request over the connection: the status of the answer, and its body."""

    def send(method: str, key: str, body: Any = None, **headers: str) -> tuple[int, bytes]:
        connection.request(method, f"/{key}", body, {**signed(cloud, method, f"/{key}"), **headers})
        answer = connection.getresponse()
        return answer.status, answer.read()

    return send


@pytest.fixture
def connection(port: int) -> Iterator[http.client.HTTPConnection]:
    """One that raises where a second would be made."""
    made = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    made.connect()
    made.auto_open = 0
    yield made
    made.close()


def test_one_connection_serves_one_request_after_the_other(ask: Ask) -> None:
    for number in range(3):
        body = bytes([number]) * 100_000
        assert ask("PUT", f"{BUCKET}/{number}", body)[0] == 200
        assert ask("GET", f"{BUCKET}/{number}") == (200, body)


def test_a_request_that_is_refused_leaves_nothing_of_it_to_the_next(ask: Ask) -> None:
    assert ask("PUT", "no-such-bucket/key", b"x" * 1_000_000)[0] == 404
    assert ask("PUT", f"{BUCKET}/after", b"well")[0] == 200
    assert ask("GET", f"{BUCKET}/after") == (200, b"well")


def test_an_answer_without_a_body_does_not_hold_up_the_next(ask: Ask) -> None:
    assert ask("PUT", f"{BUCKET}/short", b"content")[0] == 200
    assert ask("HEAD", f"{BUCKET}/short") == (200, b"")
    assert ask("DELETE", f"{BUCKET}/short") == (204, b"")
    assert ask("HEAD", f"{BUCKET}/short") == (404, b"")


def test_a_body_may_come_in_chunks(ask: Ask) -> None:
    assert ask("PUT", f"{BUCKET}/chunks", iter([b"one ", b"two ", b"three"]))[0] == 200
    assert ask("GET", f"{BUCKET}/chunks") == (200, b"one two three")


def head(cloud: LocalCloud, key: str, **headers: str) -> bytes:
    """The head of a signed request that puts an object."""
    lines = {**signed(cloud, "PUT", f"/{BUCKET}/{key}"), **headers}
    text = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"PUT /{BUCKET}/{key} HTTP/1.1\r\n{text}\r\n".encode()


def test_a_client_that_waits_for_the_word_to_go_on_gets_it(cloud: LocalCloud, port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
        client.sendall(head(cloud, "waiting", **{"Content-Length": "4", "Expect": "100-continue"}))
        assert client.recv(1000).startswith(b"HTTP/1.1 100 Continue\r\n")
        client.sendall(b"body")
        assert client.recv(1000).startswith(b"HTTP/1.1 200 ")


def test_an_upload_that_breaks_off_leaves_no_object(cloud: LocalCloud, port: int, eventually: Any) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
        client.sendall(head(cloud, "broken", **{"Content-Length": "1000"}) + b"half of it")
        client.shutdown(socket.SHUT_WR)
        assert eventually(lambda: client.recv(1000) == b"")  # no answer, and the connection is closed
    assert "broken" not in [each["Key"] for each in cloud.client("s3").list_objects_v2(Bucket=BUCKET)["Contents"]]


def test_who_wants_no_second_answer_gets_the_connection_closed(ask: Ask) -> None:
    assert ask("GET", BUCKET, None, Connection="close")[0] == 200
    with pytest.raises(http.client.NotConnected):
        ask("GET", BUCKET)
