"""`groundwork drill`: the command itself."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from contract.errors import InputError
from terminal.results import Result, listing
from terminal.screen import Table


@listing
def drill(
    engine: Annotated[
        str,
        typer.Argument(help="mysql, postgresql, neptune, dynamodb, opensearch, influxdb or all.", show_default=False),
    ],
) -> Result:
    """Rehearse a restore: fill a stack on a local cloud of its own, lose the data, restore them, count the rows."""
    from groundwork.demo.checklist import Checklist
    from groundwork.drill.rehearsals import REHEARSALS
    from infra import PROJECT
    from localcloud import LocalCloud

    engines = [name for rehearsal in REHEARSALS for name in rehearsal.COUNTS]
    if engine not in (*engines, "all"):
        raise InputError(f"There is no drill for {engine}. There are {', '.join(engines)} and all.")
    report = Checklist()
    counted: dict[str, tuple[int, int]] = {}
    for rehearsal in REHEARSALS:
        chosen = [name for name in rehearsal.COUNTS if engine in (name, "all")]
        if chosen:
            with (
                tempfile.TemporaryDirectory(prefix="groundwork-") as folder,
                LocalCloud(Path(folder), project=PROJECT) as cloud,
            ):
                counted |= rehearsal(cloud, report, chosen).rehearse()
    document = [{"engine": name, "rows_before": before, "rows": after} for name, (before, after) in counted.items()]
    table = [(name, f"{before:,}", f"{after:,}") for name, (before, after) in counted.items()]
    columns = ["engine", "rows before", "rows restored"]
    return Result({"engines": document}, Table(columns, table, numbers=columns[1:]))
