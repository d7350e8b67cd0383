"""The bundle that containers run: the workloads' code, the wheels that their images lack, and pins for all the rest.

    code.zip
      contract/ terminal/ workloads/   the code
      workloads/wheels/*.whl           the packages of workloads/wheels.txt
      workloads/.../requirements.lock  beside each requirements.txt: its packages and all that they need, with hashes

Every version and hash comes from the project's requirements.txt. The wheels are downloaded once and checked against it
each time; they wait in `.groundwork/wheels` for the next bundle, which then needs no network.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from infra import PROJECT
from terminal.files import replacing

PACKAGES = ("contract", "terminal", "workloads")  # what a container runs, and what that imports
REQUIREMENTS = (
    "workloads/requirements.txt",
    "workloads/movie_rental/requirements.txt",
    "workloads/timeseries/requirements.txt",
)
"""What the containers' images must have, as ranges of versions."""

WHEELS = PROJECT / "workloads/wheels.txt"
"""The packages whose wheels travel in the bundle."""

STORE = PROJECT / ".groundwork"
BUNDLE = STORE / "bundle/code.zip"
PYTHON = "3.12"
"""Of the default images of Training; see workloads/wheels.txt."""

#: What wheels must fit: Amazon Linux 2023 has glibc 2.34.
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")
_MOMENT = (1980, 1, 1, 0, 0, 0)  # the same for all files, so that the same code makes the same bundle
_PIN = re.compile(r"^([a-z0-9._-]+)==")


@dataclass(frozen=True)
class Bundle:
    """A bundle that has been packed.

    Attributes:
        path: The zip file.
        missing: Why it has no wheels, and what follows from that; empty if it has them.
    """

    path: Path
    missing: str


@cache
def packed(path: Path) -> Bundle:
    """Write the bundle to a file, whole or not at all.

    Without network the bundle lacks the wheels that were not downloaded before. Its jobs then install the same versions
    from the package index, which the nodes of a multi-node job do not reach.

    Raises:
        InputError: The file cannot be written.
    """
    wheels, reason = _wheels()
    missing = reason and (
        f"The code bundle has no wheels, because pip could not download them: {reason}. Jobs install the same "
        "versions from the package index; multi-node jobs cannot. Deploy again with a way to the package index."
    )
    with replacing(path) as file, zipfile.ZipFile(file, "w") as archive:
        for name, data in _entries(wheels):
            entry = zipfile.ZipInfo(name, _MOMENT)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, data, zipfile.ZIP_STORED if name.endswith(".whl") else zipfile.ZIP_DEFLATED)
    return Bundle(path, missing)


def _entries(wheels: Iterable[Path]) -> Iterator[tuple[str, bytes]]:
    """Every file of a bundle by its name there."""
    for package in PACKAGES:
        for file in sorted((PROJECT / package).rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                yield file.relative_to(PROJECT).as_posix(), file.read_bytes()
    for requirements in REQUIREMENTS:
        yield requirements.replace(".txt", ".lock"), "\n".join(locked(_names(PROJECT / requirements))).encode()
    for wheel in wheels:
        yield f"workloads/wheels/{wheel.name}", wheel.read_bytes()


def _names(file: Path) -> list[str]:
    """The packages that a list of requirements names, without their versions."""
    lines = (line.partition("#")[0].strip() for line in file.read_text("utf-8").splitlines())
    return [_normal(re.split(r"[^\w.-]", line)[0]) for line in lines if line]


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@cache
def _pins() -> Mapping[str, list[str]]:
    """The blocks of the project's requirements.txt by package: several where the version depends on Python's."""
    pins: dict[str, list[str]] = {}
    for block in re.split(r"\n(?=\S)", (PROJECT / "requirements.txt").read_text("utf-8")):
        if name := _PIN.match(block):
            pins.setdefault(_normal(name[1]), []).append(block.rstrip())
    return pins


def locked(names: Iterable[str]) -> list[str]:
    """The pins of packages, and of all that they need, as the comments of requirements.txt tell.

    Args:
        names: The packages.

    Raises:
        KeyError: requirements.txt does not pin one of them.
    """
    needed: dict[str, list[str]] = {}
    for name, blocks in _pins().items():
        for parent in re.findall(r"^ +#(?: +via)? +([\w.-]+)$", "\n".join(blocks), re.MULTILINE):
            needed.setdefault(_normal(parent), []).append(name)
    chosen: dict[str, list[str]] = {}
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in chosen:
            chosen[name] = _pins()[name]
            waiting += needed.get(name, [])
    return [block for name in sorted(chosen) for block in chosen[name]]


def _wheels() -> tuple[list[Path], str]:
    """The wheels of the bundle, downloaded where they have not been before; or none, and why not."""
    pins = {name: _pins()[name] for name in _names(WHEELS)}
    folder = STORE / "wheels"
    folder.mkdir(parents=True, exist_ok=True)
    wheels = {name: _stored(folder, name, blocks) for name, blocks in pins.items()}
    if lacking := [block for name, blocks in pins.items() if not wheels[name] for block in blocks]:
        if reason := _download(lacking, folder):
            return [], reason
        wheels = {name: _stored(folder, name, blocks) for name, blocks in pins.items()}
    return sorted(wheel for wheel in wheels.values() if wheel), ""


def _stored(folder: Path, name: str, blocks: list[str]) -> Path | None:
    """The wheel of a package that has one of the pinned hashes."""
    hashes = {digest for block in blocks for digest in re.findall(r"--hash=sha256:(\w+)", block)}
    for wheel in folder.glob("*.whl"):
        if _normal(wheel.name.split("-")[0]) == name and hashlib.sha256(wheel.read_bytes()).hexdigest() in hashes:
            return wheel
    return None


def _download(blocks: list[str], folder: Path) -> str:
    """Download pinned wheels for the containers' Python and platform, and return why that failed, if it did."""
    platforms = [word for platform in PLATFORMS for word in ("--platform", platform)]
    with TemporaryDirectory(dir=folder) as temporary:
        pins, loot = Path(temporary, "pins.txt"), Path(temporary, "wheels")
        pins.write_text("\n".join(blocks), encoding="utf-8")
        # fmt: off
        command = [
            sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--require-hashes",
            "--no-deps", "--only-binary", ":all:", "--python-version", PYTHON, "--implementation", "cp", *platforms,
            "--requirement", str(pins), "--dest", str(loot),
        ]
        # fmt: on
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
            return lines[-1].removeprefix("ERROR: ").rstrip(".")
        for wheel in loot.iterdir():
            wheel.replace(folder / wheel.name)
    return ""
