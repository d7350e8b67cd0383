"""What the storefront is told: by the environment, or by the outputs of the stack it runs on."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Self

from contract.errors import InputError
from contract.stacks import StackName, WebAppOutput
from workloads.stack_outputs import stack_outputs

if TYPE_CHECKING:
    from collections.abc import Mapping

STACK = StackName.WEB_APP
_PREFIX = "STOREFRONT_"
_OUTPUTS = {
    "database_secret": WebAppOutput.DATABASE_SECRET_ARN,
    "session_secret": WebAppOutput.SESSION_SECRET_ARN,
    "bucket": WebAppOutput.ASSETS_BUCKET_NAME,
    "log_group": WebAppOutput.LOG_GROUP_NAME,
}


@dataclass(frozen=True)
class Settings:
    """Each is read from the environment variable `STOREFRONT_` and its name in capitals.

    Attributes:
        database_secret: ARN or name of the secret with username, password, host, port and dbname.
        database_ca: File with the certificates of the authorities that vouch for the database.
        session_secret: ARN or name of the secret that signs cookies and form tokens.
        bucket: The bucket with posters and static files.
        log_group: Log group for structured logs; none when empty.
        stack: Whose metrics are sent; none are when empty.
        proxies: How many proxies stand in front and add to X-Forwarded-For: Apache, and the load balancer if any.
        writes_per_minute: How often an address may send a form.
        hosts: Host names that the site answers to, with commas between them; any when empty.
    """

    database_secret: str
    database_ca: str
    session_secret: str
    bucket: str
    log_group: str = ""
    stack: str = ""
    proxies: int = 1
    writes_per_minute: int = 60
    hosts: str = ""

    @classmethod
    def from_environment(cls, variables: Mapping[str, str] | None = None) -> Self:
        """Return the settings of an environment, by default the process's own.

        Raises:
            InputError: A variable is missing or not a number.
        """
        environment = os.environ if variables is None else variables
        texts = {field.name: environment.get(_PREFIX + field.name.upper(), "") for field in fields(cls)}
        needed = ("database_secret", "database_ca", "session_secret", "bucket")
        if missing := [_PREFIX + name.upper() for name in needed if not texts[name]]:
            raise InputError(f"The environment does not set {', '.join(missing)}. Set it, or name a stack (--stack).")
        values: dict[str, Any] = {name: texts[name] for name in (*needed, "log_group", "stack", "hosts")}
        values |= {name: _number(name, texts[name]) for name in ("proxies", "writes_per_minute") if texts[name]}
        return cls(**values)

    @classmethod
    def from_stack(cls, stack: str, database_ca: str) -> Self:
        """Return the settings from a deployed stack's outputs.

        Raises:
            InputError: There is no such stack, or it lacks an output.
            UnavailableError: AWS cannot be reached.
        """
        outputs = stack_outputs(stack)
        if missing := [output for output in _OUTPUTS.values() if output not in outputs]:
            raise InputError(
                f"Stack {stack}: The stack has no output {', '.join(missing)}. Name a stack that is a {STACK}."
            )
        values: dict[str, Any] = {name: outputs[output] for name, output in _OUTPUTS.items()}
        return cls(database_ca=database_ca, stack=stack, **values)

    def environment(self) -> dict[str, str]:
        """Return the environment variables for these settings."""
        return {_PREFIX + field.name.upper(): str(getattr(self, field.name)) for field in fields(self)}


def _number(name: str, text: str) -> int:
    if not (text.isdecimal() and 0 <= int(text) <= 1_000_000):  # noqa: PLR2004 - a limit, to tell a slip
        raise InputError(f"{_PREFIX}{name.upper()}={text}: This is not a whole number up to 1,000,000.")
    return int(text)
