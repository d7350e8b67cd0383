"""What Secrets Manager refuses.

moto gaps: it takes names with any character, changes secrets that are marked for deletion, and takes requests without a
token.
"""

from __future__ import annotations

import json
import re
from typing import Any

from moto.secretsmanager.exceptions import (
    InvalidParameterException,
    InvalidRequestException,
    ResourceExistsException,
    SecretsManagerClientError,
    ValidationException,
)
from moto.secretsmanager.models import FakeSecret, SecretsManagerBackend
from moto.secretsmanager.responses import SecretsManagerResponse

from localcloud.access.policies import documents
from localcloud.hooks import add, wrap

NAME = re.compile(r"[A-Za-z0-9/_+=.@!-]+|arn:.*")
WRONG_NAME = "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!"
MARKED = "You can't perform this operation on the secret because it was marked for deletion."
NOT_IDEMPOTENT = "You must provide a ClientRequestToken value. We recommend a UUID-type value."
TWO_VALUES = "You can't specify both a binary secret value and a string secret value in the same secret."

READS_AND_CHANGES = (
    "cancel_rotate_secret",
    "delete_resource_policy",
    "get_resource_policy",
    "get_secret_value",
    "put_resource_policy",
    "put_secret_value",
    "rotate_secret",
    "tag_resource",
    "untag_resource",
    "update_secret",
    "update_secret_version_stage",
)


#: Operations about one secret, by its name or ARN.
ABOUT_A_SECRET = (
    *READS_AND_CHANGES,
    "create_secret",
    "delete_secret",
    "describe_secret",
    "list_secret_version_ids",
    "remove_regions_from_replication",
    "replicate_secret_to_regions",
    "restore_secret",
    "validate_resource_policy",
)


@wrap(SecretsManagerResponse, "create_secret", "update_secret", "put_secret_value")
def _check_value(original: Any, self: SecretsManagerResponse) -> Any:
    if not self._get_param("ClientRequestToken"):
        raise InvalidRequestException(NOT_IDEMPOTENT)
    if self._get_param("SecretString") is not None and self._get_param("SecretBinary") is not None:
        raise InvalidParameterException(TWO_VALUES)
    return original(self)


@wrap(SecretsManagerResponse, "rotate_secret")
def _check_token(original: Any, self: SecretsManagerResponse) -> Any:
    if not self._get_param("ClientRequestToken"):
        raise InvalidParameterException(NOT_IDEMPOTENT)
    return original(self)


@wrap(SecretsManagerBackend, *READS_AND_CHANGES)
def _refuse_marked(original: Any, self: SecretsManagerBackend, *args: Any, **kwargs: Any) -> Any:
    secret = self.secrets.get(kwargs["secret_id"] if "secret_id" in kwargs else args[0])
    if secret and secret.is_deleted():
        raise InvalidRequestException(MARKED)
    return original(self, *args, **kwargs)


@wrap(SecretsManagerBackend, "create_secret")
def _create_secret(original: Any, self: SecretsManagerBackend, name: str, **kwargs: Any) -> Any:
    secret = self.secrets.get(name)
    if secret and secret.is_deleted():
        raise InvalidRequestException(
            "You can't create this secret because a secret with this name is already scheduled for deletion."
        )
    token = kwargs.get("client_request_token")
    if isinstance(secret, FakeSecret) and token not in secret.versions:
        raise ResourceExistsException(f"The operation failed because the secret {name} already exists.")
    return original(self, name=name, **kwargs)


@wrap(SecretsManagerBackend, "delete_secret")
def _delete_secret(original: Any, self: SecretsManagerBackend, secret_id: str, *args: Any, **kwargs: Any) -> Any:
    secret = self.secrets.get(secret_id)
    if secret and secret.is_deleted() and not kwargs.get("force_delete_without_recovery"):
        raise InvalidRequestException(
            "You can't perform this operation on the secret because it was already scheduled for deletion."
        )
    return original(self, secret_id, *args, **kwargs)


@wrap(SecretsManagerBackend, "update_secret")
def _update_secret(original: Any, self: SecretsManagerBackend, secret_id: str, **kwargs: Any) -> Any:
    """Change a secret. An empty description takes the former one away, which moto keeps."""
    response = original(self, secret_id, **kwargs)
    if kwargs.get("description") == "":
        secret: Any = self.secrets[secret_id]
        secret.description = None
    return response


@add(SecretsManagerResponse, "validate_resource_policy")
def _validate_resource_policy(self: SecretsManagerResponse) -> str:
    """Say whether a resource policy can be read; who it lets in is not judged."""
    if secret_id := self._get_param("SecretId"):
        self.backend.describe_secret(secret_id)
    try:
        documents.read(self._get_param("ResourcePolicy"))
    except documents.PolicyError as error:
        raise _MalformedPolicyError(error) from error
    return json.dumps({"PolicyValidationPassed": True, "ValidationErrors": []})


@wrap(SecretsManagerBackend, "put_resource_policy")
def _put_resource_policy(original: Any, self: SecretsManagerBackend, secret_id: str, policy: str) -> Any:
    try:
        documents.read(policy)
    except documents.PolicyError as error:
        raise _MalformedPolicyError(error) from error
    return original(self, secret_id, policy)


class _MalformedPolicyError(SecretsManagerClientError):
    def __init__(self, error: documents.PolicyError) -> None:
        super().__init__("MalformedPolicyDocumentException", f"This resource policy contains a syntax error: {error}")


@wrap(SecretsManagerResponse, *ABOUT_A_SECRET)
def _check_name(original: Any, self: SecretsManagerResponse) -> Any:
    name = self._get_param("SecretId") or self._get_param("Name")
    if name and not NAME.fullmatch(name):
        raise ValidationException(WRONG_NAME)
    return original(self)
