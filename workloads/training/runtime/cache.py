"""Input data kept on the instance: what one job has read from S3, the next one there need not read again.

The environment variable GROUNDWORK_CACHE names the folder. A copy is of one version of an object (its ETag), carries
its SHA-256, and is checked against it whenever it is used.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from workloads.errors import InputError
from workloads.training.runtime.storage import Bucket, Folder

if TYPE_CHECKING:
    from workloads.training.runtime.storage import Location

_DIGEST_BYTES = 32


def through_cache(place: Location) -> Location:
    """The same place, whose objects are read through the instance's cache where there is one."""
    folder = os.environ.get("GROUNDWORK_CACHE")
    if not folder or not isinstance(place, Bucket):
        return place
    return _Cached(place.bucket, place.key, Path(folder))


@dataclass(frozen=True)
class _Cached(Bucket):
    """A key, or a prefix of keys, in an S3 bucket, with a folder for copies."""

    folder: Path

    def __truediv__(self, name: str) -> _Cached:
        return _Cached(self.bucket, f"{self.key}/{name}".strip("/"), self.folder)

    def read(self) -> bytes:
        """The content of the object: the copy, where that is whole and of the same version."""
        version = self.version()
        if not version:
            return super().read()  # which says what is missing
        copy = Folder(self.folder / hashlib.sha256(f"{self.uri} {version}".encode()).hexdigest())
        try:
            content = copy.read()
        except InputError:
            content = b""
        digest, payload = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
        if hashlib.sha256(payload).digest() == digest:
            return payload
        payload = super().read()
        try:
            copy.write(hashlib.sha256(payload).digest() + payload)
        except InputError:
            return payload  # the disk is full, or not ours: the job runs without a copy
        return payload
