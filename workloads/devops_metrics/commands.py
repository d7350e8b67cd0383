"""`groundwork devops-metrics`: simulate, ingest, query, detect, backup, restore."""

from __future__ import annotations

import signal
import threading
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from contract.errors import InputError
from contract.stacks import StackName
from terminal import files
from terminal.results import Result, listing, results
from terminal.screen import Table, progress, say
from workloads.devops_metrics.settings import FleetSettings
from workloads.options import add_options, validated
from workloads.timeseries.schema import Schema

if TYPE_CHECKING:
    import pandas as pd

    from workloads.devops_metrics.ingest import Tally
    from workloads.timeseries.influxdb import InfluxDB
    from workloads.timeseries.store import Period

app = typer.Typer(
    no_args_is_help=True, help="Monitoring data in a time series database: ingest, query, find incidents."
)

Stack = Annotated[str, typer.Option(help="The deployed stack with the database.")]
Mapping = Annotated[
    Path | None,
    typer.Option(help="TOML file that says what the columns mean, if not the standard ones.", show_default=False),
]

Dimensions = Annotated[
    list[str] | None,
    typer.Option(
        "--dimension",
        help="NAME=VALUE: a dimension that has this value in every row, as host=web-1. Can be given several times.",
        show_default=False,
    ),
]
PartOption = Annotated[
    str,
    typer.Option(
        help="The part of the files of S3 that this process takes, as 2/4. A child of a Batch array takes its own.",
        show_default=False,
    ),
]
AlarmsPerDay = Annotated[
    float | None,
    typer.Option(
        min=0,
        help="Most incidents per day and host, on average; the most extreme ones are kept (default: 0.15).",
        show_default=False,
    ),
]


def _simulate(
    output: Annotated[Path, typer.Option(help="CSV file to write.")], option_values: dict[str, Any]
) -> Result:
    from workloads.devops_metrics.simulate import simulate

    labels = output.with_suffix(".incidents.csv")
    rows, incidents = simulate(validated(FleetSettings, option_values), output, labels)
    document = {"rows": rows, "file": output, "incidents": len(incidents), "incidents_file": labels}
    return Result(document, f"{rows:,} rows in {output}, {len(incidents)} incidents in {labels}")


app.command("simulate", help="Write a CSV file of a simulated fleet, and another one with its incidents.")(
    results(add_options(_simulate, FleetSettings))
)


@app.command()
@results
def ingest(  # noqa: PLR0917 - its options
    source: Annotated[
        str,
        typer.Argument(
            help="CSV file, or the s3:// URI of a prefix with such files.", metavar="FILE", show_default=False
        ),
    ],
    stack: Stack = StackName.DEVOPS_METRICS,
    mapping: Mapping = None,
    dimension: Dimensions = None,
    quarantine: Annotated[
        Path | None,
        typer.Option(
            help="File for the lines that cannot be written (default: FILE.quarantine.csv).", show_default=False
        ),
    ] = None,
    jobs: Annotated[
        int,
        typer.Option(
            min=0, max=10_000, help="Jobs of AWS Batch that share the files of S3; 0: none, this process reads them."
        ),
    ] = 0,
    part: PartOption = "",
    batch_load: Annotated[
        int, typer.Option(min=0, help="LiveAnalytics loads plain files of S3 from so many MiB on itself; 0: none.")
    ] = 100,
    watch: Annotated[bool, typer.Option(help="Go on as the file grows, until Ctrl-C.")] = False,
    writers: Annotated[int, typer.Option(min=1, max=64, help="Batches written at the same time.")] = 4,
    rollups: Annotated[
        bool, typer.Option(help="Bring the rollups of InfluxDB up to date; `rollup` does so later.")
    ] = True,
) -> Result:
    """Write a CSV file, or all of a prefix in S3, into the database. Running it again changes nothing."""
    schema = Schema.load(mapping, _fixed(dimension))
    if source.startswith("s3://"):
        from workloads.devops_metrics.ingest_prefix import Options, ingest_prefix
        from workloads.devops_metrics.parts import Part

        if watch:
            raise InputError(f"--watch: Objects of S3 do not grow. Run the command again for what is new in {source}.")
        if jobs and part:
            raise InputError("--jobs and --part: The jobs share the files out among themselves. Leave one out.")
        chosen = Part.parse(part) if part else None
        options = Options(writers, rollups, batch_load)
        return ingest_prefix(source, schema, options, stack=stack, part=chosen, jobs=jobs, quarantine=quarantine)
    if jobs or part:
        raise InputError(f"{source}: --jobs and --part share out the files of S3. Write s3://BUCKET/PREFIX/.")
    return _ingest_file(Path(source), schema, stack, quarantine, watch=watch, writers=writers, rollups=rollups)


