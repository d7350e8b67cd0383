"""What a status of AWS means to a person: a sign, a word and a tone, so that no state is shown only by a colour."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Tone = Literal["good", "bad", "warn", "busy", "none"]
SIGNS: dict[Tone, str] = {"good": "✓", "bad": "✕", "warn": "!", "busy": "…", "none": "–"}

_TONES: list[tuple[str, Tone]] = [
    (r".*ROLLBACK_COMPLETE|.*ROLLBACK_FAILED|.*FAILED|ALARM|Failed|failed", "bad"),
    (
        r".*_IN_PROGRESS|SUBMITTED|PENDING|RUNNABLE|STARTING|RUNNING|creating|pending|modifying|starting|stopping",
        "busy",
    ),
    (r"DELETE_COMPLETE|INSUFFICIENT_DATA|DISABLED|Inactive|stopped|terminated|DELETE_SKIPPED", "none"),
    (r".*_COMPLETE|OK|SUCCEEDED|ENABLED|VALID|ACTIVE|Active|AVAILABLE|available|running", "good"),
]
_WORDS = {
    "ALARM": "in alarm",
    "INSUFFICIENT_DATA": "no data",
    "OK": "OK",
    "CREATE_COMPLETE": "deployed",
    "UPDATE_COMPLETE": "updated",
    "ROLLBACK_COMPLETE": "rolled back",
    "UPDATE_ROLLBACK_COMPLETE": "update rolled back",
    "DELETE_COMPLETE": "deleted",
}


@dataclass(frozen=True)
class State:
    """A state as it is shown.

    Attributes:
        tone: Whether it is good or bad; a colour of the design.
        word: The state in a word or two.
        status: AWS's own name of it.
    """

    tone: Tone
    word: str
    status: str

    @property
    def sign(self) -> str:
        """The sign that stands before the word."""
        return SIGNS[self.tone]


def state(status: str) -> State:
    """Return how a status of any service is shown; one that nobody knows has no tone."""
    tone: Tone = next((tone for pattern, tone in _TONES if re.fullmatch(pattern, status)), "none")
    return State(tone, _WORDS.get(status, status.replace("_", " ").lower()), status)


def counted(number: int, singular: str, plural: str = "") -> str:
    """Return a number with its noun: ``1 stack``, ``2 stacks``, ``no stacks``."""
    return f"{number or 'no'} {singular if number == 1 else plural or f'{singular}s'}"


def sentence(parts: Sequence[str]) -> str:
    """Join clauses to a sentence: ``a``, ``a and b``, ``a, b and c``."""
    return " and ".join(filter(None, [", ".join(parts[:-1]), *parts[-1:]]))
