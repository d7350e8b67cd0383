"""What this room installs, and what runs in it beside requests."""

from __future__ import annotations

import sys

from moto.moto_api import state_manager

from localcloud import hooks
from localcloud.cloud.context import Cloud
from localcloud.services.batch import behaviour, containers, hosts, queues, reclaim


def install(cloud: Cloud) -> None:
    """Add to moto what it lacks."""
    hooks.install(cloud, containers, hosts, queues, reclaim, behaviour)
    # Only this room changes the state of a job; moto would move it on whenever somebody asks.
    state_manager.set_transition("batch::job", {"progression": "manual", "times": sys.maxsize})
