"""Data on its way to a folder or S3: checked, and not sent twice."""

from __future__ import annotations

from pathlib import Path

import boto3
import pytest

from contract.errors import InputError
from workloads.storage import Folder, Location, locate
from workloads.transfer import SUMS, check, read_sums, send

FILES = {f"{number}.csv": b"x" * number for number in range(20)}


def quiet(_: str) -> None:
    """Tell nobody."""


@pytest.fixture(params=["folder", "s3"])
def target(request: pytest.FixtureRequest, tmp_path: Path, aws: None) -> Location:
    if request.param == "folder":
        return locate(str(tmp_path / "data"))
    boto3.client("s3").create_bucket(Bucket="bucket")
    return locate("s3://bucket/data")


def test_files_arrive_whole_and_are_sent_once(target: Location) -> None:
    assert send(FILES, target, quiet) == len(FILES)
    assert {name: (target / name).read() for name in FILES} == FILES
    assert set(read_sums(target)) == set(FILES)
    assert {file.state for file in check(target)} == {"good"}
    assert send(FILES, target, quiet) == 0
    assert send({**FILES, "1.csv": b"changed"}, target, quiet) == 1


def test_an_interrupted_transfer_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = Folder.write

    def breaks(place: Folder, content: bytes) -> None:
        if place.name == "7.csv":
            raise InputError("the line is cut")
        write(place, content)

    target = locate(str(tmp_path / "data"))
    with monkeypatch.context() as patch:
        patch.setattr(Folder, "write", breaks)
        with pytest.raises(InputError, match="the line is cut"):
            send(FILES, target, quiet)
    arrived = len(read_sums(target))
    assert send(FILES, target, quiet) == len(FILES) - arrived
    assert {file.state for file in check(target)} == {"good"}


def test_a_file_that_nobody_has_sent_is_not_replaced(target: Location) -> None:
    (target / "3.csv").write(b"mine")
    (target / "4.csv").write(FILES["4.csv"])
    for again in (False, True):
        with pytest.raises(InputError, match=r"3\.csv: .* it is not replaced. Choose another --to, or remove it"):
            send(FILES, target, quiet, again=again)
        assert target.names() == ["3.csv", "4.csv"]
        assert (target / "3.csv").read() == b"mine"
    (target / "3.csv").delete()
    assert send(FILES, target, quiet) == len(FILES) - 1
    assert {file.state for file in check(target)} == {"good"}


def test_what_is_damaged_missing_or_unknown_is_named(target: Location) -> None:
    send(FILES, target, quiet)
    (target / "3.csv").write(b"yyy")
    (target / "4.csv").delete()
    (target / "new.csv").write(b"")
    found = {file.name: file.state for file in check(target) if file.state != "good"}
    assert found == {"3.csv": "damaged", "4.csv": "missing", "new.csv": "unknown"}


def test_without_sums_nothing_can_be_verified(target: Location) -> None:
    with pytest.raises(InputError, match="There is no SHA256SUMS"):
        check(target)


def test_a_list_of_sums_that_is_none_is_refused(target: Location) -> None:
    (target / SUMS).write(b"hello\n")
    with pytest.raises(InputError, match="SHA256SUMS, line 1: This is not a SHA-256"):
        read_sums(target)
