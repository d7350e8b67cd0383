"""Engines that no Python package brings: found on PATH, or unpacked from Debian's packages without root.

Run as `python -m localcloud.engines.programs`: it fetches what is missing, and says in a line what it could not fetch.
"""

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from contract.errors import phrase
from localcloud.errors import LocalCloudError

FOLDER = Path(__file__).parents[2] / ".groundwork" / "engines"
#: Debian's packages of each program; what those need comes with them.
PACKAGES = {
    "influxd": ("influxdb",),
    "mariadbd": ("mariadb-server-core", "mariadb-client-core"),
    "apache2": ("apache2-bin",),
    "chromium-headless-shell": ("chromium-headless-shell",),
    "shellcheck": ("shellcheck",),
    "wrk": ("wrk",),
}
#: What does as well, where it is installed; the shell, which has no windows, takes half the time.
INSTEAD = {"chromium-headless-shell": "chromium"}


def find(program: str) -> str:
    """Path of an engine's program, or of one that does as well.

    Raises:
        LocalCloudError: It is not installed; the message says how to.
    """
    names, places = (program, INSTEAD.get(program, program)), (None, os.pathsep.join(map(str, programs())))
    path = next(filter(None, (shutil.which(name, path=place) for name in names for place in places)), None)
    if not path:
        packages = " ".join(PACKAGES[program])
        raise LocalCloudError(
            f"{program} is missing. Run `{shlex.quote(sys.executable)} -m localcloud.engines.programs` (on Debian and "
            f"Ubuntu; root is not needed), or install {packages} so that {program} is on PATH."
        )
    return path


def programs() -> list[Path]:
    """Where unpacked programs lie."""
    # A browser's launcher in bin looks for it below the system's /usr, so the browser itself comes first.
    return [FOLDER / "usr" / "lib" / "chromium", FOLDER / "usr" / "sbin", FOLDER / "usr" / "bin"]


def environment() -> dict[str, str]:
    """The environment in which unpacked programs find the libraries that were unpacked with them."""
    unpacked = (FOLDER / "usr" / "lib").rglob("lib*.so*")
    libraries = sorted({str(library.parent) for library in unpacked})
    found = [*libraries, *filter(None, [os.environ.get("LD_LIBRARY_PATH")])]
    return os.environ | ({"LD_LIBRARY_PATH": os.pathsep.join(found)} if found else {})


def fetch(program: str, apt: Path) -> None:
    """Unpack an engine's Debian packages below `FOLDER`; nothing happens where the program is found already.

    `apt` is a folder, empty at first; the lists of packages that come into it serve the next program, too.

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
            f"{program}: There is no apt-get here. Install {' '.join(PACKAGES[program])} so that it is on PATH."
        )
    # Lists and a cache of our own: root is not needed to bring them up to date, and a fresh machine has none.
    lists, archives = apt / "lists", apt / program
    for folder in (lists, archives):
        (folder / "partial").mkdir(parents=True, exist_ok=True)
    settings = {
        "APT::Sandbox::User": "root",
        "Debug::NoLocking": "true",
        "Dir::State::Lists": str(lists),
        "Dir::Cache": str(apt),
        "Dir::Cache::archives": str(archives),
    }
    options = ["--quiet", *(f"--option={name}={value}" for name, value in settings.items())]
    unpack = f'for package in *.deb; do dpkg --extract "$package" "{FOLDER}" || exit; done'
    commands = [
        ["apt-get", "install", "--download-only", "--yes", "--no-install-recommends", *options, *PACKAGES[program]],
        ["sh", "-c", unpack],
    ]
    if not any(lists.glob("*_Packages*")):
        commands.insert(0, ["apt-get", "update", *options])
    for command in commands:
        done = subprocess.run(command, cwd=archives, capture_output=True, text=True, check=False)
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
            raise LocalCloudError(f"{program}: The command {command[0]} failed: {phrase(reason)}.")


def main() -> int:
    """Fetch every program; what is missing keeps nothing else from working, so the exit code is 0."""
    FOLDER.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=FOLDER.parent) as apt:
        for program in PACKAGES:
            try:
                fetch(program, Path(apt))
                sys.stdout.write(f"{program}: {find(program)}\n")
            except LocalCloudError as error:
                sys.stdout.write(f"{error}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
