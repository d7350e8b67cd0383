"""A file is replaced whole, or stays as it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from contract.errors import InputError
from terminal import files


def test_a_file_appears_whole_and_missing_folders_are_made(tmp_path: Path) -> None:
    path = tmp_path / "new" / "table.csv"
    with files.replacing(path) as file:
        file.write(b"half")
        assert not path.exists()
        file.write(b" and half")
    assert path.read_bytes() == b"half and half"
    assert [*path.parent.iterdir()] == [path]


def test_an_error_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    files.write(path, b"old")
    with pytest.raises(ZeroDivisionError), files.replacing(path) as file:
        file.write(b"%d" % (1 // 0))
    assert path.read_bytes() == b"old"
    assert [*tmp_path.iterdir()] == [path]


def test_others_may_read_it(tmp_path: Path) -> None:
    files.write(tmp_path / "table.csv", b"")
    assert (tmp_path / "table.csv").stat().st_mode & 0o777 == 0o644


def test_what_cannot_be_written_is_an_error_for_people(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"file/table\.csv: The file cannot be written: .+\."):
        files.write(tmp_path / "file" / "table.csv", b"")
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match=r"folder: The file cannot be written: .+\."):
        files.write(tmp_path / "folder", b"")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]
