"""Each run has one writer: a second process that would write the same run is refused.

In a folder, the operating system holds the lock and drops it with its process. In S3 it is an object, made only if
there is none (`If-None-Match`) and renewed while the run lives. One that has not been renewed for three minutes is dead
and may be taken over; so may, at once, that of an earlier attempt of the same job, or of a process of this machine that
is gone.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import platform
import threading
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Protocol
from uuid import uuid4

from botocore.exceptions import ClientError

from contract.errors import GroundworkError, InputError
from workloads import storage

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from workloads.storage import Bucket, Location

NAME = "run.lock"
RENEW_SECONDS = 60.0
STALE_SECONDS = 180.0


class Lock(Protocol):
    """Held by this process, until released."""

    def release(self) -> None:
        """Let others write the run."""


def lock(output: Location, lost: Callable[[], None]) -> Lock:
    """Take the lock of a run.

    Args:
        output: The run's location.
        lost: Called when another process has taken the lock over, because this one was cut off for too long.

    Raises:
        InputError: Another process writes this run.
    """
    if isinstance(output, storage.Folder):
        return _FolderLock(output.path)
    if isinstance(output, storage.Bucket):
        return _BucketLock(output / NAME, lost)
    raise TypeError(f"{output}: neither a folder nor in S3")


class _FolderLock:
    """A file that the operating system locks."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        try:
            folder.mkdir(parents=True, exist_ok=True)
            while True:
                self._file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                with contextlib.suppress(FileNotFoundError):
                    if os.fstat(self._file).st_ino == self._path.stat().st_ino:
                        return  # else its last holder removed the file between our two calls
                os.close(self._file)
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.EACCES):
                raise _refusal(folder, "") from error
            raise InputError(f"{self._path}: The file cannot be written: {error.strerror}.") from error

    def release(self) -> None:
        self._path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # of a run that has written nothing, nothing stays
            self._path.parent.rmdir()
        os.close(self._file)


class _BucketLock:
    """An object in S3, renewed in the background."""

    def __init__(self, place: Bucket, lost: Callable[[], None]) -> None:
        self._place, self._lost = place, lost
        self._owner = {
            "job": os.environ.get("AWS_BATCH_JOB_ID", ""),
            "host": platform.node(),
            "process": os.getpid(),
            "token": uuid4().hex,
        }
        self._tag = self._take()
        self._released = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="run-lock", daemon=True)
        self._thread.start()

    def release(self) -> None:
        self._released.set()
        self._thread.join()
        with contextlib.suppress(GroundworkError):  # a lock that cannot be removed now turns stale
            lock = self._read()
            if lock and lock["tag"] == self._tag:
                self._place.delete()

    def _take(self) -> str:
        while True:
            if tag := self._put(IfNoneMatch="*"):
                return tag
            lock = self._read()
            if lock is None:
                continue
            if self._is_dead(lock) and (tag := self._put(IfMatch=lock["tag"])):
                return tag
            job = f"job {lock['job']} " if lock.get("job") else ""
            patience = max(0, STALE_SECONDS - lock["age"])
            raise _refusal(
                self._place.uri.removesuffix(f"/{NAME}"),
                f" ({job}on {lock.get('host')}); if that has died, its lock lapses in {patience:.0f} s",
            )

    def _is_dead(self, lock: dict[str, Any]) -> bool:
        if lock["age"] > STALE_SECONDS:
            return True
        if lock.get("job") and lock["job"] == self._owner["job"]:
            return True  # an earlier attempt: Batch starts the next one when it has ended
        return lock.get("host") == self._owner["host"] and not _is_alive(int(lock.get("process", 0)))

    def _renew(self) -> None:
        while not self._released.wait(RENEW_SECONDS):
            try:
                tag = self._put(IfMatch=self._tag)
            except GroundworkError:
                continue  # S3 cannot be reached: try again next time
            if tag is None:
                self._lost()
                return
            self._tag = tag

    def _put(self, **condition: str) -> str | None:
        """Write the lock if the condition holds. Return its tag, or None."""
        body = json.dumps({**self._owner, "renewal": uuid4().hex}).encode()
        with self._place.asking():
            try:
                response = storage.s3().put_object(
                    Bucket=self._place.bucket,
                    Key=self._place.key,
                    Body=body,
                    **condition,  # type: ignore[arg-type]
                )
            except ClientError as error:
                if error.response["Error"]["Code"] in ("PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey"):
                    return None
                raise
        return response["ETag"]

    def _read(self) -> dict[str, Any] | None:
        """Return who holds the lock, its tag, and its age in seconds, by the clock of S3 if it sends the time."""
        with self._place.asking():
            try:
                response = storage.s3().get_object(Bucket=self._place.bucket, Key=self._place.key)
            except ClientError as error:
                if error.response["Error"]["Code"] == "NoSuchKey":
                    return None
                raise
            content: dict[str, Any] = json.loads(response["Body"].read())
        date = response["ResponseMetadata"]["HTTPHeaders"].get("date")
        now = parsedate_to_datetime(date) if date else datetime.now(UTC)
        return {**content, "tag": response["ETag"], "age": (now - response["LastModified"]).total_seconds()}


def _refusal(run: object, owner: str) -> InputError:
    return InputError(f"{run}: Another process writes this run{owner}. Wait for it, or give another --output.")


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return process > 0
