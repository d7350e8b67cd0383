"""Templates as a commit has them, so that two commits can be compared without checking them out."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from contract.errors import InputError


@contextmanager
def templates(name: str, folder: str) -> Iterator[Path]:
    """Give the templates that a person named: a file or folder, or a git revision of this repository.

    Args:
        name: A path, or a revision such as ``HEAD~1`` or ``main``. What is both is the path.
        folder: Where a revision has its templates, below the current folder.

    Raises:
        InputError: It is neither, or the revision has no templates there.
    """
    if Path(name).exists():
        yield Path(name)
        return
    listed = _git("ls-tree", "--name-only", f"{name}:./{folder}")
    if listed is None:
        message = (
            f"{name}: There is no such file or folder, and no revision of git that has {folder}/. Name one of them"
        )
        raise InputError(f"{message}; --templates says where a revision has its templates.")
    with TemporaryDirectory() as place:
        for file in listed.decode().splitlines():
            content = _git("show", f"{name}:./{folder}/{file}")
            if content is not None and file.endswith((".json", ".yaml", ".yml")):
                Path(place, file).write_bytes(content)
        yield Path(place)


def _git(*arguments: str) -> bytes | None:
    """What git prints; None if it fails, or is not there."""
    try:
        return subprocess.run(["git", *arguments], capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