def _ingest_file(
    file: Path,
    schema: Schema,
    stack: str,
    quarantine: Path | None,
    *,
    watch: bool,
    writers: int,
    rollups: bool,
) -> Result:
    from workloads.devops_metrics.heartbeat import Heartbeat
    from workloads.devops_metrics.ingest import Quarantine
    from workloads.devops_metrics.ingest import ingest as run
    from workloads.devops_metrics.reader import Reader
    from workloads.timeseries.connection import connect
    from workloads.timeseries.marks import run_of

    stop = threading.Event()
    if watch:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
    reader = Reader(file, schema, follow=watch, stop=stop.is_set)
    bad = quarantine or file.with_name(file.name + ".quarantine.csv")
    heartbeat = Heartbeat(stack, lambda text: say(text, errors=True))
    with run_of(file) as run_number, Quarantine(bad) as lines, progress("bytes") as bar:
        store = connect(stack, schema, run=run_number)
        task = bar.add_task(file.name, total=reader.size)

        def show(tally: Tally) -> None:
            heartbeat.beat(tally)
            bar.update(task, completed=tally.position, description=f"{tally.lines:,} lines, {tally.rate:,.0f}/s")

        tally = run(reader, store, lines, writers=writers, rollups=rollups, progress=show)
        heartbeat.send(tally)
    return Result(tally.totals() | {"quarantine": bad if tally.quarantined else None}, _summary(tally, bad))


@app.command()
@results
def ingest_part(
    plan: Annotated[str, typer.Argument(help="The s3:// URI of a plan that `ingest --jobs` wrote.")],
    stack: Stack = StackName.DEVOPS_METRICS,
    part: PartOption = "",
) -> Result:
    """Write one part of a plan into the database; each job of `ingest --jobs` runs this."""
    import os

    from workloads.devops_metrics.ingest_prefix import ingest_part as run
    from workloads.devops_metrics.parts import Part

    return run(plan, stack=stack, part=Part.parse(part) if part else Part.of_job(os.environ))


def _summary(tally: Tally, quarantine: Path) -> str:
    from workloads.timeseries.liveanalytics import US_DOLLARS_PER_KIB

    repeated = f"{tally.repeated:,} with the time and dimensions of an earlier line; " if tally.repeated else ""
    where = f" ({repeated}see {quarantine})" if tally.quarantined else ""
    text = (
        f"{tally.lines:,} lines: {tally.written:,} written, {tally.quarantined:,} quarantined{where}; "
        f"{tally.seconds:.1f} s, {tally.rate:,.0f} lines/s, {tally.requests:,} requests"
    )
    if tally.metered_kib:
        cost = tally.metered_kib * US_DOLLARS_PER_KIB
        text += f"; {tally.metered_kib:,} KiB metered, about ${cost:.4f} (us-east-1)"
    return text


