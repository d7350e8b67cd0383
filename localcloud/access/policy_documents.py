"""Policies that services refuse when somebody gives them: by their size, their grammar, and the principals they name.

moto gap: it knows the grammar of identities' policies; all other services take any text, and fail later or never.

The words are AWS's, as people have reported them. Sizes:
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html and each service's quotas.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatch
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.ecr.exceptions import InvalidParameterException as InvalidRepositoryPolicy
from moto.ecr.models import ECRBackend
from moto.iam.exceptions import LimitExceededException, MalformedPolicyDocument
from moto.iam.models import IAMBackend, iam_backends
from moto.iam.policy_validation import (
    BaseIAMPolicyValidator,
    IAMPolicyDocumentValidator,
    IAMTrustPolicyDocumentValidator,
)
from moto.kms.models import KmsBackend
from moto.kms.responses import KmsResponse
from moto.logs.exceptions import InvalidParameterException as InvalidLogsPolicy
from moto.logs.models import LogsBackend
from moto.opensearch.models import OpenSearchServiceBackend
from moto.s3.exceptions import S3ClientError
from moto.s3.models import S3Backend
from moto.secretsmanager.models import SecretsManagerBackend
from moto.sns.exceptions import SNSInvalidParameter
from moto.sns.models import SNSBackend
from moto.sqs.exceptions import InvalidAttributeValue
from moto.sqs.models import Queue

from localcloud.access.policies import documents
from localcloud.access.policies.validation import Fault, Kind, Wrong, fault
from localcloud.access.sessions import PARTITION
from localcloud.cloud.account import ACCOUNT
from localcloud.hooks import replace, wrap


@dataclass(frozen=True)
class Rules:
    """What a service says about policies that it does not take.

    Attributes:
        error: Makes the service's error of a message.
        other: The message for whatever has no own.
        kind: Where its policies belong.
        words: Messages by what is wrong; ``{}`` is the part of the policy.
        size: The bytes of the longest policy; None where another check limits it.
    """

    error: Callable[[str], Exception]
    other: str
    kind: Kind = Kind.RESOURCE
    words: Mapping[Wrong, str] = field(default_factory=dict)
    size: int | None = None

    def check(self, text: str | bytes | None) -> None:
        """Raise the service's error if it does not take a policy; no policy at all is taken."""
        if not text:
            return
        decoded = text.decode() if isinstance(text, bytes) else text
        wrong = fault(decoded, self.kind, _exists)
        if wrong is None and self.size and len(decoded) > self.size:
            wrong = Fault(Wrong.OTHER)
        if wrong:
            raise self.error(self.words.get(wrong.wrong, self.other).format(wrong.subject))


