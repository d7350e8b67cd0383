"""What is wrong with a policy before a service takes it: its grammar, and the principals that it names.

Sources: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html and
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

from localcloud.access.policies import documents
from localcloud.access.policies.documents import ELEMENTS, PolicyError, as_list, is_operator

PRINCIPAL_TYPES = {"AWS", "CanonicalUser", "Federated", "Service"}
_OF_IAM = re.compile(r"arn:aws:iam::\d{12}:(?:role|user)/.+")
_ACTION = re.compile(r"\*|[\w-]+:.+")


class Kind(Enum):
    """Where a policy belongs."""

    IDENTITY = "to a user, a group or a role: it names no principal"
    TRUST = "to a role, as its trust policy: it names principals and no resource"
    RESOURCE = "to a resource: it names principals and resources"
    REPOSITORY = "to a repository of ECR: it names principals; its resource is the repository"


class Wrong(Enum):
    """What can be wrong."""

    JSON = "the text is not an object of JSON"
    VERSION = "the version"
    EMPTY = "no statement"
    FIELD = "an element that statements do not have"
    EFFECT = "an effect that is neither Allow nor Deny"
    NO_ACTION = "a statement without actions"
    ACTION = "an action without a service"
    NO_RESOURCE = "a statement without resources"
    RESOURCE = "a resource where there may be none"
    NO_PRINCIPAL = "a statement without a principal"
    PRINCIPAL = "a principal where there may be none"
    UNKNOWN_PRINCIPAL = "a principal that does not exist, or of a kind that does not"
    OPERATOR = "a condition operator that does not exist"
    OTHER = "anything else that the grammar does not allow"


@dataclass(frozen=True)
class Fault:
    """What is wrong with a policy, and the part of it that is."""

    wrong: Wrong
    subject: str = ""


def fault(text: str, kind: Kind, exists: Callable[[str], bool]) -> Fault | None:
    """Return the first fault of a policy; None if it has none.

    Args:
        text: The document, in JSON.
        kind: Where it belongs.
        exists: Whether there is a user or a role with an ARN.
    """
    return next(_faults(text, kind, exists), None)


def _faults(text: str, kind: Kind, exists: Callable[[str], bool]) -> Iterator[Fault]:
    try:
        document = json.loads(text)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        yield Fault(Wrong.JSON)
        return
    if document.get("Version", documents.WITH_POLICY_VARIABLES) not in documents.VERSIONS:
        yield Fault(Wrong.VERSION, str(document["Version"]))
    statements = as_list(document.get("Statement"))
    if not statements:
        yield Fault(Wrong.EMPTY)
    if not all(isinstance(statement, dict) for statement in statements):
        yield Fault(Wrong.OTHER)
        return
    for statement in statements:
        yield from _statement_faults(statement, kind, exists)
    try:
        documents.read(text)
    except PolicyError:
        yield Fault(Wrong.OTHER)


def _statement_faults(statement: dict[str, Any], kind: Kind, exists: Callable[[str], bool]) -> Iterator[Fault]:
    yield from (Fault(Wrong.FIELD, name) for name in sorted(statement.keys() - ELEMENTS))
    if statement.get("Effect") not in {"Allow", "Deny"}:
        yield Fault(Wrong.EFFECT, str(statement.get("Effect", "")))
    actions = [*as_list(statement.get("Action")), *as_list(statement.get("NotAction"))]
    if not actions:
        yield Fault(Wrong.NO_ACTION)
    yield from (Fault(Wrong.ACTION, str(name)) for name in actions if not _ACTION.fullmatch(str(name)))
    has_resource = bool({"Resource", "NotResource"} & statement.keys())
    if has_resource and kind in {Kind.TRUST, Kind.REPOSITORY}:
        yield Fault(Wrong.RESOURCE)
    if not has_resource and kind in {Kind.IDENTITY, Kind.RESOURCE}:
        yield Fault(Wrong.NO_RESOURCE)
    has_principal = bool({"Principal", "NotPrincipal"} & statement.keys())
    if has_principal and kind is Kind.IDENTITY:
        yield Fault(Wrong.PRINCIPAL)
    if not has_principal and kind is not Kind.IDENTITY:
        yield Fault(Wrong.NO_PRINCIPAL)
    for element in ("Principal", "NotPrincipal"):
        yield from _principal_faults(statement.get(element), exists)
    condition = statement.get("Condition")
    if isinstance(condition, dict):
        yield from (Fault(Wrong.OPERATOR, str(name)) for name in condition if not is_operator(str(name)))


def _principal_faults(principal: Any, exists: Callable[[str], bool]) -> Iterator[Fault]:
    """Yield what is wrong with an element of principals, as IAM quotes it."""
    if isinstance(principal, str) and principal != "*":
        yield Fault(Wrong.UNKNOWN_PRINCIPAL, f'"AWS":"{principal}"')
    if not isinstance(principal, dict):
        return
    for name, identifiers in principal.items():
        for identifier in as_list(identifiers):
            is_unknown = name == "AWS" and _OF_IAM.fullmatch(str(identifier)) and not exists(str(identifier))
            is_no_service = name == "Service" and not re.fullmatch(r"[\w.-]+\.(?:amazonaws|aws)\.\S+", str(identifier))
            if name not in PRINCIPAL_TYPES or is_unknown or is_no_service:
                yield Fault(Wrong.UNKNOWN_PRINCIPAL, f'"{name if name == "AWS" else name.upper()}":"{identifier}"')
