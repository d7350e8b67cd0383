"""Policies that several tests need."""

from __future__ import annotations

import json
from typing import Any


def document(*statements: dict[str, Any]) -> str:
    """A policy of these statements, as JSON."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def trust(*services: str) -> str:
    """The trust policy of a role that these services assume, such as ``lambda``."""
    principal = {"Service": [f"{service}.amazonaws.com" for service in services]}
    return document({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"})


def allow(*actions: str, to: tuple[str, ...] = ()) -> str:
    """A policy that allows actions on everything: to whom it belongs or, in a resource's policy, to services."""
    principal = {"Principal": {"Service": [f"{service}.amazonaws.com" for service in to]}} if to else {}
    return document({"Effect": "Allow", "Action": list(actions), "Resource": "*", **principal})
