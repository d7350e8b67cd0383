"""The services of the local cloud: each has a room of its own, a package that adds what moto lacks.

A room may contain

- ``room.py`` with a function ``install(cloud)``, which installs the room's additions to moto, through
  `localcloud.hooks`, and starts what runs beside requests (`Cloud.every`),
- ``types.yaml``, the CloudFormation resource types of the service (`localcloud.cloudformation.api.Row`), and
  ``adapters.py`` with the functions that its rows name,
- ``rules.yaml`` and ``requests.yaml``, what the service refuses (`localcloud.services.rules`), and
- ``inventory.yaml``, what an account may hold of the service (`localcloud.cloud.inventory.Question`).

Another distribution brings a room by an entry point of the group ``localcloud.services`` that names such a package.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import entry_points
from importlib.resources import files
from importlib.util import find_spec
from pkgutil import iter_modules
from types import ModuleType
from typing import TYPE_CHECKING, Any

import yaml

from localcloud.cloud.account import ACCOUNT, REGION

if TYPE_CHECKING:
    from localcloud.cloud.context import Cloud

GROUP = "localcloud.services"
#: The names of the local cloud's own rooms: every package in this folder is one.
ROOMS = tuple(sorted(module.name for module in iter_modules(__path__) if module.ispkg))
#: What stands for the cloud's account and region in a room's tables, as in CloudFormation's ``Fn::Sub``.
PSEUDO_PARAMETERS = {"${AWS::AccountId}": ACCOUNT, "${AWS::Region}": REGION}


@dataclass(frozen=True)
class Room:
    """The room of one service.

    Attributes:
        package: The dotted name of its package.
    """

    package: str

    def module(self, name: str) -> ModuleType | None:
        """Import the room's module of this name; None if the room has no such module."""
        path = f"{self.package}.{name}"
        return import_module(path) if find_spec(path) else None

    def table(self, name: str) -> dict[str, dict[str, Any]]:
        """Read the room's table of this name, such as ``types.yaml``: rows by key, empty without a table."""
        file = files(self.package) / name
        if not file.is_file():
            return {}
        text = file.read_text(encoding="utf-8")
        for parameter, value in PSEUDO_PARAMETERS.items():
            text = text.replace(parameter, value)
        rows: dict[str, dict[str, Any]] = yaml.load(text, yaml.CSafeLoader)
        return rows


def rooms() -> list[Room]:
    """List every room: first the local cloud's own, then those of other distributions, which may replace rows."""
    visitors = sorted(entry_points(group=GROUP), key=lambda entry_point: entry_point.name)
    own = [f"{__name__}.{name}" for name in ROOMS]
    return [Room(package) for package in [*own, *(entry_point.module for entry_point in visitors)]]


def install(cloud: Cloud) -> None:
    """Install every room in a cloud: its additions to moto, and what runs beside requests."""
    for room in rooms():
        if module := room.module("room"):
            module.install(cloud)
