"""Filter patterns of CloudWatch Logs."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.services.logs.filter_patterns import MISSING, PatternError, compile_pattern, select

EVENT = {"event": "sale", "cost": 30, "paid": True, "note": None, "shop": {"id": 1, "tags": ["a", "b"]}, "a b": "x"}


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ('{ $.event = "sale" }', True),
        ("{ $.event = sale }", True),
        ('{ $.event != "sale" }', False),
        ('{ $.event = "s*e" }', True),
        ("{ $.cost > 29.5 && $.cost <= 30 }", True),
        ("{ $.cost = 3* }", True),
        ('{ ($.cost < 5 || $.paid IS TRUE) && $.event = "sale" }', True),
        ("{ $.paid IS FALSE }", False),
        ("{ $.note IS NULL }", True),
        ("{ $.missing NOT EXISTS }", True),
        ("{ $.note NOT EXISTS }", False),
        ('{ $.missing != "x" }', False),
        ("{ $.shop.id = 1 }", True),
        ('{ $.shop.tags[1] = "b" }', True),
        ('{ $.["a b"] = "x" }', True),
    ],
)
def test_conditions_on_json(pattern: str, matches: bool) -> None:
    assert (compile_pattern(pattern)(json.dumps(EVENT)) is not None) == matches


@pytest.mark.parametrize(
    ("pattern", "message", "matches"),
    [
        ("", "anything", True),
        ("ERROR", "an ERROR here", True),
        ("ERROR", "an error here", False),
        ("ERROR disk", "disk ERROR", True),
        ('"disk full"', "the disk is full", False),
        ("ERROR -retry", "ERROR, will retry", False),
        ("?ERROR ?WARN", "a WARN", True),
        ("?ERROR ?WARN", "fine", False),
        ("{ $.a = 1 }", "not json", False),
        ("{ $.a = 1 }", "[1]", False),
    ],
)
def test_terms_and_what_is_not_json(pattern: str, message: str, matches: bool) -> None:
    assert (compile_pattern(pattern)(message) is not None) == matches


ACCESS = '127.0.0.1 - frank [10/Oct/2000:13:25:15 -0700] "GET /index.html HTTP/1.0" 404 1534'


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ("[ip, id, user, time, request, status, bytes]", True),
        ("[ip, id, user, time, request, status]", False),
        ("[ip, id, user, time, request, status, bytes, more]", False),
        ("[ip, ..., status = 4*, bytes]", True),
        ("[..., status, bytes > 2000]", False),
        ("[..., status = 4* && status != 403, bytes >= 1534]", True),
        ("[..., request = *HTTP*, status = 5* || status = 404, bytes]", True),
        ('[..., request = "GET /index.html HTTP/1.0", status, bytes]', True),
        (r"[ip = %^127\.0\.0\.\d+$%, ...]", True),
        ("[ip != %^127%, ...]", False),
        ("[...]", True),
        ("[a, b, c, d, e, f, g, ..., h]", False),
    ],
)
def test_fields_between_spaces_are_compared(pattern: str, matches: bool) -> None:
    assert (compile_pattern(pattern)(ACCESS) is not None) == matches


def test_fields_between_spaces_have_their_names() -> None:
    fields = compile_pattern("[ip, ..., time, request, status, bytes]")(ACCESS)
    assert fields == {
        "ip": "127.0.0.1",
        "time": "10/Oct/2000:13:25:15 -0700",
        "request": "GET /index.html HTTP/1.0",
        "status": "404",
        "bytes": "1534",
    }
    assert select(fields, "$bytes") == "1534"
    assert select(fields, "$nothing") is MISSING


@pytest.mark.parametrize(
    ("pattern", "message", "matches"),
    [
        ("%AUTHORIZED|DENIED%", "access DENIED", True),
        (r"%server-\d{2}$%", "from server-12", True),
        (r"%server-\d{2}$%", "from server-12!", False),
        ("{ $.ip = %^10\\.% && $.n > 1 }", '{"ip": "10.0.0.1", "n": 2}', True),
        ("{ $.ip != %^10\\.% }", '{"ip": "10.0.0.1"}', False),
        ("{ $.ip != %^10\\.% }", '{"n": 2}', False),
    ],
)
def test_regular_expressions_are_searched_for(pattern: str, message: str, matches: bool) -> None:
    assert (compile_pattern(pattern)(message) is not None) == matches


@pytest.mark.parametrize(
    "pattern",
    [
        "{ $.a like 3 }",
        "{ $.a = 1",
        "{ ($.a = 1 }",
        "{ $.a = 1 && }",
        "{ $.a = 1 | $.b = 2 }",
        "{ $.a = 1 ($.b = 2) }",
        "{ }",
        "[a, b",
        "[]",
        "[a, a]",
        "[..., a, ...]",
        "[a = 1 || b = 2]",
        "[a like 3]",
        "[a > %1%]",
        "{ $.a = %(?=b)% }",
        "%(a%",
        r"%(a)\1%",
    ],
)
def test_what_cannot_be_read_is_an_error(pattern: str) -> None:
    with pytest.raises(PatternError):
        compile_pattern(pattern)


@given(st.dictionaries(st.from_regex(r"[A-Za-z_][\w-]{0,8}", fullmatch=True), st.integers(-1000, 1000), min_size=1))
def test_a_number_equals_itself_and_orders_as_numbers_do(fields: dict[str, int]) -> None:
    message = json.dumps(fields)
    for key, value in fields.items():
        if value >= 0:
            assert compile_pattern(f"{{ $.{key} = {value} }}")(message) == fields
        assert compile_pattern(f"{{ $.{key} > {value + 1} }}")(message) is None


@given(st.text(alphabet=st.characters(exclude_characters='"\\*'), min_size=1))
def test_a_quoted_text_matches_itself_alone(text: str) -> None:
    match = compile_pattern(f'{{ $.t = "{text}" }}')
    assert match(json.dumps({"t": text})) is not None
    assert match(json.dumps({"t": f"{text}!"})) is None


@given(st.text())
def test_any_message_is_judged_without_an_error(message: str) -> None:
    assert compile_pattern("{ $.a.b[0] > 3 }")(message) is None


@given(
    st.recursive(
        st.integers() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.from_regex(r"\w+", fullmatch=True), inner, max_size=3)
        ),
        max_leaves=8,
    )
)
def test_a_selector_finds_every_member(fields: Any) -> None:
    def walk(node: Any, path: str) -> None:
        assert select(fields, path) == node
        if isinstance(node, dict):
            for key, item in node.items():
                walk(item, f"{path}.{key}")
        elif isinstance(node, list):
            for index, item in enumerate(node):
                walk(item, f"{path}[{index}]")

    walk(fields, "$")
