"""What a person may choose for a local cloud when it starts."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Literal

from localcloud.errors import LocalCloudError

#: How old the account plays to be. AWS lets a new one do less: it has AWS's default quotas, none of the service-linked
#: roles, and no access to Timestream for LiveAnalytics. An established one had its quotas raised and has used the
#: services before.
Age = Literal["new", "established"]
#: What becomes of requests that their callers may not make.
IamMode = Literal["enforce", "warn", "off"]
DEFAULT_AGE: Age = "established"
DEFAULT_MODE: IamMode = "enforce"
SECRET_ACCESS_KEY = "LOCALCLOUD_SECRET_ACCESS_KEY"  # noqa: S105 - a variable
RETRY_SECONDS = "LOCALCLOUD_RETRY_SECONDS"
IDLE_SECONDS = "LOCALCLOUD_IDLE_SECONDS"


@dataclass(frozen=True)
class Settings:
    """The settings of a cloud, which do not change while it runs.

    Attributes:
        account: Whether the account is new or established.
        iam: What becomes of requests that their callers may not make.
        retry_seconds: The pause before a function gets again what it failed to handle; AWS waits for a minute.
        idle_seconds: How long an execution environment of a function stays without events; AWS does not say.
        secret_access_key: The secret key with which the cloud's clients sign; when empty, the cloud makes one.
    """

    account: Age = DEFAULT_AGE
    iam: IamMode = DEFAULT_MODE
    retry_seconds: float = 1.0
    idle_seconds: float = 120.0
    secret_access_key: str = field(default="", repr=False)

    @classmethod
    def read(cls, account: Age, iam: IamMode) -> Settings:
        """Return the settings of a cloud that starts: options of its command, and variables of its environment.

        Raises:
            LocalCloudError: A variable is not a number of seconds.
        """
        return cls(
            account,
            iam,
            retry_seconds=_seconds(RETRY_SECONDS, cls.retry_seconds),
            idle_seconds=_seconds(IDLE_SECONDS, cls.idle_seconds),
            secret_access_key=os.environ.get(SECRET_ACCESS_KEY, ""),
        )


def _seconds(variable: str, default: float) -> float:
    text = os.environ.get(variable, "")
    try:
        seconds = float(text) if text else default
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise LocalCloudError(f"{variable}: {text} is not a number of seconds. Set it to a number from 0 up.")
    return seconds
