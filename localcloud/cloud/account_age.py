"""How old the account of a local cloud plays to be: AWS lets a new one do less than one that has been in use.

A new account has AWS's default quotas, none of the service-linked roles, and no access to Timestream for LiveAnalytics.
An established one, which a local cloud has unless it is started with `--account new`, had its quotas raised and has
used the services before.
"""

from __future__ import annotations

import os
from typing import Literal, cast

Age = Literal["new", "established"]
ESTABLISHED: Age = "established"
VARIABLE = "LOCALCLOUD_ACCOUNT"  # how a cloud tells its server


def is_new() -> bool:
    """Return whether the account of this server is new."""
    return cast("Age", os.environ.get(VARIABLE, ESTABLISHED)) == "new"
