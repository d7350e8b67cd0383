"""Keep answers of the database for a second, as Apache keeps pages."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.orm import Session

Answer = TypeVar("Answer")

KEPT_SECONDS = 1.0


class Kept(Generic[Answer]):
    """Returns the answer to a question, and asks the database at most once a second for each process.

    While one thread asks again, the others take the former answer. It is for what no visitor changes: a member must see
    at once what was rented or returned.

    Args:
        ask: Asks the database.
        clock: Returns seconds that only grow.
    """

    def __init__(self, ask: Callable[[Session], Answer], clock: Callable[[], float] = time.monotonic) -> None:
        self._ask = ask
        self._clock = clock
        self._kept: tuple[Answer] | None = None
        self._due = 0.0

    def __call__(self, session: Session) -> Answer:
        """Return the answer.

        Raises:
            DBAPIError: The database was asked, and is away.
        """
        now = self._clock()
        kept = self._kept
        if kept is None or now >= self._due:
            self._due = now + KEPT_SECONDS  # before asking, so that one thread asks and not all of them
            kept = None
            try:
                kept = (self._ask(session),)
            finally:
                self._kept = kept  # nothing after a failure, so that an outage does not prolong the former answer
        return kept[0]
