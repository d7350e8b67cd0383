"""What a person sees during training: a bar on a terminal, and elsewhere a line for each epoch."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from terminal.screen import console, escape, progress, say

if TYPE_CHECKING:
    from collections.abc import Mapping

    from terminal.screen import Progress

_SHOWN = ("training_loss", "validation_loss", "validation_accuracy", "samples_per_second", "epoch_seconds")


class Display:
    """Shows a run on standard output; shows nothing when quiet (processes other than the first)."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._bar: Progress | None = None
        if sys.stdout.isatty() and not quiet:
            self._bar = progress(to=console())

    def epoch_started(self, epoch: int, total: int, batches: int) -> None:
        """Begin an epoch (counted from 1) of this many batches."""
        if self._bar:
            for task in self._bar.task_ids:
                self._bar.remove_task(task)
            self._bar.add_task(f"epoch {epoch}/{total}", total=batches)
            self._bar.start()

    def batch_finished(self) -> None:
        """Count a batch as done."""
        if self._bar:
            for task in self._bar.task_ids:
                self._bar.advance(task)

    def epoch_finished(self, row: Mapping[str, float], total: int, unit: str) -> None:
        """Show the line of a finished epoch."""
        names = [*_SHOWN[:-2], *(name for name in row if name.endswith("_loss") and name not in _SHOWN)]
        values = [f"{name.replace('_', ' ')} {row[name]:.4f}" for name in names if name in row]
        speed = f"{row['samples_per_second']:,.0f} {unit}/s  {row['epoch_seconds']:.1f} s"
        self.say("  ".join((f"epoch {row['epoch']:.0f}/{total}", *values, speed)))

    def say(self, text: str) -> None:
        """Show a line to the reader."""
        if self._bar and self._bar.live.is_started:
            self._bar.console.print(escape(text), highlight=False, soft_wrap=True)
        elif not self._quiet:
            say(text)

    def close(self) -> None:
        """Take the bar away."""
        if self._bar:
            self._bar.stop()
