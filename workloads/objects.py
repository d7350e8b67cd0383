"""Objects of S3 as files: read in blocks, with memory for one block, and written from a file on this machine."""

from __future__ import annotations

import io
import time
from typing import TYPE_CHECKING, Literal

from contract.errors import InputError, UnavailableError
from workloads.storage import Bucket, locate, s3

if TYPE_CHECKING:
    from pathlib import Path

    from _typeshed import WriteableBuffer

    from workloads.storage import Object

BLOCK_BYTES = 8 << 20
_ATTEMPTS = 4
_WAIT_SECONDS = 1.0


class ObjectFile:
    """An object that is read as a file is. What it reads is the content that was listed, or an error.

        for file in object_files("s3://bucket/2026-11/"):
            with file.open("rb") as content:
                content.readline()

    Attributes:
        bucket: Its bucket.
        key: Its key.
        etag: Changes with its content.
        size: Bytes.
    """

    def __init__(self, bucket: str, listed: Object) -> None:
        self.bucket, (self.key, self.etag, self.size) = bucket, listed
        self._start, self._block = 0, b""

    def __str__(self) -> str:
        return Bucket(self.bucket, self.key).uri

    def open(self, _mode: Literal["rb"] = "rb", /) -> io.BufferedReader:
        """Open it for reading; nothing is asked for before the first bytes are."""
        return io.BufferedReader(_Content(self))

    def read_at(self, position: int, size: int) -> bytes:
        """Return at most `size` bytes from a position on; none at the end.

        Raises:
            InputError: It was replaced or removed after it was listed, or may not be read.
            UnavailableError: S3 is not available.
        """
        if position >= self.size:
            return b""
        if not self._start <= position < self._start + len(self._block):
            self._start, self._block = position, self._read(position)
        begin = position - self._start
        return self._block[begin : begin + size]

    def _read(self, position: int) -> bytes:
        """Ask for a block, a few times where the connection breaks while it comes."""
        place = Bucket(self.bucket, self.key)
        block = f"bytes={position}-{min(position + BLOCK_BYTES, self.size) - 1}"
        replaced = {"PreconditionFailed": "The object was replaced while it was read. Run the same command again."}
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                with place.asking(replaced):
                    answer = s3().get_object(Bucket=self.bucket, Key=self.key, Range=block, IfMatch=self.etag)
                    return answer["Body"].read()
            except UnavailableError:
                if attempt == _ATTEMPTS:
                    raise
                time.sleep(_WAIT_SECONDS)
        raise AssertionError


class _Content(io.RawIOBase):
    """The bytes of an object, from a position on."""

    def __init__(self, file: ObjectFile) -> None:
        self._file, self._position = file, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._file.size}[whence]
        self._position = start + offset
        return self._position

    def readinto(self, buffer: WriteableBuffer) -> int:
        target = memoryview(buffer).cast("B")
        content = self._file.read_at(self._position, len(target))
        target[: len(content)] = content
        self._position += len(content)
        return len(content)


def object_files(uri: str) -> list[ObjectFile]:
    """Return the objects below a prefix, or the one that an address names, by key, without those that are empty.

    Raises:
        InputError: There are none, or the bucket cannot be listed.
        UnavailableError: S3 is not available.
    """
    place = locate(uri)
    if not isinstance(place, Bucket):
        raise InputError(f"{uri}: This is not an address in S3. Write it as s3://bucket/prefix/.")
    listed = [entry for entry in place.objects() if entry.size]
    if not listed and place.key and (single := place.object()):
        listed = [single]
    if not listed:
        raise InputError(f"{uri}: There are no files below this prefix. List them by `aws s3 ls --recursive {uri}`.")
    return [ObjectFile(place.bucket, entry) for entry in listed]


def send(file: Path, place: Bucket) -> None:
    """Write the content of a file on this machine into an object, without holding it in memory.

    Raises:
        InputError: The object cannot be written.
        UnavailableError: S3 is not available.
    """
    with place.asking(), file.open("rb") as content:
        s3().put_object(Bucket=place.bucket, Key=place.key, Body=content)
