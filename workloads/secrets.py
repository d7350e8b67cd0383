"""Secrets of AWS Secrets Manager, read whenever they are needed and never kept in a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import boto3

from contract.errors import InputError
from workloads.aws import asking_aws

if TYPE_CHECKING:
    from botocore.config import Config


#: The labels that Secrets Manager gives to the version in use, and to the one that a rotation is bringing into use.
CURRENT, PENDING = "AWSCURRENT", "AWSPENDING"


def read_secret(secret: str, config: Config | None = None, stage: str = CURRENT) -> str:
    """Return the text of a secret.

    Args:
        secret: Its ARN or name.
        config: How patient the client is; by default as botocore is.
        stage: The label of the version to read.

    Raises:
        InputError: There is no such secret or version, it may not be read, or it holds no text.
        UnavailableError: Secrets Manager is not available.
    """
    with asking_aws(f"Secret {secret}", service="Secrets Manager"):
        content = boto3.client("secretsmanager", config=config).get_secret_value(SecretId=secret, VersionStage=stage)
    if "SecretString" not in content:
        raise InputError(f"Secret {secret}: The secret holds no text.")
    return str(content["SecretString"])
