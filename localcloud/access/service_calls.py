"""What AWS's services do by themselves: in their own name, or as the role that somebody gave them.

moto gap: services reach whatever they are told to. On AWS, the policy of a function, a topic, a queue or a log group
must let the service in, and so must the policy of the key that encrypts it. Where one of them does not, nothing is
delivered, and no error is reported.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from moto.sns.models import sns_backends
from moto.sqs.models import sqs_backends

from localcloud.access import authorization, callers, resources
from localcloud.access.actions.derivation import Call, Need
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
#: What lets a service in by its policy only, also where the cloud only warns: S3, CloudWatch Logs and Secrets Manager
#: check it when they are given a destination or a function.
STRICT = {
    "apigateway.amazonaws.com": {"lambda"},
    "events.amazonaws.com": {"lambda"},
    "logs.amazonaws.com": {"lambda"},
    "s3.amazonaws.com": {"lambda", "sns", "sqs"},
    "secretsmanager.amazonaws.com": {"lambda"},
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


def check_bus(cloud: Cloud, bus: str, rule: str, role: str) -> None:
    """Refuse events that a rule may not put on another event bus: as its target's role, else as its account.

    Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-bus-to-bus.html

    Args:
        cloud: The cloud.
        bus: ARN of the bus.
        rule: ARN of the rule.
        role: ARN of the target's role; empty if it has none.

    Raises:
        PermissionError: It may not.
    """
    need = Need("events:PutEvents", bus, {"aws:sourcearn": rule, "aws:sourceaccount": ACCOUNT})
    if role:
        check_trust(cloud, "events.amazonaws.com", role)
        check_role(cloud, role, "events", need)
    else:
        _judge(cloud, Caller(Principal(f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT)), [need])


def check_key(cloud: Cloud, service: str, key: str, context: Context, *actions: str) -> None:
    """Refuse a service the use of a key whose policy and grants do not let it in.

    Args:
        cloud: The cloud.
        service: The service's principal, such as ``logs.us-east-1.amazonaws.com``.
        key: The key's ARN.
        context: The condition keys that the service sends to KMS, in lower case.
        actions: What it does with the key.

    Raises:
        PermissionError: It may not, and the cloud enforces policies.
    """
    _judge(cloud, Caller(Principal(service)), [Need(action, key, context) for action in actions])


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


def check_session(cloud: Cloud, caller: Caller | None, service: str, *calls: Call) -> None:
    """Refuse what a service does in the name of whoever sent it a request, in a forward access session.

    Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/access_forward_access_sessions.html

    Args:
        cloud: The cloud.
        caller: Who sent the request; None for the account's administrator, who may do everything.
        service: The service's principal, such as ``dynamodb.amazonaws.com``.
        calls: What the service asks other services for.

    Raises:
        PermissionError: The caller may not do it, and the cloud enforces policies.
    """
    via: Context = {"aws:viaawsservice": "true", "aws:calledvia": (service,)}
    via = {**via, "aws:calledviafirst": service, "aws:calledvialast": service}
    if caller:
        needed = [need for call in calls for need in authorization.all_needs(call)]
        _judge(cloud, caller, [replace(need, context={**via, **need.context}) for need in needed])


def check_trust(cloud: Cloud, service: str, role: str, context: Context | None = None) -> None:
    """Refuse a service a role whose trust policy does not let it in.

    Args:
        cloud: The cloud.
        service: The service's principal, such as ``lambda.amazonaws.com``.
        role: ARN of the role; one that does not exist is not judged.
        context: The condition keys that the service sends, in lower case; some send none.

    Raises:
        PermissionError: It may not assume the role, and the cloud enforces policies.
    """
    if resources.find("iam/role", role.rpartition("/")[2]):
        _judge(cloud, Caller(Principal(service)), [Need("sts:AssumeRole", role, context or {})])


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
