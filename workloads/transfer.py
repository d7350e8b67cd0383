"""Files to a folder or S3 and back in order: checked, in parallel, going on where an interrupted transfer ended.

`SHA256SUMS` beside the files says what each must be, in the format of `sha256sum`; it grows while files arrive, so the
same command later sends only the rest.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from contract.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from workloads.storage import Location

SUMS = "SHA256SUMS"
_TRANSFERS = 8
_SUMS_SECONDS = 2.0  # between two writings of the list: of ten thousand small files it is longer than any of them

State = Literal["good", "damaged", "missing", "unknown"]


@dataclass(frozen=True)
class Checked:
    """A file and how it is: `good`, `damaged`, `missing`, or `unknown` to the list of sums."""

    name: str
    size: int
    state: State


class Files(Mapping[str, bytes]):
    """The files at a place by name, each read on access, without the list of their sums."""

    def __init__(self, place: Location) -> None:
        self._place = place
        self._names = [name for name in place.names() if name != SUMS]

    def __getitem__(self, name: str) -> bytes:
        return (self._place / name).read()

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def send(files: Mapping[str, bytes], target: Location, tell: Callable[[str], None], *, again: bool = False) -> int:
    """Write files that are not there yet. Return their number.

    Args:
        files: Names and content.
        target: Folder or prefix.
        tell: Tells a person of each file.
        again: Also write files that are there: the list of sums only says what they were when they arrived.

    Raises:
        InputError: There is another file with one of the names, which was not sent; then nothing is written. Or a file
            cannot be written; those that arrived need not be sent again.
    """
    sums = read_sums(target)
    sums_before = dict(sums)
    present = set(target.names())
    unlisted = {name: files[name] for name in files if name in present and name not in sums}
    if different := target.different(unlisted):
        more = f" and {len(different) - 1} more" if len(different) > 1 else ""
        raise InputError(
            f"{target / different[0]}{more}: The file there is another one, which is not in {SUMS}, so it is not "
            "replaced. Choose another --to, or remove it."
        )
    sums |= {name: hashlib.sha256(content).hexdigest() for name, content in unlisted.items()}
    writing, saved_at = threading.Lock(), time.monotonic()

    def send_file(name: str) -> bool:
        nonlocal saved_at
        content = files[name]
        digest = hashlib.sha256(content).hexdigest()
        if not again and sums.get(name) == digest and name in present:
            tell(f"{target / name}  already there")
            return False
        (target / name).write(content)
        with writing:
            sums[name] = digest
            if time.monotonic() - saved_at > _SUMS_SECONDS:
                _write_sums(target, sums)
                saved_at = time.monotonic()
        tell(f"{target / name}  {len(content):,} bytes")
        return True

    try:
        with ThreadPoolExecutor(_TRANSFERS) as pool:
            return sum(pool.map(send_file, files))
    finally:
        if sums != sums_before:
            _write_sums(target, sums)


def remove(place: Location, name: str) -> None:
    """Remove a file that was sent, and its line in the list; a file that is not in the list stays."""
    sums = read_sums(place)
    if sums.pop(name, None):
        (place / name).delete()
        _write_sums(place, sums)


def check(place: Location) -> list[Checked]:
    """Read every file there, or listed in its sums, and compare it with its sum.

    Raises:
        InputError: There is no list of sums, or a file cannot be read.
    """
    sums = read_sums(place)
    if not sums:
        raise InputError(
            f"{place}: There is no {SUMS}. Bring the data there by `groundwork data put SOURCE --to {place}`."
        )
    present = {name for name in place.names() if name != SUMS}

    def check_file(name: str) -> Checked:
        if name not in present:
            return Checked(name, 0, "missing")
        content = (place / name).read()
        if name not in sums:
            return Checked(name, len(content), "unknown")
        good = hashlib.sha256(content).hexdigest() == sums[name]
        return Checked(name, len(content), "good" if good else "damaged")

    with ThreadPoolExecutor(_TRANSFERS) as pool:
        return list(pool.map(check_file, sorted(present | set(sums))))


def read_sums(place: Location) -> dict[str, str]:
    """Return the SHA-256 of each file that was sent, by name; empty if there is no list.

    Raises:
        InputError: A line is not a sum and a name.
    """
    if SUMS not in place.names():
        return {}
    sums = {}
    for number, row in enumerate((place / SUMS).read().decode(errors="replace").splitlines(), 1):
        digest, separator, name = row.partition("  ")
        if not separator or len(digest) != 2 * hashlib.sha256().digest_size:
            raise InputError(
                f"{place / SUMS}, line {number}: This is not a SHA-256, two spaces and a name. Delete the file."
            )
        sums[name] = digest
    return sums


def _write_sums(place: Location, sums: Mapping[str, str]) -> None:
    text = "".join(f"{digest}  {name}\n" for name, digest in sorted(sums.items()))
    (place / SUMS).write(text.encode())
