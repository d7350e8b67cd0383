"""Engines that no Python package brings: found on PATH, or where the host has unpacked them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from localcloud import host
from localcloud.errors import LocalCloudError

#: Debian's packages of each program.
PACKAGES: dict[str, tuple[str, ...]] = {
    "influxd": ("influxdb",),
    "mariadbd": ("mariadb-server-core", "mariadb-client-core"),
    "apache2": ("apache2-bin",),
}


def find(program: str) -> str:
    """Return the path of an engine's program.

    Raises:
        LocalCloudError: It is not installed; the message says how to install it.
    """
    engines, installation = host.current().engines, host.current().installation
    path = search([program], folders(Path(engines)) if engines else [])
    if not path:
        raise LocalCloudError(missing(program, PACKAGES[program], installation))
    return path


def search(names: Sequence[str], folders: Iterable[Path]) -> str | None:
    """Return the path of the first program of these names on PATH, or else in one of the folders."""
    places = (None, os.pathsep.join(map(str, folders)))
    return next(filter(None, (shutil.which(name, path=place) for name in names for place in places)), None)


def folders(engines: Path) -> list[Path]:
    """Return the folders that hold unpacked programs."""
    return [engines / "usr" / "sbin", engines / "usr" / "bin"]


def missing(program: str, packages: Iterable[str], installation: str) -> str:
    """Return the sentence that says how to install a program."""
    run = f"Run `{installation}` (on Debian and Ubuntu; root is not needed), or install" if installation else "Install"
    return f"{program} is missing. {run} {' '.join(packages)} so that {program} is on PATH."


def environment() -> dict[str, str]:
    """Return the environment in which unpacked programs find the libraries that were unpacked with them."""
    engines = host.current().engines
    unpacked = (Path(engines) / "usr" / "lib").rglob("lib*.so*") if engines else ()
    libraries = sorted({str(library.parent) for library in unpacked})
    paths = [*libraries, *filter(None, [os.environ.get("LD_LIBRARY_PATH")])]
    return os.environ | ({"LD_LIBRARY_PATH": os.pathsep.join(paths)} if paths else {})
