"""Keys of encrypted topics and queues: their policies decide whether a service may publish.

moto gap: whatever a key encrypts is open to every service. The local cloud enforces no other policy, but where this one
keeps a service out, AWS drops every message of that service without telling anybody.
"""

import json
from collections.abc import Mapping
from typing import Any

from moto.kms.models import kms_backends
from moto.sns.models import sns_backends
from moto.sqs.models import sqs_backends

from localcloud.access import policy_statements
from localcloud.cloud.account import ACCOUNT, REGION

#: What a service calls to publish to an encrypted topic or queue.
ACTIONS = ("kms:Decrypt", "kms:GenerateDataKey")


def check(arn: str, service: str, context: Mapping[str, str]) -> None:
    """Refuse what KMS refuses a service that publishes to a topic or a queue; others have no key.

    Args:
        arn: The topic or the queue.
        service: The service's principal, such as ``events.amazonaws.com``.
        context: The condition keys that the service sends with its request to KMS.

    Raises:
        PermissionError: The key's policy does not let the service use it.
        NotImplementedError: The policy has a condition that the local cloud does not evaluate.
    """
    key = _key_of(arn)
    if not key:
        return
    for action in ACTIONS:
        if not policy_statements.allow(_statements(key), service, action, context):
            raise PermissionError(f"{service} may not call {action} with the key {key}, which encrypts {arn}")


def _key_of(arn: str) -> str:
    """The key that encrypts a topic or a queue, as its owner names it; nothing where there is none."""
    encrypted: Any = None
    if ":sns:" in arn:
        encrypted = sns_backends[ACCOUNT][REGION].topics.get(arn)
    elif ":sqs:" in arn:
        encrypted = sqs_backends[ACCOUNT][REGION].queues.get(arn.rpartition(":")[2])
    return (encrypted.kms_master_key_id or "") if encrypted else ""


def _statements(key: str) -> list[dict[str, Any]]:
    if "alias/aws/" in key:
        return []  # the keys that AWS manages let no other service in
    backend = kms_backends[ACCOUNT][REGION]
    statements: list[dict[str, Any]] = json.loads(backend.get_key_policy(backend.any_id_to_key_id(key)))["Statement"]
    return statements
