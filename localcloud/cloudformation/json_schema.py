"""JSON Schema as CloudFormation and cfn-lint write it: what a value breaks, and what nobody can know yet.

Beside the keywords of JSON Schema, the schemas have some of cfn-lint's own: ``requiredXor``, ``requiredOr``,
``dependentExcluded``, ``enumCaseInsensitive``, ``maxUniqueItems`` and ``uniqueKeys``; and the local cloud's rules have
``maxBytes``, ``ascending`` (properties of which none may be above the next) and ``maximumProduct`` (of properties).
Numbers and booleans may be written as text, as CloudFormation allows. The value of an intrinsic function is not known
before a deployment: it breaks nothing, and a combination that depends on it is left alone.

See https://json-schema.org/draft/2020-12/json-schema-validation.
"""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

Schema = Mapping[str, Any] | bool
#: Properties whose values no message repeats.
SECRET = re.compile(r"password|secret|token", re.IGNORECASE)
NO_VALUE = {"Ref": "AWS::NoValue"}


@dataclass(frozen=True)
class Fault:
    """What a value breaks.

    Attributes:
        path: Names of properties, joined by dots.
        problem: What is wrong, as the middle of a sentence; empty where it is not known yet.
        value: The value, as a message may show it.
    """

    path: str
    problem: str
    value: str = ""


def faults(value: Any, schema: Schema, root: Schema | None = None, path: str = "") -> Iterator[Fault]:
    """Yield what a value breaks.

    Args:
        value: Any value of JSON, with intrinsic functions.
        schema: What it must follow.
        root: The schema to which references point; by default the schema itself.
        path: The value's place.
    """
    return (fault for fault in _judge(value, schema, schema if root is None else root, path) if fault.problem)


def _judge(value: Any, node: Schema, root: Schema, path: str) -> Iterator[Fault]:
    if isinstance(node, bool):
        if not node and value != NO_VALUE:
            yield _unknown(path) if _is_unknown(value) else Fault(path, f"{path} is not allowed here")
    elif value is None or value == NO_VALUE:
        return
    elif _is_unknown(value):
        yield _unknown(path)
    else:
        for judge, keywords in JUDGES:
            if not keywords.isdisjoint(node):
                yield from judge(value, node, root, path)


def _unknown(path: str) -> Fault:
    return Fault(path, "")


def _is_unknown(value: Any) -> bool:
    """Return whether a value is an intrinsic function, or a text with a dynamic reference."""
    if isinstance(value, dict):
        return len(value) == 1 and str(next(iter(value))).startswith(("Ref", "Fn::"))
    return isinstance(value, str) and "{{resolve:" in value


