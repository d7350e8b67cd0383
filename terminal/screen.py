"""The console, the table printer and the progress bar."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import typer
from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table as Grid
from rich.text import Text

from contract.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

_GAP = 2  # blanks between columns

Kind = Literal["count", "bytes", "wait"]
"""What a progress bar shows: how many of how many, bytes of bytes, or only that something is still going on."""


@dataclass(frozen=True)
class Table:
    """A table for people.

    Attributes:
        columns: Their headings.
        rows: Cells in the order of the columns. None is an empty cell, and an empty row is a blank line; a `Text` may
            be styled.
        keys: The columns that a person copies from, such as ids; by default the first one.
        numbers: The columns that are aligned to the right.
        title: A line above it.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    keys: Collection[str] = ()
    numbers: Collection[str] = ()
    title: str = ""


def console(*, errors: bool = False) -> Console:
    """Make a console on standard output, or on standard error; it colours nothing on its own account."""
    return Console(stderr=errors, highlight=False, emoji=False)


def print_table(table: Table, to: Console | None = None) -> None:
    """Print a table without cutting anything.

    In a file or a pipe each row is one line. On a terminal that is narrower than the table, cells wrap between words; a
    word, and the cell of a key column, stays whole, even if the row is then wider than the terminal.
    """
    to = to or console()
    grid = Grid(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")
    cells = [[_cell(cell) for cell in row] for row in table.rows]
    natural = least = 0
    for index, name in enumerate(table.columns):
        texts = [name, *(row[index].plain for row in cells if index < len(row))]
        is_key = name in (table.keys or table.columns[:1])
        widest = max(map(cell_len, texts))
        narrowest = widest if is_key else max(cell_len(word) for text in texts for word in text.split() or [""])
        natural, least = natural + widest + _GAP, least + narrowest + _GAP
        justify: Literal["right", "left"] = "right" if name in table.numbers else "left"
        grid.add_column(Text(name), justify=justify, no_wrap=is_key, min_width=narrowest, overflow="fold")
    for row in cells:
        grid.add_row(*row)
    if table.title:
        to.print(Text(table.title, "bold"), soft_wrap=True)
    of_console, to.width = to.width, max(to.width, least) if to.is_terminal else natural
    with to.capture() as printed:
        to.print(grid, crop=False)
    to.width = of_console
    to.file.writelines(f"{line.rstrip()}\n" for line in printed.get().splitlines())


def _cell(cell: object) -> Text:
    if isinstance(cell, Text):
        return cell
    return Text("" if cell is None else re.sub(r"\s+", " ", str(cell)))


def progress(kind: Kind = "count", to: Console | None = None) -> Progress:
    """Make a progress bar, which shows on a terminal only, and goes away when it ends.

    Args:
        kind: What it shows beside the description of a task.
        to: The console, such as the one that is printed to meanwhile; by default standard error.
    """
    to = to or console(errors=True)
    description = TextColumn("[dim]{task.description}" if kind == "wait" else "{task.description}")
    columns = {
        "count": (description, BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()),
        "bytes": (description, BarColumn(), DownloadColumn(), TimeRemainingColumn()),
        "wait": (SpinnerColumn(), description, TimeElapsedColumn()),
    }[kind]
    return Progress(*columns, console=to, transient=True, disable=not to.is_terminal)


__all__ = ["Console", "Kind", "Progress", "Table", "Text", "console", "escape", "print_table", "progress"]


def confirm(question: str) -> bool:
    """Ask a person yes or no.

    Raises:
        InputError: There is no terminal on which somebody could answer.
    """
    try:
        return typer.confirm(question)
    except typer.Abort:
        if sys.stdin.isatty():  # the person ended it
            raise
        raise InputError(
            f"{question.rstrip('?')}: Nobody is here to agree. Give --yes to go on without a question."
        ) from None
