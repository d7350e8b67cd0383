"""Event patterns, by the examples of EventBridge's user guide."""

from __future__ import annotations

import json
from typing import Any

import pytest

from localcloud.services.events.patterns import PatternError, compile_pattern

EVENT = {
    "source": "shop",
    "resources": [],
    "detail": {
        "state": "running",
        "count": 5,
        "open": True,
        "nothing": None,
        "address": "10.0.0.77",
        "file.name": "photo.PNG",
        "tags": ["a", "b"],
        "items": [{"name": "tea", "price": 3}, {"name": "cup", "price": 9}],
        "inner": {"key": "x"},
    },
}


def matches(**detail: Any) -> bool:
    return compile_pattern(json.dumps({"detail": detail}))(EVENT)


@pytest.mark.parametrize(
    ("field", "tests", "matching"),
    [
        ("state", ["running"], True),
        ("state", ["stopped"], False),
        ("state", [{"prefix": "run"}], True),
        ("state", [{"prefix": {"equals-ignore-case": "RUN"}}], True),
        ("state", [{"suffix": "ning"}], True),
        ("file.name", [{"suffix": {"equals-ignore-case": ".png"}}], True),
        ("file.name", [{"suffix": ".png"}], False),
        ("state", [{"equals-ignore-case": "RUNNING"}], True),
        ("state", [{"wildcard": "r*n*g"}], True),
        ("state", [{"wildcard": "r*t"}], False),
        ("state", [{"wildcard": r"r\*"}], False),
        ("state", [{"anything-but": "stopped"}], True),
        ("state", [{"anything-but": ["stopped", "running"]}], False),
        ("state", [{"anything-but": {"prefix": "run"}}], False),
        ("state", [{"anything-but": {"suffix": [".txt", "ing"]}}], False),
        ("state", [{"anything-but": {"equals-ignore-case": ["STOPPED"]}}], True),
        ("state", [{"anything-but": {"wildcard": "*nn*"}}], False),
        ("absent", [{"anything-but": "stopped"}], False),
        ("nothing", [{"anything-but": "stopped"}], True),
        ("nothing", [None], True),
        ("state", [None], False),
        ("count", [5], True),
        ("count", [5.0], True),
        ("count", ["5"], False),
        ("open", [True], True),
        ("open", [1], False),
        ("count", [{"numeric": [">", 0, "<=", 5]}], True),
        ("count", [{"numeric": ["=", 4]}], False),
        ("open", [{"numeric": [">", 0]}], False),
        ("count", [{"anything-but": [4, 6]}], True),
        ("address", [{"cidr": "10.0.0.0/24"}], True),
        ("address", [{"cidr": "10.0.1.0/24"}], False),
        ("address", [{"cidr": "2001:db8::/64"}], False),
        ("state", [{"exists": True}], True),
        ("absent", [{"exists": False}], True),
        ("inner", [{"exists": True}], False),  # only leaves exist
        ("tags", ["b"], True),
        ("tags", [{"anything-but": "a"}], True),  # of an array, one item must fulfil it
        ("items", {"name": ["cup"], "price": [9]}, True),
        ("items", {"name": ["cup"], "price": [3]}, False),  # both of the same item
        ("inner.key", ["x"], True),
        ("file", {"name": ["photo.PNG"]}, True),
    ],
)
def test_a_field_is_compared_as_eventbridge_compares_it(field: str, tests: Any, *, matching: bool) -> None:
    assert matches(**{field: tests}) is matching


def test_one_of_several_alternatives_is_enough() -> None:
    assert matches(**{"$or": [{"state": ["stopped"]}, {"count": [{"numeric": [">", 4]}]}]})
    assert not matches(**{"$or": [{"state": ["stopped"]}, {"count": [4]}]})


def test_an_empty_array_is_an_absent_field() -> None:
    assert not compile_pattern('{"resources": [{"exists": true}]}')(EVENT)
    assert not compile_pattern('{"resources": [null]}')(EVENT)


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("{", "not JSON"),
        ("[]", "Filter is not an object"),
        ("{}", "Empty objects are not allowed"),
        ('{"a": []}', "Empty arrays are not allowed"),
        ('{"a": "b"}', '"a" must be an object or an array'),
        ('{"a": [["b"]]}', "Match value must be String, number, true, false, or null"),
        ('{"a": [{"PREFIX": "b"}]}', "Unrecognized match type PREFIX"),
        ('{"a": [{"prefix": "b", "suffix": "c"}]}', "Only one key allowed in match expression"),
        ('{"a": [{"prefix": 1}]}', "prefix match pattern must be a string"),
        ('{"a": [{"suffix": ["b"]}]}', "suffix match pattern must be a string"),
        ('{"a": [{"equals-ignore-case": ["b"]}]}', "equals-ignore-case match pattern must be a string"),
        ('{"a": [{"exists": "true"}]}', "exists match pattern must be either true or false."),
        ('{"a": [{"wildcard": "b**"}]}', "Consecutive wildcard characters at pos 2"),
        ('{"a": [{"wildcard": "b\\\\c"}]}', "Invalid escape character at pos 1"),
        ('{"a": [{"numeric": 1}]}', "Value of numeric must be an array."),
        ('{"a": [{"numeric": ["~", 1]}]}', "Unrecognized numeric range operator: ~"),
        ('{"a": [{"numeric": [">", 0, ">", 1]}]}', "Bad numeric range operator: >"),
        ('{"a": [{"numeric": [">", 5, "<", 1]}]}', "Bottom must be less than top"),
        ('{"a": [{"numeric": ["<"]}]}', "Value of < must be numeric"),
        ('{"a": [{"cidr": "10.0.0.0"}]}', "Malformed CIDR, one '/' required"),
        ('{"a": [{"cidr": "10.0.0/8"}]}', "Nonstandard IP address: 10.0.0"),
        ('{"a": [{"cidr": "10.0.0.0/33"}]}', "IPv4 mask bits must be < 32"),
        ('{"a": [{"anything-but": null}]}', "Value of anything-but must be an array or single string/number value."),
        ('{"a": [{"anything-but": ["b", null]}]}', "Inside anything but list, start|null|boolean is not supported."),
        ('{"a": [{"anything-but": ["b", 1]}]}', "mixed type is not supported"),
        ('{"a": [{"anything-but": {"prefix": ""}}]}', "Null prefix/suffix not allowed"),
        ('{"a": [{"anything-but": {"numeric": [">", 1]}}]}', "Unsupported anything-but pattern: numeric"),
    ],
)
def test_what_eventbridge_does_not_take_is_refused_in_its_words(pattern: str, reason: str) -> None:
    with pytest.raises(PatternError) as error:
        compile_pattern(pattern)
    assert reason in str(error.value)
