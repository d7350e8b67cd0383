"""Filter patterns of CloudWatch Logs: terms, and conditions on JSON.

Syntax: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
"""

import json
import operator
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import jmespath  # type: ignore[import-untyped]
from jmespath.exceptions import JMESPathError  # type: ignore[import-untyped]

Matcher = Callable[[str], Any]
Test = Callable[[Any], bool]
MISSING = object()
COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
CONDITION = re.compile(
    r"""(\$(?:\.[\w-]+|\.?\["[^"]*"\]|\[\d+\])+)\s*  # what a selector names
    (?:(!=|>=|<=|=|>|<)\s*("(?:[^"\\]|\\.)*"|[\w.*+:/@-]+)|IS\s+(TRUE|FALSE|NULL)|NOT\s+EXISTS)""",
    re.DOTALL | re.VERBOSE,
)


class PatternError(ValueError):
    """The local cloud cannot read the pattern."""


@lru_cache
def compile_pattern(pattern: str) -> Matcher:
    """A function that gives the fields of a message that matches, and None for others.

    Raises:
        PatternError: The local cloud cannot read the pattern.
    """
    pattern = pattern.strip()
    if pattern.startswith(("[", "%")):
        raise PatternError(f"pattern {pattern!r}: the local cloud reads terms and JSON conditions alone")
    if not pattern.startswith("{"):
        return _terms(pattern)
    if not pattern.endswith("}"):
        raise PatternError(f"pattern {pattern!r}: the closing brace is missing")
    test = _conditions(pattern[1:-1])

    def match(message: str) -> Any:
        try:
            fields = json.loads(message)
        except ValueError:
            return None
        return fields if isinstance(fields, dict) and test(fields) else None

    return match


def _terms(pattern: str) -> Matcher:
    words = re.findall(r'[-?]?"[^"]*"|\S+', pattern)
    optional = [word[1:].strip('"') for word in words if word.startswith("?")]
    refused = [word[1:].strip('"') for word in words if word.startswith("-")]
    required = [word.strip('"') for word in words if word[0] not in "?-"]

    def match(message: str) -> Any:
        found = all(word in message for word in required) and not any(word in message for word in refused)
        return {} if found and (not optional or any(word in message for word in optional)) else None

    return match


def _conditions(text: str) -> Test:
    """The test that several conditions are together; JMESPath knows how ``&&``, ``||``, ``!`` and parentheses join."""
    tests: list[Test] = []

    def keep(condition: re.Match[str]) -> str:
        tests.append(_condition(*condition.groups()))
        return f'"{len(tests) - 1}"'

    if unread := re.sub(r"&&|\|\||[!()]", " ", CONDITION.sub(" ", text)).strip():
        raise PatternError(f"cannot read {unread!r} in {{{text}}}")
    try:
        joined = jmespath.compile(CONDITION.sub(keep, text))
    except JMESPathError:
        raise PatternError(f"conditions are joined by &&, ||, ! and pairs of parentheses; in {{{text}}} not") from None
    return lambda fields: bool(joined.search({str(number): test(fields) for number, test in enumerate(tests)}))


def _condition(path: str, sign: str | None, wanted: str, constant: str | None) -> Test:
    if sign:
        return lambda fields: _compare(select(fields, path), sign, wanted)
    value = {"TRUE": True, "FALSE": False, "NULL": None}[constant] if constant else MISSING
    return lambda fields: select(fields, path) is value


def _compare(actual: Any, sign: str, wanted: str) -> bool:
    if actual is MISSING or actual is None or isinstance(actual, bool):
        return False
    compare = COMPARISONS[sign]
    if not wanted.startswith('"'):
        try:
            return compare(float(actual), float(wanted))
        except (TypeError, ValueError):
            pass  # a word without quotes
    if sign not in ("=", "!="):
        return False
    text = re.sub(r"\\(.)", r"\1", wanted[1:-1]) if wanted.startswith('"') else wanted
    same = re.fullmatch(re.escape(text).replace(r"\*", ".*"), str(actual), re.DOTALL) is not None
    return same == (sign == "=")


def select(fields: Any, path: str) -> Any:
    """What a selector such as ``$.a.b[0]`` names, or MISSING."""
    for quoted, number, plain in re.findall(r'\["([^"]*)"\]|\[(\d+)\]|\.([\w-]+)', path):
        try:
            fields = fields[int(number)] if number else fields[quoted or plain]
        except (KeyError, IndexError, TypeError):
            return MISSING
    return fields
