"""What the cloud's state tells of a resource: its ARN by its name, its own policy and its key."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

from moto.apigateway.models import apigateway_backends
from moto.autoscaling.models import autoscaling_backends
from moto.awslambda.models import lambda_backends
from moto.cloudformation.models import cloudformation_backends
from moto.core.exceptions import ServiceException
from moto.dynamodb.models import dynamodb_backends
from moto.ec2.models import ec2_backends
from moto.ecr.models import ecr_backends
from moto.events.models import events_backends
from moto.iam.models import iam_backends
from moto.kms.models import kms_backends
from moto.logs.models import logs_backends
from moto.opensearch.models import opensearch_backends
from moto.s3.models import s3_backends
from moto.secretsmanager.models import secretsmanager_backends
from moto.sns.models import sns_backends
from moto.sqs.models import sqs_backends
from werkzeug.exceptions import HTTPException

from localcloud.access import function_names
from localcloud.access.policies import documents
from localcloud.access.policies.documents import Policy, PolicyError
from localcloud.access.sessions import PARTITION
from localcloud.cloud.account import ACCOUNT, REGION

_log = logging.getLogger("localcloud.access")
#: What moto raises for a resource that is not there.
NO_SUCH = (ServiceException, HTTPException, KeyError, AttributeError, TypeError)
#: Aliases of keys that AWS manages: each service uses its own in everybody's name.
_OF_AWS = "alias/aws/"


def find(kind: str, name: str) -> str | None:
    """Return the ARN of a resource; None if it follows from the name and the account, or if it does not exist.

    Args:
        kind: Such as ``kms/key``: the prefix of the service's actions, and the kind as the reference calls it.
        name: Its name or id.
    """
    finder = _FINDERS.get(kind)
    try:
        return finder(name) if finder else None
    except NO_SUCH:
        return None


def _secret(name: str) -> str | None:
    secret = secretsmanager_backends[ACCOUNT][REGION].secrets.get(name)
    return str(secret.arn) if secret else None


def _secret_model(name: str) -> Any:
    return secretsmanager_backends[ACCOUNT][REGION].secrets[f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:{name}"]


def _key(name: str) -> str | None:
    backend = kms_backends[ACCOUNT][REGION]
    return str(backend.keys[backend.any_id_to_key_id(name)].arn)


def _role(name: str) -> str | None:
    return next((str(role.arn) for role in list(_iam().roles.values()) if role.name == name), None)


def _role_of_profile(name: str) -> str | None:
    profiles = list(_iam().instance_profiles.values())
    roles = [role for profile in profiles if name in {profile.name, profile.arn} for role in profile.roles]
    return str(roles[0].arn) if roles else None


def _parameter_of_template(named: str) -> str | None:
    """Return the parameter by which a version of a launch template, such as `lt-0a1b/$Latest`, names its image."""
    name, _, version = named.rpartition("/")
    backend = ec2_backends[ACCOUNT][REGION]
    template = backend.launch_templates.get(backend.launch_template_name_to_ids.get(name, name))
    return str(template.get_version(version).image_id) if template else None


def _stack(name: str) -> str | None:
    stacks = list(cloudformation_backends[ACCOUNT][REGION].stacks.values())
    return next((str(stack.stack_id) for stack in stacks if stack.name == name), None)


def _iam() -> Any:
    return iam_backends[ACCOUNT][PARTITION]


_FINDERS: dict[str, Callable[[str], str | None]] = {
    "autoscaling/autoScalingGroup": lambda name: str(
        autoscaling_backends[ACCOUNT][REGION].autoscaling_groups[name].arn
    ),
    "cloudformation/stack": _stack,
    "ec2/image-of-launch-template": _parameter_of_template,
    "iam/group": lambda name: str(_iam().groups[name].arn),
    "iam/role": _role,
    "iam/role-of-profile": _role_of_profile,
    "iam/user": lambda name: str(_iam().users[name].arn),
    "kms/key": _key,
    "secretsmanager/Secret": _secret,
}


def owner(arn: str) -> str:
    """Return the account that a resource belongs to, for services whose resources of other accounts are not there."""
    account = arn.split(":")[4]
    return account if account.isdigit() and arn.split(":")[2] in _OF_ONE_ACCOUNT else ACCOUNT


_OF_ONE_ACCOUNT = {"dynamodb", "events", "kms", "secretsmanager", "sns", "sqs"}


def policy(arn: str, action: str) -> tuple[Policy | None, bool]:
    """Return the policy of a resource, and whether nothing is allowed without it.

    Args:
        arn: The resource.
        action: What is asked of it.
    """
    service, name = arn.split(":")[2], arn.split(":", 5)[5]
    if owner(arn) != ACCOUNT:
        return None, False
    reader = _POLICIES.get(service)
    if service == "iam" and not action.startswith("sts:"):
        reader = None
    try:
        document = reader(name) if reader else None
    except NO_SUCH:
        return None, False
    if reader is _trust and not document:  # nobody can assume a role that is not there
        return Policy(f"trust policy of {arn}", ()), True
    decides = bool(document) and service in {"kms", "iam"}
    text = document.decode() if isinstance(document, bytes) else document
    text = json.dumps(text) if text and not isinstance(text, str) else text
    try:
        own = documents.read(text, f"policy of {arn}") if text else None
        return (_with_grants(own, name) if own and service == "kms" else own), decides
    except PolicyError as error:  # the service should have refused it
        _log.warning("the policy of %s counts as empty: %s", arn, error)
        return Policy(f"policy of {arn}", ()), decides


def _with_grants(own: Policy, name: str) -> Policy:
    """A key's policy with what its grants allow, each as a statement.

    Source: https://docs.aws.amazon.com/kms/latest/developerguide/grants.html
    """
    grants = list(kms_backends[ACCOUNT][REGION].keys[name.removeprefix("key/")].grants.values())
    if not grants:
        return own
    granted = documents.read(json.dumps({"Statement": [_granted(grant) for grant in grants]}), own.name)
    return Policy(own.name, (*own.statements, *granted.statements))


def _granted(grant: Any) -> dict[str, Any]:
    principal = str(grant.grantee_principal)
    constraints = grant.constraints or {}
    exact = constraints.get("EncryptionContextEquals") or {}
    context = {**(constraints.get("EncryptionContextSubset") or {}), **exact}
    conditions: dict[str, Any] = {}
    if context:
        conditions["StringEquals"] = {f"kms:EncryptionContext:{key}": value for key, value in context.items()}
    if exact:
        conditions["ForAllValues:StringEquals"] = {"kms:EncryptionContextKeys": list(exact)}
    return {
        "Sid": str(grant.id),
        "Effect": "Allow",
        "Principal": {"Service" if principal.endswith(".amazonaws.com") else "AWS": principal},
        "Action": [f"kms:{operation}" for operation in grant.operations],
        "Resource": "*",
        "Condition": conditions,
    }


def _function_policy(name: str) -> Any:
    """Return the policy of a function, a version or an alias, each of which has its own."""
    if not name.startswith("function:"):
        return None
    named = function_names.read(name)
    return json.loads(lambda_backends[ACCOUNT][REGION].get_policy(named.name, named.qualifier or None))["Policy"]


def _log_policies(_: str) -> Any:
    """Return all of the account's, as one: each says by its resources what it is about."""
    policies = logs_backends[ACCOUNT][REGION].resource_policies.values()
    read = [json.loads(policy.policy_document) for policy in list(policies)]
    statements = [statement for document in read for statement in documents.as_list(document["Statement"])]
    return {"Version": documents.WITH_POLICY_VARIABLES, "Statement": statements} if statements else None


