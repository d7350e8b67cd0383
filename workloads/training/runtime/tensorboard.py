"""The history of a run as an event file that TensorBoard reads.

The file is a function of the run's history: a run that was interrupted writes the same file again, without an epoch
twice. TensorBoard's own package could write it, too, but every job would have to install 30 MB for these few lines.

Source: TFRecord, https://www.tensorflow.org/tutorials/load_data/tfrecord; `tensorboard/compat/proto/event.proto`.
"""

from __future__ import annotations

import struct
from datetime import datetime
from typing import TYPE_CHECKING

from contract.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from workloads.storage import Location

EVENTS = "tensorboard/events.out.tfevents"
"""The event file in a run folder; TensorBoard looks for `tfevents` in a name."""

_CASTAGNOLI = 0x82F63B78  # the polynomial of CRC-32C, its lowest bit first


class EventFile:
    """The event file of a run under way: a step for each epoch, a scalar for each column of its history.

    The wall time of an epoch is the start of the run plus the seconds of all epochs until then, so that the pauses of
    an interrupted run do not count.

    Args:
        file: Where it is written.
        started: When the run began; ISO 8601.
        history: The rows of the epochs that are finished.
        warn: Tells a person, once, that the file cannot be written now.

    Raises:
        InputError: The file cannot be written, for example because the disk is full.
    """

    def __init__(
        self, file: Location, started: str, history: Iterable[Mapping[str, float]], warn: Callable[[str], None]
    ) -> None:
        self._file = file
        self._warn = warn
        self._warned = False
        self._time = datetime.fromisoformat(started).timestamp()
        self.content = _record(_event(self._time, 0, file_version="brain.Event:2"))
        for row in history:
            self._add(row)
        self._write()

    def add(self, row: Mapping[str, float]) -> None:
        """Add an epoch and write the file; when S3 is not available, the next epoch writes both.

        Raises:
            InputError: The file cannot be written.
        """
        self._add(row)
        self._write()

    def _add(self, row: Mapping[str, float]) -> None:
        self._time += row["epoch_seconds"]
        scalars = {name: value for name, value in row.items() if name != "epoch"}
        self.content += _record(_event(self._time, int(row["epoch"]), scalars=scalars))

    def _write(self) -> None:
        try:
            self._file.extend(self.content)
        except UnavailableError as error:
            if not self._warned:
                self._warn(f"no TensorBoard events now (training goes on, the next epoch tries again). {error}")
            self._warned = True
        else:
            self._warned = False


def crc32c(content: bytes) -> int:
    """Return the CRC-32C of bytes, as RFC 3720, appendix B.4, defines it."""
    remainder = 0xFFFFFFFF
    for byte in content:
        remainder ^= byte
        for _ in range(8):
            remainder = (remainder >> 1) ^ (_CASTAGNOLI if remainder & 1 else 0)
    return remainder ^ 0xFFFFFFFF


def _record(content: bytes) -> bytes:
    """Return a TFRecord: the length, its checksum, the content, its checksum."""
    length = struct.pack("<Q", len(content))
    return length + _checksum(length) + content + _checksum(content)


def _checksum(content: bytes) -> bytes:
    """Return the CRC-32C of bytes as a TFRecord has it: rotated by 15 bits, plus a constant."""
    value = crc32c(content)
    return struct.pack("<I", ((value >> 15 | value << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def _event(wall_time: float, step: int, *, file_version: str = "", scalars: Mapping[str, float] | None = None) -> bytes:
    """Return the message Event: wall_time = 1, step = 2, file_version = 3, summary = 5."""
    event = struct.pack("<Bd", 1 << 3 | 1, wall_time) + bytes([2 << 3]) + _varint(step)
    if scalars is None:
        return event + _field(3, file_version.encode())
    return event + _field(5, b"".join(_field(1, _value(name, value)) for name, value in scalars.items()))


def _value(tag: str, number: float) -> bytes:
    """Return the message Summary.Value: tag = 1, simple_value = 2, a float32."""
    return _field(1, tag.encode()) + struct.pack("<Bf", 2 << 3 | 5, number)


def _field(number: int, content: bytes) -> bytes:
    """Return a field of a message that has a length: text, or another message."""
    return bytes([number << 3 | 2]) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    """Return a whole number, 7 bits in a byte, the lowest first; the highest bit says that another byte follows."""
    low, rest = number & 0x7F, number >> 7
    return bytes([low | 0x80]) + _varint(rest) if rest else bytes([low])
