"""Secrets of AWS Secrets Manager, read whenever they are needed and never kept in a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import boto3

from contract.errors import InputError
from workloads.aws import asking_aws

if TYPE_CHECKING:
    from botocore.config import Config


def read_secret(secret: str, config: Config | None = None) -> str:
    """Return the text of a secret.

    Args:
        secret: Its ARN or name.
        config: How patient the client is; by default as botocore is.

    Raises:
        InputError: There is no such secret, it may not be read, or it holds no text.
        UnavailableError: Secrets Manager is not available.
    """
    with asking_aws(f"Secret {secret}", service="Secrets Manager"):
        content = boto3.client("secretsmanager", config=config).get_secret_value(SecretId=secret)
    if "SecretString" not in content:
        raise InputError(f"Secret {secret}: The secret holds no text.")
    return str(content["SecretString"])
