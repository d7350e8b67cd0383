"""``groundwork access-diff``: what a change of templates makes possible, without an account."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from terminal.results import Result, results
from terminal.screen import Table


@results
def access_diff(
    old: Annotated[Path, typer.Argument(help="A template, or a folder of templates, before the change.")],
    new: Annotated[Path, typer.Argument(help="The same after the change.")],
) -> Result:
    """Say what is newly possible: by principal, action, resource and condition. Exit code 1 if anything is."""
    from groundwork.access_diff.grants import added_grants

    grants = added_grants(old, new)
    rows = [(access.principal, access.action, access.resource, access.condition) for access in grants]
    columns = ["principal", "action", "resource", "condition"]
    document = {"added": [dict(zip(columns, row, strict=True)) for row in rows]}
    if not rows:
        return Result(document, "Nothing is newly possible.")
    return Result(document, Table(columns, rows, keys=columns), ends=typer.Exit(1))
