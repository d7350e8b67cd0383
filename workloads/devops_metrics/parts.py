"""Many files below a prefix of S3 into a store: by one process, or by several that take a share each.

A file whose report is in the ledger is not read again. A process that was killed in the middle of a file leaves no
report of it, so the next one reads this file again, whose rows replace those that are there.
"""

from __future__ import annotations

import os
import secrets
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

from contract.errors import InputError
from workloads.devops_metrics.ingest import Quarantine, Tally, ingest
from workloads.devops_metrics.ledger import FileReport
from workloads.devops_metrics.reader import Reader
from workloads.timeseries.marks import run_named

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from workloads.devops_metrics.batch_load import BatchLoad
    from workloads.devops_metrics.ledger import Ledger
    from workloads.objects import ObjectFile
    from workloads.timeseries.store import MetricStore


class Part(NamedTuple):
    """A share of the work: `number` of `of`, counted from 1."""

    number: int = 1
    of: int = 1

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the part that a person wrote as `2/4`.

        Raises:
            InputError: It is not one.
        """
        number, _, of = text.partition("/")
        if not (number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of)):
            raise InputError(f"--part {text}: This is not a part. Write its number and how many there are, as in 2/4.")
        return cls(int(number), int(of))

    @classmethod
    def of_job(cls, environment: Mapping[str, str]) -> Self:
        """Return the part of a child of an AWS Batch array job; everything in a job that is not an array."""
        index, size = (environment.get(f"AWS_BATCH_JOB_ARRAY_{name}") for name in ("INDEX", "SIZE"))
        return cls(int(index) + 1, int(size)) if index and size else cls()


def share(files: Sequence[ObjectFile], part: Part) -> list[ObjectFile]:
    """Return the files of a part: the largest ones first, each given to the part that has the fewest bytes by then.

    Source: Graham 1969, "Bounds on Multiprocessing Timing Anomalies": the largest part is at most 4/3 of the best.
    """
    loads, files_of_part = [0] * part.of, []
    for file in sorted(files, key=lambda file: (-file.size, file.key)):
        least = loads.index(min(loads))
        loads[least] += file.size
        if least == part.number - 1:
            files_of_part.append(file)
    return files_of_part


def run_number(environment: Mapping[str, str] = os.environ) -> int:
    """Return the number of this run for `connect`: a job of AWS Batch has one for all of its attempts."""
    job = environment.get("AWS_BATCH_JOB_ID")
    return run_named(job or secrets.token_hex())


def ingest_files(
    files: Sequence[ObjectFile],
    ledger: Ledger,
    store: MetricStore,
    *,
    writers: int = 4,
    rollups: bool = True,
    batch_load: BatchLoad | None = None,
    progress: Callable[[int, Tally], None] = lambda _number, _tally: None,
) -> None:
    """Write files one after the other, and a report on each into the ledger.

    A file that cannot be read does not keep the others from being written: its report says why.

    Args:
        files: The files.
        ledger: Where the reports go.
        store: Where the rows go.
        writers: Batches written at the same time.
        rollups: Bring the store's rollups up to date after each file.
        batch_load: Loads files that are large and plain enough.
        progress: Called after every batch with the number of files that are done, and the counts until then.

    Raises:
        InputError: The ledger cannot be written.
        UnavailableError: The store or S3 cannot be reached. The same command goes on with the file that it stopped at.
    """
    before = Tally()
    with tempfile.TemporaryDirectory() as folder:
        bad = Path(folder, "quarantine.csv")
        for number, file in enumerate(files):
            tally, problem = Tally(), ""

            def show(now: Tally, number: int = number, before: Tally = before) -> None:
                nonlocal tally
                tally = now
                progress(number, before + now)

            try:
                model = batch_load.model(file) if batch_load else None
                with Quarantine(bad) as lines:
                    if batch_load and model:
                        show(batch_load.load(file, model, lines))
                    else:
                        reader = Reader(file, ledger.schema)
                        ingest(reader, store, lines, writers=writers, rollups=rollups, progress=show)
            except InputError as error:
                problem = str(error)
            ledger.keep(file, FileReport(str(file), tally, problem), bad)
            bad.unlink(missing_ok=True)
            before += tally
            progress(number + 1, before)
