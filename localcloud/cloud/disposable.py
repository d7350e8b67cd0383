"""Folders that may be removed with all that is in them, because they carry the mark of whoever made them."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

from localcloud.errors import LocalCloudError


def make(folder: Path, mark: str, *, explanation: str) -> None:
    """Make an empty folder that carries a mark; what is in a folder that carries it already is removed.

    Args:
        folder: The folder. An empty one may be there.
        mark: Name of the file that marks it.
        explanation: What the file says, for whoever finds it.

    Raises:
        LocalCloudError: The folder holds something and carries no such mark, or cannot be written; nothing is removed.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        marked = (folder / mark).is_file()
        if not marked and any(folder.iterdir()):
            raise LocalCloudError(
                f"{folder} holds files of somebody else (there is no {mark}), so it is not replaced: "
                "choose another folder, or remove this one yourself."
            )
        (folder / mark).write_text(f"{explanation}\n", encoding="utf-8")
        _empty(folder, mark)
    except FileExistsError as error:
        raise LocalCloudError(f"{folder} is a file, not a folder.") from error
    except OSError as error:
        raise LocalCloudError(f"{error.filename or folder} cannot be written: {error.strerror}.") from error


def remove(folder: Path, mark: str) -> bool:
    """Remove a folder that carries a mark; another stays as it is. True if it was removed.

    Raises:
        LocalCloudError: It cannot be removed.
    """
    if not (folder / mark).is_file():
        return False
    try:
        _empty(folder, mark)
        (folder / mark).unlink()
        with contextlib.suppress(FileNotFoundError):
            folder.rmdir()
    except OSError as error:
        raise LocalCloudError(f"{error.filename or folder} cannot be removed: {error.strerror}.") from error
    return True


def _empty(folder: Path, mark: str) -> None:
    """Remove everything but the mark, by which a removal that was interrupted can go on."""
    for path in folder.iterdir():
        if path.name == mark:
            continue
        if path.is_dir() and not path.is_symlink():
            _remove_tree(path)
        else:
            path.unlink()


def _remove_tree(folder: Path) -> None:
    try:
        shutil.rmtree(folder)
    except PermissionError:  # a program may have made folders in it read-only
        folder.chmod(0o700)
        for place, folders, _ in os.walk(folder):
            for name in folders:
                if not Path(place, name).is_symlink():
                    Path(place, name).chmod(0o700)
        shutil.rmtree(folder)
