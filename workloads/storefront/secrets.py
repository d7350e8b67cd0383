"""The storefront's secrets, from Secrets Manager."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from workloads.errors import InputError

SHORTEST_SESSION_SECRET = 32
_CONFIG = Config(connect_timeout=2, read_timeout=3, retries={"mode": "standard", "max_attempts": 2})


class Unavailable(Exception):  # noqa: N818 - a state of the world, not a mistake
    """Something that the storefront needs is away for now; the message is for the log, not for visitors."""


@dataclass(frozen=True)
class DatabaseAccess:
    """What a database secret holds."""

    username: str
    password: str
    host: str
    port: int
    name: str

    @classmethod
    def read(cls, secret: str) -> Self:
        """The access that a secret tells now.

        Raises:
            Unavailable: Secrets Manager cannot be reached.
            InputError: The secret is not a database's.
        """
        try:
            content: dict[str, Any] = json.loads(_secret(secret))
            get = partial(_text, content)
            return cls(get("username"), get("password"), get("host"), int(get("port")), get("dbname"))
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"secret {secret}: expected JSON with username, password, host, port, dbname") from error


def session_secret(secret: str) -> str:
    """What cookies and form tokens are signed with.

    Raises:
        Unavailable: Secrets Manager cannot be reached.
        InputError: It is too short to be safe.
    """
    content = _secret(secret)
    if len(content) < SHORTEST_SESSION_SECRET:
        raise InputError(f"secret {secret}: a session secret has {SHORTEST_SESSION_SECRET} characters or more")
    return content


def _text(content: dict[str, Any], name: str) -> str:
    return str(content[name])


def _secret(secret: str) -> str:
    try:
        client = boto3.client("secretsmanager", config=_CONFIG)
        return str(client.get_secret_value(SecretId=secret)["SecretString"])
    except (BotoCoreError, ClientError, KeyError) as error:
        raise Unavailable(f"secret {secret}: {error}") from error
