"""Which rows answer a question: raw ones, or rollups of five minutes or of an hour, piece by piece of its period."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from workloads.timeseries.rollups import CLASSES, FIVE_MINUTES, HOUR, MICROSECONDS, SKETCHED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workloads.timeseries.schema import Schema
    from workloads.timeseries.store import Aggregation

RAW = 0
MOST_PIECES = 64
"""With more pieces than this, a question asks for raw rows: each piece takes at least a statement."""
_FIVE_MINUTES, _HOUR = FIVE_MINUTES * MICROSECONDS, HOUR * MICROSECONDS


class Piece(NamedTuple):
    """A part of a period.

    Attributes:
        source: Seconds of the windows of the rollups that answer for it, or RAW.
        start: Where it starts, in microseconds since 1970.
        end: Where it ends; the first moment that is not part of it.
    """

    source: int
    start: int
    end: int


@dataclass
class Marks:
    """What the marks of a period say.

    Attributes:
        rolled: Hours that have rollups, by their starts.
        pending: Windows of five minutes, by their starts, whose rows may be newer than their rollups.
    """

    rolled: set[int] = field(default_factory=set)
    pending: set[int] = field(default_factory=set)


def is_answerable(question: Aggregation, schema: Schema) -> bool:
    """Return whether rollups can answer a question at all, for some period."""
    step = int(question.window.total_seconds() * MICROSECONDS) if question.window else _HOUR
    if step % _FIVE_MINUTES:
        return False
    for column in question.columns:
        if schema.measures.get(column.measure) not in {"DOUBLE", "BIGINT"}:
            return False
        if column.between and column.between not in CLASSES.get(column.measure, ()):
            return False
        if column.function == "percentile" and (
            question.by or not question.window or column.measure not in SKETCHED or column.between
        ):
            return False
    return True


def plan(question: Aggregation, start: int, end: int, marks: Marks) -> list[Piece]:
    """Return the pieces of a period, in order, each as long as possible.

    Hours are answered by hourly rollups where the question's windows are whole hours. Windows that the period cuts,
    that have no rollups, or whose rows may be newer are answered by raw rows. Percentiles of one window come either
    from sketches or from raw rows, never from both.

    Args:
        question: One that `is_answerable`.
        start: Where the period starts, in microseconds since 1970.
        end: Where it ends.
        marks: Those of all hours that the period touches.
    """
    step = int(question.window.total_seconds() * MICROSECONDS) if question.window else 0
    pieces = _joined(_pieces(start, end, marks, hourly=step % _HOUR == 0))
    if any(column.function == "percentile" for column in question.columns):
        raw = {
            window
            for piece in pieces
            if piece.source == RAW
            for window in range(piece.start // step, -(-piece.end // step))
        }
        pieces = _joined(
            Piece(
                RAW if window in raw else piece.source,
                max(piece.start, window * step),
                min(piece.end, window * step + step),
            )
            for piece in pieces
            for window in range(piece.start // step, -(-piece.end // step))
        )
    return pieces if len(pieces) <= MOST_PIECES else [Piece(RAW, start, end)]


def _pieces(start: int, end: int, marks: Marks, *, hourly: bool) -> Iterator[Piece]:
    for hour in range(start - start % _HOUR, end, _HOUR):
        first, last = max(hour, start), min(hour + _HOUR, end)
        windows = range(hour, hour + _HOUR, _FIVE_MINUTES)
        if hour not in marks.rolled:
            yield Piece(RAW, first, last)
        elif hourly and (first, last) == (hour, hour + _HOUR) and marks.pending.isdisjoint(windows):
            yield Piece(HOUR, first, last)
        else:
            for window in windows:
                begins, ends = max(window, start), min(window + _FIVE_MINUTES, end)
                is_whole = (begins, ends) == (window, window + _FIVE_MINUTES)
                if begins < ends:
                    yield Piece(FIVE_MINUTES if is_whole and window not in marks.pending else RAW, begins, ends)


def _joined(pieces: Iterator[Piece]) -> list[Piece]:
    joined: list[Piece] = []
    for piece in pieces:
        if joined and (joined[-1].source, joined[-1].end) == (piece.source, piece.start):
            joined[-1] = joined[-1]._replace(end=piece.end)
        else:
            joined.append(piece)
    return joined
