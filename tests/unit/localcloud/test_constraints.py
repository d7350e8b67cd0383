"""What the description of an API excludes, in the services' words."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.model import ShapeResolver

from localcloud.services import constraints

SHAPES: dict[str, Any] = {
    "Input": {
        "type": "structure",
        "members": {
            "Name": {"shape": "Name"},
            "Count": {"shape": "Count"},
            "Secret": {"shape": "Secret"},
            "Tags": {"shape": "Tags"},
            "Variables": {"shape": "Variables"},
            "Shares": {"shape": "Shares"},
            "Secrets": {"shape": "Secrets"},
            "Odd": {"shape": "Odd"},
            "Word": {"shape": "Word"},
        },
    },
    "Name": {"type": "string", "pattern": "[a-z]+", "max": 3},
    "Count": {"type": "integer", "min": 1, "max": 2},
    "Secret": {"type": "string", "min": 2, "sensitive": True},
    "Tags": {"type": "list", "member": {"shape": "Tag"}, "max": 2},
    "Tag": {"type": "structure", "members": {"Key": {"shape": "Key"}, "Kind": {"shape": "Kind"}}},
    "Key": {"type": "string", "pattern": r"[\p{L}\p{Z}\p{N}_.:/=+\-@]*"},
    "Kind": {"type": "string", "enum": ["A", "B"]},
    "Variables": {"type": "map", "key": {"shape": "Name"}, "value": {"shape": "Count"}},
    "Shares": {"type": "map", "key": {"shape": "Name"}, "value": {"shape": "Share"}},
    "Share": {"type": "double", "max": 1.0},
    "Secrets": {"type": "map", "key": {"shape": "Name"}, "value": {"shape": "Secret"}},
    "Word": {"type": "string", "pattern": r"\w+"},
    "Odd": {"type": "string", "pattern": r"[\p{Sc}]+"},
}
CHOICES = "satisfy enum value set: [A, B]"
PATTERN = f"regular expression pattern: {SHAPES['Key']['pattern']}"
INPUT = ShapeResolver(SHAPES).get_shape_by_name("Input")


@pytest.mark.parametrize(
    ("parameters", "problem"),
    [
        ({}, ""),
        ({"Name": "abc", "Count": 2, "Secret": "ab", "Tags": [{"Key": "Größe 1", "Kind": "A"}]}, ""),
        ({"Odd": "a pattern that Python does not have"}, ""),
        ({"Name": None}, ""),
        ({"Word": "groesse"}, ""),
        ({"Word": "größe"}, r"1 Value 'größe' at 'word': satisfy regular expression pattern: \w+"),
        ({"Name": "A"}, "1 Value 'A' at 'name': satisfy regular expression pattern: [a-z]+"),
        ({"Name": "abcd"}, "1 Value 'abcd' at 'name': have length less than or equal to 3"),
        ({"Count": 0}, "1 Value '0' at 'count': have value greater than or equal to 1"),
        ({"Count": 3}, "1 Value '3' at 'count': have value less than or equal to 2"),
        ({"Secret": "x"}, "1 Value at 'secret': have length greater than or equal to 2"),
        (
            {"Tags": [{"Kind": "A"}, {"Key": "abc", "Kind": "C"}], "Count": 3},
            f"2 Value '3' at 'count': have value less than or equal to 2; Value 'C' at 'tags.2.member.kind': {CHOICES}",
        ),
        ({"Tags": [{"Key": "a#b"}]}, f"1 Value 'a#b' at 'tags.1.member.key': satisfy {PATTERN}"),
    ],
)
def test_each_value_that_breaks_a_constraint_is_named_with_its_place(parameters: dict[str, Any], problem: str) -> None:
    count, _, broken = problem.partition(" ")
    errors = "validation error" if count == "1" else "validation errors"
    for word in ("have", "satisfy"):
        broken = broken.replace(f"': {word}", f"' failed to satisfy constraint: Member must {word}")
    assert constraints.problem(INPUT, parameters) == (f"{count} {errors} detected: {broken}" if problem else "")


@pytest.mark.parametrize(
    ("parameters", "shown", "kind", "demands"),
    [
        (
            {"Variables": {"a": 5}},
            "Value '{a=5}' at 'variables'",
            "value",
            ["have value less than or equal to 2", "have value greater than or equal to 1", "not be null"],
        ),
        (
            {"Variables": {"A": 1, "b": 2}},
            "Value '{A=1, b=2}' at 'variables'",
            "keys",
            ["have length less than or equal to 3", "satisfy regular expression pattern: [a-z]+"],
        ),
        (
            {"Shares": {"a": 2}},
            "Value '{a=2.0}' at 'shares'",
            "value",
            ["have value less than or equal to 1.0", "not be null"],
        ),
        (
            {"Secrets": {"abcd": "visible"}},
            "Value at 'secrets'",
            "keys",
            ["have length less than or equal to 3", "satisfy regular expression pattern: [a-z]+"],
        ),
    ],
    ids=["value", "key", "double", "sensitive"],
)
def test_a_map_is_shown_whole_with_all_that_its_keys_or_values_must_be(
    parameters: dict[str, Any], shown: str, kind: str, demands: list[str]
) -> None:
    listed = ", ".join(f"Member must {demand}" for demand in demands)
    problem = f"{shown} failed to satisfy constraint: Map {kind} must satisfy constraint: [{listed}]"
    assert constraints.problem(INPUT, parameters) == f"1 validation error detected: {problem}"


def test_a_list_with_too_many_items_is_shown_in_brackets() -> None:
    problem = constraints.problem(INPUT, {"Tags": [{}, {}, {}]})
    assert problem.endswith("at 'tags' failed to satisfy constraint: Member must have length less than or equal to 2")
