"""Checkpoints: written atomically, checked when read, the one before kept."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from contract.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from workloads.storage import Location

_KEPT = 2
_DIGEST_BYTES = 32


@dataclass(frozen=True)
class Checkpoints:
    """The checkpoints of one run, in a folder or below an S3 prefix.

    A file is the SHA-256 of its payload, then the payload (`torch.save`). Names sort by progress.

    Attributes:
        location: Where they are.
        settings: What the weights depend on; a checkpoint of other settings is refused, not continued.
        warn: Tells a person something.
        data_sha256: Digest of the data that the weights depend on; a checkpoint of other data is refused, too.
    """

    location: Location
    settings: Mapping[str, Any]
    warn: Callable[[str], None]
    data_sha256: str = ""

    def save(self, epoch: int, batch: int, state: Mapping[str, Any]) -> None:
        """Write the state after `batch` batches of an epoch, then drop all but this and the one before.

        Later ones are damaged, because the run did not go on from them: they are dropped, too.

        Raises:
            InputError: It cannot be written, for example because the disk is full.
        """
        buffer = io.BytesIO()
        identity = {"settings": dict(self.settings), "data_sha256": self.data_sha256}
        torch.save({**identity, "epoch": epoch, "batch": batch, **state}, buffer)
        payload = buffer.getvalue()
        content = hashlib.sha256(payload).digest() + payload
        written = f"epoch-{epoch:05}-batch-{batch:07}.checkpoint"
        (self.location / written).write(content)
        names = self._names()
        kept = [name for name in names if name <= written][-_KEPT:]
        for name in names:
            if name not in kept:
                (self.location / name).delete()

    def load(self) -> dict[str, Any] | None:
        """Return the newest whole checkpoint, or None; tensors on the CPU.

        Raises:
            InputError: It belongs to a run with other settings or other data.
        """
        for name in reversed(self._names()):
            content = (self.location / name).read()
            payload = content[_DIGEST_BYTES:]
            if hashlib.sha256(payload).digest() != content[:_DIGEST_BYTES]:
                self.warn(f"{self.location / name} is damaged; using the checkpoint before it")
                continue
            state: dict[str, Any] = torch.load(io.BytesIO(payload), map_location="cpu", weights_only=True)
            self._check_settings(state.pop("settings"), name)
            self._check_data(state.pop("data_sha256", ""), name)
            return state
        return None

    def newest(self) -> str | None:
        """Return where the newest checkpoint is, or None."""
        names = self._names()
        return (self.location / names[-1]).uri if names else None

    def delete(self) -> None:
        """Remove all checkpoints: the run is finished, or starts again."""
        for name in self._names():
            (self.location / name).delete()

    def _names(self) -> list[str]:
        return [name for name in self.location.names() if name.endswith(".checkpoint") and "/" not in name]

    def _check_settings(self, saved: Mapping[str, Any], name: str) -> None:
        different = sorted(key for key in {*saved, *self.settings} if saved.get(key) != self.settings.get(key))
        if different:
            changes = ", ".join(f"{key} {saved.get(key)} (now {self.settings.get(key)})" for key in different)
            raise InputError(
                f"{self.location / name}: The checkpoint belongs to a run with {changes}. Use the same settings to "
                "continue it, another --output, or --no-resume to start from the beginning."
            )

    def _check_data(self, sha256: str, name: str) -> None:
        if sha256 != self.data_sha256:
            raise InputError(
                f"{self.location / name}: The checkpoint belongs to a run on other data (SHA-256 "
                f"{sha256[:12] or 'unknown'}, now {self.data_sha256[:12]}). Use the same --data to continue it, "
                "another --output, or --no-resume to start from the beginning."
            )
