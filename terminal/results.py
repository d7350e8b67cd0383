"""What a command returns, printed for people, as JSON or as CSV.

    @app.command()
    @results
    def status(name: str = "default") -> Result:
        endpoint = find(name)
        return Result({"endpoint": endpoint}, f"The endpoint is {endpoint}.")

The command has the option `--json` then, and with `@listing` instead also `--csv`. With one of them, standard output
holds one document and nothing else: whatever is printed for people, while the command runs or of its result, goes to
standard error.
"""

from __future__ import annotations

import contextlib
import csv
import functools
import inspect
import io
import json
import sys
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import asdict, dataclass, is_dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Annotated, Any, ParamSpec

import typer

from contract.errors import InputError, printable
from terminal.screen import Table, print_table, say

if TYPE_CHECKING:
    from collections.abc import Callable

Parameters = ParamSpec("Parameters")
AsJson = Annotated[
    bool,
    typer.Option("--json", help="Print one JSON document on standard output, and everything else on standard error."),
]

AsCsv = Annotated[
    bool,
    typer.Option("--csv", help="Print the table as CSV on standard output, and everything else on standard error."),
]


@dataclass(frozen=True, init=False)
class Result:
    """What a command found or did.

    Attributes:
        document: The result for programs. Its keys are listed in docs/command-line.md, and stay.
        shown: The result for people: lines and tables, in this order.
        ends: How the command ends once the result is printed, where not with exit code 0: an error, or `typer.Exit`.
    """

    document: Mapping[str, Any]
    shown: tuple[str | Table, ...]
    ends: Exception | None

    def __init__(self, document: Mapping[str, Any], *shown: str | Table, ends: Exception | None = None) -> None:
        object.__setattr__(self, "document", document)
        object.__setattr__(self, "shown", shown)
        object.__setattr__(self, "ends", ends)

    def print(self) -> None:
        """Print the result for people."""
        for block in self.shown:
            if isinstance(block, Table):
                print_table(block)
            else:
                say(block)

    def csv(self) -> str:
        """Return its first table as CSV: a line of headings, numbers without commas; nothing where it has none."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        for table in [block for block in self.shown if isinstance(block, Table)][:1]:
            writer.writerow(table.columns)
            for row in filter(None, table.rows):
                cells = [getattr(cell, "plain", cell) for cell in row]
                named = zip(table.columns, cells, strict=True)
                writer.writerow(
                    str(cell).replace(",", "") if cell and name in table.numbers else cell for name, cell in named
                )
        return text.getvalue()


def results(command: Callable[Parameters, Result]) -> Callable[..., None]:
    """Make a command of a function that returns a result: it gets the option `--json`, and its result is printed."""
    return _command(command, {"as_json": AsJson})


def listing(command: Callable[Parameters, Result]) -> Callable[..., None]:
    """Make a command of a function whose result is a table: it gets the options `--json` and `--csv`."""
    return _command(command, {"as_json": AsJson, "as_csv": AsCsv})


def _command(command: Callable[Parameters, Result], options_added: Mapping[str, Any]) -> Callable[..., None]:
    @functools.wraps(command)
    def printed(*arguments: Any, as_json: bool = False, as_csv: bool = False, **options: Any) -> None:
        if as_json and as_csv:
            raise InputError("--json and --csv: Standard output holds one of them. Leave one out.")
        with contextlib.redirect_stdout(sys.stderr) if as_json or as_csv else contextlib.nullcontext():
            result = command(*arguments, **options)
            result.print()
        if as_json:
            document = json.dumps(plain(result.document), indent=2, ensure_ascii=False, allow_nan=False)
            typer.echo(printable(document, keep="\n"))
        if as_csv:
            typer.echo(printable(result.csv(), keep="\n"), nl=False)
            if not any(isinstance(block, Table) for block in result.shown):
                say("This has no table, so --csv prints nothing. --json prints what was found.", errors=True)
        if result.ends:
            raise result.ends

    signature = inspect.signature(command, eval_str=True)
    more = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=annotation)
        for name, annotation in options_added.items()
    ]
    added = [*signature.parameters.values(), *more]
    setattr(printed, "__signature__", inspect.Signature(added))  # noqa: B010 - mypy knows no such attribute
    printed.__annotations__ = {parameter.name: parameter.annotation for parameter in added}
    return printed


def plain(value: Any) -> Any:  # noqa: C901, PLR0911 - one for each type
    """Turn a value into what JSON can say.

    Times become ISO 8601, periods seconds, exact amounts and paths text, NaN and infinity null, and sets sorted lists;
    NumPy's numbers become Python's.
    """
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, Mapping):
        return {str(key): plain(content) for key, content in value.items()}
    if isinstance(value, list | tuple):
        return [plain(content) for content in value]
    if isinstance(value, AbstractSet):
        return [plain(content) for content in sorted(value)]
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if value != value:  # noqa: PLR0124 - NaN, and what pandas has instead of a time
        return None
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float):
        return value if abs(value) != float("inf") else None
    return str(value)
