"""The versions of a secret, their staging labels, and when they were read.

moto gaps: moving ``AWSCURRENT`` from one version to another does not change which value is read, a new version takes
every label of the one before it, versions without a label are listed like others, nothing says when a secret was read,
and times are whole seconds.

Source: https://docs.aws.amazon.com/secretsmanager/latest/userguide/whats-in-a-secret.html
"""

from __future__ import annotations

import json
import time
from typing import Any

from moto.secretsmanager.exceptions import InvalidRequestException, ResourceNotFoundException
from moto.secretsmanager.models import FakeSecret, SecretsManagerBackend
from moto.secretsmanager.responses import SecretsManagerResponse

from localcloud.hooks import after, replace

Json = dict[str, Any]

CURRENT, PREVIOUS, PENDING = "AWSCURRENT", "AWSPREVIOUS", "AWSPENDING"
DAY = 86_400
#: What Secrets Manager calls the key of a version that no key of the customer's encrypts.
DEFAULT_KEY = "DefaultEncryptionKey"


def labelled(secret: FakeSecret, stage: str) -> str | None:
    """Return the id of the version that has a staging label; None if no version has it."""
    return next((version for version, fields in secret.versions.items() if stage in fields["version_stages"]), None)


def attach(secret: FakeSecret, version: str, stages: list[str]) -> None:
    """Attach staging labels to a version, and take them from the versions that had them.

    The version that loses ``AWSCURRENT`` becomes ``AWSPREVIOUS``, and is no longer ``AWSPENDING``.
    """
    before = labelled(secret, CURRENT)
    secret.remove_version_stages_from_old_versions(stages)
    fields = secret.versions[version]
    fields["version_stages"] = sorted({*fields["version_stages"], *stages})
    if CURRENT in stages and before != version:
        secret.default_version_id = version
        secret.remove_version_stages_from_old_versions([PREVIOUS])
        if before:
            stages_before = secret.versions[before]["version_stages"]
            secret.versions[before]["version_stages"] = sorted({*stages_before, PREVIOUS} - {PENDING})


@replace(FakeSecret, "reset_default_version")
def _add_current_version(self: FakeSecret, secret_version: Json, version_id: str) -> None:
    stages = secret_version["version_stages"]
    self.versions[version_id] = {**secret_version, "version_stages": []}
    attach(self, version_id, stages)


@after(SecretsManagerBackend, "update_secret_version_stage")
def _moved_stage(_: Any, self: SecretsManagerBackend, secret_id: str, *_args: Any, **_kwargs: Any) -> None:
    secret: Any = self.secrets[secret_id]
    secret.default_version_id = labelled(secret, CURRENT)
    secret.last_changed_date = round(time.time(), 3)
    for fields in secret.versions.values():
        fields["version_stages"] = sorted({*fields["version_stages"]})


@after(SecretsManagerBackend, "_add_secret")
def _added(result: tuple[FakeSecret, bool], self: SecretsManagerBackend, *_args: Any, **_kwargs: Any) -> None:  # noqa: ARG001
    """Keep milliseconds of when a secret and its version were made and changed; sort the labels."""
    secret: Any = result[0]
    now = round(time.time(), 3)
    if secret.created_date == secret.last_changed_date and len(secret.versions) <= 1:
        secret.created_date = now
    secret.last_changed_date = now
    for fields in secret.versions.values():
        if isinstance(fields["createdate"], int):
            fields["createdate"] = now
        fields["version_stages"] = sorted(fields["version_stages"])


@replace(SecretsManagerBackend, "get_secret_value")
def _get_secret_value(
    self: SecretsManagerBackend, secret_id: str, version_id: str | None, version_stage: str | None
) -> Json:
    """Return the value of a version, by its id, a staging label, or both, and note the day.

    Raises:
        ResourceNotFoundException: There is no such version, or it has no value yet.
        InvalidRequestException: The version does not have the label.
    """
    secret: Any = self.describe_secret(secret_id)
    stage = version_stage or CURRENT
    version = secret.versions.get(version_id or labelled(secret, stage))
    if version and version_id and version_stage and version_stage not in version["version_stages"]:
        raise InvalidRequestException("You provided a VersionStage that is not associated to the provided VersionId.")
    value = {
        member: version[key]
        for member, key in (("SecretString", "secret_string"), ("SecretBinary", "secret_binary"))
        if version and key in version
    }
    if not value:
        name = f"VersionId: {version_id}" if version_id else f"staging label: {stage}"
        raise ResourceNotFoundException(f"Secrets Manager can't find the specified secret value for {name}")
    version["last_accessed"] = int(time.time()) // DAY * DAY  # Secrets Manager notes the day, not the time
    return {
        "ARN": secret.arn,
        "Name": secret.name,
        "VersionId": version["version_id"],
        "VersionStages": version["version_stages"],
        "CreatedDate": version["createdate"],
        **value,
    }


@after(FakeSecret, "to_dict")
def _described(description: Json, self: FakeSecret) -> None:
    """Say when the secret was read last, leave out versions without a label, and what there is not."""
    stages = {version: labels for version, labels in self._form_version_ids_to_stages().items() if labels}
    days = [fields["last_accessed"] for fields in self.versions.values() if "last_accessed" in fields]
    description["LastAccessedDate"] = max(days, default=None)
    for member in ("VersionIdsToStages", "SecretVersionsToStages"):
        description[member] = stages or None
    for member in [member for member, value in description.items() if value is None]:
        del description[member]


@replace(SecretsManagerResponse, "list_secret_version_ids")
def _list_secret_version_ids(self: SecretsManagerResponse) -> str:
    secret: Any = self.backend.describe_secret(self._get_param("SecretId"))
    listed = [
        _listed(secret, fields)
        for fields in secret.versions.values()
        if fields["version_stages"] or self._get_param("IncludeDeprecated")
    ]
    page, token = self.backend._get_secret_values_page_and_next_token(  # noqa: SLF001 - moto's paging
        listed, self._get_int_param("MaxResults"), self._get_param("NextToken")
    )
    return json.dumps(
        {"ARN": secret.arn, "Name": secret.name, "Versions": page} | ({"NextToken": token} if token else {})
    )


def _listed(secret: FakeSecret, fields: Json) -> Json:
    key = secret.kms_key_id
    optional = {"VersionStages": fields["version_stages"], "LastAccessedDate": fields.get("last_accessed")}
    return {
        "VersionId": fields["version_id"],
        "CreatedDate": fields["createdate"],
        "KmsKeyIds": [DEFAULT_KEY if key in {None, SecretsManagerBackend.DEFAULT_KMS_KEY_ALIAS} else key],
    } | {member: value for member, value in optional.items() if value}
