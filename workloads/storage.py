"""Folders and s3:// through one small interface.

    data = locate("s3://bucket/mnist")  # or a folder
    content = (data / "train-images-idx3-ubyte.gz").read()

Writes are atomic in both: a reader sees the old content or the new one, never a part. boto3's standard retries absorb
throttling and short outages of S3.
"""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

import boto3
from botocore.config import Config

from contract.errors import ExpiredError, InputError
from terminal import files
from workloads.aws import asking_aws

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mypy_boto3_s3 import S3Client


class Location(ABC):
    """A file or folder, on this machine or in S3. Compose names with `/`."""

    @property
    @abstractmethod
    def uri(self) -> str:
        """How a person writes it."""

    @property
    def name(self) -> str:
        """The last part of its path."""
        return self.uri.rstrip("/").rpartition("/")[2]

    @abstractmethod
    def __truediv__(self, name: str) -> Location:
        """Return the location of `name` (may contain `/`) below this one."""

    @abstractmethod
    def is_file(self) -> bool:
        """Return whether there is a file (an object) exactly here.

        Raises:
            InputError: That cannot be known, for example because access is denied.
            UnavailableError: S3 is not available.
        """

    @abstractmethod
    def names(self) -> list[str]:
        """Paths of all files below, relative to here, sorted; empty when there is nothing."""

    @abstractmethod
    def read(self) -> bytes:
        """Return the content of the file.

        Raises:
            InputError: It is not there or cannot be read.
            UnavailableError: S3 is not available.
        """

    @abstractmethod
    def write(self, content: bytes) -> None:
        """Replace the content of the file, atomically.

        Raises:
            InputError: It cannot be written.
            UnavailableError: S3 is not available.
        """

    def extend(self, content: bytes) -> None:
        """Replace the content of the file by one that begins as the old one does, if there is an old one.

        A program that has a file on this machine open sees what is added.

        Raises:
            InputError: It cannot be written.
            UnavailableError: S3 is not available.
        """
        self.write(content)

    @abstractmethod
    def delete(self) -> None:
        """Remove the file, if it is there."""

    def write_all(self, folder: Path, last: str) -> None:
        """Write every file of a folder on this machine here, the one named `last` after all others.

        Raises:
            InputError: A file cannot be written.
            UnavailableError: S3 is not available.
        """
        paths = sorted(path for path in folder.rglob("*") if path.is_file())
        for path in sorted(paths, key=lambda path: path == folder / last):
            (self / path.relative_to(folder).as_posix()).write(path.read_bytes())

    def different(self, files: Mapping[str, bytes]) -> list[str]:
        """Return which of these files, by their names below here, are there with other content.

        Raises:
            InputError: One cannot be read.
        """
        existing = set(self.names())
        return [name for name in files if name in existing and (self / name).read() != files[name]]

    def __str__(self) -> str:
        return self.uri


def locate(uri: str) -> Location:
    """Return the location that a person wrote: `s3://bucket/key` or a path on this machine.

    Raises:
        InputError: Another scheme, or an S3 URI without a bucket.
    """
    scheme, separator, path = uri.partition("://")
    if not separator:
        return Folder(Path(uri).expanduser())
    bucket, _, key = path.partition("/")
    if scheme != "s3" or not bucket:
        raise InputError(f"{uri}: This is not a place for files. Write a folder, or s3://bucket/key.")
    return Bucket(bucket, key.strip("/"))


@dataclass(frozen=True)
class Folder(Location):
    """A path on this machine."""

    path: Path

    @property
    def uri(self) -> str:
        """The path as it was given."""
        return str(self.path)

    def __truediv__(self, name: str) -> Folder:
        return Folder(self.path / name)

    def is_file(self) -> bool:
        """Return whether there is a file exactly here."""
        return self.path.is_file()

    def names(self) -> list[str]:
        """Paths of all files below, relative to here, sorted; none that a killed process had not finished."""
        paths = (path for path in self.path.rglob("*") if path.is_file() and not path.match(f".*{files.PARTIAL}"))
        return sorted(path.relative_to(self.path).as_posix() for path in paths)

    def read(self) -> bytes:
        """Return the content of the file."""
        try:
            return self.path.read_bytes()
        except OSError as error:
            raise InputError(f"{self}: The file cannot be read: {error.strerror}.") from error

    def write(self, content: bytes) -> None:
        """Write the file so that nobody sees a part of it."""
        files.write(self.path, content)

    def extend(self, content: bytes) -> None:
        """Add to the file what it lacks; replace it if it is not the beginning of the content."""
        there = self.path.read_bytes() if self.path.is_file() else b""
        if not there or not content.startswith(there):
            self.write(content)
            return
        try:
            with self.path.open("ab") as file:
                file.write(content[len(there) :])
        except OSError as error:
            raise InputError(f"{self}: The file cannot be written: {error.strerror}.") from error

    def delete(self) -> None:
        """Remove the file, if it is there, and its folder when that is empty then: S3 has no empty folders either."""
        self.path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self.path.parent.rmdir()


