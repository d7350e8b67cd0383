"""SQS: the attributes of queues.

moto gaps: changing any attribute of a queue removes its policy, and `RedriveAllowPolicy` cannot be read back.
"""

from __future__ import annotations

from typing import Any

from moto.sqs.models import Queue, SQSBackend

from localcloud.hooks import wrap

ALLOW = "RedriveAllowPolicy"


@wrap(Queue, "_set_attributes")
def _set_attributes(original: Any, self: Queue, attributes: dict[str, Any], now: float | None = None) -> None:
    policy = getattr(self, "policy", None)  # a new queue has none
    original(self, attributes, now)
    if "Policy" not in attributes:
        self.policy = policy


@wrap(SQSBackend, "get_queue_attributes")
def _get_queue_attributes(
    original: Any, self: SQSBackend, queue_name: str, attribute_names: list[str]
) -> dict[str, Any]:
    names = [name for name in attribute_names if name != ALLOW]
    attributes: dict[str, Any] = original(self, queue_name, names)
    policy = getattr(self.get_queue(queue_name), "redrive_allow_policy", None)  # which moto sets and does not read
    if policy and {"All", ALLOW} & {*attribute_names}:
        attributes[ALLOW] = policy
    return attributes