IDENTITY = Rules(
    MalformedPolicyDocument,
    "Syntax errors in policy.",
    Kind.IDENTITY,
    {
        Wrong.PRINCIPAL: "Policy document should not specify a principal.",
        Wrong.NO_RESOURCE: "Policy statement must contain resources.",
        Wrong.NO_ACTION: "Policy statement must contain actions.",
        Wrong.ACTION: "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
        Wrong.VERSION: "The policy must contain a valid version string",
    },
)
TRUST = Rules(
    MalformedPolicyDocument,
    IDENTITY.other,
    Kind.TRUST,
    {
        **IDENTITY.words,
        Wrong.RESOURCE: "Has prohibited field Resource",
        Wrong.NO_PRINCIPAL: "Invalid principal in policy: com.amazon.balsa.error.InvalidPolicyException: "
        "The passed in policy has a statement with no principals!",
        Wrong.UNKNOWN_PRINCIPAL: "Invalid principal in policy: {}",
    },
)
BUCKET = Rules(
    lambda message: S3ClientError("MalformedPolicy", message),
    "Policy has invalid syntax",
    words={
        Wrong.JSON: "Policies must be valid JSON and the first byte must be '{{'",
        Wrong.VERSION: "The policy must contain a valid version string",
        Wrong.EMPTY: "Could not parse the policy: Statement is empty!",
        Wrong.FIELD: "Unknown field {}",
        Wrong.EFFECT: "Invalid effect: {}",
        Wrong.NO_ACTION: "Missing required field Action",
        Wrong.ACTION: "Policy has invalid action",
        Wrong.NO_RESOURCE: "Missing required field Resource",
        Wrong.NO_PRINCIPAL: "Missing required field Principal",
        Wrong.UNKNOWN_PRINCIPAL: "Invalid principal in policy",
        Wrong.OPERATOR: "Invalid Condition type : {}",
    },
    size=20_480,
)
QUEUE = Rules(lambda _: InvalidAttributeValue("Policy"), "")
TOPIC = Rules(
    SNSInvalidParameter,
    "Invalid parameter: Policy Error: null",
    words={Wrong.UNKNOWN_PRINCIPAL: "Invalid parameter: Policy Error: PrincipalNotFound"},
    size=30_720,
)
KEY = Rules(
    lambda message: JsonRESTError("MalformedPolicyDocumentException", message),
    "The specified policy is not syntactically or semantically correct.",
    words={
        Wrong.UNKNOWN_PRINCIPAL: "Policy contains a statement with one or more invalid principals.",
        Wrong.NO_PRINCIPAL: "Policy contains a statement with one or more invalid principals.",
    },
    size=32_768,
)
SECRET = Rules(
    lambda message: JsonRESTError("MalformedPolicyDocumentException", message),
    "This resource policy contains a syntax error.",
    words={Wrong.UNKNOWN_PRINCIPAL: "This resource policy contains an unsupported principal."},
    size=20_480,
)
LOGS = Rules(InvalidLogsPolicy, "The resource policy document is not valid.", size=5120)
REPOSITORY = Rules(
    InvalidRepositoryPolicy,
    "Invalid parameter at 'PolicyText' failed to satisfy constraint: 'Invalid repository policy provided'",
    Kind.REPOSITORY,
    size=10_240,
)
DOMAIN = Rules(
    lambda message: JsonRESTError("ValidationException", message), "Error setting policy: [{}]", size=102_400
)
#: The characters, but for white space, of all inline policies of an identity, and of a managed policy.
INLINE = {"user": 2048, "group": 5120, "role": 10_240}
MANAGED, TRUSTED = 6144, 2048


def _exists(arn: str) -> bool:
    """Whether there is a user or a role; those of other accounts cannot be known."""
    if arn.split(":")[4] != ACCOUNT:
        return True
    backend: Any = iam_backends[ACCOUNT][PARTITION]
    return any(model.arn == arn for model in [*list(backend.roles.values()), *list(backend.users.values())])


def _size(*documents: Any) -> int:
    """The characters of policies, but for white space."""
    texts = [document if isinstance(document, str) else json.dumps(document) for document in documents]
    return sum(len("".join(text.split())) for text in texts)


@wrap(IAMBackend, "put_role_policy", "put_user_policy", "put_group_policy")
def _put_inline(original: Any, self: IAMBackend, name: str, policy_name: str, policy_json: str) -> Any:
    _check_identity(policy_json)
    kind = original.__name__.split("_")[1]
    holder: Any = {"role": self.get_role, "user": self.get_user, "group": self.get_group}[kind](name)
    others = [document for other, document in holder.policies.items() if other != policy_name]
    if _size(policy_json, *others) > INLINE[kind]:
        raise LimitExceededException(f"Maximum policy size of {INLINE[kind]} bytes exceeded for {kind} {name}")
    return original(self, name, policy_name, policy_json)


@wrap(IAMBackend, "create_policy")
def _create_policy(original: Any, self: IAMBackend, description: str, path: str, document: str, *args: Any) -> Any:
    _check_managed(document)
    return original(self, description, path, document, *args)


@wrap(IAMBackend, "create_policy_version")
def _create_policy_version(original: Any, self: IAMBackend, arn: str, document: str, set_as_default: bool) -> Any:
    _check_managed(document)
    return original(self, arn, document, set_as_default)


def _check_managed(document: str) -> None:
    _check_identity(document)
    if json.loads(document).get("Version") != documents.WITH_POLICY_VARIABLES:
        raise MalformedPolicyDocument("Policy document must be version 2012-10-17 or greater.")
    if _size(document) > MANAGED:
        raise LimitExceededException(f"Cannot exceed quota for PolicySize: {MANAGED}")


def _check_identity(document: str) -> None:
    IAMPolicyDocumentValidator(document).validate()  # moto's, which knows IAM's words for many a fault
    IDENTITY.check(document)


@replace(BaseIAMPolicyValidator, "_validate_version")
def _validate_version(self: BaseIAMPolicyValidator) -> None:
    """Take any version, and none, which only managed policies must have.

    moto gap: it refuses the trust policy of the CDK's bootstrap, and the inline policies of SAM's policy templates.
    """


