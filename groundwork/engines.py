"""Programs that no Python package brings: found on PATH, or unpacked from Debian's packages without root.

Run as `python -m groundwork.engines`: it fetches what is missing, and says in a line what it could not fetch. What only
tests and benchmarks run, it fetches by name: `python -m groundwork.engines shellcheck`.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from contract.errors import InputError, UnavailableError, phrase
from localcloud.engines import programs

FOLDER = Path(__file__).parents[1] / ".groundwork" / "engines"
#: Debian's packages of each program; what those need comes with them.
PACKAGES = programs.PACKAGES | {
    "chromium-headless-shell": ("chromium-headless-shell",),
    "shellcheck": ("shellcheck",),
    "wrk": ("wrk",),
}
DEVELOPMENT = ("shellcheck", "wrk")
"""What nobody needs but tests and benchmarks."""
#: What does as well, where it is installed; the shell, which has no windows, takes half the time.
INSTEAD = {"chromium-headless-shell": "chromium"}
INSTALLATION = f"{shlex.quote(sys.executable)} -m groundwork.engines"


def find(program: str) -> str:
    """Return the path of a program, or of one that does as well.

    Raises:
        InputError: It is not installed; the message says how to install it.
    """
    # A browser's launcher in bin looks for it below the system's /usr, so the browser itself comes first.
    folders = [FOLDER / "usr" / "lib" / "chromium", *programs.folders(FOLDER)]
    path = programs.search([program, INSTEAD.get(program, program)], folders)
    if not path:
        installation = f"{INSTALLATION} {program}" if program in DEVELOPMENT else INSTALLATION
        raise InputError(programs.missing(program, PACKAGES[program], installation))
    return path


def fetch(program: str, apt: Path) -> None:
    """Unpack an engine's Debian packages below `FOLDER`; nothing happens where the program is found already.

    `apt` is a folder, empty at first; the lists of packages that come into it serve the next program, too.

    Raises:
        InputError: This system has no apt-get.
        UnavailableError: The packages cannot be downloaded or unpacked; the message says why.
    """
    try:
        find(program)
    except InputError:
        pass
    else:
        return
    if not (shutil.which("apt-get") and shutil.which("dpkg")):
        raise InputError(
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
        # An image for containers may say that apt is to read all lists again for each program.
        "Dir::Cache::pkgcache": str(apt / "pkgcache.bin"),
        "Dir::Cache::srcpkgcache": str(apt / "srcpkgcache.bin"),
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
            raise UnavailableError(
                f"{program}: The command {command[0]} failed: {phrase(reason)}. Run `make` again, or install "
                f"{' '.join(PACKAGES[program])} so that it is on PATH."
            )


def main(names: Sequence[str] = ()) -> int:
    """Fetch programs.

    Args:
        names: Which; by default all that people run.

    Returns:
        2 if there is no apt-get, so that somebody has to install a program; else 75 if a download failed, so that the
        same command may succeed later; 0 if all programs are there.
    """
    FOLDER.parent.mkdir(parents=True, exist_ok=True)
    code = 0
    with tempfile.TemporaryDirectory(dir=FOLDER.parent) as apt:
        for program in names or [name for name in PACKAGES if name not in DEVELOPMENT]:
            begin = time.monotonic()
            try:
                fetch(program, Path(apt))
                line = f"{program}: {find(program)} ({time.monotonic() - begin:.0f} s)"
            except (InputError, UnavailableError) as error:
                line, code = str(error), min(code or error.exit_code, error.exit_code)
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
