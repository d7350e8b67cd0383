"""Filter patterns of CloudWatch Logs: terms, regular expressions, conditions on JSON and on fields between spaces.

Syntax: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
"""

from __future__ import annotations

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
VALUE = r'"(?:[^"\\]|\\.)*"|%(?:[^%\\]|\\.)*%|[\w.*+:/@-]+'
#: A condition on JSON: what a selector names, then a comparison or a state.
CONDITION = re.compile(
    rf"""(\$(?:\.[\w-]+|\.?\["[^"]*"\]|\[\d+\])+)\s*
    (?:(!=|>=|<=|=|>|<)\s*({VALUE})|IS\s+(TRUE|FALSE|NULL)|NOT\s+EXISTS)""",
    re.DOTALL | re.VERBOSE,
)
#: A condition on a field between spaces: its name, and a comparison.
FIELD_CONDITION = re.compile(rf"([\w-]+)\s*(!=|>=|<=|=|>|<)\s*({VALUE})", re.DOTALL)
#: One field of a pattern in brackets, up to the next comma.
PATTERN_FIELD = re.compile(r'(?:"(?:[^"\\]|\\.)*"|%(?:[^%\\]|\\.)*%|[^,"%])+')
#: One field of a line: what is in quotes, in brackets, or between spaces.
LINE_FIELD = re.compile(r'"([^"]*)"|\[([^\]]*)\]|(\S+)')
ELLIPSIS = "..."


class PatternError(ValueError):
    """The local cloud cannot read the pattern."""


@lru_cache
def compile_pattern(pattern: str) -> Matcher:
    """Return a function that gives the fields of a message that matches, and None for others.

    Raises:
        PatternError: The local cloud cannot read the pattern.
    """
    pattern = pattern.strip()
    if pattern.startswith("["):
        return _between_spaces(pattern)
    if len(pattern) > 1 and pattern.startswith("%") and pattern.endswith("%"):
        expression = _regular_expression(pattern)
        return lambda message: {} if expression.search(message) else None
    if not pattern.startswith("{"):
        return _terms(pattern)
    if not pattern.endswith("}"):
        raise PatternError(f"pattern {pattern!r}: the closing brace is missing")
    test = _conditions(pattern[1:-1], CONDITION)

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
        matches = all(word in message for word in required) and not any(word in message for word in refused)
        return {} if matches and (not optional or any(word in message for word in optional)) else None

    return match


def _between_spaces(pattern: str) -> Matcher:
    """Match lines that have as many fields between spaces as the pattern, and that meet its conditions."""
    if not pattern.endswith("]"):
        raise PatternError(f"pattern {pattern!r}: the closing bracket is missing")
    field_patterns = [field_pattern.strip() for field_pattern in PATTERN_FIELD.findall(pattern[1:-1])]
    names = [_field_name(field_pattern, pattern) for field_pattern in field_patterns]
    if not names:
        raise PatternError(f"pattern {pattern!r}: there is no field between the brackets")
    if len({*names}) < len(names):
        raise PatternError(f"pattern {pattern!r}: two fields have the same name, or there are two ellipses")
    tests = [
        _conditions(field_pattern, FIELD_CONDITION) for field_pattern in field_patterns if field_pattern not in names
    ]
    before = names.index(ELLIPSIS) if ELLIPSIS in names else len(names)
    after = len(names) - before - 1

    def match(message: str) -> Any:
        values = ["".join(groups) for groups in LINE_FIELD.findall(message)]
        if len(values) < len(names) - 1 if after >= 0 else len(values) != len(names):
            return None
        last = values[len(values) - after :] if after > 0 else []
        fields = dict(zip(names[:before], values, strict=False)) | dict(zip(names[before + 1 :], last, strict=True))
        return fields if all(test(fields) for test in tests) else None

    return match


