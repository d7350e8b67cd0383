"""What visitors who mean harm may send: forged headers, half of a request, requests that must not be remembered."""

from __future__ import annotations

import http.client
import http.server
import json
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from http import HTTPStatus
from pathlib import Path

import pytest

from groundwork.site import SERVER_FILES, Site
from localcloud import LocalCloud
from localcloud.cloud import processes
from localcloud.engines.apache import Apache

from .conftest import get

HALF_OPEN = 600
IDLE_SECONDS = 60  # for which a load balancer keeps a connection that nobody uses
SLOW = 40  # more than the application has threads
LARGEST_FORM = int((SERVER_FILES / "site.conf").read_text().partition("LimitRequestBody ")[2].split()[0])
PAGE = 60_000  # octets, more than any page of the site has


def ask(port: int, *lines: str) -> tuple[int, dict[str, str], str]:
    """Send a request of exactly these lines; the status, headers and body of its answer."""
    data = exchange(port, "\r\n".join([*lines, "Connection: close", "", ""]).encode("latin-1"))
    head, _, body = data.decode("latin-1").partition("\r\n\r\n")
    status, *headers = head.split("\r\n")
    return int(status.split()[1]), dict(line.split(": ", 1) for line in headers), body


def exchange(port: int, data: bytes) -> bytes:
    """Send some octets, and read until the server hangs up."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(data)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def port_of(url: str) -> int:
    return int(url.rsplit(":", 1)[1])


# Forged headers


@pytest.mark.parametrize("name", ["SCRIPT_NAME", "Script_Name", "PATH_INFO", "REMOTE_USER", "X-Forwarded-Prefix"])
@pytest.mark.parametrize("value", ["/rentals", "/x", "//evil.example", "/", ""])
def test_no_header_moves_the_site_elsewhere(served: Site, name: str, value: str) -> None:
    status, headers, _ = ask(port_of(served.url), "GET /rentals HTTP/1.1", "Host: localhost", f"{name}: {value}")
    assert (status, headers["Location"]) == (303, "/sign-in?next=/rentals")


@pytest.mark.parametrize("name", ["SCRIPT_NAME", "PATH_INFO", "REMOTE_USER", "X_FORWARDED_FOR", "X_FORWARDED_PROTO"])
def test_gunicorn_takes_no_variable_from_a_header_even_without_apache(served: Site, name: str) -> None:
    listening = re.search(r"Listening at: http://[\d.]+:(\d+)", (served.logs / "gunicorn.log").read_text())
    assert listening
    lines = ("GET /rentals HTTP/1.1", "Host: localhost", f"{name}: https", "X-Forwarded-Ssl: on")
    status, headers, _ = ask(int(listening[1]), *lines)
    assert (status, headers["Location"]) == (303, "/sign-in?next=/rentals")
    assert "Strict-Transport-Security" not in headers


@pytest.mark.parametrize(
    "path", ["/rentals", "//rentals", "/rentals?x=//evil.example", "//evil.example/..", "/rentals/"]
)
def test_no_answer_leads_to_the_host_that_a_visitor_names(served: Site, path: str) -> None:
    lines = (
        f"GET {path} HTTP/1.1",
        "Host: evil.example",
        "X-Forwarded-Host: evil.example",
        "Forwarded: host=evil.example",
    )
    status, headers, body = ask(port_of(served.url), *lines)
    assert status in {200, 303, 400, 403, 404}
    assert "evil.example" not in headers.get("Location", "")
    assert "evil.example" not in body


@pytest.mark.parametrize(
    "host", ["a b", "[::1", "a_b", "a,b", "x:99999", "", "../", "evil.example:80@x", "ü", "x" * 300]
)
def test_an_odd_host_is_no_server_error(served: Site, host: str) -> None:
    status, _, _ = ask(port_of(served.url), "GET / HTTP/1.1", f"Host: {host}")
    assert status in {200, 400, 403}


def test_http_leads_to_https_on_the_sites_own_name(front: Callable[..., Apache]) -> None:
    port = front(HTTPS_ONLY="", SITE_NAME="films.example").port
    for host in ("films.example", "evil.example"):
        status, headers, _ = ask(port, "GET /films?page=2 HTTP/1.1", f"Host: {host}")
        assert (status, headers["Location"]) == (308, "https://films.example/films?page=2")
    status, headers, _ = ask(port, "GET /%0d%0aX-Injected:%20yes HTTP/1.1", "Host: a")
    assert "X-Injected" not in headers


def told(port: int, *lines: str) -> dict[str, str]:
    """What the application is told of a request; it echoes its headers."""
    body = ask(port, "GET / HTTP/1.1", "Host: a", *lines)[2]
    return dict(re.findall(r"^([\w-]+): (.*?)\r?$", body, re.MULTILINE))


@pytest.mark.parametrize(
    "lie",
    [
        "X-Forwarded-For: 6.6.6.6",
        'X-Forwarded-For: "6.6.6.6',  # a list whose quote never ends would swallow what is added
        "X-Forwarded-Proto: https",
        "X-Forwarded-Proto: https, https",
        "SCRIPT_NAME: /x",
        "PATH_INFO: /x",
        "REMOTE_USER: admin",
    ],
)
def test_the_application_hears_about_visitors_from_apache_only(front: Callable[..., Apache], lie: str) -> None:
    heard = told(front().port, lie)
    assert (heard["X-Forwarded-For"], heard["X-Forwarded-Proto"]) == ("127.0.0.1", "http")
    assert not [name for name in heard if "_" in name]


@pytest.mark.parametrize("names", ["X-Forwarded-For", "close, x-forwarded-proto", "X-Forwarded-For, X-Forwarded-Proto"])
def test_a_visitor_cannot_have_these_headers_removed_on_the_way(front: Callable[..., Apache], names: str) -> None:
    heard = told(front().port, f"Connection: {names}")
    assert (heard["X-Forwarded-For"], heard["X-Forwarded-Proto"]) == ("127.0.0.1", "http")


def test_a_load_balancers_word_counts_and_what_the_visitor_put_before_it_does_not(front: Callable[..., Apache]) -> None:
    heard = told(
        front(TRUSTED_PROXY="127.0.0.0/8").port, 'X-Forwarded-For: "6.6.6.6, 203.0.113.9', "X-Forwarded-Proto: https"
    )
    assert (heard["X-Forwarded-For"], heard["X-Forwarded-Proto"]) == ("203.0.113.9", "https")


def test_a_load_balancer_may_keep_its_connections(front: Callable[..., Apache]) -> None:
    server = front(TRUSTED_PROXY="127.0.0.0/8")
    with closing(http.client.HTTPConnection("localhost", server.port, timeout=30)) as connection:
        connection.request("GET", "/", headers={"Connection": "keep-alive"})
        kept = connection.getresponse().headers["Keep-Alive"]
    assert int(kept.partition("timeout=")[2].partition(",")[0]) > IDLE_SECONDS


def test_who_is_not_the_load_balancer_is_not_believed(front: Callable[..., Apache]) -> None:
    heard = told(front(TRUSTED_PROXY="10.0.0.0/16").port, "X-Forwarded-For: 203.0.113.9", "X-Forwarded-Proto: https")
    assert (heard["X-Forwarded-For"], heard["X-Forwarded-Proto"]) == ("127.0.0.1", "http")


@pytest.mark.parametrize(
    "path",
    [
        "/../../../etc/passwd",
        "/..%2f..%2fetc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/.%2e/.%2e/etc/passwd",
        "/assets/%2e%2e/%2e%2e/settings.py",
        "/assets/..%2f..%2fsettings.py",
        "/assets/static/..%5c..%5csettings.py",
        "/unavailable.html/../site.conf",
        "/unavailable.html/%2e%2e/site.conf",
        "/unavailable.html/site.conf",
        "/site.conf",
        "/unavailable.html%00",
        "/films/1%00",
        "/%ff%fe",
        "/films/%D9%A1",
        "/%zz",
        "/server-status",
        "/.git/config",
    ],
)
def test_no_path_leads_out_of_the_site(served: Site, path: str) -> None:
    status, _, body = ask(port_of(served.url), f"GET {path} HTTP/1.1", "Host: a")
    assert status in {400, 403, 404}
    assert not re.search("root:|ServerName|RequestReadTimeout|SECRET_KEY", body)


# Slow and silent clients


@pytest.fixture
def patient(tmp_path: Path) -> Path:
    """The site's configuration without its timeouts: what remains has to bear clients who never finish."""
    changes = {"RequestReadTimeout": "header=0 body=0", "Timeout": "600"}
    text = (SERVER_FILES / "site.conf").read_text()
    for directive, arguments in changes.items():
        text, count = re.subn(f"^{directive} .*$", f"{directive} {arguments}", text, flags=re.MULTILINE)
        assert count == 1
    copy = tmp_path / "patient.conf"
    copy.write_text(text)
    return copy


