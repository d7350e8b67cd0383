"""`groundwork demo`: the command itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def demo(
    results: Annotated[
        Path, typer.Option(help="Folder for what comes out; an earlier demonstration's is replaced.")
    ] = Path("demo"),
    only: Annotated[str, typer.Option(help="Stacks to show, by commas; all by default.")] = "",
    keep: Annotated[bool, typer.Option(help="Leave the local cloud running, to look around in it.")] = False,
) -> None:
    """Deploy the stacks to a local cloud, run their workloads, check what comes out, and make a page of it."""
    from groundwork.demo.show import chosen, show

    show(chosen(only), results.resolve(), keep=keep)
