"""What there is in a cloud, of every kind that stacks make: what a removal leaves behind shows here."""

from collections.abc import Callable
from importlib.resources import files
from typing import Any

import jmespath  # type: ignore[import-untyped]
import yaml

from localcloud.account import ACCOUNT

QUESTIONS: dict[str, list[str]] = yaml.safe_load((files("localcloud") / "inventory.yaml").read_text())
OPTIONS: dict[str, dict[str, Any]] = {
    "list_policies": {"Scope": "Local"},
    "describe_budgets": {"AccountId": ACCOUNT},
}


def inventory(client: Callable[[str], Any]) -> dict[str, set[str]]:
    """The names of what there is, by kind.

    Args:
        client: Gives a boto3 client of a service, as `LocalCloud.client` does.
    """
    return {kind: _names(client(service), operation, path) for kind, (service, operation, path) in QUESTIONS.items()}


def _names(client: Any, operation: str, path: str) -> set[str]:
    options = OPTIONS.get(operation, {})
    if client.can_paginate(operation):
        answer = client.get_paginator(operation).paginate(**options).build_full_result()
    else:
        answer = getattr(client, operation)(**options)
    found = set(jmespath.search(path, answer) or [])
    if operation == "list_keys":  # a deleted key waits out its days, and bills nothing
        found = {key for key in found if client.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Enabled"}
    return found
