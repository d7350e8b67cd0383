"""Wildcards and policy variables in the text of a policy.

Sources, both in the IAM User Guide (https://docs.aws.amazon.com/IAM/latest/UserGuide/):
reference_policies_elements_resource.html for wildcards, reference_policies_variables.html for variables.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum
from functools import lru_cache

#: Keys are in lower case; a key with several values has a tuple, also where there is one value or none.
Context = Mapping[str, str | tuple[str, ...]]

_ARN_SEPARATORS = 5  # arn:partition:service:region:account:resource
_TOKEN = re.compile(r"\$\{(?P<variable>[^}]*)\}|(?P<wildcard>[*?])|(?P<text>[^*?$]+|\$)")
_VARIABLE = re.compile(r"\s*(?P<key>[^,\s]+)\s*(?:,\s*'(?P<default>[^']*)'\s*)?")
#: Variables that stand for characters that would mean something else.
_CHARACTERS = {"*": "*", "?": "?", "$": "$"}


class Kind(Enum):
    """What a wildcard stands for."""

    EXACT = "nothing: `*` and `?` are plain characters"
    GLOB = "any characters"
    RESOURCE = "any characters; before the last part of an ARN no colons, unless `*` ends its segment"
    ARN = "any characters, but before the last part of an ARN no colons"


class UnresolvedError(Exception):
    """A policy variable has no value in this request, so its statement is not about the request."""


def matches(pattern: str, text: str, kind: Kind, context: Context | None = None, *, ignore_case: bool = False) -> bool:
    """Return whether text matches a pattern.

    Args:
        pattern: From a policy.
        text: From a request.
        kind: What wildcards in the pattern stand for.
        context: Where policy variables get their values from; None if the pattern has no variables.
        ignore_case: Whether upper and lower case are the same.

    Raises:
        UnresolvedError: A variable has neither a single value nor a default.
    """
    values: tuple[str, ...] = ()
    if context is not None and "${" in pattern:
        values = tuple(_value(match["variable"], context) for match in _TOKEN.finditer(pattern) if match["variable"])
        variables = True
    else:
        variables = False
    return _compiled(pattern, kind, values, variables, ignore_case).fullmatch(text) is not None


def _value(variable: str, context: Context) -> str:
    if variable in _CHARACTERS:
        return _CHARACTERS[variable]
    match = _VARIABLE.fullmatch(variable)
    value = context.get(match["key"].lower()) if match else None
    if isinstance(value, str):
        return value
    if match is None or value is not None or match["default"] is None:
        raise UnresolvedError(variable)
    return str(match["default"])


@lru_cache(8192)
def _compiled(pattern: str, kind: Kind, values: tuple[str, ...], variables: bool, ignore_case: bool) -> re.Pattern[str]:
    source, colons, remaining = "", 0, iter(values)
    for match in _TOKEN.finditer(pattern):
        if match["variable"] is not None:
            source += re.escape(next(remaining) if variables and match["variable"] else match[0])
        elif match["text"] or kind is Kind.EXACT:
            source += re.escape(match[0])
            colons += match[0].count(":")
        else:
            ends_segment = match[0] == "*" and pattern[match.end() : match.end() + 1] in {"", ":"}
            is_free = kind is Kind.GLOB or colons >= _ARN_SEPARATORS or (kind is Kind.RESOURCE and ends_segment)
            source += ("." if is_free else "[^:]") + ("*" if match[0] == "*" else "")
    return re.compile(source, re.DOTALL | (re.IGNORECASE if ignore_case else 0))
