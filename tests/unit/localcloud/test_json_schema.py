"""JSON Schema with what nobody can know before a deployment: such a value breaks nothing, and decides nothing."""

from __future__ import annotations

from typing import Any

import pytest

from localcloud.cloudformation.json_schema import faults

EITHER = {"oneOf": [{"required": ["a"]}, {"required": ["b"]}]}
ANY = {"anyOf": [{"required": ["a"]}, {"required": ["b"]}]}
ONLY_WITH_A = {"if": {"required": ["a"], "properties": {"a": {"const": "on"}}}, "then": {"required": ["b"]}}
WITHOUT = {"not": {"required": ["a"]}}
NEEDS = {"dependentRequired": {"a": ["b"]}}
EXCLUDES = {"dependentExcluded": {"a": ["b"]}}
MAYBE = {"Fn::If": ["Condition", "on", {"Ref": "AWS::NoValue"}]}
NOTHING = {"Ref": "AWS::NoValue"}


@pytest.mark.parametrize(
    ("schema", "value", "problem"),
    [
        ({"type": "object"}, "text", "is not a map"),
        ({"type": "array"}, "text", "is not a list"),
        ({"type": "string"}, ["text"], "is not a text"),
        ({"type": "boolean"}, "maybe", "is not true or false"),
        ({"type": "integer"}, 1.5, "is not a whole number"),
        ({"type": ["integer", "null"]}, "x", "is not a whole number or null"),
        ({"items": {"maximum": 3}}, [1, 4], "above the maximum of 3"),
        ({"prefixItems": [{"const": "a"}]}, ["b"], "is not a"),
        ({"uniqueItems": True}, [{"a": 1}, {"a": 1}], "an item twice"),
        ({"maxUniqueItems": 1}, ["a", "b", "a"], "has 2 items, but must have at most 1"),
        ({"uniqueKeys": ["k"]}, [{"k": 1}, {"k": 1, "v": 2}], "two items with the same k"),
        ({"properties": {"a": False}}, {"a": 1}, "a is not allowed here"),
        ({"patternProperties": {"^x": {}}, "additionalProperties": False}, {"y": 1}, "unsupported property y"),
        ({"patternProperties": {"^x": {"enum": [1]}}}, {"xy": 2}, "is not one of 1"),
        ({"additionalProperties": {"type": "number"}}, {"y": "z"}, "is not a number"),
        ({"propertyNames": {"not": {"enum": ["a"]}}}, {"a": 1}, "must not have the name a"),
        ({"exclusiveMinimum": 3}, 3, "is not above 3"),
        ({"multipleOf": 60}, 90, "is not a multiple of 60"),
        ({"maxBytes": 4}, "äää", "has 6 bytes, but must have at most 4"),
        (EITHER, {"a": 1, "b": 1}, "only one of a, b is allowed"),
        (EITHER, {}, "required property a is missing, or required property b is missing"),
        (ANY, {"c": 1}, "required property a is missing, or required property b is missing"),
        ({"allOf": [{"required": ["a"]}, {"required": ["b"]}]}, {"a": 1}, "required property b is missing"),
        (ONLY_WITH_A, {"a": "on"}, "required property b is missing"),
        ({"if": {"required": ["a"]}, "else": {"required": ["b"]}}, {}, "required property b is missing"),
        (WITHOUT, {"a": 1}, "a is not allowed here"),
        (NEEDS, {"a": 1}, "b is missing, which a needs"),
        (EXCLUDES, {"a": 1, "b": 1}, "b is not allowed together with a"),
        ({"requiredXor": ["a", "b"]}, {"a": 1, "b": 1}, "exactly one of"),
        ({"requiredOr": ["a", "b"]}, {"a": NOTHING}, "one of the properties a, b is needed"),
        ({"required": ["a"]}, {"a": NOTHING}, "required property a is missing"),
        ({"$ref": "#/definitions/d", "definitions": {"d": {"enum": ["a"]}}}, "b", "is not one of a"),
    ],
)
def test_a_fault_is_named(schema: Any, value: Any, problem: str) -> None:
    (fault,) = faults(value, schema)
    assert problem in fault.problem


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "integer", "minimum": 1}, "1"),
        ({"type": "boolean", "enum": [True]}, "true"),
        ({"enum": [5]}, {"Ref": "Number"}),
        ({"pattern": "^a$"}, "{{resolve:ssm:name}}"),
        ({"uniqueItems": True}, ["a", "b"]),
        (EITHER, {"a": 1, "b": MAYBE}),
        (EITHER, {"a": 1, "b": NOTHING}),
        (ANY, {"a": MAYBE}),
        (ONLY_WITH_A, {"a": {"Ref": "Switch"}}),
        (ONLY_WITH_A, {"a": "off"}),
        ({"if": {"required": ["a"]}, "else": {"required": ["b"]}}, {"a": MAYBE}),
        (WITHOUT, {"a": MAYBE}),
        (NEEDS, {"a": MAYBE}),
        (NEEDS, {"a": 1, "b": MAYBE}),
        (EXCLUDES, {"a": 1, "b": MAYBE}),
        ({"requiredXor": ["a", "b"]}, {"a": MAYBE, "b": MAYBE}),
        ({"oneOf": [{"relationshipRef": "x"}, {"relationshipRef": "y"}]}, "anything"),
        ({"patternProperties": {r"\p{L}": {}}, "additionalProperties": False}, {"name": 1}),
        ({"required": ["a"]}, {"Fn::Transform": {"Name": "AWS::Include"}, "b": 1}),
    ],
)
def test_what_is_right_or_not_known_yet_passes(schema: Any, value: Any) -> None:
    assert [*faults(value, schema)] == []


def test_a_message_shows_no_secret() -> None:
    (fault,) = faults({"MasterUserPassword": "hunter2"}, {"properties": {"MasterUserPassword": {"pattern": "^x"}}})
    assert "hunter2" not in f"{fault.problem}{fault.value}"
