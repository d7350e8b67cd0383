"""All checks, in the order in which they are shown: importing a module registers its checks."""

from groundwork.preflight import (  # noqa: F401 (importing registers the checks)
    environment,
    quotas,
    network,
    compute,
    databases,
    roles,
    names,
    references,
    mail,
)
from groundwork.preflight.checks import CHECKS as CHECKS