def text(value: Any) -> str:
    """Return a plain value as CloudFormation's texts have it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _fault(path: str, value: Any, problem: str) -> Fault:
    if SECRET.search(path):
        return Fault(path, f"the value of {path} {problem}")
    shown = text(value) if isinstance(value, int | float) else repr(value)
    return Fault(path, f"the value {shown} of {path} {problem}", text(value))


# Presence of properties: True, False, or None where it is not known yet.


def _has(properties: Mapping[str, Any], name: str) -> bool | None:
    if name not in properties:
        # A macro adds properties that are not known yet.
        return None if any(str(key).startswith("Fn::") for key in properties) else False
    value = properties[name]
    if value is None or value == NO_VALUE:
        return False
    return None if isinstance(value, dict) and value.keys() == {"Fn::If"} else True


def _present(value: Any, names: Iterable[str], path: str) -> tuple[list[str], list[Fault]]:
    """Return the properties that are present, and a mark for each whose presence is unknown."""
    presence = {name: _has(value, name) for name in names}
    return [name for name, is_present in presence.items() if is_present], [
        _unknown(path) for is_present in presence.values() if is_present is None
    ]


def _within(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _listed(names: Iterable[str], path: str = "") -> str:
    return ", ".join(_within(path, str(name)) for name in names)


def _required(value: Any, node: Mapping[str, Any], _root: Schema, path: str) -> Iterator[Fault]:
    for name in node["required"] if isinstance(value, dict) else ():
        is_present = _has(value, name)
        if is_present is None:
            yield _unknown(path)
        elif not is_present:
            yield Fault(_within(path, name), f"required property {_within(path, name)} is missing")


def _required_xor(value: Any, node: Mapping[str, Any], _root: Schema, path: str) -> Iterator[Fault]:
    if isinstance(value, dict):
        present, unknown = _present(value, node["requiredXor"], path)
        if len(present) > 1 or not (present or unknown):
            yield Fault(path, f"exactly one of the properties {_listed(node['requiredXor'], path)} is needed")
        yield from unknown


def _required_or(value: Any, node: Mapping[str, Any], _root: Schema, path: str) -> Iterator[Fault]:
    if isinstance(value, dict):
        present, unknown = _present(value, node["requiredOr"], path)
        if not (present or unknown):
            yield Fault(path, f"one of the properties {_listed(node['requiredOr'], path)} is needed")
        yield from unknown


def _dependent_required(value: Any, node: Mapping[str, Any], root: Schema, path: str) -> Iterator[Fault]:
    needs = node.get("dependentRequired", node.get("dependencies", {}))
    for name, needed in needs.items() if isinstance(value, dict) else ():
        is_present = _has(value, name)
        if is_present is None:
            yield _unknown(path)
        elif is_present:
            for fault in _required(value, {"required": needed}, root, path):
                yield Fault(fault.path, fault.problem and f"{fault.path} is missing, which {_within(path, name)} needs")


def _dependent_excluded(value: Any, node: Mapping[str, Any], _root: Schema, path: str) -> Iterator[Fault]:
    for name, excluded in node["dependentExcluded"].items() if isinstance(value, dict) else ():
        is_present = _has(value, name)
        if is_present is None:
            yield _unknown(path)
        elif is_present:
            present, unknown = _present(value, excluded, path)
            if present:
                excluded_path = _within(path, present[0])
                yield Fault(excluded_path, f"{excluded_path} is not allowed together with {_within(path, name)}")
            yield from unknown


# The parts of a value.


def _properties(value: Any, node: Mapping[str, Any], root: Schema, path: str) -> Iterator[Fault]:
    """Judge the properties of a map by ``properties``, ``patternProperties`` and ``additionalProperties``."""
    if not isinstance(value, dict):
        return
    declared, patterns = node.get("properties", {}), node.get("patternProperties", {})
    additional = node.get("additionalProperties", True)
    for name, item in value.items():
        below = _within(path, str(name))
        matching = [schema for pattern, schema in patterns.items() if _matches(pattern, str(name))]
        if name in declared:
            matching.append(declared[name])
        if not matching and not str(name).startswith("Fn::"):
            if additional is False and (declared or patterns):
                yield Fault(below, f"unsupported property {below}")
            elif isinstance(additional, dict):
                matching.append(additional)
        for schema in matching:
            yield from _judge(item, schema, root, below)


def _property_names(value: Any, node: Mapping[str, Any], root: Schema, path: str) -> Iterator[Fault]:
    for name in value if isinstance(value, dict) else ():
        if any(_judge(name, node["propertyNames"], root, path)):
            yield Fault(_within(path, name), f"{path or 'this map'} must not have the name {name}", name)


def _items(value: Any, node: Mapping[str, Any], root: Schema, path: str) -> Iterator[Fault]:
    if isinstance(value, list):
        first = node.get("prefixItems", [])
        for position, item in enumerate(value):
            yield from _judge(item, first[position] if position < len(first) else node.get("items", True), root, path)


def _ascending(value: Any, node: Mapping[str, Any], _root: Schema, path: str) -> Iterator[Fault]:
    members = value if isinstance(value, dict) else {}
    names = [name for name in node["ascending"] if name in members and _number(members[name]) is not None]
    for lower, upper in itertools.pairwise(names):
        if float(value[lower]) > float(value[upper]):
            yield _fault(f"{path}.{lower}".lstrip("."), value[lower], f"is above {value[upper]}, the value of {upper}")


def _maximum_product(value: Any, node: Mapping[str, Any], _root: Schema, path: str) -> Iterator[Fault]:
    names = node["maximumProduct"]["properties"]
    factors = [_number(value[name]) for name in names if isinstance(value, dict) and name in value]
    known = [factor for factor in factors if factor is not None]
    if len(known) == len(names) and math.prod(known) > node["maximumProduct"]["maximum"]:
        product = f"{' × '.join(names)} is {math.prod(known):g}"
        yield Fault(path, f"{product}, but must be at most {node['maximumProduct']['maximum']}")


def _unique_items(value: Any, node: Mapping[str, Any], _root: Schema, path: str) -> Iterator[Fault]:
    if isinstance(value, list):
        encoded = [json.dumps(item, sort_keys=True, default=str) for item in value]
        if node.get("uniqueItems") and len({*encoded}) < len(encoded):
            yield Fault(path, f"{path} has an item twice")
        if len({*encoded}) > node.get("maxUniqueItems", len(encoded)):
            yield Fault(path, f"{path} has {len({*encoded})} items, but must have at most {node['maxUniqueItems']}")


def _unique_keys(value: Any, node: Mapping[str, Any], _root: Schema, path: str) -> Iterator[Fault]:
    rows = [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
    keys = [[row.get(key) for key in node["uniqueKeys"]] for row in rows]
    if any(key in keys[:position] for position, key in enumerate(keys)):
        yield Fault(path, f"{path} has two items with the same {_listed(node['uniqueKeys'])}")


# Plain values.


def _type(value: Any, node: Mapping[str, Any], _root: Schema, path: str) -> Iterator[Fault]:
    types = node["type"] if isinstance(node["type"], list) else [node["type"]]
    if not any(TYPES[kind](value) for kind in types):
        names = " or ".join(NAMES[kind] for kind in types)
        if isinstance(value, dict | list):
            yield Fault(path, f"{path or 'the value'} is not {names}")
        else:
            yield _fault(path, value, f"is not {names}")


def _number(value: Any) -> float | None:
    try:
        return None if isinstance(value, bool | dict | list) else float(value)
    except ValueError:
        return None


def _is_integer(value: Any) -> bool:
    number = _number(value)
    return number is not None and number.is_integer()


TYPES: dict[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: not isinstance(value, dict | list),
    "integer": _is_integer,
    "number": lambda value: _number(value) is not None,
    "boolean": lambda value: text(value).lower() in {"true", "false"},
    "null": lambda value: value is None,
}
NAMES = {
    "object": "a map",
    "array": "a list",
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
}


def _enum(value: Any, node: Mapping[str, Any], _root: Schema, path: str) -> Iterator[Fault]:
    allowed = [text(choice) for choice in node.get("enum", [node["const"]] if "const" in node else [])]
    if allowed and not isinstance(value, dict | list) and text(value) not in allowed:
        yield _fault(path, value, f"is not one of {_listed(allowed)}" if "enum" in node else f"is not {allowed[0]}")
    anyhow = [text(choice) for choice in node.get("enumCaseInsensitive", [])]
    if anyhow and text(value).lower() not in {choice.lower() for choice in anyhow}:
        yield _fault(path, value, f"is not one of {_listed(anyhow)}")


def _pattern(value: Any, node: Mapping[str, Any], _root: Schema, path: str) -> Iterator[Fault]:
    if not isinstance(value, dict | list) and not _matches(node["pattern"], text(value)):
        yield _fault(path, value, f"does not match the pattern {node['pattern']}")


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    r"""Return a pattern of a schema; one that matches everything where Python has no such syntax (``\p{L}``)."""
    try:
        return re.compile(pattern)
    except re.error:
        return re.compile("")


def _matches(pattern: str, value: str) -> bool:
    return bool(_compiled(pattern).search(value))


def _size(value: Any, node: Mapping[str, Any], _root: Schema, path: str) -> Iterator[Fault]:
    """Judge the length of a text, and how many items a list and properties a map has."""
    kind, unit = ("Items", "items") if isinstance(value, list) else ("Length", "characters")
    if isinstance(value, dict):
        kind, unit = "Properties", "properties"
    count = len(value if isinstance(value, dict | list) else text(value))
    minimum, maximum = node.get(f"min{kind}", count), node.get(f"max{kind}", count)
    if not minimum <= count <= maximum:
        limit = f"at least {minimum}" if count < minimum else f"at most {maximum}"
        yield Fault(path, f"{path or 'the value'} has {count} {unit}, but must have {limit}")
    if "maxBytes" in node:
        size = len((value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))).encode())
        if size > node["maxBytes"]:
            yield Fault(path, f"{path} has {size} bytes, but must have at most {node['maxBytes']}")


def _range(value: Any, node: Mapping[str, Any], _root: Schema, path: str) -> Iterator[Fault]:
    number = _number(value)
    if number is None:
        return
    if number < node.get("minimum", number):
        yield _fault(path, value, f"is below the minimum of {node['minimum']}")
    if number > node.get("maximum", number):
        yield _fault(path, value, f"is above the maximum of {node['maximum']}")
    if "exclusiveMinimum" in node and number <= node["exclusiveMinimum"]:
        yield _fault(path, value, f"is not above {node['exclusiveMinimum']}")
    if "multipleOf" in node and number % node["multipleOf"]:
        yield _fault(path, value, f"is not a multiple of {node['multipleOf']}")


# Combinations of schemas.


def _reference(value: Any, node: Mapping[str, Any], root: Schema, path: str) -> Iterator[Fault]:
    target: Any = root
    for step in node["$ref"].removeprefix("#/").split("/"):
        target = target[step]
    return _judge(value, target, root, path)


def _all_of(value: Any, node: Mapping[str, Any], root: Schema, path: str) -> Iterator[Fault]:
    for schema in node["allOf"]:
        yield from _judge(value, schema, root, path)


def _any_of(value: Any, node: Mapping[str, Any], root: Schema, path: str) -> Iterator[Fault]:
    outcomes = [[*_judge(value, schema, root, path)] for schema in node["anyOf"]]
    if all(outcomes):
        yield from _none_of(outcomes, path)


def _one_of(value: Any, node: Mapping[str, Any], root: Schema, path: str) -> Iterator[Fault]:
    choices = [schema for schema in node["oneOf"] if isinstance(schema, bool) or not KEYWORDS.isdisjoint(schema)]
    if len(choices) < len(node["oneOf"]):  # one of them only says what the value is about
        return
    outcomes = [[*_judge(value, schema, root, path)] for schema in choices]
    if all(outcomes):
        yield from _none_of(outcomes, path)
    elif sum(not outcome for outcome in outcomes) > 1:
        names = dict.fromkeys(
            name for choice in choices if not isinstance(choice, bool) for name in choice.get("required", [])
        )
        yield Fault(path, f"only one of {_listed(names, path) or 'the alternatives of ' + path} is allowed")


def _none_of(outcomes: list[list[Fault]], path: str) -> Iterator[Fault]:
    """Yield the fault where no alternative fits: that of the alternative that the value is closest to."""
    if any(not any(fault.problem for fault in outcome) for outcome in outcomes):
        yield _unknown(path)
        return
    firsts = [next(fault for fault in outcome if fault.problem) for outcome in outcomes]
    deepest = max(firsts, key=lambda fault: fault.path.count("."))
    problems = [fault.problem for fault in firsts if fault.path.count(".") == deepest.path.count(".")]
    yield Fault(deepest.path, ", or ".join(dict.fromkeys(problems)), deepest.value)


def _not(value: Any, node: Mapping[str, Any], root: Schema, path: str) -> Iterator[Fault]:
    outcome = [*_judge(value, node["not"], root, path)]
    if any(fault.problem for fault in outcome):
        return
    yield _unknown(path) if outcome else _refused(value, node["not"], path)


def _refused(value: Any, schema: Any, path: str) -> Fault:
    """Return the fault of a value that matches a schema that it must not match."""
    if not isinstance(value, dict):
        return _fault(path, value, "is not allowed")
    required = [name for subschema in [schema, *schema.get("anyOf", [])] for name in subschema.get("required", [])]
    names = [name for name in required if name in value] or [path or "this combination"]
    return Fault(_within(path, names[0]), f"{_listed(names, path)} is not allowed here")


def _if(value: Any, node: Mapping[str, Any], root: Schema, path: str) -> Iterator[Fault]:
    outcome = [*_judge(value, node["if"], root, path)]
    if any(fault.problem for fault in outcome):
        yield from _judge(value, node.get("else", True), root, path)
    elif outcome:
        yield _unknown(path)
    else:
        yield from _judge(value, node.get("then", True), root, path)


Judge = Callable[[Any, Mapping[str, Any], Schema, str], Iterator[Fault]]
#: What judges which keywords, in the order in which faults are named.
JUDGES: tuple[tuple[Judge, set[str]], ...] = (
    (_reference, {"$ref"}),
    (_type, {"type"}),
    (_properties, {"properties", "patternProperties", "additionalProperties"}),
    (_property_names, {"propertyNames"}),
    (_items, {"items", "prefixItems"}),
    (_enum, {"enum", "const", "enumCaseInsensitive"}),
    (_pattern, {"pattern"}),
    (_size, {"minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties", "maxBytes"}),
    (_range, {"minimum", "maximum", "exclusiveMinimum", "multipleOf"}),
    (_ascending, {"ascending"}),
    (_maximum_product, {"maximumProduct"}),
    (_unique_items, {"uniqueItems", "maxUniqueItems"}),
    (_unique_keys, {"uniqueKeys"}),
    (_required, {"required"}),
    (_required_xor, {"requiredXor"}),
    (_required_or, {"requiredOr"}),
    (_dependent_required, {"dependentRequired", "dependencies"}),
    (_dependent_excluded, {"dependentExcluded"}),
    (_all_of, {"allOf"}),
    (_any_of, {"anyOf"}),
    (_one_of, {"oneOf"}),
    (_not, {"not"}),
    (_if, {"if"}),
)
KEYWORDS = set[str]().union(*(keywords for _, keywords in JUDGES))