@app.command()
@results
def query(  # noqa: PLR0917 - its options
    name: Annotated[str, typer.Argument(help="A question; `queries` lists them.", show_default=False)],
    stack: Stack = StackName.DEVOPS_METRICS,
    last: Annotated[str, typer.Option(help="How far to look back: 30m, 24h, 14d (default: the question's own).")] = "",
    until: Annotated[str, typer.Option(help="Where the period ends, as 2026-01-31T12:00 in UTC (default: now).")] = "",
    plot: Annotated[
        Path | None, typer.Option(help="Draw a figure into this .png or .svg file.", show_default=False)
    ] = None,
    csv: Annotated[
        Path | None, typer.Option(help="Write the whole answer into this CSV file.", show_default=False)
    ] = None,
    incidents: Annotated[
        Path | None,
        typer.Option(
            help="With anomalies: what really happened (from simulate), to measure precision and recall.",
            show_default=False,
        ),
    ] = None,
    alarms_per_day: AlarmsPerDay = None,
    raw: Annotated[bool, typer.Option("--raw", help="Ask only raw rows, and no rollups.")] = False,
    explain: Annotated[bool, typer.Option(help="Print the question's statements without running them.")] = False,
    mapping: Mapping = None,
) -> Result:
    """Answer a named question: a table, a figure, or both."""
    from workloads.devops_metrics.anomalies import Alarms
    from workloads.devops_metrics.queries import anomalies, find
    from workloads.timeseries.connection import connect
    from workloads.timeseries.rolled_up import RolledUp
    from workloads.timeseries.store import AskedOnce

    chosen = find(name)
    period = _period(last, until, chosen.period)
    for option, value in (("--incidents", incidents), ("--alarms-per-day", alarms_per_day)):
        if value is not None and name != "anomalies":
            raise InputError(f"{option}: The option goes with the question anomalies only.")
    if plot and plot.suffix not in (".png", ".svg", ".pdf"):
        raise InputError(f"--plot {plot}: A figure's name ends in .png, .svg or .pdf.")
    connected = connect(stack, Schema.load(mapping))
    store = AskedOnce(connected.raw if raw and isinstance(connected, RolledUp) else connected)
    if explain:
        statements = (
            store.statements(chosen.aggregation(period), period)
            if chosen.aggregation
            else ["(the description of the table)"]
        )
        return Result({"query": name, "statements": statements}, "\n;\n".join(statements))
    table = chosen.run(store, period) if alarms_per_day is None else anomalies(store, period, Alarms(alarms_per_day))
    output: list[str | Table] = []
    document: dict[str, Any] = {"query": name, "from": period.start, "to": period.end}
    document |= {"rows": table.to_dict("records"), "sources": store.sources(), "evaluation": None}
    if table.empty:
        newest = store.describe().newest
        contents = f"the newest row is of {newest:%Y-%m-%d %H:%M}" if newest else "the database is empty"
        output.append(f"nothing between {period.start:%Y-%m-%d %H:%M} and {period.end:%Y-%m-%d %H:%M} UTC; {contents}")
    else:
        output += [*_shown(table), f"rows: {'; '.join(store.sources())}"]
    if incidents:
        from workloads.devops_metrics.anomalies import evaluate
        from workloads.devops_metrics.simulate import load_incidents

        result = evaluate(table, load_incidents(incidents))
        document["evaluation"] = {
            name: getattr(result, name) for name in ("incidents", "detected", "precision", "recall")
        }
        output.append(
            f"{result.incidents} incidents, {result.detected} detected: "
            f"precision {result.precision:.2f}, recall {result.recall:.2f}"
        )
    if csv:
        files.write(csv, table.to_csv(index=False).encode())
        output.append(f"{len(table):,} rows in {csv}")
    if plot:
        from workloads.devops_metrics.plots import plot as draw

        with files.replacing(plot) as file:
            draw(name, table, store, period).savefig(file, format=plot.suffix[1:], dpi=120)
        output.append(f"figure in {plot}")
    return Result(document, *output)


