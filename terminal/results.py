"""What a command returns, printed for people or as JSON.

    @app.command()
    @results
    def status(name: str = "default") -> Result:
        endpoint = find(name)
        return Result({"endpoint": endpoint}, f"The endpoint is {endpoint}.")

The command has the option `--json` then. With it, standard output holds one JSON document and nothing else: whatever is
printed for people, while the command runs or of its result, goes to standard error.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import json
import sys
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import asdict, dataclass, is_dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Annotated, Any, ParamSpec

import typer

from terminal.screen import Table, print_table

if TYPE_CHECKING:
    from collections.abc import Callable

Parameters = ParamSpec("Parameters")
AsJson = Annotated[
    bool,
    typer.Option("--json", help="Print one JSON document on standard output, and everything else on standard error."),
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
                typer.echo(block)


def results(command: Callable[Parameters, Result]) -> Callable[..., None]:
    """Make a command of a function that returns a result: it gets the option `--json`, and its result is printed."""

    @functools.wraps(command)
    def printed(*arguments: Any, as_json: bool = False, **options: Any) -> None:
        with contextlib.redirect_stdout(sys.stderr) if as_json else contextlib.nullcontext():
            result = command(*arguments, **options)
            result.print()
        if as_json:
            typer.echo(json.dumps(plain(result.document), indent=2, ensure_ascii=False, allow_nan=False))
        if result.ends:
            raise result.ends

    signature = inspect.signature(command, eval_str=True)
    option = inspect.Parameter("as_json", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=AsJson)
    added = [*signature.parameters.values(), option]
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
