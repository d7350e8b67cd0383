"""Filter patterns of CloudWatch Logs: terms, and conditions on JSON.

Syntax: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
"""

import json
import operator
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from localcloud.expressions import ExpressionError, Grammar, Test

Matcher = Callable[[str], Any]
MISSING = object()
COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
SELECTOR = r'\$(?:\.[\w-]+|\.?\["[^"]*"\]|\[\d+\])+'
TERM = (
    rf'{SELECTOR}\s*(?:(?:!=|>=|<=|=|>|<)\s*(?:"(?:[^"\\]|\\.)*"|[\w.*+:/@-]+)|IS\s+(?:TRUE|FALSE|NULL)|NOT\s+EXISTS)'
)
PARTS = re.compile(rf"({SELECTOR})\s*(!=|>=|<=|=|>|<|IS|NOT)\s*(.*)", re.DOTALL)


@lru_cache
def compile_pattern(pattern: str) -> Matcher:
    """A function that gives the fields of a message that matches, and None for others.

    Raises:
        ExpressionError: The local cloud cannot read the pattern.
    """
    pattern = pattern.strip()
    if pattern.startswith(("[", "%")):
        raise ExpressionError(f"pattern {pattern!r}: the local cloud reads terms and JSON conditions alone")
    if not pattern.startswith("{"):
        return _terms(pattern)
    if not pattern.endswith("}"):
        raise ExpressionError(f"pattern {pattern!r}: the closing brace is missing")
    grammar: Grammar[Any] = Grammar(TERM, _condition, ("&&", "||", "!"))
    test = grammar.parse(pattern[1:-1])

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


def _condition(term: str) -> Test[Any]:
    parts = PARTS.fullmatch(term)
    if not parts:
        raise ExpressionError(f"cannot read the condition {term!r}")
    path, sign, wanted = parts.groups()
    if sign == "NOT":
        return lambda fields: select(fields, path) is MISSING
    if sign == "IS":
        constant = {"TRUE": True, "FALSE": False, "NULL": None}[wanted]
        return lambda fields: select(fields, path) is constant
    return lambda fields: _compare(select(fields, path), sign, wanted)


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
