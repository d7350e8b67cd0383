"""Check that this machine can run Groundwork, before anything is downloaded: `python3 groundwork/prerequisites.py`.

It runs before anything is installed, with the Python that is there: it needs only the standard library, and parses with
Python 3.7, so that an old one gets a sentence.
"""

from __future__ import annotations

import platform
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

PYTHON = (3, 11)
#: The oldest GNU C library (Debian 12, Ubuntu 22.04) and the oldest macOS for which all packages come ready-made.
GLIBC, MACOS = (2, 34), (14,)
PROCESSORS = {"x86_64", "amd64", "aarch64", "arm64"}
DISK_GB = 10
NEEDS = (
    f"Groundwork runs on Linux with glibc 2.34 or newer and on macOS 14, on x86-64 and arm64 (tested on x86-64 Linux). "
    f"Set-up takes up to {DISK_GB} GB of the disk, and 4 minutes on two cores with a fast network.\n"
)
#: What needs a program that Debian's packages bring, and that has to be installed by hand where there is no apt-get.
USES = {
    "influxd": "the time series of DataEcosystem and DevOpsMetrics",
    "mariadbd": "WebApp and its storefront",
    "apache2": "WebApp's server, `groundwork site`",
    "chromium": "pictures of pages in the demonstration and the tests",
}


def refusals() -> list[str]:
    """Return why Groundwork cannot run on this machine: a sentence on each reason, with what to do."""
    reasons = [_python(), _system(), _disk()]
    return [reason for reason in reasons if reason] + _missing_programs()


def _missing_programs() -> list[str]:
    """Return what will not run, because a program is missing that this system's packages have to bring."""
    if shutil.which("apt-get"):
        return []
    return [
        f"{name} is missing: {use} will not run. Install it." for name, use in USES.items() if not shutil.which(name)
    ]


def _python() -> str | None:
    if sys.version_info < PYTHON:
        version = ".".join(map(str, sys.version_info[:2]))
        return f"This is Python {version}, and 3.11 or newer is needed. PYTHON=python3.12 make chooses another one."
    if not (find_spec("venv") and find_spec("ensurepip")):
        return "This Python cannot make virtual environments. Install the package python3-venv."
    return None


def _system() -> str | None:
    system, processor = platform.system(), platform.machine().lower()
    if system == "Windows":
        return "Groundwork does not run on Windows itself. Use the Windows Subsystem for Linux (wsl --install)."
    if processor not in PROCESSORS:
        return f"PyTorch has no package for the processor {processor}. Use x86-64 or arm64."
    return _mac(processor) if system == "Darwin" else _linux()


def _mac(processor: str) -> str | None:
    if processor in {"x86_64", "amd64"}:
        return (
            "On Macs with an Intel processor there are no packages of torch, torchvision, arcadedb-embedded, "
            "osmem-server, cryptography and lazy-object-proxy. Use a Mac with Apple silicon, or Linux."
        )
    version = platform.mac_ver()[0]
    return f"This is macOS {version}, and PyTorch needs macOS 14. Update it." if _numbers(version) < MACOS else None


def _linux() -> str | None:
    library, version = platform.libc_ver()
    if library != "glibc":
        return "This Linux does not use the GNU C library, for which the packages are made. Use Debian or Ubuntu."
    if _numbers(version) < GLIBC:
        return f"This Linux has glibc {version}, and 2.34 or newer is needed. Use Debian 12, Ubuntu 22.04, or newer."
    return None


def _disk() -> str | None:
    free = shutil.disk_usage(Path.cwd()).free / 1e9
    if free < DISK_GB and not Path(".venv").exists():
        return f"{Path.cwd()}: There are {free:.1f} GB free, and set-up needs {DISK_GB} GB. Make room."
    return None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in version.split(".") if number.isdigit())


def main() -> int:
    """Print what is missing; the exit code is 2 if Groundwork cannot run here."""
    reasons = refusals()
    for reason in reasons:
        sys.stderr.write(f"Error: {reason}\n")
    if not reasons:
        sys.stdout.write(NEEDS)
    return 2 if reasons else 0


if __name__ == "__main__":
    sys.exit(main())