@wrap(IAMBackend, "create_role", "update_assume_role_policy")
def _trust(original: Any, self: IAMBackend, name: str, document: str, *args: Any, **kwargs: Any) -> Any:
    IAMTrustPolicyDocumentValidator(document).validate()
    TRUST.check(document)
    if _size(document) > TRUSTED:
        raise LimitExceededException(f"Cannot exceed quota for ACLSizePerRole: {TRUSTED}")
    return original(self, name, document, *args, **kwargs)


@wrap(S3Backend, "put_bucket_policy")
def _put_bucket_policy(original: Any, self: S3Backend, bucket_name: str, policy: bytes) -> Any:
    BUCKET.check(policy)
    return original(self, bucket_name, policy)


@wrap(Queue, "_set_attributes")
def _set_queue_attributes(original: Any, self: Queue, attributes: dict[str, Any], now: float | None = None) -> Any:
    QUEUE.check(attributes.get("Policy"))
    return original(self, attributes, now)


@wrap(SNSBackend, "create_topic")
def _create_topic(original: Any, self: SNSBackend, name: str, attributes: Any = None, tags: Any = None) -> Any:
    TOPIC.check((attributes or {}).get("Policy"))
    return original(self, name, attributes, tags)


@wrap(SNSBackend, "set_topic_attribute")
def _set_topic_attribute(original: Any, self: SNSBackend, arn: str, name: str, value: str) -> Any:
    if name.lower() == "policy":
        TOPIC.check(value)
    return original(self, arn, name, value)


@wrap(KmsBackend, "create_key")
def _create_key(original: Any, self: KmsBackend, policy: str | None, *args: Any, **kwargs: Any) -> Any:
    KEY.check(policy)
    return original(self, policy, *args, **kwargs)


@wrap(KmsBackend, "put_key_policy")
def _put_key_policy(original: Any, self: KmsBackend, key_id: str, policy: str) -> Any:
    KEY.check(policy)
    return original(self, key_id, policy)


@wrap(KmsResponse, "create_key", "put_key_policy")
def _keep_out_of_lockout(original: Any, self: KmsResponse) -> Any:
    """moto gap: a key can be given a policy that nobody in the account may change again, not even its root user.

    Source: https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html
    """  # noqa: D403
    parameters = json.loads(self.body)
    text = parameters.get("Policy")
    if text and not parameters.get("BypassPolicyLockoutSafetyCheck"):
        KEY.check(text)
        if not any(_may_be_changed_by(statement) for statement in documents.as_list(json.loads(text)["Statement"])):
            raise KEY.error("The new key policy will not allow you to update the key policy in the future.")
    return original(self)


def _may_be_changed_by(statement: Mapping[str, Any]) -> bool:
    """Return whether a statement of a key's policy lets somebody of the account change the policy."""
    principal = statement.get("Principal", {})
    named = ["*"] if principal == "*" else documents.as_list(principal.get("AWS"))
    is_ours = any(name == "*" or ACCOUNT in str(name) for name in named)
    actions = [str(action).lower() for action in documents.as_list(statement.get("Action"))]
    return statement["Effect"] == "Allow" and is_ours and any(fnmatch(_CHANGE, action) for action in actions)


_CHANGE = "kms:putkeypolicy"


@wrap(SecretsManagerBackend, "put_resource_policy")
def _put_secret_policy(original: Any, self: SecretsManagerBackend, secret_id: str, policy: str) -> Any:
    SECRET.check(policy)
    return original(self, secret_id, policy)


@wrap(LogsBackend, "put_resource_policy")
def _put_logs_policy(original: Any, self: LogsBackend, policy_name: str, policy_doc: str) -> Any:
    LOGS.check(policy_doc)
    return original(self, policy_name, policy_doc)


@wrap(ECRBackend, "set_repository_policy")
def _set_repository_policy(original: Any, self: ECRBackend, *args: Any, policy_text: str, **kwargs: Any) -> Any:
    REPOSITORY.check(policy_text)
    return original(self, *args, policy_text=policy_text, **kwargs)


@wrap(OpenSearchServiceBackend, "create_domain", "update_domain_config")
def _set_access_policy(original: Any, self: OpenSearchServiceBackend, **options: Any) -> Any:
    DOMAIN.check(options.get("access_policies"))
    return original(self, **options)
