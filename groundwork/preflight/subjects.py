"""All checks, in the order in which they are shown: importing a module registers its checks."""

from groundwork.preflight import (  # noqa: F401 (importing registers the checks)
    compute,
    databases,
    environment,
    mail,
    names,
    network,
    quotas,
    references,
    roles,
)
from groundwork.preflight.checks import CHECKS

__all__ = ["CHECKS"]
