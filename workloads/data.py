"""Data sets: bring them to where a workload reads them."""

from __future__ import annotations

import os
import pkgutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from contract.errors import InputError
from contract.stacks import TrainingOutput
from contract.workloads import DATA_SETS, DataSet
from terminal.results import Result, listing, results
from terminal.screen import Table, say
from workloads import transfer
from workloads.sample import MARK, marked
from workloads.storage import locate
from workloads.training.jobs.commands import StackName
from workloads.training.jobs.stack import DEFAULT, TrainingStack

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workloads.storage import Location

app = typer.Typer(no_args_is_help=True, help="Bring data sets to where a workload reads them.")

_KNOWN = ", ".join(DATA_SETS)
Name = Annotated[str, typer.Argument(help=f"One of: {_KNOWN}.", show_default=False)]
Source = Annotated[
    str, typer.Argument(help=f"One of: {_KNOWN}; or a folder or s3:// URI of your own.", show_default=False)
]
To = Annotated[
    str | None,
    typer.Option(
        help="Folder or s3:// URI (default: the data set's folder in the deployed stack's bucket)", show_default=False
    ),
]
Again = Annotated[
    bool, typer.Option("--again", help="Also send files that are there already, because they may be damaged.")
]


@app.command()
@results
def put(source: Source, to: To = None, again: Again = False, stack: StackName = DEFAULT) -> Result:
    """Copy a data set to a folder or S3: from GROUNDWORK_DATA, or else from its origin. Sends what is not there yet."""
    target = _target(source, to, stack)
    if source in DATA_SETS:
        files = _files_of(DATA_SETS[source])
    elif not (files := transfer.Files(locate(source))):
        raise InputError(f"{source}: This is neither a data set ({_KNOWN}) nor a place that has files.")
    result = _sent(files, target, again=again)
    if MARK not in list(files):  # the names: asking for a file reads it
        transfer.remove(target, MARK)
    return result


def _sent(files: Mapping[str, bytes], target: Location, *, again: bool = False) -> Result:
    count = transfer.send(files, target, say, again=again)
    return Result({"place": target.uri, "files": len(files), "sent": count})


def _target(source: str, to: str | None, stack: str) -> Location:
    """Return where a person wants a data set, or else where the stack's jobs read it.

    Raises:
        InputError: There is no --to, and the stack's jobs read nothing of that name, or there is no stack.
    """
    if to is not None:
        return locate(to)
    if source not in DATA_SETS:
        raise InputError(f"--to: Name a folder or an s3:// URI for {source}. Only {_KNOWN} have a folder in the stack.")
    bucket = TrainingStack.find(stack)[TrainingOutput.DATA_BUCKET_NAME]
    return locate(f"s3://{bucket}/{source}")


def _files_of(data_set: DataSet) -> Mapping[str, bytes]:
    root = os.environ.get("GROUNDWORK_DATA")
    folder = Path(root, data_set.name) if root else None
    if folder and folder.is_dir():
        return transfer.Files(locate(str(folder)))
    if data_set.download:
        return _call(data_set.download)
    raise InputError(
        f"Data set {data_set.name}: It is not on this machine. Get it from {data_set.origin} and set GROUNDWORK_DATA "
        f"to a folder that has {data_set.name}/."
    )


def _call(reference: str) -> Mapping[str, bytes]:
    """Import and call a function of the manifest; its module is imported only now, because it may be slow."""
    files: Mapping[str, bytes] = pkgutil.resolve_name(reference)()
    return files


@app.command()
@results
def sample(name: Name, to: To = None, stack: StackName = DEFAULT) -> Result:
    """Write a small stand-in for a data set, which needs no download, to a folder or S3."""
    if name not in DATA_SETS:
        raise InputError(f"There is no data set {name}. Choose from {_KNOWN}.")
    return _sent(marked(_call(DATA_SETS[name].sample)), _target(name, to, stack))


@app.command(name="list")
@listing
def show(
    place: Annotated[str | None, typer.Argument(help="Folder or s3:// URI.", show_default=False)] = None,
) -> Result:
    """List the data sets that the workloads know, or the files at a place."""
    if place is None:
        data_sets = [{"name": name, "origin": data_set.origin} for name, data_set in DATA_SETS.items()]
        return Result({"data_sets": data_sets}, Table(["data set", "origin"], [[*row.values()] for row in data_sets]))
    where = locate(place)
    sums, files = transfer.read_sums(where), transfer.Files(where)
    if not files:
        raise InputError(f"{place}: There are no files.")
    listed = [{"name": name, "sha256": sums.get(name)} for name in files]
    rows = [(row["sha256"], row["name"]) for row in listed]
    return Result({"place": where.uri, "files": listed}, Table(["sha256", "file"], rows, keys=["file"]))


@app.command()
@listing
def verify(place: Annotated[str, typer.Argument(help="Folder or s3:// URI.")]) -> Result:
    """Read every file at a place and compare it with its SHA-256."""
    checked = transfer.check(locate(place))
    wrong = [file.name for file in checked if file.state in ("damaged", "missing")]
    damaged = InputError(
        f"{place}: These files are damaged or missing: {', '.join(wrong)}. Bring them there again by "
        f"`groundwork data put SOURCE --to {place} --again`."
    )
    rows = [(file.state, f"{file.size:,}", file.name) for file in checked]
    return Result(
        {"place": locate(place).uri, "files": checked, "good": not wrong},
        Table(["state", "bytes", "file"], rows, keys=["file"], numbers=["bytes"]),
        ends=damaged if wrong else None,
    )
