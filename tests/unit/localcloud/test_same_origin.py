"""Which requests the local cloud's servers answer, by what browsers say of them."""

from __future__ import annotations

import re
from email.message import Message
from pathlib import Path

import pytest

import groundwork
import localcloud
from localcloud.access.same_origin import refusal
from localcloud.engines import front


def headers(**values: str) -> Message:
    message = Message()
    for name, value in ({"Host": "localhost:5000"} | values).items():
        message[name.replace("_", "-")] = value
    return message


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST:5000",
        "127.0.0.1:5000",
        "127.8.9.10",
        "[::1]:5000",
        "bucket.localhost:5000",
        "my.bucket_1.s3.us-east-1.localhost",
        "123456789012.s3-control.localhost:5000",
    ],
)
def test_this_machine_has_names_and_loopback_addresses(host: str) -> None:
    assert refusal("/", headers(Host=host)) is None


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example",
        "evil.example:5000",
        "localhost.evil.example",
        "evil-localhost",
        "127.0.0.1.evil.example",
        "127.0.0.1@evil.example",
        "localhost:5000, evil.example",
        "localhost:evil",
        "0.0.0.0",  # noqa: S104 - a header
        "10.0.0.1",
        "128.0.0.1",
        "[::]",
        "host.docker.internal:5000",
        "s3.amazonaws.com",
        "169.254.169.254",
        "localhost\N{LATIN SMALL LETTER DOTLESS I}.localhost",
    ],
)
def test_other_hosts_are_refused_as_they_may_lead_here_by_rebinding(host: str) -> None:
    assert "is not this machine" in (refusal("/", headers(Host=host)) or "")


def test_a_request_names_its_host_once() -> None:
    none, two = headers(), headers()
    del none["Host"]
    two["Host"] = "localhost:5000"
    assert refusal("/", none)
    assert refusal("/", two)


def test_it_is_no_proxy() -> None:
    assert "not a path" in (refusal("http://evil.example/", headers()) or "")
    assert refusal("*", headers()) is None


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "http://localhost",
        "http://localhost:3000",
        "http://127.0.0.1:5000",
        "http://bucket.localhost:5000",
        "http://localhost:5000.evil.example",
        "null",
        "file://",
        "chrome-extension://abc",
        "",
    ],
)
def test_other_origins_are_refused(origin: str) -> None:
    assert "is not this server's" in (refusal("/", headers(Origin=origin)) or "")


def test_its_own_origin_is_answered() -> None:
    assert refusal("/", headers(Origin="http://localhost:5000")) is None
    assert refusal("/", headers(Origin="https://127.0.0.1:7", Host="127.0.0.1:7")) is None


@pytest.mark.parametrize("site", ["cross-site", "same-site", "CROSS-SITE", "what-may-come", ""])
def test_requests_for_other_sites_pages_are_refused(site: str) -> None:
    assert "for another web page" in (refusal("/", headers(Sec_Fetch_Site=site)) or "")


@pytest.mark.parametrize("site", ["same-origin", "none"])
def test_its_own_pages_and_the_address_bar_are_answered(site: str) -> None:
    assert refusal("/", headers(Sec_Fetch_Site=site)) is None


def test_of_a_header_that_comes_twice_neither_may_be_foreign() -> None:
    twice = headers(Origin="http://localhost:5000", Sec_Fetch_Site="none")
    twice["Origin"] = "http://evil.example"
    assert refusal("/", twice)


def test_every_server_keeps_the_rule() -> None:
    modules = [path for package in (localcloud, groundwork) for path in Path(package.__path__[0]).rglob("*.py")]
    handlers = re.compile(r"\b(?:Base|Simple|CGI)HTTPRequestHandler\b|\bWSGIRequestHandler\b|\bsimple_server\b")
    direct = [path.name for path in modules if handlers.search(path.read_text())]
    assert direct == ["same_origin.py"], "all others derive their handlers from SameOriginHandler"


def test_what_is_behind_a_server_has_an_address_that_nobody_guesses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    addresses = {front.loopback_address() for _ in range(50)}
    assert len(addresses) > 40
    assert all(refusal("/", headers(Host=address)) is None for address in addresses)
    monkeypatch.setattr("sys.platform", "darwin")
    assert front.loopback_address() == "127.0.0.1"
