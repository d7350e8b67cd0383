"""Engines that no Python package brings: found on PATH, or unpacked from Debian's packages without root.

Run as `python -m localcloud.engines`: it fetches what is missing, and says in a line what it could not fetch.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from localcloud.errors import LocalCloudError

FOLDER = Path(__file__).parent.parent / ".groundwork" / "engines"
#: Debian's packages of each program.
PACKAGES = {"influxd": ("influxdb",)}


def find(program: str) -> str:
    """Path of an engine's program.

    Raises:
        LocalCloudError: It is not installed; the message says how to.
    """
    folders = [FOLDER / "usr" / "sbin", FOLDER / "usr" / "bin"]
    path = shutil.which(program) or shutil.which(program, path=os.pathsep.join(map(str, folders)))
    if not path:
        packages = " ".join(PACKAGES[program])
        raise LocalCloudError(
            f"{program} is missing: run `python -m localcloud.engines` (on Debian and Ubuntu; no root "
            f"needed), or install {packages} so that {program} is on PATH."
        )
    return path


def fetch(program: str) -> None:
    """Unpack an engine's Debian packages below `FOLDER`; nothing happens where the program is found already.

    Raises:
        LocalCloudError: The packages cannot be had here; the message says why.
    """
    try:
        find(program)
    except LocalCloudError:
        pass
    else:
        return
    if not (shutil.which("apt-get") and shutil.which("dpkg")):
        raise LocalCloudError(
            f"{program}: no apt-get here; install {' '.join(PACKAGES[program])} so that it is on PATH."
        )
    FOLDER.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=FOLDER.parent) as folder:
        # Lists of our own: root is not needed to bring them up to date, and a fresh machine has none.
        lists = Path(folder, "lists")
        Path(lists, "partial").mkdir(parents=True)
        options = ["--quiet", "--option", "APT::Sandbox::User=root", "--option", f"Dir::State::Lists={lists}"]
        for command in (
            ["apt-get", "update", *options],
            ["apt-get", "download", *options, *PACKAGES[program]],
            ["sh", "-c", f'for package in *.deb; do dpkg --extract "$package" "{FOLDER}"; done'],
        ):
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
            if done.returncode:
                reason = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
                raise LocalCloudError(f"{program}: {command[0]}: {reason}")


def main() -> int:
    """Fetch every engine; what is missing keeps nothing else from working, so the exit code is 0."""
    for program in PACKAGES:
        try:
            fetch(program)
            sys.stdout.write(f"{program}: {find(program)}\n")
        except LocalCloudError as error:
            sys.stdout.write(f"{error}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
