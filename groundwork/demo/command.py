"""`groundwork demo`: the command itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def demo(
    results: Annotated[
        Path, typer.Option(help="Folder for the results; that of an earlier demonstration is replaced.")
    ] = Path("demo"),
    only: Annotated[str, typer.Option(help="Stacks to show, separated by commas; all by default.")] = "",
    keep: Annotated[bool, typer.Option(help="Leave the local cloud running, to look around in it.")] = False,
) -> None:
    """Deploy the stacks to a local cloud, run their workloads, check the results, and write a page about them."""
    from groundwork.demo.show import chosen, show

    show(chosen(only), results.resolve(), keep=keep)
