"""The console, the table printer and the progress bar."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import typer
from rich import markup
from rich.cells import cell_len
from rich.console import Console
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

from contract.errors import InputError, printable

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

_GAP = 2  # blanks between columns
_JOINT = re.compile(r"(?i)(?<=[a-z][._-])(?=[a-z])")
_NAME = re.compile(r"(?<!\S)[^\s=/@]+(?!\S)")  # neither an option nor a path nor an address: people copy those
_MAY_BREAK = "\x1f"  # white space to whatever wraps, without a width; it is removed from what is printed
_NUMBERS = re.compile(r"[\d\s.,:%+±/-]*")  # what a cell of numbers, dates or times is made of

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
        empty: The sentence that people read instead of a table without rows; by default they see its headings.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    keys: Collection[str] = ()
    numbers: Collection[str] = ()
    title: str = ""
    empty: str = ""


def console(*, errors: bool = False) -> Console:
    """Make a console on standard output, or on standard error; it colours nothing on its own account."""
    return Console(stderr=errors, highlight=False, emoji=False)


def say(text: str, *, errors: bool = False) -> None:
    """Print lines for people on standard output, or on standard error; control characters are written out."""
    typer.echo(printable(text, keep="\n\t"), err=errors)


def escape(text: str) -> str:
    """Give a text as markup that shows nothing but its characters; control characters are written out."""
    return markup.escape(printable(text, keep="\n\t"))


def print_table(table: Table, to: Console | None = None) -> None:
    """Print a table without cutting anything.

    In a file or a pipe each row is one line. On a terminal that is narrower than the table, cells wrap between words; a
    word, the cell of a key column, and a number or a time stay whole. Where a terminal is too narrow for that, words
    break where the parts of a name meet (`web_app.` `instance_type`); and where it is too narrow even then, each row is
    a block, with a line for each cell that is not empty.
    """
    to = to or console()
    if table.empty and not table.rows:
        to.print(Text(printable(table.empty)), soft_wrap=True)
        return
    rows = [[_cell(cell) for cell in row] for row in table.rows]
    if table.title:
        to.print(Text(printable(table.title), "bold"), soft_wrap=True)
    widths = _widths(table, rows)
    if rows and to.is_terminal and _least(widths) > to.width:
        whole = [least == natural for least, natural in widths]
        jointed = [[row[i] if whole[i] else _jointed(row[i]) for i in range(len(row))] for row in rows]
        if _least(_widths(table, jointed)) > to.width:
            _print_blocks(table, rows, widths, to)
            return
        rows, widths = jointed, _widths(table, jointed)
    grid = Grid(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")
    for name, (least, natural) in zip(table.columns, widths, strict=True):
        justify: Literal["right", "left"] = "right" if name in table.numbers else "left"
        is_whole = least == natural
        grid.add_column(Text(printable(name)), justify=justify, no_wrap=is_whole, min_width=least, overflow="fold")
    for row in rows:
        grid.add_row(*row)
    needed = sum(natural + _GAP for _, natural in widths)
    of_console, to.width = to.width, min(to.width, needed) if to.is_terminal else needed
    with to.capture() as printed:
        to.print(grid, crop=False)
    to.width = of_console
    lines = printed.get().replace(_MAY_BREAK, "").split("\n")[:-1]
    to.file.writelines(f"{line.rstrip()}\n" for line in lines)


def _least(widths: Sequence[tuple[int, int]]) -> int:
    return sum(least + _GAP for least, _ in widths) - _GAP


def _widths(table: Table, rows: Sequence[Sequence[Text]]) -> list[tuple[int, int]]:
    """Return how narrow each column may become, and how wide it is where nothing wraps."""
    return [_width(table, rows, index) for index in range(len(table.columns))]


def _jointed(cell: Text) -> Text:
    """Let long names in a sentence, such as those of settings, break where their parts meet."""
    return cell if cell.spans else Text(_NAME.sub(lambda name: _JOINT.sub(_MAY_BREAK, name[0]), cell.plain), cell.style)


def _width(table: Table, rows: Sequence[Sequence[Text]], index: int) -> tuple[int, int]:
    name = table.columns[index]
    cells = [row[index].plain for row in rows if index < len(row)]
    natural = max(map(cell_len, [name, *cells]))
    is_whole = name in (table.keys or table.columns[:1]) or name in table.numbers
    if is_whole or all(_NUMBERS.fullmatch(cell) for cell in cells):
        return natural, natural
    return max(cell_len(word) for text in [name, *cells] for word in text.split() or [""]), natural


def _print_blocks(table: Table, rows: Sequence[Sequence[Text]], widths: Sequence[tuple[int, int]], to: Console) -> None:
    """Print each row as a block, with a heading and a cell in each line; only what may wrap is indented."""
    headings = [printable(name) for name in table.columns]
    indent = max(map(cell_len, headings)) + _GAP
    for number, row in enumerate(filter(None, rows)):
        if number:
            to.print()
        for name, cell, (least, natural) in zip(headings, row, widths, strict=False):
            heading = Text(f"{name}{' ' * (indent - cell_len(name))}", "bold")
            lines = [cell] if least == natural else cell.wrap(to, max(least, to.width - indent))
            for line in lines if cell.plain else ():
                line.rstrip()
                to.print(Text.assemble(heading, line), soft_wrap=True)
                heading = Text(" " * indent)


def _cell(cell: object) -> Text:
    if isinstance(cell, Text):
        return cell
    return Text("" if cell is None else printable(re.sub(r"\s+", " ", str(cell))))


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


__all__ = ["Console", "Kind", "Progress", "Table", "Text", "console", "escape", "print_table", "progress", "say"]


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
