"""What a cloud holds, of every kind that stacks create: what a removal leaves behind is listed here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jmespath  # type: ignore[import-untyped]

from localcloud.services import rooms


@dataclass(frozen=True)
class Question:
    """How to list the resources of one kind: a row of a service's ``inventory.yaml``.

    Attributes:
        service: boto3's name of the service.
        operation: The operation that lists them.
        names: Their names in its response, a JMESPath expression.
        parameters: Parameters of the operation.
        only: For kinds of which not every resource counts: the ``operation`` that describes one, the ``parameter`` that
            takes its name, and the ``condition`` under which it counts, a JMESPath expression over the response.
    """

    service: str
    operation: str
    names: str
    parameters: dict[str, Any] = field(default_factory=dict)
    only: dict[str, str] = field(default_factory=dict)

    def ask(self, client: Any) -> set[str]:
        """Return the names of what there is of this kind, by a client of the service."""
        if client.can_paginate(self.operation):
            response = client.get_paginator(self.operation).paginate(**self.parameters).build_full_result()
        else:
            response = getattr(client, self.operation)(**self.parameters)
        return {name for name in jmespath.search(self.names, response) or [] if self._counts(client, name)}

    def _counts(self, client: Any, name: str) -> bool:
        if not self.only:
            return True
        details = getattr(client, self.only["operation"])(**{self.only["parameter"]: name})
        return bool(jmespath.search(self.only["condition"], details))


def inventory(client: Callable[[str], Any]) -> dict[str, set[str]]:
    """Return the names of what there is, by kind, in the order of the kinds' names.

    Args:
        client: Gives a boto3 client of a service, as `LocalCloud.client` does.
    """
    rows = {kind: columns for room in rooms() for kind, columns in room.table("inventory.yaml").items()}
    questions = {kind: Question(**rows[kind]) for kind in sorted(rows)}
    return {kind: question.ask(client(question.service)) for kind, question in questions.items()}
