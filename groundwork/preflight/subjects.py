"""All checks, in the order in which they are shown: importing a module registers its checks."""

from __future__ import annotations

from groundwork.preflight import (
    checks,
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

_ORDER = [
    module.__name__ for module in (environment, quotas, network, compute, databases, roles, names, references, mail)
]
CHECKS = sorted(checks.CHECKS, key=lambda check: _ORDER.index(check.look.__module__))
