"""The program that the local cloud is a part of: how its commands are called, and where its clouds and engines are.

That program says so with `use`, before anything else. A process that the local cloud starts reads it from its
environment, once, when it starts.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

VARIABLE = "LOCALCLOUD_HOST"


@dataclass(frozen=True)
class Host:
    """What a program passes to the local cloud.

    Attributes:
        command: How the local cloud's commands are called from a shell.
        clouds: Where the named clouds are, below the current folder, each in a folder of its name.
        engines: The folder below which engines are unpacked that are not on PATH, as Debian's packages have them; none
            when empty.
        installation: The command that unpacks engines there; there is none when empty.
        prepared: The modules that programs of a container image import and that take long to import, by a part of the
            image's name.
    """

    command: str = "python -m localcloud"
    clouds: str = ".localcloud"
    engines: str = ""
    installation: str = ""
    prepared: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def named(self, name: str) -> Path:
        """Return the folder of the cloud of this name."""
        return Path(self.clouds) / name


def use(host: Host) -> None:
    """Make the local cloud a part of a program, in this process and in those that it starts."""
    _current[0] = host
    os.environ[VARIABLE] = json.dumps(asdict(host))


def current() -> Host:
    """Return the program that the local cloud is a part of."""
    return _current[0]


_current = [Host(**json.loads(os.environ[VARIABLE])) if VARIABLE in os.environ else Host()]
