"""Posters and static files: written to the bucket by `load`, read from it by the pages, through the instance's role."""

from __future__ import annotations

import hashlib
import mimetypes
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from workloads.aws import asking_aws

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractContextManager

    from mypy_boto3_s3 import S3Client

STATIC = Path(__file__).parent / "static"
_KEPT = 2048  # files in memory: posters have 2 to 5 KB
_LARGEST = 1024 * 1024
_WRITERS = 8
_NOT_FOUND = frozenset({"NoSuchKey", "404"})
_CONFIG = Config(
    connect_timeout=2, read_timeout=3, retries={"mode": "standard", "max_attempts": 2}, max_pool_connections=16
)


@dataclass(frozen=True)
class Asset:
    """A file of the bucket. Its name tells its content's hash, so it never changes."""

    content: bytes
    content_type: str
    digest: str


class Assets:
    """The files of a bucket, the most recent in memory.

    Args:
        bucket: Its name.
    """

    def __init__(self, bucket: str) -> None:
        self._bucket = bucket
        self._client: S3Client = boto3.client("s3", config=_CONFIG)
        self._kept: Callable[[str], Asset] = lru_cache(maxsize=_KEPT)(self._read)

    def read(self, name: str) -> Asset | None:
        """Return a file, or None if there is none; the next call asks again, because it may be loaded later.

        Raises:
            InputError: The bucket is missing, or may not be read.
            UnavailableError: The bucket cannot be reached.
        """
        try:
            return self._kept(name)
        except KeyError:
            return None

    def _read(self, name: str) -> Asset:
        with self._asking():
            try:
                content = self._client.get_object(Bucket=self._bucket, Key=name)["Body"].read(_LARGEST)
            except ClientError as error:
                if error.response["Error"]["Code"] in _NOT_FOUND:
                    raise KeyError(name) from None
                raise
        return Asset(content, content_type(name), hashlib.sha256(content).hexdigest()[:16])

    def check(self) -> None:
        """See whether the bucket answers and has been filled.

        Raises:
            InputError: It is missing or empty, or may not be read.
            UnavailableError: It cannot be reached.
        """
        with self._asking():
            self._client.head_object(Bucket=self._bucket, Key=static("site.css"))

    def write(self, files: Iterable[tuple[str, bytes]]) -> Iterator[str]:
        """Put files into the bucket, several at a time, and yield their names as they arrive.

        Raises:
            InputError: The bucket is missing, or may not be written.
            UnavailableError: The bucket cannot be reached.
        """
        with ThreadPoolExecutor(_WRITERS) as writers:
            yield from writers.map(self._write, files)

    def _write(self, file: tuple[str, bytes]) -> str:
        name, content = file
        with self._asking():
            self._client.put_object(Bucket=self._bucket, Key=name, Body=content, ContentType=content_type(name))
        return name

    def _asking(self) -> AbstractContextManager[None]:
        return asking_aws(f"Bucket {self._bucket}", service="S3")


def content_type(name: str) -> str:
    """Return the media type that a name's ending tells."""
    return mimetypes.guess_type(name)[0] or "application/octet-stream"


@cache
def static(name: str) -> str:
    """Return the name in the bucket of a file of `static/`: it changes with the content."""
    path = STATIC / name
    return f"static/{path.stem}-{hashlib.sha256(path.read_bytes()).hexdigest()[:12]}{path.suffix}"


@cache
def packaged() -> dict[str, Asset]:
    """The static files as they came with the program, by their names in the bucket: for when the bucket is away."""
    return {
        static(path.name): Asset(path.read_bytes(), content_type(path.name), static(path.name))
        for path in sorted(STATIC.iterdir())
    }