def open_many(stack: ExitStack, port: int, count: int, data: bytes) -> list[socket.socket]:
    """Connections that have sent something and are waiting."""
    made = [stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=60)) for _ in range(count)]
    for connection in made:
        connection.sendall(data)
    return made


@pytest.mark.parametrize("secure", [False, True], ids=["requests", "handshakes"])
def test_many_who_do_not_finish_leave_room_for_visitors(
    cloud: LocalCloud, front: Callable[..., Apache], patient: Path, secure: bool
) -> None:
    server = front(patient)
    with ExitStack() as stack:
        if secure:
            open_many(stack, server.secure_port, HALF_OPEN, b"\x16\x03\x01")
            assert get(f"https://localhost:{server.secure_port}/", cloud.certificate_authority).status == HTTPStatus.OK
        else:
            open_many(stack, server.port, HALF_OPEN, b"GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ")
            assert get(f"http://localhost:{server.port}/").status == HTTPStatus.OK


class OneAtATime(http.server.BaseHTTPRequestHandler):
    """An application that reads a whole request, and sends a whole page, before it looks at another."""

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.send_response(HTTPStatus.OK)
        self.end_headers()
        self.wfile.write(b"x" * PAGE)

    do_POST = do_GET  # noqa: N815 - http.server's word

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def one_at_a_time() -> Iterator[str]:
    with http.server.HTTPServer(("127.0.0.1", 0), OneAtATime) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize(
    "headers",
    [
        "Content-Length: 300\r\n\r\nhalf of",
        "Content-Length: 300\r\nExpect: 100-continue\r\n\r\n",
        f"Content-Length: {LARGEST_FORM}\r\n\r\n" + "x" * (LARGEST_FORM - 1),
        "Transfer-Encoding: chunked\r\n\r\n12c\r\nhalf of",
    ],
    ids=["length", "expect", "last octet", "chunks"],
)
def test_the_application_never_waits_for_a_form_that_is_still_being_sent(
    front: Callable[..., Apache], patient: Path, one_at_a_time: str, headers: str
) -> None:
    server = front(patient, APPLICATION=one_at_a_time)
    with ExitStack() as stack:
        open_many(stack, server.port, SLOW, f"POST /sign-in HTTP/1.1\r\nHost: a\r\n{headers}".encode())
        assert get(f"http://localhost:{server.port}/").status == HTTPStatus.OK


