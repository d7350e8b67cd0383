"""Groundwork as the program that the local cloud is a part of."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

from groundwork import engines
from localcloud import host

CLOUDS = ".groundwork/local"
#: What every training imports of the packages of its container image.
PREPARED = {"pytorch": ("boto3", "jinja2", "matplotlib.figure", "pydantic", "torch", "typer")}


def use() -> None:
    """Tell the local cloud how its commands are called here, and where its clouds and engines are."""
    host.use(host.Host(f"{_program()} local", CLOUDS, str(engines.FOLDER), engines.INSTALLATION, PREPARED))


def _program() -> str:
    """Return how this process's program is called from a shell here: `groundwork` where that is the same."""
    called = Path(sys.argv[0])
    if called.name == "__main__.py" and called.parent.name == "groundwork":
        return f"{shlex.quote(sys.executable)} -m groundwork"
    on_path = shutil.which("groundwork")
    if called.name != "groundwork" or (on_path and called.exists() and called.samefile(on_path)):
        return "groundwork"
    return shlex.quote(str(called))
