"""`groundwork devops-metrics ingest s3://BUCKET/PREFIX/`: in this process, or by jobs, with one report at the end."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from contract.errors import GroundworkError, InputError, UnavailableError
from terminal.results import Result
from terminal.screen import progress, say
from workloads.devops_metrics import jobs as batch
from workloads.devops_metrics.batch_load import BatchLoad
from workloads.devops_metrics.heartbeat import Heartbeat
from workloads.devops_metrics.ingest import COLUMNS, Quarantine, Tally
from workloads.devops_metrics.ledger import Ledger
from workloads.devops_metrics.parts import Part, ingest_files, run_number, share
from workloads.devops_metrics.plan import Plan
from workloads.objects import object_files
from workloads.stack_outputs import stack_outputs
from workloads.storage import locate
from workloads.timeseries.connection import store_of
from workloads.timeseries.liveanalytics import LiveAnalytics

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from workloads.devops_metrics.jobs import FailedPart
    from workloads.devops_metrics.ledger import FileReport
    from workloads.objects import ObjectFile
    from workloads.timeseries.schema import Schema


class Options(NamedTuple):
    """How files are ingested.

    Attributes:
        writers: Batches written at the same time.
        rollups: Whether rollups are brought up to date.
        batch_load_mib: LiveAnalytics loads files of at least that size itself; 0: none.
    """

    writers: int
    rollups: bool
    batch_load_mib: int = 0


def ingest_prefix(
    source: str,
    schema: Schema,
    options: Options,
    *,
    stack: str,
    part: Part | None = None,
    jobs: int = 0,
    quarantine: Path | None = None,
) -> Result:
    """Ingest what lies below a prefix, and report on all of it, whichever run ingested it.

    Args:
        source: The address of the prefix, or of one object.
        schema: What the columns mean.
        options: How files are ingested.
        stack: The stack of the database.
        part: The part that this process takes; by default everything.
        jobs: How many jobs of AWS Batch share the files; 0: this process reads them.
        quarantine: The file for the lines that cannot be written; by default one named after the prefix, and none where
            this process takes a part.

    Raises:
        InputError: There are no files, or something about the stack or the options is wrong.
        UnavailableError: AWS or the database is not available. The same command goes on.
    """
    outputs = stack_outputs(stack)
    ledger, files = Ledger(outputs, schema), object_files(source)
    if part:
        files = share(files, part)
    elif not quarantine:
        quarantine = Path(f"{locate(source).name}.quarantine.csv")
    collected = Quarantine(quarantine, ("file", *COLUMNS)) if quarantine else None  # refuses to replace another file
    left = _left(files, ledger)
    job, failed = None, []
    if left and jobs:
        jobs = min(jobs, len(left))
        job = batch.submit(stack, outputs, Plan(left, schema, options.writers, options.rollups).save(ledger), jobs)
        say(f"job {job}: {len(left):,} files in {jobs:,} parts. It goes on if this command is interrupted.")
        failed = batch.wait(job, jobs, say)
    elif left:
        _read(left, ledger, options, stack)
    reports = ledger.reports(files)
    if collected:
        with collected:
            ledger.collect(files, reports, collected)
    return _result(source, files, reports, _Run(len(files) - len(left), job, jobs, failed), quarantine)


def ingest_part(plan_uri: str, *, stack: str, part: Part) -> Result:
    """Ingest the share of a job in a plan.

    Raises:
        InputError: There is no such plan, or something about the stack is wrong.
        UnavailableError: AWS or the database is not available. The same command goes on.
    """
    outputs, plan = stack_outputs(stack), Plan.load(locate(plan_uri))
    ledger, files = Ledger(outputs, plan.schema), share(plan.files, part)
    left = _left(files, ledger)
    _read(left, ledger, Options(plan.writers, plan.rollups), stack)
    return _result(plan_uri, files, ledger.reports(files), _Run(len(files) - len(left)), None)


def _left(files: Sequence[ObjectFile], ledger: Ledger) -> list[ObjectFile]:
    """Return the files that no run has read to the end."""
    reports = ledger.reports(files)
    return [file for file in files if file.key not in reports or reports[file.key].problem]


def _read(files: Sequence[ObjectFile], ledger: Ledger, options: Options, stack: str) -> None:
    heartbeat = Heartbeat(stack, lambda text: say(text, errors=True))
    store = store_of(ledger.outputs, ledger.schema, run=run_number())
    batch_load = None
    if isinstance(store, LiveAnalytics) and options.batch_load_mib:
        batch_load = BatchLoad(store, ledger, options.batch_load_mib << 20)
    total = Tally()
    with progress("count") as bar:
        task = bar.add_task("ingest", total=len(files))

        def show(number: int, tally: Tally) -> None:
            nonlocal total
            total = tally
            heartbeat.beat(tally)
            bar.update(task, completed=number, description=f"{tally.lines:,} lines")

        ingest_files(
            files,
            ledger,
            store,
            writers=options.writers,
            rollups=options.rollups,
            batch_load=batch_load,
            progress=show,
        )
    heartbeat.send(total)


class _Run(NamedTuple):
    """What this command did: `earlier` files were ingested before; the others by a job, if it has an id."""

    earlier: int
    job: str | None = None
    jobs: int = 0
    failed: Sequence[FailedPart] = ()


def _result(
    source: str, files: Sequence[ObjectFile], reports: Mapping[str, FileReport], run: _Run, quarantine: Path | None
) -> Result:
    total = sum((report.tally for report in reports.values()), Tally())
    problems = [report.problem for report in reports.values() if report.problem]
    missing = [file for file in files if file.key not in reports]
    where = f" (see {quarantine})" if quarantine and total.quarantined else ""
    text = (
        f"{len(files):,} files, {run.earlier:,} of them ingested before: {total.lines:,} lines, "
        f"{total.written:,} written, {total.quarantined:,} quarantined{where}"
    )
    ends: GroundworkError | None = None
    if missing:
        kind = InputError if run.failed and all(part.code == InputError.exit_code for part in run.failed) else None
        ends = (kind or UnavailableError)(f"{source}: {len(missing):,} files are not ingested.{_why(run)}")
    elif problems:
        ends = InputError(f"{source}: {len(problems):,} files were not read to their end. {problems[0]}")
    document = {"source": source, "files": len(files), "earlier": run.earlier, **total.totals()}
    document |= {"quarantine": quarantine if total.quarantined else None, "problems": problems, "job": run.job}
    return Result(document, text, *problems[1:], ends=ends)


def _why(run: _Run) -> str:
    """Say of the first part that failed why, and where its log is."""
    if not run.failed:
        return ""
    part = run.failed[0]
    log = f" Its log stream is {part.log}." if part.log else ""
    more = f" So did {len(run.failed) - 1:,} more." if len(run.failed) > 1 else ""
    return f" Part {part.number} of {run.jobs} failed: {part.reason.rstrip('.')}.{log}{more}"