def _trust(name: str) -> Any:
    arn = f"arn:aws:iam::{ACCOUNT}:{name}"
    return next((role.assume_role_policy_document for role in list(_iam().roles.values()) if role.arn == arn), None)


def _access_policy(name: str) -> Any:
    """The policy of an OpenSearch domain, given ``domain/NAME/PATH``."""
    return opensearch_backends[ACCOUNT][REGION].domains[name.split("/")[1]].access_policies


def _api_policy(name: str) -> str:
    """Return the policy of a REST API, given ``API/STAGE/METHOD/PATH``; it may leave out how the ARNs begin.

    Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-resource-policies-create-attach.html
    """
    api = name.partition("/")[0]
    text = str(apigateway_backends[ACCOUNT][REGION].apis[api].policy or "")
    return text.replace('"execute-api:/', f'"arn:aws:execute-api:{REGION}:{ACCOUNT}:{api}/')


_POLICIES: dict[str, Callable[[str], Any]] = {
    "ecr": lambda name: ecr_backends[ACCOUNT][REGION].repositories[name.removeprefix("repository/")].policy,
    "es": _access_policy,
    "events": lambda name: events_backends[ACCOUNT][REGION].event_buses[name.removeprefix("event-bus/")].policy,
    "execute-api": _api_policy,
    "iam": _trust,
    "kms": lambda name: kms_backends[ACCOUNT][REGION].get_key_policy(name.removeprefix("key/")),
    "lambda": _function_policy,
    "logs": _log_policies,
    "s3": lambda name: s3_backends[ACCOUNT][PARTITION].buckets[name.partition("/")[0]].policy,
    "secretsmanager": lambda name: _secret_model(name).policy,
    "sns": lambda name: sns_backends[ACCOUNT][REGION].topics[f"arn:aws:sns:{REGION}:{ACCOUNT}:{name}"].policy,
    "sqs": lambda name: sqs_backends[ACCOUNT][REGION].queues[name].policy,
}


