"""A search's journal in S3, which jobs on several machines write together.

Each entry is an object of its own, made only if there is none of that number (`If-None-Match`): whoever comes second
takes the next number, so that no entry is lost or overwritten, and all read the same order.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from optuna.storages.journal import BaseJournalBackend

from workloads import storage

if TYPE_CHECKING:
    from collections.abc import Iterable

    from workloads.storage import Bucket

_TAKEN = ("PreconditionFailed", "ConditionalRequestConflict")


class BucketJournal(BaseJournalBackend):
    """Optuna's journal below a prefix in S3."""

    def __init__(self, place: Bucket) -> None:
        self._place = place
        self._known: list[str] = []  # names of the objects that were read
        self._entries: list[dict[str, Any]] = []

    def read_logs(self, log_number_from: int) -> Iterable[dict[str, Any]]:
        """Return the entries from that number on."""
        for name in self._place.names():
            if name not in self._known:
                self._known.append(name)
                self._entries += json.loads((self._place / name).read())
        return self._entries[log_number_from:]

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Add entries after all others."""
        number = len(self._known)
        while not self._write(f"{number:08}.json", json.dumps(logs).encode()):
            number += 1

    def _write(self, name: str, content: bytes) -> bool:
        """Write an object that must not be there; whether that was so."""
        place = self._place / name
        with place.asking():
            try:
                storage.s3().put_object(Bucket=place.bucket, Key=place.key, Body=content, IfNoneMatch="*")
            except ClientError as error:
                if error.response["Error"]["Code"] in _TAKEN:
                    return False
                raise
        return True