@app.command()
@results
def detect(
    file: Annotated[
        Path, typer.Argument(help="CSV file: timestamp,value, or one column per signal.", show_default=False)
    ],
    mapping: Mapping = None,
    dimension: Dimensions = None,
    alarms_per_day: AlarmsPerDay = None,
    csv: Annotated[
        Path | None, typer.Option(help="Write the incidents into this CSV file.", show_default=False)
    ] = None,
) -> Result:
    """Find the incidents in a CSV file of metrics. This needs neither a database nor AWS."""
    from workloads.devops_metrics.anomalies import (
        LEAST_WINDOWS,
        Alarms,
        find_incidents,
    )
    from workloads.devops_metrics.series import read_series

    series = read_series(file, mapping, _fixed(dimension))
    table = find_incidents(series.hosts, Alarms() if alarms_per_day is None else Alarms(alarms_per_day))
    judged = [signals.drop(columns="responses", errors="ignore") for signals in series.hosts.values()]
    counts = [count for signals in judged for count in signals.count() if count]
    output: list[str | Table] = [] if table.empty else _shown(table)
    output.append(
        f"incidents: {len(table):,} (hosts: {len(series.hosts):,}, signals: {len(counts):,}, lines: {series.lines:,})"
    )
    if short := sum(count < LEAST_WINDOWS for count in counts):
        output.append(f"signals with fewer than {LEAST_WINDOWS} values, too few to say what is usual: {short:,}")
    for note in series.notes:
        say(note, errors=True)
    if series.faults:
        first = series.faults[0]
        say(
            f"lines that could not be read and were left out: {len(series.faults):,}; the first is line {first.line}: "
            f"{first.reason}",
            errors=True,
        )
    if csv:
        files.write(csv, table.to_csv(index=False).encode())
        output.append(f"{len(table):,} rows in {csv}")
    document = {"incidents": table.to_dict("records"), "hosts": len(series.hosts), "signals": len(counts)}
    document |= {"short_signals": short, "lines": series.lines, "lines_left_out": len(series.faults)}
    document["notes"] = series.notes
    return Result(document, *output)


@app.command()
@listing
def queries() -> Result:
    """List the named questions."""
    from workloads.devops_metrics.queries import QUERIES

    listed = [{"name": name, "summary": query.summary} for name, query in QUERIES.items()]
    return Result({"queries": listed}, Table(["query", "what it answers"], [[*row.values()] for row in listed]))


@app.command()
@results
def describe(stack: Stack = StackName.DEVOPS_METRICS, mapping: Mapping = None) -> Result:
    """Show what the database holds: rows, oldest and newest, retention."""
    from workloads.timeseries.connection import connect

    description = connect(stack, Schema.load(mapping)).describe()
    retention = f"{description.retention / timedelta(days=1):g} days" if description.retention else "for ever"
    lines = [f"{description.engine}, {description.place}: {description.rows:,} rows, kept {retention}"]
    if description.oldest and description.newest:
        lines.append(f"from {description.oldest:%Y-%m-%d %H:%M:%S} to {description.newest:%Y-%m-%d %H:%M:%S} UTC")
    document = {name: getattr(description, name) for name in ("engine", "place", "rows", "oldest", "newest", "notes")}
    return Result(document | {"retention_seconds": description.retention}, *lines, *description.notes)


@app.command()
@results
def rollup(
    stack: Stack = StackName.DEVOPS_METRICS,
    last: Annotated[str, typer.Option(help="How far to look back: 24h, 14d (default: everything).")] = "",
    until: Annotated[str, typer.Option(help="Where the period ends, as 2026-01-31T12:00 in UTC (default: now).")] = "",
) -> Result:
    """Compute the rollups again, after rows were deleted or other programs wrote. Run it while nothing is ingested."""
    from workloads.timeseries.connection import connect
    from workloads.timeseries.rolled_up import RolledUp

    store = connect(stack)
    if not isinstance(store, RolledUp):
        raise InputError(
            f"Stack {stack}: The stack has no rollups. They need InfluxDB 2 and a stack that is up to date."
        )
    if until and not last:
        raise InputError(f"--until {until}: The option goes with --last, which says where the period begins.")
    hours = store.rebuild(_period(last, until, timedelta()) if last else None)
    document = {"from": hours.start if hours else None, "to": hours.end if hours else None}
    if not hours:
        return Result(document, "The database holds no rows of that period.")
    return Result(document, f"rollups computed from {hours.start:%Y-%m-%d %H:%M} to {hours.end:%Y-%m-%d %H:%M} UTC")


