"""Input data on the instance: read from S3 once, verified always."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path
from typing import Any

import boto3
import pytest

from contract.errors import InputError
from workloads import storage
from workloads.cache import through_cache
from workloads.storage import Location, locate


@pytest.fixture
def data(aws: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Location:
    boto3.client("s3").create_bucket(Bucket="bucket")
    locate("s3://bucket/data/a.csv").write(b"first")
    monkeypatch.setenv("GROUNDWORK_CACHE", str(tmp_path / "cache"))
    return through_cache(locate("s3://bucket/data"))


@pytest.fixture
def downloads(aws: None) -> list[str]:
    """The paths whose content S3 has sent."""
    paths: list[str] = []

    def count(http_response: Any, **_: object) -> None:
        if http_response.status_code == HTTPStatus.OK:
            paths.append(http_response.url.rpartition("/")[2])

    storage.s3().meta.events.register("after-call.s3.GetObject", count)
    return paths


def test_an_object_is_read_from_s3_once(data: Location, downloads: list[str]) -> None:
    assert [(data / "a.csv").read() for _ in range(3)] == [b"first"] * 3
    assert downloads == ["a.csv"]
    assert data.names() == ["a.csv"]


def test_what_has_changed_in_s3_is_read_again(data: Location, downloads: list[str]) -> None:
    (data / "a.csv").read()
    locate("s3://bucket/data/a.csv").write(b"second")
    assert (data / "a.csv").read() == b"second"
    assert len(downloads) == 2


def test_a_damaged_copy_is_not_used(data: Location, downloads: list[str], tmp_path: Path) -> None:
    (data / "a.csv").read()
    [copy] = (tmp_path / "cache").iterdir()
    copy.write_bytes(copy.read_bytes()[:-1] + b"!")
    assert (data / "a.csv").read() == b"first"
    assert len(downloads) == 2


def test_a_folder_that_cannot_be_written_costs_nothing_but_time(data: Location, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("not a folder")
    assert (data / "a.csv").read() == b"first"


def test_what_is_missing_is_named(data: Location) -> None:
    with pytest.raises(InputError, match="s3://bucket/data/absent: There is no such object"):
        (data / "absent").read()


def test_a_folder_needs_no_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROUNDWORK_CACHE", str(tmp_path / "cache"))
    assert through_cache(locate(str(tmp_path))) == locate(str(tmp_path))
