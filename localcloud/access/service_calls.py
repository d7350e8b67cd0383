"""What AWS's services do by themselves: in their own name, or as the role that somebody gave them.

moto gap: services reach whatever they are told to. On AWS, the policy of a function, a topic, a queue or a log group
must let the service in, and so must the policy of the key that encrypts it. Where one of them does not, nothing is
delivered, and nobody is told.
"""

from __future__ import annotations

from typing import Any

from moto.sns.models import sns_backends
from moto.sqs.models import sqs_backends

from localcloud.access import authorization, callers, resources
from localcloud.access.actions.derivation import Need
from localcloud.access.authorization import Mode, Record
from localcloud.access.callers import Caller
from localcloud.access.policies.patterns import Context
from localcloud.access.policies.principals import Principal
from localcloud.cloud.account import ACCOUNT, REGION
from localcloud.cloud.context import Cloud

#: What a service needs to deliver something, by the service that takes it.
ACTIONS: dict[str, tuple[str, ...]] = {
    "lambda": ("lambda:InvokeFunction",),
    "logs": ("logs:CreateLogStream", "logs:PutLogEvents"),
    "sns": ("sns:Publish",),
    "sqs": ("sqs:SendMessage",),
}
#: What lets a service in by its policy only, also where the cloud only warns: S3 and CloudWatch Logs check it when they
#: are given a destination.
STRICT = {
    "events.amazonaws.com": {"lambda"},
    "logs.amazonaws.com": {"lambda"},
    "s3.amazonaws.com": {"lambda", "sns", "sqs"},
}
#: What it needs of the key that encrypts a topic or a queue.
KEY_ACTIONS = ("kms:Decrypt", "kms:GenerateDataKey")


def check(cloud: Cloud, service: str, arn: str, source: str, key_context: Context | None = None) -> None:
    """Refuse a delivery that the policies of its target, or of the target's key, do not allow a service.

    Args:
        cloud: The cloud.
        service: The service's principal, such as ``events.amazonaws.com``.
        arn: Function, topic, queue or log group that the service delivers to.
        source: ARN of the rule, alarm, topic or bucket in whose name it does.
        key_context: The condition keys that the service sends to KMS; some send none.

    Raises:
        PermissionError: It is not allowed, and the cloud enforces policies; the message says why. The policies of keys,
            and those that `STRICT` names, are enforced also where the cloud only warns.
    """
    taker = arn.split(":")[2]
    keys = {"aws:sourcearn": source, "aws:sourceaccount": ACCOUNT, "aws:sourceowner": ACCOUNT}
    on = f"{arn.removesuffix(':*')}:log-stream:" if taker == "logs" else arn
    caller = Caller(Principal(service))
    always = taker in STRICT.get(service, set())
    _judge(cloud, caller, [Need(action, on, keys) for action in ACTIONS.get(taker, ())], always=always)
    if taker in {"sns", "sqs"} and (key := _key(arn)):
        try:
            _judge(cloud, caller, [Need(action, key, key_context or {}) for action in KEY_ACTIONS], always=True)
        except PermissionError as error:
            raise PermissionError(f"{error}: that is the key which encrypts {arn}") from error


def check_role(cloud: Cloud, role: str, session: str, *needed: Need) -> None:
    """Refuse what a service does as a role, if the role may not do it.

    Args:
        cloud: The cloud.
        role: ARN of the role; one that does not exist may do everything, as what runs as it.
        session: The session's name.
        needed: What the service does.

    Raises:
        PermissionError: It is not allowed, and the cloud enforces policies.
    """
    model = resources.find("iam/role", role.rpartition("/")[2])
    if model:
        _judge(cloud, callers.of_role(role, session), list(needed))


def _judge(cloud: Cloud, caller: Caller, needed: list[Need], *, always: bool = False) -> None:
    mode = cloud.state(Record).mode
    if mode is Mode.OFF:
        return
    denial = authorization.judge(cloud, caller, needed)
    if denial and (always or mode is Mode.ENFORCE):
        raise PermissionError(str(denial))


def _key(arn: str) -> str | None:
    """The key that encrypts a topic or a queue; of those that AWS manages the alias, which lets no other service in."""
    if key := resources.key(arn):
        return key
    encrypted: Any = None
    if ":sns:" in arn:
        encrypted = sns_backends[ACCOUNT][REGION].topics.get(arn)
    else:
        encrypted = sqs_backends[ACCOUNT][REGION].queues.get(arn.rpartition(":")[2])
    named = encrypted.kms_master_key_id if encrypted else None
    return f"arn:aws:kms:{REGION}:{ACCOUNT}:{named}" if named else None
