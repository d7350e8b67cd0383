"""Whatever a request holds, the site answers it: what cannot be read or found gets a 4xx, never a server error."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, quote_from_bytes, unquote_to_bytes

import pytest
from flask import Flask
from werkzeug.test import EnvironBuilder, run_wsgi_app

from workloads.storefront.application import LARGEST_BODY

from .conftest import Shop, Visitor

DIGITS = 5000  # more than Python turns into a number
NO_NUMBERS = [
    "-1",
    "+1",
    "1.0",
    "1e3",
    "1_000",
    "0x10",
    "NaN",
    "None",
    "²",
    "\N{ARABIC-INDIC DIGIT ONE}",
    "\N{FULLWIDTH DIGIT ONE}",
    "1\N{DEVANAGARI DIGIT TWO}",
    "2147483648",
    "9223372036854775808",
    "18446744073709551616",
    "0" * 10 + "1" + "9" * 20,
    "0" * DIGITS + "1",
    "9" * DIGITS,
    "1,2",
    "1'--",
    "1\0",
    "\0",
    "1\n",
    "1\r\nX-Injected: yes",
    "\N{CLAPPER BOARD}",
    "a" * 7000,
]
NO_TEXT = [b"\xff", b"1\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80"]
"""Octets that are not UTF-8."""

BAD = [*(quote(text, safe="") for text in NO_NUMBERS), *(quote_from_bytes(octets) for octets in NO_TEXT)]
NOT_THERE = ["0", "2147483647", "000"]


def ask(app: Flask, path: str, query: str = "", method: str = "GET", **options: Any) -> tuple[int, str]:
    """Send a request with this path and query, percent-encoded as a browser would; the status, and where it leads."""
    environ = EnvironBuilder(method=method, **options).get_environ()
    environ |= {"PATH_INFO": unquote_to_bytes(path).decode("latin-1"), "QUERY_STRING": query}
    body, status, headers = run_wsgi_app(app, environ, buffered=True)
    b"".join(body)
    return int(status.split()[0]), headers.get("Location", "")


def short(text: str) -> str:
    return text[:24]


@pytest.mark.parametrize("name", ["page", "category"])
@pytest.mark.parametrize("number", BAD, ids=short)
def test_what_is_no_number_in_the_query_is_a_bad_request(app: Flask, name: str, number: str) -> None:
    assert ask(app, "/", f"{name}={number}") == (400, "")


@pytest.mark.parametrize("path", ["/films/{}", "/films/{}/rentals", "/rentals/{}/return"])
@pytest.mark.parametrize("number", [*BAD, *NOT_THERE, "", "1/2", "1%2f2", "..", "1;2"], ids=short)
def test_what_is_no_number_in_a_path_is_no_page(visitor: Visitor, shop: Shop, path: str, number: str) -> None:
    shop.return_all()
    visitor.sign_in(shop.member())
    address = path.format(number)
    if path == "/films/{}":
        assert ask(visitor.client.application, address)[0] == 404
    else:
        form = {"csrf_token": visitor.token("/sign-in"), "store": "1"}
        assert visitor.client.post(address, data=form).status_code == 404


@pytest.mark.parametrize("number", [*BAD, *NOT_THERE, ""], ids=short)
def test_what_is_no_store_in_a_form_is_refused(visitor: Visitor, shop: Shop, number: str) -> None:
    shop.return_all()
    visitor.sign_in(shop.member())
    film = shop.free_copy().film_id
    form = f"csrf_token={quote(visitor.token('/sign-in'))}&store={number}"
    answer = visitor.client.post(f"/films/{film}/rentals", data=form, content_type="application/x-www-form-urlencoded")
    assert answer.status_code == (404 if number == "2147483647" else 400)


@pytest.mark.parametrize("name", ["page", "category", "q", "available"])
def test_a_parameter_that_is_there_twice_is_a_bad_request(app: Flask, name: str) -> None:
    value = "yes" if name == "available" else "1"
    assert ask(app, "/", f"{name}={value}")[0] == 200
    assert ask(app, "/", f"{name}={value}&{name}={value}")[0] == 400
    assert ask(app, "/sign-in", "next=/&next=/rentals")[0] == 400


@pytest.mark.parametrize("name", ["card_number", "last_name", "next", "store"])
def test_a_field_that_is_there_twice_is_a_bad_request(visitor: Visitor, shop: Shop, name: str) -> None:
    address = "/sign-in"
    if name == "store":
        visitor.sign_in(shop.member())
        address = "/films/1/rentals"
    answer = visitor.client.post(address, data={"csrf_token": visitor.token(), name: ["1", "1"]})
    assert answer.status_code == 400


@pytest.mark.parametrize(
    "text", [*BAD, "%", "%zz", "%25", "_", quote("é" * 100), quote("\N{CLAPPER BOARD}" * 100)], ids=short
)
def test_a_search_for_anything_is_answered(app: Flask, text: str) -> None:
    assert ask(app, "/", f"q={text}")[0] in {200, 400}
    assert ask(app, "/", text)[0] == 200
    assert ask(app, "/", f"{text}=1&available={text}&nothing={text}")[0] == 200


@pytest.mark.parametrize("text", [*BAD, ""], ids=short)
@pytest.mark.parametrize("name", ["card_number", "last_name", "next", "csrf_token", "unknown"])
def test_a_form_with_anything_in_it_signs_nobody_in(visitor: Visitor, name: str, text: str) -> None:
    fields = {"csrf_token": quote(visitor.token()), "card_number": "1" * 16, "last_name": "x", name: text}
    answer = visitor.client.post(
        "/sign-in",
        data="&".join(f"{field}={value}" for field, value in fields.items()),
        content_type="application/x-www-form-urlencoded",
    )
    assert answer.status_code == (400 if name == "csrf_token" else 422)


@pytest.mark.parametrize(
    "path",
    [
        *(f"/{text}" for text in BAD),
        "/films//1",
        "/films/1/",
        "/films/1/rentals/",
        "/%2e%2e/films/1",
    ],
    ids=short,
)
def test_a_path_that_is_no_page_leads_nowhere(app: Flask, path: str) -> None:
    for query in ("", "next=//evil.example"):
        assert ask(app, path, query, base_url="http://evil.example") == (404, "")
        assert ask(app, f"/{path}", query, base_url="http://evil.example") == (404, "")


@pytest.mark.parametrize("host", ["evil.example", "a b", "[::1", "a_b", "x:99999", "", "ü", "x" * 300])
@pytest.mark.parametrize("path", ["/", "/rentals", "/nothing", "/films/1"])
def test_a_host_that_is_not_ours_changes_nothing(app: Flask, host: str, path: str) -> None:
    headers = {"X-Forwarded-Host": host, "X-Forwarded-Prefix": "/x", "Forwarded": f"host={host}"}
    status, goal = ask(app, path, headers=headers, environ_overrides={"HTTP_HOST": host.encode().decode("latin-1")})
    assert (status, goal) == (ask(app, path)[0], "/sign-in?next=/rentals" if path == "/rentals" else "")


HEADERS = [
    ("Cookie", "__Host-session=\xff"),
    ("Cookie", "__Host-session=.eJx.x.x; __Host-session=" + "a" * 4000),
    ("Cookie", "=;=;;\x01"),
    ("If-None-Match", '"\xff", *, W/'),
    ("If-Modified-Since", "Thu, 01 Jan 99999999999 00:00:00 GMT"),
    ("If-Modified-Since", "Thu, 99 Foo 0000 99:99:99 GMT"),
    ("Range", "bytes=99999999999999999999-"),
    ("Range", "bytes=-1,0-,5-1"),
    ("If-Range", "\xff"),
    ("Authorization", "Basic \xff"),
    ("Authorization", 'Digest x="'),
    ("Accept", "*/*;q=" + "9" * DIGITS),
    ("Accept-Language", "\xff;q=x"),
    ("Content-Type", "multipart/form-data"),
    ("Content-Type", "multipart/form-data; boundary=\xff"),
    ("Content-Type", "application/x-www-form-urlencoded; charset=utf-16"),
    ("Content-Type", "application/json"),
    ("Content-Length", "9" * DIGITS),
    ("Content-Length", "-1"),
    ("Content-Length", "x"),
    ("X-Forwarded-For", '"'),
    ("X-Forwarded-For", ",,,"),
    ("X-Forwarded-Proto", "gopher"),
    ("X-Forwarded-Proto", "\xff"),
    ("X-CSRFToken", "\xff.x"),
    ("Referer", "http://[::1"),
    ("Origin", "\xff"),
]


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(("name", "value"), HEADERS)
def test_no_header_breaks_a_page(app: Flask, name: str, value: str, method: str) -> None:
    variable = name.upper().replace("-", "_")
    environ = {variable if name.startswith("Content-") else f"HTTP_{variable}": value}
    for path in ("/sign-in", "/", "/films/1", "/rentals", "/films/1/rentals", "/sign-out"):
        status, _ = ask(app, path, method=method, data=b"a=1" if method == "POST" else None, environ_overrides=environ)
        assert status in ({200, 303, 400, 405, 413} if method == "GET" else {400, 405, 413})


def test_a_goal_that_no_header_could_carry_is_forgotten(visitor: Visitor, shop: Shop) -> None:
    member = shop.member()
    fields = {"card_number": member.card_number, "last_name": member.last_name}
    for goal in ("/" + "a" * (LARGEST_BODY - 1000), "/\r\nX-Injected: yes", "/\0"):
        answer = visitor.post("/sign-in", {**fields, "next": goal})
        assert (answer.status_code, answer.headers["Location"]) == (303, "/rentals")
        assert "X-Injected" not in answer.headers
