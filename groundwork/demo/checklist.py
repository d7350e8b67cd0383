"""What a demonstration says while it runs: steps, facts, and promises that either hold or end it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar, cast

from rich.console import Console
from rich.markup import escape
from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_fixed

Found = TypeVar("Found")


class PromiseBrokenError(Exception):
    """Something that the demonstration promises did not happen; the message says what was seen instead."""


@dataclass
class Checklist:
    """Prints steps, facts and promises in the order they come, and counts the promises kept."""

    console: Console = field(default_factory=lambda: Console(highlight=False, emoji=False))
    steps: int = 0
    kept: int = 0

    def step(self, title: str) -> None:
        """Begin a numbered step."""
        self.steps += 1
        self.console.print(f"\n[bold]{self.steps}. {escape(title)}[/]")

    def fact(self, name: str, value: object) -> None:
        """Something worth knowing: a name and a value."""
        self.console.print(f"   [dim]{escape(name)}[/] {escape(str(value))}", soft_wrap=True)

    def line(self, text: str) -> None:
        """A line that a program wrote."""
        self.console.print(f"   [dim]│ {escape(text)}[/]", soft_wrap=True)

    def promise(self, claim: str, *, held: bool, seen: object = "") -> None:
        """Tick a promise off.

        Raises:
            PromiseBrokenError: It does not hold.
        """
        if not held:
            raise PromiseBrokenError(f"{claim}: not so ({seen})" if seen != "" else f"{claim}: not so")
        self.kept += 1
        evidence = f" [dim]({escape(str(seen))})[/]" if seen != "" else ""
        self.console.print(f"   [green]✔[/] {escape(claim)}{evidence}", soft_wrap=True)

    def await_promise(self, claim: str, probe: Callable[[], Found | None], *, seconds: float = 60) -> Found:
        """Tick a promise off as soon as `probe` finds something true, and return what it found.

        Raises:
            PromiseBrokenError: It found nothing within the given seconds.
        """
        attempts = Retrying(
            retry=retry_if_result(lambda found: not found),
            stop=stop_after_delay(seconds),
            wait=wait_fixed(0.25),
        )
        try:
            found = cast("Found", attempts(probe))  # what is not true has been retried
        except RetryError:
            raise PromiseBrokenError(f"{claim}: not within {seconds:.0f} seconds") from None
        self.promise(claim, held=True)
        return found
