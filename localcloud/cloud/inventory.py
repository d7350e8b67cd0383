"""What there is in a cloud, of every kind that stacks make: what a removal leaves behind shows here."""

from collections.abc import Callable
from importlib.resources import files
from typing import Any

import jmespath  # type: ignore[import-untyped]
import yaml

from localcloud.cloud.account import ACCOUNT

QUESTIONS: dict[str, list[str]] = yaml.safe_load((files(__package__) / "inventory.yaml").read_text())
OPTIONS: dict[str, dict[str, Any]] = {
    "list_policies": {"Scope": "Local"},
    "describe_budgets": {"AccountId": ACCOUNT},
}

DEFAULT = "Default "  # how moto describes keys of AWS's own, the one sign by which they can be told


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
    if operation == "list_keys":  # AWS has keys of its own; a deleted one waits out its days, and bills nothing
        details = {key: client.describe_key(KeyId=key)["KeyMetadata"] for key in found}
        found = {
            key
            for key, of in details.items()
            if of["KeyState"] == "Enabled" and not of["Description"].startswith(DEFAULT)
        }
    return found
