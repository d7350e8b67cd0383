"""KMS: what a key may be used for, in which state it is, and how it is described.

moto gaps: it uses keys that are disabled or wait for their deletion, takes any key for any operation, asks nothing of
tags, and fails where a key is named by its ARN. Wrong requests are refused in KMS's order: key, state, use, algorithm.

Source: https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.kms import models
from moto.kms.exceptions import NotFoundException, ValidationException
from moto.kms.models import Key, KmsBackend
from moto.kms.responses import KmsResponse

from localcloud.cloud.account import ACCOUNT, REGION
from localcloud.hooks import after, replace, wrap

KEY_ARN = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/"
IDENTIFIER = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|mrk-[0-9a-f]{32}", re.IGNORECASE)
#: What keys of a specification may be used for; the first is the use of one that is created without saying.
USES = {
    "SYMMETRIC": ("ENCRYPT_DECRYPT",),
    "RSA": ("ENCRYPT_DECRYPT", "SIGN_VERIFY"),
    "ECC": ("SIGN_VERIFY", "KEY_AGREEMENT"),
    "HMAC": ("GENERATE_VERIFY_MAC",),
}
#: Operations that also a disabled key refuses; those of `ciphers` are among them.
FOR_ENABLED = ("create_grant", "disable_key_rotation", "enable_key_rotation", "rotate_key_on_demand")
#: Operations that only a key which waits for its deletion refuses.
FOR_ALIVE = (
    "disable_key",
    "enable_key",
    "get_key_rotation_status",
    "schedule_key_deletion",
    "tag_resource",
    "untag_resource",
    "update_key_description",
)
MOST_TAGS, LONGEST_KEY, LONGEST_VALUE = 50, 128, 256
MOST_ROTATIONS = 25
DAYS = 86_400
#: Where KMS keeps what moto's keys have no place for.
MATERIAL, PERIOD, ROTATED_FROM = "current_material", "rotation_period", "rotated_from"


def error(code: str, message: str = "") -> JsonRESTError:
    """Return an error of KMS."""
    refused = JsonRESTError(code, message)
    refused.code = 400
    if not message:
        refused.description = json.dumps({"__type": code})
    return refused


def find(response: KmsResponse, parameter: str = "KeyId") -> Key:
    """Return the key that a request names by its id, its ARN or an alias.

    Raises:
        NotFoundException: There is no such key.
    """
    name = response._get_param(parameter)  # noqa: SLF001
    response._validate_key_id(name)  # noqa: SLF001
    return response.kms_backend.keys[response.kms_backend.any_id_to_key_id(name)]


def rename(response: KmsResponse, name: str | None) -> None:
    """Name another key in a request, or none: moto fails where some operations name a key by its ARN."""
    response.body = json.dumps({**json.loads(response.body), "KeyId": name})


def check_state(key: Key) -> None:
    """Refuse to use a key that is not enabled.

    Raises:
        JsonRESTError: It is disabled, has no material yet, or waits for its deletion.
    """
    check_alive(key)
    if key.key_state == "PendingImport":
        raise error("KMSInvalidStateException", f"{key.arn} is pending import.")
    if key.key_state != "Enabled":
        raise error("DisabledException", f"{key.arn} is disabled.")


def check_alive(key: Key) -> None:
    """Refuse to change a key that waits for its deletion.

    Raises:
        JsonRESTError: It does.
    """
    if key.key_state == "PendingDeletion":
        raise error("KMSInvalidStateException", f"{key.arn} is pending deletion.")


def check_dry_run(response: KmsResponse) -> None:
    """Refuse, as everything else is checked, a request that asks only whether it would succeed.

    Raises:
        JsonRESTError: It asks for that.
    """
    if response._get_param("DryRun"):  # noqa: SLF001
        raise error("DryRunOperationException", "The request would have succeeded, but the DryRun option is set.")


@wrap(models, "generate_key_id")
def _generate_key_id(original: Any, multi_region: bool = False) -> str:
    """Name a key of several regions without hyphens after its prefix."""
    identifier: str = original(multi_region)
    return f"mrk-{identifier[4:].replace('-', '')}" if multi_region else identifier


@replace(KmsResponse, "_validate_cmk_id")
def _validate_key(self: KmsResponse, key_id: str) -> None:
    name = key_id.removeprefix(KEY_ARN)
    if not key_id.startswith("arn:") and not IDENTIFIER.fullmatch(name):
        raise NotFoundException(f"Invalid keyId '{key_id}'")
    if name not in self.kms_backend.keys:
        raise NotFoundException(f"Key '{KEY_ARN}{name}' does not exist")


@wrap(KmsResponse, *FOR_ALIVE)
def _change(original: Any, self: KmsResponse) -> Any:
    """Change a key that does not wait for its deletion."""
    self._validate_cmk_id(self._get_param("KeyId"))
    key = find(self)
    check_alive(key)
    if self._get_action() == "TagResource":
        check_tags(self._get_param("Tags") or [], self.kms_backend.tagger.get_tag_dict_for_resource(key.id))
    rename(self, key.id)
    answer = original(self)
    return _with_arn(answer, key)


@wrap(KmsResponse, "cancel_key_deletion")
def _cancel(original: Any, self: KmsResponse) -> Any:
    key = find(self)
    if key.key_state != "PendingDeletion":
        raise error("KMSInvalidStateException", f"{key.arn} is not pending deletion.")
    rename(self, key.id)
    return _with_arn(original(self), key)


@wrap(KmsResponse, *FOR_ENABLED)
def _use(original: Any, self: KmsResponse) -> Any:
    """Change how an enabled key is used."""
    key, operation = find(self), self._get_action()
    check_state(key)
    if operation in {"EnableKeyRotation", "RotateKeyOnDemand"}:
        if key.key_spec != "SYMMETRIC_DEFAULT":
            raise error("UnsupportedOperationException")
        if key.origin != "AWS_KMS":
            raise error(
                "UnsupportedOperationException",
                f"{key.arn} origin is {key.origin} which is not valid for this operation.",
            )
    check_dry_run(self)
    rename(self, key.id)
    return _with_arn(original(self), key)


@wrap(KmsResponse, "list_grants", "revoke_grant", "retire_grant")
def _grants(original: Any, self: KmsResponse) -> Any:
    if self._get_param("KeyId"):
        rename(self, find(self).id)
    if self._get_action() != "ListGrants":
        check_dry_run(self)
    return original(self)


def _with_arn(answer: Any, key: Key) -> Any:
    """Name a key by its ARN in an answer, as KMS does."""
    members = json.loads(answer)
    return json.dumps(members | {"KeyId": key.arn}) if members and "KeyId" in members else answer


def check_tags(tags: Sequence[Mapping[str, str]], present: Mapping[str, str]) -> None:
    """Refuse tags that a key cannot have.

    Args:
        tags: To be added.
        present: Those that the key has, by key.

    Raises:
        JsonRESTError: Has KMS's code and words.
    """
    names = [tag["TagKey"] for tag in tags]
    for place, tag in enumerate(tags, 1):
        for member, longest in (("TagKey", LONGEST_KEY), ("TagValue", LONGEST_VALUE)):
            if len(value := tag.get(member) or "") > longest:
                at = f"tags.{place}.member.{member.replace('Tag', 'tag')}"
                start = f"1 validation error detected: Value '{value}' at '{at}' failed to satisfy constraint: "
                raise ValidationException(f"{start}Member must have length less than or equal to {longest}")
    if any(name.lower().startswith("aws:") for name in names):
        raise error("TagException", "Tags beginning with aws: are reserved")
    if len({*names}) < len(names):
        raise error("TagException", "Duplicate tag keys")
    if len({*names} | {*present}) > MOST_TAGS:
        raise error("TagException", "Too many tags")


@wrap(KmsBackend, "create_key")
def _create_key(  # noqa: PLR0917 - moto's parameters
    original: Any,
    self: KmsBackend,
    policy: str | None,
    key_usage: str,
    key_spec: str,
    description: str,
    tags: list[dict[str, str]] | None,
    multi_region: bool = False,
    origin: str = "AWS_KMS",
) -> Key:
    check_tags(tags or [], {})
    uses = USES.get((key_spec or "SYMMETRIC_DEFAULT").partition("_")[0], ())
    if key_usage and uses and key_usage not in uses:
        problem = f"KeyUsage {key_usage} is not compatible with KeySpec {key_spec or 'SYMMETRIC_DEFAULT'}"
        raise ValidationException(problem)
    usage = key_usage or "ENCRYPT_DECRYPT"
    key: Key = original(self, policy, usage, key_spec, description, tags, bool(multi_region), origin)
    if origin == "EXTERNAL":
        key.enabled, key.key_state = False, "PendingImport"
    _renew(key)
    return key


@wrap(KmsBackend, "_generate_default_keys")
def _generate_default_keys(original: Any, self: KmsBackend, alias_name: str) -> str | None:
    """Say of the keys that AWS makes for its services that AWS manages them."""
    identifier: str | None = original(self, alias_name)
    if identifier:
        self.keys[identifier].key_manager = "AWS"
    return identifier


def _renew(key: Key) -> None:
    """Give a key another material, by its id: what it has encrypted stays readable, as on AWS."""
    setattr(key, MATERIAL, secrets.token_hex(32))


def material(key: Key) -> dict[str, str]:
    """Return the id of a symmetric key's material as answers have it; nothing for other keys."""
    has_one = key.key_spec == "SYMMETRIC_DEFAULT" and key.origin == "AWS_KMS" and hasattr(key, MATERIAL)
    return {"KeyMaterialId": getattr(key, MATERIAL)} if has_one else {}


