"""Lets all processes of a run stop at the same batch, whichever of them is told to.

A process that stops alone leaves the others waiting for its gradients. So the processes compare notes now and then, at
batches that all of them know: each says whether it was told to stop, and if one was, all stop.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from workloads.training.runtime.strategy import Strategy

_EVERY_SECONDS = 0.5
"""How often the processes agree. It costs them a fraction of a millisecond, and SIGKILL follows SIGTERM after 30 s."""

_EVERY_BATCHES = 50
"""The most batches between two agreements, in case later batches take longer."""


class Stop(NamedTuple):
    """Whether a run has to stop.

    Attributes:
        end_requested: The process has to end, such as before its spot instance goes.
        lock_lost: The run belongs to another process by now.
    """

    end_requested: bool
    lock_lost: bool


class Agreement:
    """The agreement of one run's processes on stopping. With one process, it is what that process says.

    How many batches lie between two agreements follows from the slowest process, so it is the same in all processes.

    Args:
        strategy: Connects the processes.
    """

    def __init__(self, strategy: Strategy) -> None:
        self._strategy = strategy
        self._batches = 0  # since the last agreement
        self._interval = 1  # batches from one agreement to the next
        self._agreed = time.perf_counter()

    def after_batch(self, stop: Stop) -> Stop:
        """Return what all processes agree on after this batch, which is not to stop between two agreements.

        Args:
            stop: What this process knows.
        """
        self._batches += 1
        if self._strategy.processes > 1 and self._batches < self._interval:
            return Stop(end_requested=False, lock_lost=False)
        return self.now(stop)

    def now(self, stop: Stop) -> Stop:
        """Return what all processes agree on. All of them must call it at the same point.

        Args:
            stop: What this process knows.
        """
        if self._strategy.processes == 1:
            return stop
        seconds = (time.perf_counter() - self._agreed) / max(1, self._batches)
        end_requested, lock_lost, slowest = self._strategy.largest(stop.end_requested, stop.lock_lost, seconds)
        self._interval = max(1, min(_EVERY_BATCHES, int(_EVERY_SECONDS / slowest)))
        self._batches, self._agreed = 0, time.perf_counter()
        return Stop(bool(end_requested), bool(lock_lost))
