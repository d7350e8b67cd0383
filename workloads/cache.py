"""Input data kept on the instance: what one job has read from S3, the next one there need not read again.

The environment variable GROUNDWORK_CACHE names the folder. A copy is of one version of an object (its ETag), carries
its SHA-256, and is checked against it whenever it is used.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from contract.errors import InputError
from workloads import storage
from workloads.storage import Bucket, Folder

if TYPE_CHECKING:
    from workloads.storage import Location

_DIGEST_BYTES = 32


def through_cache(place: Location) -> Location:
    """Return the same place, whose objects are read through the instance's cache if it has one."""
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
        """Return the object's content, in one request: S3 sends it only if there is no intact copy of its version."""
        copy = Folder(self.folder / hashlib.sha256(self.uri.encode()).hexdigest())
        version, payload = _intact(copy)
        condition = {"IfNoneMatch": version} if version else {}
        with self.asking():
            try:
                response = storage.s3().get_object(Bucket=self.bucket, Key=self.key, **condition)  # type: ignore[arg-type]
            except ClientError as error:
                if error.response["Error"]["Code"] == "304":  # not modified
                    return payload
                raise
            payload = response["Body"].read()
        content = response["ETag"].encode() + b"\n" + payload
        with contextlib.suppress(InputError):  # the disk is full, or not ours: the job runs without a copy
            copy.write(hashlib.sha256(content).digest() + content)
        return payload


def _intact(copy: Folder) -> tuple[str, bytes]:
    """Return the version of a copy and its content; both are empty if the copy is missing or damaged."""
    try:
        stored = copy.read()
    except InputError:
        return "", b""
    digest, content = stored[:_DIGEST_BYTES], stored[_DIGEST_BYTES:]
    if hashlib.sha256(content).digest() != digest:
        return "", b""
    version, _, payload = content.partition(b"\n")
    return version.decode(), payload
