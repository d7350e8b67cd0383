"""The storefront's secrets, from Secrets Manager."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

from botocore.config import Config

from contract.errors import InputError
from workloads.secrets import CURRENT, read_secret

SHORTEST_SESSION_SECRET = 32
_CONFIG = Config(connect_timeout=2, read_timeout=3, retries={"mode": "standard", "max_attempts": 2})


@dataclass(frozen=True)
class DatabaseAccess:
    """What a database secret holds."""

    username: str
    password: str
    host: str
    port: int
    name: str

    @classmethod
    def read(cls, secret: str, stage: str = CURRENT) -> Self:
        """Return the access that a secret tells now, in the version with a label.

        Raises:
            InputError: The secret cannot be read, or is not a database's.
            UnavailableError: Secrets Manager cannot be reached.
        """
        text = read_secret(secret, _CONFIG, stage)
        try:
            content: dict[str, Any] = json.loads(text)
            get = partial(_text, content)
            return cls(get("username"), get("password"), get("host"), int(get("port")), get("dbname"))
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"Secret {secret}: The secret is not a JSON object with username, password, host, port and dbname."
            ) from error


def session_secret(secret: str) -> str:
    """Return what cookies and form tokens are signed with.

    Raises:
        InputError: The secret cannot be read, or is too short to be safe.
        UnavailableError: Secrets Manager cannot be reached.
    """
    content = read_secret(secret, _CONFIG)
    if len(content) < SHORTEST_SESSION_SECRET:
        raise InputError(
            f"Secret {secret}: The session secret is too short. It needs {SHORTEST_SESSION_SECRET} characters or more."
        )
    return content


def _text(content: dict[str, Any], name: str) -> str:
    return str(content[name])
