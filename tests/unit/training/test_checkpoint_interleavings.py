"""A run that is killed, stopped and continued in any order, while files are damaged: progress is never lost."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import torch
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from workloads.storage import locate
from workloads.training.runtime.checkpoint import Checkpoints

#: A longer search, such as 250 examples, is asked for by this variable.
EXAMPLES = int(os.environ.get("INTERLEAVINGS", "12"))
STEPS = 40
BATCHES = 3  # of an epoch
#: Before or after which operation on files the process is killed; None: it is not.
KILL = st.none() | st.integers(0, 7)


class KilledError(Exception):
    """The process ends here."""


class Place:
    """A location; the process is killed at one of the operations on it."""

    def __init__(self, place: Any, machine: Training) -> None:
        self._place, self._machine = place, machine

    def __truediv__(self, name: str) -> Place:
        return Place(self._place / name, self._machine)

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._place, name)
        if name not in {"write", "delete"}:
            return method

        def call(*arguments: Any) -> Any:
            self._machine.step()
            result = method(*arguments)
            self._machine.step()
            return result

        return call


class Training(RuleBasedStateMachine):
    """A run, whose weights are the number of batches that it has learned from."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.kill_in: int | None = None
        self.damaged = False  # since the last checkpoint was written
        self.learned = 0  # by the process that runs
        self.saved = [0]  # by what is known to have been written, the latest last
        place: Any = Place(locate(f"{self.folder.name}/checkpoints"), self)
        self.checkpoints = Checkpoints(place, {"seed": 1}, lambda _: None)

    def step(self) -> None:
        if self.kill_in is not None:
            self.kill_in -= 1
            if self.kill_in < 0:
                raise KilledError

    @rule(batches=st.integers(1, 4), kill=KILL)
    def it_learns_and_saves(self, batches: int, kill: int | None) -> None:
        self.learned += batches
        self.kill_in = kill
        epoch, batch = divmod(self.learned, BATCHES)
        try:
            self.checkpoints.save(epoch, batch, {"learned": torch.tensor(self.learned)})
        except KilledError:
            self.kill_in = None
            self.continue_from(allowed={self.saved[-1], self.learned})
        else:
            self.saved.append(self.learned)
            self.damaged = False

    @rule()
    def it_is_killed(self) -> None:
        self.continue_from(allowed={self.saved[-1]})

    @precondition(lambda self: not self.damaged)
    @rule(size=st.integers(0, 40), how_many=st.integers(1, 2))
    def files_are_damaged(self, size: int, how_many: int) -> None:
        files = sorted(Path(self.folder.name).rglob("*.checkpoint"))[-how_many:]
        for file in files:
            file.write_bytes(file.read_bytes()[:size])
        if files:
            self.damaged = True
            self.saved = [0] if how_many > 1 or len(self.saved) < 3 else self.saved[:-1]
            self.continue_from(allowed=None)
            self.saved = [0, self.learned] if self.learned else [0]

    def continue_from(self, allowed: set[int] | None) -> None:
        """Start a process, which continues from the newest whole checkpoint."""
        state = self.checkpoints.load()
        self.learned = int(state["learned"]) if state else 0
        if state:
            assert (state["epoch"], state["batch"]) == divmod(self.learned, BATCHES)
        if allowed is not None:
            assert self.learned in allowed
        if self.learned != self.saved[-1]:
            self.saved.append(self.learned)

    def teardown(self) -> None:
        """However it went, the run can go on, and what it saves then is found."""
        self.it_learns_and_saves(1, None)
        self.continue_from(allowed={self.saved[-1]})
        assert len(list(Path(self.folder.name).rglob("*.checkpoint"))) <= 2
        self.folder.cleanup()


def test_no_progress_is_lost_whatever_kills_the_run() -> None:
    run_state_machine_as_test(
        Training,
        settings=settings(
            max_examples=EXAMPLES, stateful_step_count=STEPS, deadline=None, suppress_health_check=[*HealthCheck]
        ),
    )