class Object(NamedTuple):
    """An object as a list of keys tells it.

    Attributes:
        key: Its whole key.
        etag: Changes with its content.
        size: Bytes.
    """

    key: str
    etag: str
    size: int


@dataclass(frozen=True)
class Bucket(Location):
    """A key, or a prefix of keys, in an S3 bucket."""

    bucket: str
    key: str

    @property
    def uri(self) -> str:
        """`s3://bucket/key`."""
        return f"s3://{self.bucket}/{self.key}"

    def __truediv__(self, name: str) -> Bucket:
        return Bucket(self.bucket, f"{self.key}/{name}".strip("/"))

    def is_file(self) -> bool:
        """Return whether there is an object with exactly this key, as a list of keys says.

        A role that may read what is below a prefix may not ask for an object of the prefix's own name.
        """
        return self.object() is not None

    def object(self) -> Object | None:
        """Return the object with exactly this key, or None if there is none."""
        with self.asking():
            first = next(self._list(self.key), None)
        return first if first and first.key == self.key else None

    def begins_another(self) -> bool:
        """Return whether the key of another object begins with this one."""
        with self.asking():
            return any(listed.key != self.key for listed in islice(self._list(self.key), 2))

    def names(self) -> list[str]:
        """Keys below this prefix, relative to it, sorted."""
        prefix = f"{self.key}/" if self.key else ""
        return [listed.key.removeprefix(prefix) for listed in self.objects()]

    def objects(self) -> list[Object]:
        """Return the objects below this prefix, sorted by key."""
        with self.asking():
            return sorted(self._list(f"{self.key}/" if self.key else ""))

    def read(self) -> bytes:
        """Return the content of the object."""
        with self.asking():
            return s3().get_object(Bucket=self.bucket, Key=self.key)["Body"].read()

    def write(self, content: bytes) -> None:
        """Put the object: S3 shows it whole or not at all."""
        with self.asking():
            s3().put_object(Bucket=self.bucket, Key=self.key, Body=content)

    def delete(self) -> None:
        """Remove the object, if it is there."""
        with self.asking():
            s3().delete_object(Bucket=self.bucket, Key=self.key)

    def _list(self, prefix: str) -> Iterator[Object]:
        for page in s3().get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix):
            for item in page.get("Contents", []):
                yield Object(item["Key"], item["ETag"].strip('"'), item["Size"])

    @contextlib.contextmanager
    def asking(self, reasons: Mapping[str, str] = MappingProxyType({})) -> Iterator[None]:
        """Turn the errors of the requests inside into ours; once the credentials expire, look for renewed ones.

        Args:
            reasons: What codes of S3 mean here, in sentences, beside those that always mean the same.
        """
        try:
            with asking_aws(self, service="S3", reasons={**self._reasons(), **reasons}):
                yield
        except ExpiredError:
            s3.cache_clear()  # the next request finds those that were renewed
            raise

    def _reasons(self) -> Mapping[str, str]:
        no_bucket = f"There is no bucket {self.bucket}."
        denied = "Access is denied. Check what the role or profile may do."
        return {
            "NoSuchKey": "There is no such object.",
            "NoSuchBucket": no_bucket,
            "404": no_bucket,
            "400": "S3 refuses the request. The credentials may have expired.",  # a HEAD's answer does not say
            "403": denied,
            "AccessDenied": denied,
        }


@cache
def s3() -> S3Client:
    """Return the client that everything here uses, patient with throttling and short outages.

    Made once, and again when its credentials have expired: in a session of its own, since a session reads a person's
    credentials once.
    """
    config = Config(retries={"mode": "standard", "max_attempts": 8}, connect_timeout=5, read_timeout=60)
    return boto3.Session().client("s3", config=config)
