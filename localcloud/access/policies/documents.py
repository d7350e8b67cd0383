"""Policy documents as AWS reads them.

Grammar: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from localcloud.access.policies.conditions import OPERATORS, WITH_VARIABLES, Condition
from localcloud.access.policies.patterns import Context, Kind, UnresolvedError, matches
from localcloud.access.policies.principals import Grant, Principal, grant

WITH_POLICY_VARIABLES = "2012-10-17"
VERSIONS = {"2008-10-17", WITH_POLICY_VARIABLES}
_OPERATOR = re.compile(r"(?:(ForAllValues|ForAnyValue):)?(\w+?)(IfExists)?")
ELEMENTS = {"Sid", "Effect", "Condition"}
ELEMENTS |= {f"{negation}{name}" for name in ("Principal", "Action", "Resource") for negation in ("", "Not")}


class PolicyError(ValueError):
    """A document that is not a policy, as IAM puts it."""


@dataclass(frozen=True)
class Element:
    """``Action``, ``Resource`` or ``Principal`` of a statement, or its negation.

    Attributes:
        values: Patterns; of principals, pairs of their kind and who it is.
        is_negated: Whether it stands for everything but these.
    """

    values: tuple[Any, ...]
    is_negated: bool = False


@dataclass(frozen=True)
class Statement:
    """One statement of a policy.

    Attributes:
        denies: Whether its effect is ``Deny``.
        action: What it is about.
        resource: On what; None in a trust policy, whose resource is the role.
        principal: For whom; None in a policy of a principal.
        conditions: All of them must hold.
        has_variables: Whether the policy's version has policy variables.
        text: The statement as JSON, without the white space of its author.
    """

    denies: bool
    action: Element
    resource: Element | None
    principal: Element | None
    conditions: tuple[Condition, ...]
    has_variables: bool
    text: str

    def applies(self, principal: Principal, action: str, resource: str | None, context: Context) -> Grant:
        """Return whether the statement is about a request, and how its principal element means the caller.

        Args:
            principal: Who asks.
            action: What for, such as ``s3:GetObject``.
            resource: On what: an ARN, or ``*`` for an action that takes none. None, if nobody knows: then an allow of
                any resource is about the request, and a denial only if it is about all.
            context: The condition keys of the request, in lower case.
        """
        if not _chosen(self.action, action, Kind.GLOB, None, ignore_case=True):
            return Grant.NONE
        means = Grant.DIRECT
        if self.principal is not None:
            means = grant(self.principal.values, principal, denies=self.denies, is_negated=self.principal.is_negated)
        if means is Grant.NONE:
            return Grant.NONE
        variables = context if self.has_variables else None
        try:
            is_met = self._is_about(resource, variables) and all(
                condition.holds(context, variables if condition.operator in WITH_VARIABLES else None)
                for condition in self.conditions
            )
        except UnresolvedError:
            return Grant.NONE
        return means if is_met else Grant.NONE

    def _is_about(self, resource: str | None, variables: Context | None) -> bool:
        if self.resource is None:
            return True
        if resource is None:
            return not self.denies or (not self.resource.is_negated and "*" in self.resource.values)
        return _chosen(self.resource, resource, Kind.RESOURCE, variables)


@dataclass(frozen=True)
class Policy:
    """A policy: its name, for people, and its statements."""

    name: str
    statements: tuple[Statement, ...]


def _chosen(element: Element, text: str, kind: Kind, variables: Context | None, *, ignore_case: bool = False) -> bool:
    is_named = any(
        pattern == "*" or matches(pattern, text, kind, variables, ignore_case=ignore_case) for pattern in element.values
    )
    return is_named != element.is_negated


@lru_cache(4096)
def read(text: str, name: str = "policy") -> Policy:
    """Read a policy.

    Args:
        text: The document, in JSON.
        name: The policy's name in messages.

    Raises:
        PolicyError: The text is not a valid policy.
    """
    try:
        document = json.loads(text)
    except ValueError as error:
        raise PolicyError(f"{name}: This policy contains invalid Json. Correct it: {error}.") from error
    if not isinstance(document, dict):
        raise PolicyError(f"{name}: A policy must be an object of JSON. Write one with Version and Statement.")
    version = document.get("Version", "2008-10-17")
    if version not in VERSIONS:
        raise PolicyError(f"{name}: The policy must contain a valid version string. Use {WITH_POLICY_VARIABLES}.")
    statements = as_list(document.get("Statement"))
    return Policy(
        name, tuple(_statement(name, statement, version == WITH_POLICY_VARIABLES) for statement in statements)
    )


def _statement(name: str, statement: Any, has_variables: bool) -> Statement:
    if not isinstance(statement, dict):
        raise PolicyError(f"{name}: Syntax errors in policy. A statement must be an object.")
    if unknown := statement.keys() - ELEMENTS:
        raise PolicyError(f"{name}: Syntax errors in policy. A statement has no element {', '.join(sorted(unknown))}.")
    if statement.get("Effect") not in {"Allow", "Deny"}:
        raise PolicyError(f"{name}: Syntax errors in policy. Effect must be Allow or Deny.")
    action = _element(name, statement, "Action")
    if action is None:
        raise PolicyError(f"{name}: Policy statement must contain actions. Add Action or NotAction.")
    return Statement(
        denies=statement["Effect"] == "Deny",
        action=action,
        resource=_element(name, statement, "Resource"),
        principal=_element(name, statement, "Principal"),
        conditions=tuple(_conditions(name, statement.get("Condition", {}))),
        has_variables=has_variables,
        text=json.dumps(statement, separators=(",", ":")),
    )


def _element(name: str, statement: dict[str, Any], kind: str) -> Element | None:
    names = [key for key in (kind, f"Not{kind}") if key in statement]
    if not names:
        return None
    if len(names) > 1:
        raise PolicyError(f"{name}: Syntax errors in policy. Use either {kind} or Not{kind} in a statement.")
    value = statement[names[0]]
    if kind == "Principal":
        kinds = {"AWS": value} if isinstance(value, str) else value
        if not isinstance(kinds, dict):
            raise PolicyError(f"{name}: Syntax errors in policy. {names[0]} must be * or an object of principals.")
        values = tuple((key, identifier) for key, identifiers in kinds.items() for identifier in as_list(identifiers))
    else:
        values = tuple(as_list(value))
    if not all(isinstance(item[1] if kind == "Principal" else item, str) for item in values):
        raise PolicyError(f"{name}: Syntax errors in policy. {names[0]} must be text, or a list of texts.")
    return Element(values, is_negated=names[0] != kind)


def _conditions(name: str, block: Any) -> Iterator[Condition]:
    if not isinstance(block, dict) or not all(isinstance(keys, dict) for keys in block.values()):
        raise PolicyError(f"{name}: Syntax errors in policy. Condition must be an object of operators with keys.")
    for text, keys in block.items():
        match = _OPERATOR.fullmatch(text)
        if match is None or not is_operator(text):
            raise PolicyError(f"{name}: Syntax errors in policy. There is no condition operator {text}.")
        for key, values in keys.items():
            texts = tuple(_plain(value) for value in as_list(values))
            yield Condition(match[2], key.lower(), texts, match[1] or "", bool(match[3]))


def is_operator(text: str) -> bool:
    """Whether there is a condition operator of this name, with what may stand before and behind it."""
    match = _OPERATOR.fullmatch(text)
    return bool(match and (match[2] in OPERATORS or (match[2] == "Null" and not match[3])))


def _plain(value: Any) -> str:
    return json.dumps(value) if isinstance(value, bool) else str(value)


def as_list(value: Any) -> list[Any]:
    """Return a value that may be one or a list of them, as a list; nothing as an empty one."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
