"""What a demonstration says while it runs: steps, facts, and promises that either hold or end it; and its record."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeVar, cast

from PIL import Image
from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_fixed

from contract.design import LEAST_TEXT, LEAST_WIDTH
from contract.errors import GroundworkError
from terminal.screen import Console, Progress, console, escape, progress

Observed = TypeVar("Observed")
#: The size of the text in our figures, in pixels.
DRAWN_TEXT = 18
#: A picture of this width is never scaled: it fits on a phone.
NARROW = 300


class PromiseBrokenError(GroundworkError):
    """Something that the demonstration promises did not happen; the message says what was seen instead."""


@dataclass(frozen=True)
class Entry:
    """An entry in the record of a step.

    Attributes:
        kind: A fact, a line that a program wrote, a promise that held, or the output of a command.
        name: The fact's name, the line, the claim, or the command.
        value: The fact's value, what was seen, or the output.
    """

    kind: Literal["fact", "line", "promise", "output"]
    name: str
    value: str = ""


@dataclass(frozen=True)
class Picture:
    """A picture that came out.

    Attributes:
        path: A PNG or GIF file.
        caption: What stands below it.
        description: What it shows, for people who cannot see it.
    """

    path: Path
    caption: str
    description: str

    @property
    def is_film(self) -> bool:
        """Return whether it has several moments."""
        return self.path.suffix == ".gif"

    @property
    def width(self) -> int:
        """Return its width in pixels."""
        with Image.open(self.path) as image:
            return image.width

    @property
    def least_width(self) -> int:
        """Return the width below which its text could not be read, in pixels of a page.

        A figure of a report says it inside its file. The others are drawn with text of 18 pixels (10 points, 130 to the
        inch), and 11 is the least that people read.
        """
        with Image.open(self.path) as image:
            if LEAST_WIDTH in image.info:
                return int(image.info[LEAST_WIDTH])
        return min(self.width, max(NARROW, round(self.width * LEAST_TEXT / DRAWN_TEXT)))


@dataclass
class Step:
    """A step of the demonstration.

    Attributes:
        stack: The stack that it belongs to.
        title: What is done in it.
        entries: What was recorded.
        pictures: What was drawn.
        seconds: How long it took.
        documents: Names and paths of the pages that came out, such as a job's report.
        job_seconds: How long the job ran whose end it waits for, which began before it; None if there is none.
    """

    stack: str
    title: str
    entries: list[Entry] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)
    documents: list[tuple[str, Path]] = field(default_factory=list)
    seconds: float = 0
    job_seconds: float | None = None

    @property
    def promises(self) -> list[Entry]:
        """Return the promises that were kept."""
        return [entry for entry in self.entries if entry.kind == "promise"]

    @property
    def outputs(self) -> list[Entry]:
        """Return the outputs that the page shows in full."""
        return [entry for entry in self.entries if entry.kind == "output"]

    @property
    def log(self) -> list[Entry]:
        """Return the facts, and the lines that programs wrote."""
        return [entry for entry in self.entries if entry.kind in ("fact", "line")]


@dataclass
class Checklist:
    """Print steps, facts and promises in order, and record them.

    Attributes:
        console: Where it prints.
        stack: The stack that the next steps belong to.
        steps: The record.
    """

    console: Console = field(default_factory=console)
    stack: str = ""
    steps: list[Step] = field(default_factory=list)
    _began: float = 0
    _working: Progress | None = None

    @property
    def promises_kept(self) -> int:
        """Return how many promises were kept."""
        return sum(len(step.promises) for step in self.steps)

    def step(self, title: str) -> None:
        """Begin a numbered step."""
        self.finish()
        self.steps.append(Step(self.stack, title))
        self.console.print(f"\n[bold]{len(self.steps)}. {escape(title)}[/]")
        # The last line of a terminal says that the step goes on, and how long it has taken.
        self._working = progress("wait", self.console)
        self._working.add_task(escape(title), total=None)
        self._working.start()
        self._began = time.monotonic()

    def finish(self) -> None:
        """End the step under way, if there is one."""
        if self._working:
            self._working.stop()
            self._working = None
            self.steps[-1].seconds = time.monotonic() - self._began

    def document(self, name: str, path: Path) -> None:
        """Record a page that came out, to which the demonstration's page links."""
        self.steps[-1].documents.append((name, path))

    def ran(self, seconds: float) -> None:
        """Record how long the job ran whose end this step waits for."""
        self.steps[-1].job_seconds = seconds

    def fact(self, name: str, value: object) -> None:
        """Record a fact: a name and a value."""
        self._record(Entry("fact", name, str(value)))
        self.console.print(f"   [dim]{escape(name)}[/] {escape(str(value))}", soft_wrap=True)

    def line(self, text: str) -> None:
        """Record a line that a program wrote."""
        self._record(Entry("line", text))
        self.console.print(f"   [dim]│ {escape(text)}[/]", soft_wrap=True)

    def output(self, question: str, text: str) -> None:
        """Record the output of a program, which the page shows in full."""
        self._record(Entry("output", question, text.strip("\n")))
        for line in text.splitlines():
            self.console.print(f"   [dim]│ {escape(line)}[/]", soft_wrap=True)

    def picture(self, path: Path, caption: str, description: str = "") -> None:
        """Record a picture for the page; its description is the caption unless another is given."""
        if self.steps:
            self.steps[-1].pictures.append(Picture(path, caption, description or caption))

    def promise(self, claim: str, *, held: bool, seen: object = "") -> None:
        """Tick a promise off.

        Raises:
            PromiseBrokenError: It does not hold.
        """
        if not held:
            evidence = f" ({seen})" if seen != "" else ""
            raise PromiseBrokenError(f"{claim}: This does not hold{evidence}.")
        self._record(Entry("promise", claim, str(seen)))
        evidence = f" [dim]({escape(str(seen))})[/]" if seen != "" else ""
        self.console.print(f"   [green]✔[/] {escape(claim)}{evidence}", soft_wrap=True)

    def await_promise(self, claim: str, probe: Callable[[], Observed | None], *, seconds: float = 60) -> Observed:
        """Tick a promise off as soon as `probe` finds something true, and return what it found.

        Raises:
            PromiseBrokenError: It found nothing within the given seconds.
        """
        attempts = Retrying(
            retry=retry_if_result(lambda result: not result),
            stop=stop_after_delay(seconds),
            wait=wait_fixed(0.25),
        )
        try:
            result = cast("Observed", attempts(probe))  # false results have been retried
        except RetryError:
            raise PromiseBrokenError(f"{claim}: This did not happen within {seconds:.0f} seconds.") from None
        self.promise(claim, held=True)
        return result

    def _record(self, entry: Entry) -> None:
        if not self.steps:
            self.steps.append(Step(self.stack, ""))
        self.steps[-1].entries.append(entry)