@after(Key, "to_dict")
def _describe(description: dict[str, Any], self: Key) -> None:
    """Say what the key has, and nothing of what it has not."""
    members = description["KeyMetadata"]
    if current := material(self):
        members["CurrentKeyMaterialId"] = current["KeyMaterialId"]
    if self.key_spec.startswith("HMAC"):
        members["MacAlgorithms"] = [self.key_spec.replace("HMAC", "HMAC_SHA")]
    for absent in ("EncryptionAlgorithms", "SigningAlgorithms"):
        of_use = "ENCRYPT_DECRYPT" if absent == "EncryptionAlgorithms" else "SIGN_VERIFY"
        if self.key_usage != of_use:
            members.pop(absent)


# Rotation


@after(KmsResponse, "enable_key_rotation")
def _enabled(_answer: Any, self: KmsResponse) -> None:
    key = find(self)
    setattr(key, PERIOD, self._get_param("RotationPeriodInDays") or 365)
    setattr(key, ROTATED_FROM, self.kms_backend.keys[key.id].creation_date)


@wrap(KmsResponse, "get_key_rotation_status")
def _rotation_status(original: Any, self: KmsResponse) -> str:
    status, key = json.loads(original(self)), find(self)
    status["KeyId"] = key.arn
    if status["KeyRotationEnabled"]:
        period = getattr(key, PERIOD, 365)
        status |= {"RotationPeriodInDays": period, "NextRotationDate": getattr(key, ROTATED_FROM) + period * DAYS}
    return json.dumps(status)


@wrap(KmsBackend, "rotate_key_on_demand")
def _rotate(original: Any, self: KmsBackend, key_id: str) -> str:
    key = self.keys[key_id]
    if len(key.rotations) >= MOST_ROTATIONS:
        problem = "The on-demand rotations limit has been reached for the given keyId. No more on-demand rotations can"
        raise error("LimitExceededException", f"{problem} be performed for this key: {key.arn}")
    _renew(key)
    return str(original(self, key_id))
