"""One module for each part of the console; each has a Flask blueprint of its name."""

from __future__ import annotations

from localcloud.console.views import (
    alarms,
    dashboards,
    databases,
    denials,
    functions,
    jobs,
    logs,
    mailbox,
    objects,
    overview,
    queues,
    rules,
    secrets,
    stacks,
    tables,
)

VIEWS = (
    overview,
    stacks,
    dashboards,
    alarms,
    mailbox,
    jobs,
    functions,
    logs,
    rules,
    objects,
    tables,
    queues,
    secrets,
    databases,
    denials,
)
