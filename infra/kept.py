"""Keeps what a synthesis made, and gives it back as long as nothing has changed that could change it.

A synthesis is known by a hash over all that it begins with: the project's code and data, every installed package, the
versions of Python and Node, the variables of the environment with the CDK's context among them, and the settings. With
what it made, the store has the hashes of the other files that Python read meanwhile, such as a tag policy. One that
does not match is made again, and so is one that cannot be read. Each is a zip file of its own, which takes its place
whole: processes that synthesise at the same time write the same.

    .groundwork/synthesised/HASH.zip

It imports only the standard library, because it must answer sooner than the CDK could be imported.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import sys
import zipfile
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from contract.errors import InputError
from infra import PROJECT
from terminal.files import replacing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

STORE = PROJECT / ".groundwork" / "synthesised"
SOURCES = ("app.py", "requirements.txt", "contract", "infra", "lambda", "terminal", "workloads")
"""What the templates and the bundle of code are made from, in the project's folder."""
OF_THE_APP = ("app.py", "cdk.json", "environments")
"""What holds the settings of an app, in the folder where it runs."""
KEPT = 24
"""So many are kept: those that were used last."""
UNFINISHED = b"groundwork:no-wheels"
"""What a manifest says where the bundle of code lacks its wheels; the next synthesis tries to download them again."""

_READ = ".read.json"
_SYSTEM = ("/dev", "/proc", "/sys")
#: Variables that say where and for whom something runs, and change no template. The CDK passes the account and the
#: region on in variables of its own.
_ELSEWHERE = {
    *("CDK_OUTDIR", "COLUMNS", "LINES", "NODE_EXTRA_CA_CERTS", "OLDPWD", "PGSSLROOTCERT", "PWD", "SHLVL", "_"),
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_CA_BUNDLE", "AWS_CREDENTIAL_EXPIRATION"),
    *("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_PROFILE", "PYTEST_CURRENT_TEST", "PYTEST_XDIST_WORKER"),
    *("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "TERM", "WINDOWID"),
}
_ELSEWHERE_PREFIXES = ("AWS_ENDPOINT_URL", "SSH_", "TERM_", "TMUX", "XDG_SESSION")
_listening: dict[int, set[str]] = {}


def synthesised(folder: Path, about: Mapping[str, Any], synthesise: Callable[[], None]) -> None:
    """Fill a folder with what a synthesis makes: what an equal one made before, or what it makes now.

    Args:
        folder: The CDK's folder for what comes out.
        about: What the synthesis depends on, beside the project and the environment; JSON.
        synthesise: Synthesises into the folder. What it raises passes through, and nothing is kept then.
    """
    if not (PROJECT / "cdk.json").is_file():  # installed as a package: there is no project's folder to keep it in
        synthesise()
        return
    entry = STORE / f"{_key(about)}.zip"
    if _restored(entry, folder):
        return
    with _reading() as read:
        synthesise()
    if entry.stem == _key(about):  # nobody has changed the project meanwhile
        _keep(entry, folder, read)


def _key(about: Mapping[str, Any]) -> str:
    here, home = Path.cwd(), {name: _contents(PROJECT / name) for name in SOURCES}
    output = os.environ.get("CDK_OUTDIR")  # in which the CDK names files of its own
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in _ELSEWHERE
        and not name.startswith(_ELSEWHERE_PREFIXES)
        and not (output and value.startswith(_within(output)))
    }
    packages = [
        sorted(path.name for path in Path(place).iterdir() if path.suffix in {".dist-info", ".egg-info", ".pth"})
        for place in sys.path
        if place and Path(place).is_dir()
    ]
    programs = [sys.version, sys.path, _mark(shutil.which("node") or "")]
    app = {name: _contents(here / name) for name in OF_THE_APP}
    everything = [about, home, str(here), app, environment, packages, programs]
    return hashlib.sha256(json.dumps(everything, sort_keys=True, default=str).encode()).hexdigest()


def _contents(place: Path) -> dict[str, str]:
    """Return the hash of a file, or of each file below a folder, by their paths; those that Python compiles aside."""
    if place.is_file():
        return {"": _digest(place)}
    return {
        str(path.relative_to(place)): _digest(path)
        for folder, _, names in os.walk(place, followlinks=True)
        if not folder.endswith("__pycache__")
        for path in (Path(folder, name) for name in names)
        if path.is_file()
    }


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _mark(name: str) -> str:
    """Return what tells whether a file is still the same: its hash, or size and time if Python or a package has it."""
    try:
        status = os.stat(name)  # noqa: PTH116 - there are hundreds
        if name.startswith(_within(sys.prefix, sys.base_prefix)):
            return f"{status.st_size} {status.st_mtime_ns}"
        return _digest(Path(name)) if stat.S_ISREG(status.st_mode) else ""
    except OSError:
        return ""


def _within(*places: str | Path) -> tuple[str, ...]:
    """Return how the paths of the files in folders begin."""
    return tuple(f"{place}{os.sep}" for place in places)


@contextmanager
def _reading() -> Iterator[set[str]]:
    """Collect the paths of the files that this process opens in the block, and of the modules that it has then."""
    _listen()
    read: set[str] = set()
    _listening[id(read)] = read
    try:
        yield read
    finally:
        del _listening[id(read)]
    read.update(str(file) for module in [*sys.modules.values()] if (file := getattr(module, "__file__", None)))


@cache
def _listen() -> None:
    """Add the hook that hears what Python opens; it cannot be taken away, so there is one for the whole process."""

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and _listening:
            name, _, flags = arguments
            if isinstance(name, str | os.PathLike) and not flags & (os.O_WRONLY | os.O_RDWR):
                for read in [*_listening.values()]:
                    read.add(str(Path(name).absolute()))

    sys.addaudithook(hook)


def _keep(entry: Path, folder: Path, read: Iterable[str]) -> None:
    """Keep what a folder holds; where that cannot be written, nothing is kept."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    if any(UNFINISHED in path.read_bytes() for path in files if path.suffix == ".json"):
        return
    known = _within(*(PROJECT / name for name in SOURCES), PROJECT / ".groundwork", folder.resolve(), *_SYSTEM)
    marks = {name: _mark(name) for name in read if not name.startswith(known) and not name.endswith(".pyc")}
    with suppress(InputError, OSError):
        with replacing(entry) as file, zipfile.ZipFile(file, "w", strict_timestamps=False) as archive:
            archive.writestr(_READ, json.dumps({name: mark for name, mark in marks.items() if mark}))
            for path in files:
                archive.write(path, path.relative_to(folder).as_posix())
        for old in sorted(STORE.glob("*.zip"), key=lambda path: path.stat().st_mtime, reverse=True)[KEPT:]:
            old.unlink(missing_ok=True)


def _restored(entry: Path, folder: Path) -> bool:
    """Fill a folder with what is kept, and return whether it was there, whole, and still holds."""
    try:
        with zipfile.ZipFile(entry) as archive:  # which compares each file with its checksum
            read: dict[str, str] = json.loads(archive.read(_READ))
            if any(_mark(name) != mark for name, mark in read.items()):
                return False
            made = {name: archive.read(name) for name in archive.namelist() if name != _READ}
    except (OSError, ValueError, KeyError, EOFError, NotImplementedError, zipfile.BadZipFile):
        return False
    for name, content in made.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    with suppress(OSError):
        os.utime(entry)
    return True
