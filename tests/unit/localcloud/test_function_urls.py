"""What a function URL answers with, by what its function returned."""

from __future__ import annotations

from typing import Any

import pytest

from localcloud.services.awslambda.http_requests import response


@pytest.mark.parametrize(
    ("result", "answered"),
    [
        ({"statusCode": "404"}, (404, {}, [], b"")),
        (
            {"statusCode": 200, "headers": {"Content-Length": 9, "X-One": 1}, "body": "a"},
            (200, {"x-one": "1"}, [], b"a"),
        ),
        ({"statusCode": 200, "body": "AP8=", "isBase64Encoded": True}, (200, {}, [], b"\x00\xff")),
        ({"a": 1}, (200, {}, [], b'{"a":1}')),
        ("hello", (200, {}, [], b'"hello"')),
        (None, (200, {}, [], b"null")),
    ],
)
def test_what_a_function_returns_becomes_the_response(result: Any, answered: tuple[Any, ...]) -> None:
    assert response(result) == answered


@pytest.mark.parametrize(
    "fault",
    [
        {"statusCode": None},
        {"statusCode": True},
        {"statusCode": "ok"},
        {"statusCode": 99999},
        {"headers": "none"},
        {"headers": {"x": "a\r\nset-cookie: b"}},
        {"headers": {"x": "\u20ac"}},
        {"cookies": "a=1"},
        {"cookies": ["a=1\nb"]},
        {"body": {"a": 1}},
        {"body": "?", "isBase64Encoded": True},
    ],
)
def test_a_response_that_is_not_valid_is_refused(fault: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"another type|HTTP|base64|padding"):
        response({"statusCode": 200, **fault})