def _field_name(field_pattern: str, pattern: str) -> str:
    """Return the name of a field of a pattern in brackets; all conditions on the field repeat the name."""
    if field_pattern == ELLIPSIS:
        return field_pattern
    name, *other_names = {str(condition[1]) for condition in FIELD_CONDITION.finditer(field_pattern)} or {field_pattern}
    if other_names or not re.fullmatch(r"[\w-]+", name):
        raise PatternError(f"pattern {pattern!r}: {field_pattern!r} is neither a name nor conditions on one name")
    return name


def _regular_expression(quoted: str) -> re.Pattern[str]:
    """Return the regular expression between percent signs.

    Raises:
        PatternError: It is not one, or uses what CloudWatch Logs does not have.
    """
    text = quoted[1:-1]
    if re.search(r"\(\?|(?<!\\)\\[1-9]", text):
        raise PatternError(f"regular expression {quoted}: CloudWatch Logs has neither lookarounds nor references")
    try:
        return re.compile(text)
    except re.error as error:
        raise PatternError(f"regular expression {quoted}: {error}") from None


def _conditions(text: str, syntax: re.Pattern[str]) -> Test:
    """The test that several conditions are together; JMESPath knows how ``&&``, ``||``, ``!`` and parentheses join."""
    tests: list[Test] = []

    def keep(condition: re.Match[str]) -> str:
        tests.append(_condition(*condition.groups()))
        return f'"{len(tests) - 1}"'

    if unread := re.sub(r"&&|\|\||[!()]", " ", syntax.sub(" ", text)).strip():
        raise PatternError(f"cannot read {unread!r} in {text!r}")
    try:
        joined = jmespath.compile(syntax.sub(keep, text))
    except JMESPathError:
        raise PatternError(f"conditions are joined by &&, ||, ! and pairs of parentheses; in {text!r} not") from None
    return lambda fields: bool(joined.search({str(number): test(fields) for number, test in enumerate(tests)}))


def _condition(path: str, sign: str | None, operand: str, constant: str | None = None) -> Test:
    if sign and operand.startswith("%"):
        if sign not in ("=", "!="):
            raise PatternError(f"{path} {sign} {operand}: a regular expression is compared by = or !=")
        expression = _regular_expression(operand)
        return lambda fields: _fits(select(fields, path), sign, expression)
    if sign:
        return lambda fields: _compare(select(fields, path), sign, operand)
    value = {"TRUE": True, "FALSE": False, "NULL": None}[constant] if constant else MISSING
    return lambda fields: select(fields, path) is value


def _fits(actual: Any, sign: str, expression: re.Pattern[str]) -> bool:
    if actual is MISSING or actual is None or isinstance(actual, bool):
        return False
    return bool(expression.search(str(actual))) == (sign == "=")


def _compare(actual: Any, sign: str, operand: str) -> bool:
    if actual is MISSING or actual is None or isinstance(actual, bool):
        return False
    compare = COMPARISONS[sign]
    if not operand.startswith('"'):
        try:
            return compare(float(actual), float(operand))
        except (TypeError, ValueError):
            pass  # a word without quotes
    if sign not in ("=", "!="):
        return False
    text = re.sub(r"\\(.)", r"\1", operand[1:-1]) if operand.startswith('"') else operand
    same = re.fullmatch(re.escape(text).replace(r"\*", ".*"), str(actual), re.DOTALL) is not None
    return same == (sign == "=")


def select(fields: Any, path: str) -> Any:
    """Return what a selector such as ``$.a.b[0]``, or the name of a field such as ``$ip``, names, or MISSING."""
    if name := re.fullmatch(r"\$?([\w-]+)", path):
        return fields.get(name[1], MISSING) if isinstance(fields, dict) else MISSING
    for quoted, number, plain in re.findall(r'\["([^"]*)"\]|\[(\d+)\]|\.([\w-]+)', path):
        try:
            fields = fields[int(number)] if number else fields[quoted or plain]
        except (KeyError, IndexError, TypeError):
            return MISSING
    return fields