@app.command()
@results
def backup(
    to: Annotated[str, typer.Option("--to", help="Folder or s3:// URI that only this stack uses.", show_default=False)],
    stack: Stack = StackName.DEVOPS_METRICS,
    everything: Annotated[
        bool, typer.Option("--all", help="Read all days again, also for values that were corrected since.")
    ] = False,
    tell_alarm: Annotated[
        bool, typer.Option(help="Tell the stack's alarm on missing backups that this one succeeded.")
    ] = False,
) -> Result:
    """Save what InfluxDB holds and the backup does not. Running it again goes on, and removes nothing."""
    from workloads.devops_metrics.heartbeat import backup_succeeded
    from workloads.storage import locate
    from workloads.timeseries.backup import back_up

    place = locate(to)
    done = back_up(_influxdb(stack), place, stack, everything=everything, tell=lambda text: say(text, errors=True))
    if tell_alarm:
        backup_succeeded(stack)
    kept = f"; {done.kept:,} are in the backup only" if done.kept else ""
    text = f"{done.saved:,} days saved, {done.unchanged:,} unchanged{kept}; {done.rows:,} rows in {place}"
    return Result({"to": place.uri, **asdict(done)}, text)


@app.command()
@results
def restore(
    source: Annotated[str, typer.Option("--from", help="Folder or s3:// URI of a backup.", show_default=False)],
    stack: Stack = StackName.DEVOPS_METRICS,
) -> Result:
    """Write a backup into InfluxDB, and count what is there then. Running it again changes nothing."""
    from workloads.storage import locate
    from workloads.timeseries.backup import restore as run

    place = locate(source)
    done = run(_influxdb(stack), place, tell=lambda text: say(text, errors=True))
    ends = None
    if done.problems:
        ends = InputError(f"{place}: Not everything was restored ({len(done.problems):,}). {done.problems[0]}")
    document = {"from": place.uri, **asdict(done)}
    return Result(document, f"{done.days:,} days restored, {done.rows:,} rows", *done.problems[1:], ends=ends)


def _influxdb(stack: str) -> InfluxDB:
    from workloads.timeseries.connection import connect
    from workloads.timeseries.influxdb import InfluxDB

    store = connect(stack)
    if not isinstance(store, InfluxDB):
        raise InputError(
            f"Stack {stack}: Only InfluxDB is backed up by this command. For LiveAnalytics, use AWS Backup."
        )
    return store


def _fixed(dimensions: list[str] | None) -> dict[str, str]:
    """Return the dimensions of the options NAME=VALUE."""
    fixed: dict[str, str] = {}
    for text in dimensions or []:
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise InputError(f"--dimension {text}: A dimension has a name and a value, as in host=web-1.")
        if fixed.setdefault(name, value) != value:
            raise InputError(f"--dimension {name}: The dimension is given twice, as {fixed[name]} and {value}.")
    return fixed


def _period(last: str, until: str, usual: timedelta) -> Period:
    from workloads.timeseries.store import Period

    units = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
    length = usual
    if last:
        if not (last[:-1].isdecimal() and last[-1] in units and int(last[:-1])):
            raise InputError(
                f"--last {last}: This is not a period. Write a number and a unit, such as 30m, 24h, 14d or 2w."
            )
        length = timedelta(**{units[last[-1]]: int(last[:-1])})
    try:
        end = datetime.fromisoformat(until) if until else None
    except ValueError as error:
        raise InputError(f"--until {until}: This is not a time. Write it as 2026-01-31T12:00.") from error
    if end:
        end = end.astimezone(UTC) if end.tzinfo else end.replace(tzinfo=UTC)
    return Period.last(length, end)


_ROWS_SHOWN = 20


def _shown(table: pd.DataFrame) -> list[str | Table]:
    """Return the first rows as a table, and how many more there are."""
    numbers = [str(column) for column in table if table[column].dtype.kind in "if"]
    rows = [[_cell(value) for value in row] for row in table.head(_ROWS_SHOWN).itertuples(index=False)]
    first_rows = Table([str(column) for column in table], rows, numbers=numbers)
    more = len(table) - _ROWS_SHOWN
    return [first_rows, f"… {more:,} more rows (--csv writes them all)"] if more > 0 else [first_rows]


def _cell(value: object) -> str:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    if isinstance(value, float):
        return f"{value:,.3g}" if abs(value) < 1 else f"{value:,.2f}"
    return str(value)
