"""A rotation of a database's password as AWS's functions for a single user make it, one step at a time.

Source: https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any


class Rotation:
    """One rotation; like AWS's functions, it can be interrupted after any step, and begun again with the first.

    Args:
        secrets: A client of Secrets Manager.
        secret: The secret's name.
        change_password: Gives the database's user another password.
        log_in: Opens a connection with what a version of the secret tells.
    """

    def __init__(
        self,
        secrets: Any,
        secret: str,
        change_password: Callable[[str], None],
        log_in: Callable[[dict[str, Any]], None],
    ) -> None:
        self._secrets, self._secret = secrets, secret
        self._change_password, self._log_in = change_password, log_in
        self._version = str(uuid.uuid4())
        self._steps = (self._create, self._set, self._test, self._finish)

    def take(self, steps: int = 4) -> None:
        """Take so many of the four steps, from the first."""
        for step in self._steps[:steps]:
            step()

    def _create(self) -> None:
        if self._version in self._labels():
            return
        password = self._secrets.get_random_password(PasswordLength=40, ExcludePunctuation=True)["RandomPassword"]
        self._secrets.put_secret_value(
            SecretId=self._secret,
            ClientRequestToken=self._version,
            SecretString=json.dumps(self._read(VersionStage="AWSCURRENT") | {"password": password}),
            VersionStages=["AWSPENDING"],
        )

    def _set(self) -> None:
        self._change_password(self._read(VersionId=self._version)["password"])

    def _test(self) -> None:
        self._log_in(self._read(VersionId=self._version))

    def _finish(self) -> None:
        [current] = [version for version, labels in self._labels().items() if "AWSCURRENT" in labels]
        if current != self._version:
            self._secrets.update_secret_version_stage(
                SecretId=self._secret,
                VersionStage="AWSCURRENT",
                MoveToVersionId=self._version,
                RemoveFromVersionId=current,
            )

    def _read(self, **version: str) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(
            self._secrets.get_secret_value(SecretId=self._secret, **version)["SecretString"]
        )
        return content

    def _labels(self) -> dict[str, list[str]]:
        labels: dict[str, list[str]] = self._secrets.describe_secret(SecretId=self._secret)["VersionIdsToStages"]
        return labels