def test_nobody_waits_for_visitors_who_do_not_take_their_page(
    front: Callable[..., Apache], patient: Path, one_at_a_time: str
) -> None:
    server = front(patient, APPLICATION=one_at_a_time)
    with ExitStack() as stack:
        open_many(stack, server.port, HALF_OPEN, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert get(f"http://localhost:{server.port}/").status == HTTPStatus.OK


@pytest.mark.parametrize(
    "sent", ["GET / HTTP/1.1\r\nHost: a\r\n", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx"]
)
def test_whoever_does_not_finish_a_request_is_sent_away(front: Callable[..., Apache], sent: str) -> None:
    assert exchange(front().port, sent.encode()).startswith(b"HTTP/1.1 408 ")


def test_whoever_does_not_finish_the_tls_handshake_is_sent_away(front: Callable[..., Apache]) -> None:
    assert exchange(front().secure_port, b"\x16\x03\x01") == b""


# Logs


VISITOR = "127.0.0.77"  # another address of this machine, which no server has
WORDS = "cancer-treatment"
WAYS = [  # what goes through, what the application refuses, what gunicorn refuses, and what Apache refuses
    f"GET /?q={WORDS} HTTP/1.1\r\nHost: localhost",
    f"GET /{WORDS} HTTP/1.1\r\nHost: localhost",
    f"GET /?page={WORDS} HTTP/1.1\r\nHost: localhost\r\nReferer: http://a/?q={WORDS}",
    f"GET / HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: {WORDS}\r\nUser-Agent: {WORDS}\r\nCookie: session={WORDS}",
    f"POST /sign-in HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(WORDS) + 10}\r\n\r\nlast_name={WORDS}",
    f"{WORDS} / HTTP/1.1\r\nHost: localhost",
    f"GET /?q={WORDS} HTTP/3.0\r\nHost: localhost",
    f"GET /?q={WORDS}%zz{WORDS}\x01 HTTP/1.1\r\nHost: localhost",
    f"GET /%zz?q={WORDS} HTTP/1.1\r\nHost: localhost",
    f"GET /../{WORDS} HTTP/1.1\r\nHost: localhost",
    f"GET /unavailable.html/{WORDS} HTTP/1.1\r\nHost: localhost",
    f"GET /unavailable.html%00{WORDS} HTTP/1.1\r\nHost: localhost",
    f"GET /{WORDS}%2f HTTP/1.1\r\nHost: localhost",
    f"GET /?q={WORDS * 200} HTTP/1.1\r\nHost: localhost",
    f"GET / HTTP/1.1\r\nHost: localhost\r\n{WORDS}: {'x' * 9000}",
    f"GET / HTTP/1.1\r\nHost: localhost\r\n{WORDS}",
    f"GET / HTTP/1.1\r\nHost: {WORDS} x",
    f"TRACE /{WORDS} HTTP/1.1\r\nHost: localhost",
    f"POST /{WORDS} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n",  # and nothing more: Apache waits
    f"POST /{WORDS} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n{WORDS}\r\n",
    f"GET /{WORDS} HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
]


def visit(port: int, request: str) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=60, source_address=(VISITOR, 0)) as connection:
        connection.sendall(
            request.encode("latin-1") + (b"" if request.endswith((": ", "\n")) else b"\r\nConnection: close\r\n\r\n")
        )
        return b"".join(iter(lambda: connection.recv(65536), b""))


def quoted(folder: Path) -> list[str]:
    """Lines of all logs that tell who asked, or for what."""
    lines = [line for file in folder.rglob("*.log") for line in file.read_text(errors="replace").splitlines()]
    assert lines
    return [line for line in lines if re.search(f"{re.escape(VISITOR)}|{WORDS}", line, re.IGNORECASE)]


def test_no_log_tells_who_asked_or_for_what(served: Site) -> None:
    for way in WAYS:
        assert visit(port_of(served.url), way).startswith(b"HTTP/1."), way
    lines = [json.loads(line) for line in (served.logs / "apache" / "access.log").read_text().splitlines()]
    assert {"time", "status", "bytes", "milliseconds", "request_id"} == set(lines[-1])
    assert {200, 400, 404, 408, 414} <= {line["status"] for line in lines}
    assert quoted(served.logs) == []


def test_no_message_of_apache_carries_the_visitors_address_and_referrer(
    front: Callable[..., Apache], tmp_path: Path
) -> None:
    talkative = tmp_path / "talkative.conf"
    talkative.write_text((SERVER_FILES / "site.conf").read_text().replace("LogLevel crit", "LogLevel error"))
    visit(front(talkative).port, f"GET /%zz HTTP/1.1\r\nHost: a\r\nReferer: http://a/{WORDS}")
    assert "/%zz" in (tmp_path / "apache.log").read_text()
    assert quoted(tmp_path) == []


class Dying(http.server.BaseHTTPRequestHandler):
    """An application that ends in the middle of an answer."""

    def do_GET(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-" if "half" in self.path else b"")

    do_POST = do_GET  # noqa: N815 - http.server's word

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_no_log_tells_whose_request_failed_while_the_application_was_away(
    front: Callable[..., Apache], tmp_path: Path
) -> None:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Dying) as application:
        threading.Thread(target=application.serve_forever, daemon=True).start()
        ports = [application.server_port, processes.free_port()]
        for port in ports:
            server = front(APPLICATION=f"127.0.0.1:{port}")
            for path in (f"/half/{WORDS}?q={WORDS}", f"/{WORDS}?q={WORDS}"):
                answer = visit(server.port, f"GET {path} HTTP/1.1\r\nHost: a\r\nReferer: http://a/{WORDS}")
                assert re.match(rb"HTTP/1.1 50[23] ", answer)
            visit(server.port, f"POST /{WORDS} HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n")
            server.stop()
        application.shutdown()
    assert quoted(tmp_path) == []


def test_a_foreign_name_in_the_tls_handshake_is_not_logged(
    cloud: LocalCloud, front: Callable[..., Apache], tmp_path: Path
) -> None:
    context = ssl.create_default_context(cafile=cloud.certificate_authority)
    context.check_hostname = False
    port = front().secure_port
    for name in (f"{WORDS}.example", "localhost"):
        with (
            socket.create_connection(("127.0.0.1", port), source_address=(VISITOR, 0)) as plain,
            context.wrap_socket(plain, server_hostname=name) as connection,
        ):
            connection.sendall(f"GET /{WORDS} HTTP/1.1\r\nHost: {WORDS}.example\r\nConnection: close\r\n\r\n".encode())
            assert b"".join(iter(lambda: connection.recv(65536), b"")).startswith(b"HTTP/1.1 ")
    assert quoted(tmp_path) == []
