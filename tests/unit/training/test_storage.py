"""Folders and S3 behave the same."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import boto3
import pytest

from contract.errors import InputError
from workloads.storage import Location, locate


@pytest.fixture(params=["folder", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path, aws: None) -> Location:
    if request.param == "folder":
        return locate(str(tmp_path / "runs"))
    boto3.client("s3").create_bucket(Bucket="bucket")
    return locate("s3://bucket/runs/")


def test_what_is_written_is_read_and_listed(place: Location) -> None:
    assert place.names() == []
    (place / "b.txt").write(b"b")
    (place / "a" / "deep.txt").write(b"old")
    (place / "a/deep.txt").write(b"new")
    assert place.names() == ["a/deep.txt", "b.txt"]
    assert (place / "a" / "deep.txt").read() == b"new"
    assert (place / "b.txt").is_file()
    assert not (place / "a").is_file()
    assert (place / "" / "b.txt").is_file()
    assert (place / "b.txt").name == "b.txt"


def test_a_deleted_file_is_gone_with_its_empty_folder_and_may_be_deleted_again(place: Location) -> None:
    (place / "a" / "b").write(b"")
    for _ in range(2):
        (place / "a" / "b").delete()
    assert place.names() == []
    assert not Path(str(place), "a").exists()


def test_a_missing_file_is_named(place: Location) -> None:
    with pytest.raises(InputError, match=r"runs/absent: (There is no such object|.*No such file)"):
        (place / "absent").read()


def test_the_last_file_of_a_folder_is_written_last(
    place: Location, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.txt", "metrics.json", "z/z.txt"):
        path = tmp_path / "built" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    written: list[str] = []
    write = type(place).write

    def recorded(location: Location, content: bytes) -> None:
        written.append(location.name)
        write(location, content)

    monkeypatch.setattr(type(place), "write", recorded)
    place.write_all(tmp_path / "built", last="metrics.json")
    assert written == ["a.txt", "z.txt", "metrics.json"]
    assert (place / "z/z.txt").read() == b"z/z.txt"


def test_a_full_disk_leaves_the_old_content_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (locate(str(tmp_path)) / "file").write(b"old")

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match="file: The file cannot be written: No space left on device"):
        (locate(str(tmp_path)) / "file").write(b"new")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"file": b"old"}


def test_what_a_killed_process_had_not_finished_is_no_file(tmp_path: Path) -> None:
    written = "import os; from workloads.storage import *; os.fsync = lambda _: os.kill(os.getpid(), 9)"
    program = f"{written}; Folder(Path({str(tmp_path / 'file')!r})).write(b'new')"
    subprocess.run([sys.executable, "-c", program], check=False)
    assert len(list(tmp_path.iterdir())) == 1
    assert locate(str(tmp_path)).names() == []


@pytest.mark.usefixtures("aws")
def test_a_bucket_that_is_not_there_is_named() -> None:
    absent = locate("s3://absent/key")
    for use in (absent.read, absent.is_file, absent.names, lambda: absent.write(b"")):
        with pytest.raises(InputError, match="s3://absent/key: There is no bucket absent"):
            use()


@pytest.mark.parametrize("uri", ["gs://bucket/key", "s3://", "s3:///key", "https://example.com"])
def test_another_scheme_is_refused(uri: str) -> None:
    with pytest.raises(InputError, match=r"This is not a place for files"):
        locate(uri)
