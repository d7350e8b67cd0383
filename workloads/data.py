"""Data sets: bring them to where a workload reads them."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from contract.errors import InputError, UnavailableError, phrase
from contract.stacks import TrainingOutput
from terminal.results import Result, results
from terminal.screen import Table
from workloads import transfer
from workloads.sample import MARK, marked
from workloads.storage import locate
from workloads.training.jobs.commands import StackName
from workloads.training.jobs.stack import DEFAULT, TrainingStack

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from workloads.storage import Location

app = typer.Typer(no_args_is_help=True, help="Bring data sets to where a workload reads them.")

Files = dict[str, bytes]


@dataclass(frozen=True)
class Dataset:
    """A data set that the workloads know.

    Attributes:
        folder: Its folder below that named by the environment variable GROUNDWORK_DATA.
        sample: Makes a small stand-in that needs no download: file names and content.
        download: Gets the data set from its public origin; None: a person has to.
        origin: Where a person gets it.
    """

    folder: str
    sample: Callable[[], Files]
    download: Callable[[], Files] | None
    origin: str


def _sample_mnist() -> Files:
    from workloads.training.mnist import sample_mnist

    return sample_mnist()


def _download_mnist() -> Files:
    from torchvision.datasets import MNIST

    with tempfile.TemporaryDirectory() as folder:
        try:
            MNIST(folder, download=True)
        except (OSError, RuntimeError) as error:
            raise UnavailableError(
                f"Data set mnist: It cannot be downloaded: {phrase(error)}. Set GROUNDWORK_DATA to a folder that has "
                "mnist/*.gz, or use the stand-in of `groundwork data sample mnist --to FOLDER`."
            ) from error
        return {path.name: path.read_bytes() for path in Path(folder, "MNIST", "raw").glob("*.gz")}


def _sample_delivery() -> Files:
    from workloads.training.models.delivery_time.orders import sample_delivery

    return sample_delivery()


def _sample_nfl() -> Files:
    from workloads.training.models.player_position.sample import sample_nfl

    return sample_nfl()


DATASETS: dict[str, Dataset] = {
    "mnist": Dataset("mnist", _sample_mnist, _download_mnist, "Y. LeCun and C. Cortes, through torchvision"),
    "delivery": Dataset("delivery", _sample_delivery, None, "Kaggle: denkuznetz/food-delivery-time-prediction"),
    "nfl": Dataset("nfl", _sample_nfl, None, "Kaggle: kendallgillies/nflstatistics"),
}

_KNOWN = ", ".join(DATASETS)
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
Again = Annotated[bool, typer.Option("--again", help="Send what is there already, too: it may be damaged.")]


@app.command()
@results
def put(source: Source, to: To = None, again: Again = False, stack: StackName = DEFAULT) -> Result:
    """Copy a data set to a folder or S3: from GROUNDWORK_DATA, or else from its origin. Sends what is not there yet."""
    target = _target(source, to, stack)
    if source in DATASETS:
        files = _files_of(DATASETS[source])
    elif not (files := transfer.Files(locate(source))):
        raise InputError(f"{source}: This is neither a data set ({_KNOWN}) nor a place that has files.")
    result = _sent(files, target, again=again)
    if MARK not in list(files):  # the names: asking for a file reads it
        transfer.remove(target, MARK)
    return result


def _sent(files: Mapping[str, bytes], target: Location, *, again: bool = False) -> Result:
    count = transfer.send(files, target, typer.echo, again=again)
    return Result({"place": target.uri, "files": len(files), "sent": count})


def _target(source: str, to: str | None, stack: str) -> Location:
    """Return where a person wants a data set, or else where the stack's jobs read it.

    Raises:
        InputError: There is no --to, and the stack's jobs read nothing of that name, or there is no stack.
    """
    if to is not None:
        return locate(to)
    if source not in DATASETS:
        raise InputError(f"--to: Name a folder or an s3:// URI for {source}. Only {_KNOWN} have a folder in the stack.")
    bucket = TrainingStack.find(stack)[TrainingOutput.DATA_BUCKET_NAME]
    return locate(f"s3://{bucket}/{DATASETS[source].folder}")


def _files_of(dataset: Dataset) -> Mapping[str, bytes]:
    root = os.environ.get("GROUNDWORK_DATA")
    folder = Path(root, dataset.folder) if root else None
    if folder and folder.is_dir():
        return transfer.Files(locate(str(folder)))
    if dataset.download:
        return dataset.download()
    raise InputError(
        f"Data set {dataset.folder}: It is not on this machine. Get it from {dataset.origin} and set GROUNDWORK_DATA "
        f"to a folder that has {dataset.folder}/."
    )


@app.command()
@results
def sample(name: Name, to: To = None, stack: StackName = DEFAULT) -> Result:
    """Write a small stand-in for a data set, which needs no download, to a folder or S3."""
    if name not in DATASETS:
        raise InputError(f"There is no data set {name}. Choose from {_KNOWN}.")
    return _sent(marked(DATASETS[name].sample()), _target(name, to, stack))


@app.command(name="list")
@results
def show(
    place: Annotated[str | None, typer.Argument(help="Folder or s3:// URI.", show_default=False)] = None,
) -> Result:
    """List the data sets that the workloads know, or the files at a place."""
    if place is None:
        data_sets = [{"name": name, "origin": dataset.origin} for name, dataset in DATASETS.items()]
        return Result({"data_sets": data_sets}, Table(["data set", "origin"], [[*row.values()] for row in data_sets]))
    where = locate(place)
    sums, files = transfer.read_sums(where), transfer.Files(where)
    if not files:
        raise InputError(f"{place}: There are no files.")
    listed = [{"name": name, "sha256": sums.get(name)} for name in files]
    lines = [f"{row['sha256'] or '-':64}  {row['name']}" for row in listed]  # as sha256sum has them
    return Result({"place": where.uri, "files": listed}, *lines)


@app.command()
@results
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
