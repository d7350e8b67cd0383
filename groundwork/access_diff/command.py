"""``groundwork access-diff``: what a change of templates makes possible, without an account."""

from __future__ import annotations

from typing import Annotated

import typer

from terminal.results import Result, listing
from terminal.screen import Table


@listing
def access_diff(
    old: Annotated[
        str, typer.Argument(help="Before the change: a template, a folder of templates, or a git revision.")
    ],
    new: Annotated[str, typer.Argument(help="The same after the change.")],
    folder: Annotated[
        str, typer.Option("--templates", help="Folder in which a git revision has its templates.")
    ] = "cloudformation",
) -> Result:
    """List the access that is new, by principal, action, resource and condition. Exit code 1 if there is any."""
    from groundwork.access_diff.grants import added_grants
    from groundwork.access_diff.revisions import templates

    with templates(old, folder) as before, templates(new, folder) as after:
        grants = added_grants(before, after)
    rows = [(access.principal, access.action, access.resource, access.condition) for access in grants]
    columns = ["principal", "action", "resource", "condition"]
    document = {"added": [dict(zip(columns, row, strict=True)) for row in rows]}
    table = Table(columns, rows, keys=columns, empty="Nothing is newly possible.")
    return Result(document, table, ends=typer.Exit(1) if rows else None)
