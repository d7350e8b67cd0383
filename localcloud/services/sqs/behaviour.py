"""SQS: the attributes of queues.

moto gaps: changing any attribute of a queue removes its policy, and `RedriveAllowPolicy` neither holds nor can be read
back.

Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
"""

from __future__ import annotations

import json
from typing import Any

from moto.sqs.exceptions import SQSException
from moto.sqs.models import Queue, SQSBackend, sqs_backends

from localcloud.hooks import wrap

ALLOW = "RedriveAllowPolicy"
PERMISSIONS = ("allowAll", "byQueue", "denyAll")
#: How many queues a dead-letter queue may name.
MOST_SOURCES = 10


@wrap(Queue, "_set_attributes")
def _set_attributes(original: Any, self: Queue, attributes: dict[str, Any], now: float | None = None) -> None:
    if allowed := attributes.get(ALLOW):
        _check_allow_policy(allowed)
    if redrive := attributes.get("RedrivePolicy"):
        _check_redrive(self, redrive)
    policy = getattr(self, "policy", None)  # a new queue has none
    original(self, attributes, now)
    if "Policy" not in attributes:
        self.policy = policy


def _check_allow_policy(text: str) -> None:
    """Refuse a policy that does not say which queues may use a queue for their dead letters.

    Raises:
        SQSException: Names what is wrong.
    """
    policy = _document(text)
    permission, sources = policy.get("redrivePermission"), policy.get("sourceQueueArns")
    if permission not in PERMISSIONS:
        problem = f"redrivePermission must be one of {', '.join(PERMISSIONS)}"
    elif permission != "byQueue" and sources is not None:
        problem = "sourceQueueArns can only be given if redrivePermission is byQueue"
    elif permission == "byQueue" and not (isinstance(sources, list) and 1 <= len(sources) <= MOST_SOURCES):
        problem = f"redrivePermission byQueue needs sourceQueueArns, a list of 1 to {MOST_SOURCES} ARNs"
    else:
        return
    raise _invalid(ALLOW, text, problem)


def _check_redrive(queue: Queue, text: str) -> None:
    """Refuse a dead-letter queue that does not let a queue use it.

    Raises:
        SQSException: Names both queues.
    """
    arn = _document(text).get("deadLetterTargetArn")
    queues = sqs_backends[queue.account_id][queue.region].queues.values()
    target = next((other for other in queues if other.queue_arn == arn), None)
    policy = _document(getattr(target, "redrive_allow_policy", None))  # moto sets it, and has no place for it before
    permission = policy.get("redrivePermission", "allowAll")
    is_named = permission == "byQueue" and queue.queue_arn in policy["sourceQueueArns"]
    if permission != "allowAll" and not is_named:
        raise _invalid("RedrivePolicy", text, f"the {ALLOW} of {arn} does not let {queue.queue_arn} use it")


def _document(text: Any) -> dict[str, Any]:
    """Read a policy; one that cannot be read is empty, which SQS or moto refuses elsewhere."""
    try:
        document = json.loads(text) if isinstance(text, str) else text
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _invalid(parameter: str, value: str, reason: str) -> SQSException:
    words = f"Value {value} for parameter {parameter} is invalid. Reason: {reason}."
    return SQSException("InvalidParameterValue", words)


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