def key(arn: str) -> str | None:
    """The ARN of the customer's key that encrypts a bucket, table, topic, queue or secret; None for a key of AWS's."""
    reader = _KEYS.get(arn.split(":")[2])
    try:
        named = reader(arn.split(":", 5)[5]) if reader else None
    except NO_SUCH:  # or it has no key
        return None
    return customer_key(str(named)) if named else None


def key_of_object(arn: str) -> str | None:
    """Return the ARN of the customer's key by which an object of S3 is encrypted; None for another or no object."""
    bucket, _, name = arn.split(":::")[1].partition("/")
    try:
        model: Any = s3_backends[ACCOUNT][PARTITION].buckets[bucket].keys[name]
    except NO_SUCH:
        return None
    return customer_key(str(model.kms_key_id)) if model.encryption == "aws:kms" and model.kms_key_id else None


def customer_key(name: str) -> str | None:
    """Return the ARN of a key, by its id, ARN or alias; None if it is one of AWS's, or not there."""
    arn = None if _OF_AWS in name else find("kms/key", name)
    aliases = kms_backends[ACCOUNT][REGION].keys[arn.rpartition("/")[2]].aliases if arn else ()
    return None if any(alias.startswith(_OF_AWS) for alias in aliases) else arn


def _bucket_key(name: str) -> Any:
    return _encryption_rule(name)["ApplyServerSideEncryptionByDefault"].get("KMSMasterKeyID")


def has_bucket_key(name: str) -> bool:
    """Return whether S3 encrypts the objects of a bucket by a key of the bucket's, which it asks KMS for rarely."""
    return str(_encryption_rule(name).get("BucketKeyEnabled", "")).lower() == "true"


def _encryption_rule(name: str) -> dict[str, Any]:
    bucket: Any = s3_backends[ACCOUNT][PARTITION].buckets[name.partition("/")[0]]
    rules = bucket.encryption["Rule"] if bucket.encryption else {}
    return dict(rules[0] if isinstance(rules, list) else rules)


def _table_key(name: str) -> Any:
    """The key of a table, given ``table/NAME``, with an index behind it or not."""
    specification = dynamodb_backends[ACCOUNT][REGION].tables[name.split("/")[1]].sse_specification
    return specification.get("KMSMasterKeyId") if specification else None


_KEYS: dict[str, Callable[[str], Any]] = {
    "dynamodb": _table_key,
    "s3": _bucket_key,
    "secretsmanager": lambda name: _secret_model(name).kms_key_id,
    "sns": lambda name: (
        sns_backends[ACCOUNT][REGION].topics[f"arn:aws:sns:{REGION}:{ACCOUNT}:{name}"].kms_master_key_id
    ),
    "sqs": lambda name: getattr(sqs_backends[ACCOUNT][REGION].queues[name], "kms_master_key_id", None),
}


def has_object(arn: str) -> bool:
    """Return whether S3 has an object."""
    bucket, _, name = arn.split(":::")[1].partition("/")
    model = s3_backends[ACCOUNT][PARTITION].buckets.get(bucket)
    return model is None or name in model.keys
