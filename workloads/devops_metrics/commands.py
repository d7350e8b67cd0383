"""`groundwork devops-metrics`: simulate, ingest, query."""

from __future__ import annotations

import signal
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from contract.errors import InputError
from contract.stacks import StackName
from workloads.devops_metrics.settings import FleetSettings
from workloads.options import add_options, validated
from workloads.timeseries.schema import Schema

if TYPE_CHECKING:
    import pandas as pd

    from workloads.devops_metrics.ingest import Tally
    from workloads.timeseries.store import Period

app = typer.Typer(
    no_args_is_help=True, help="Monitoring data in a time series database: ingest, query, find incidents."
)

Stack = Annotated[str, typer.Option(help="The deployed stack whose database is meant.")]
Mapping = Annotated[
    Path | None,
    typer.Option(help="TOML file that says what the columns mean, if not the standard ones.", show_default=False),
]


def _simulate(output: Annotated[Path, typer.Option(help="CSV file to write.")], given: dict[str, Any]) -> None:
    from workloads.devops_metrics.simulate import simulate  # noqa: PLC0415 - pandas takes a second to import

    labels = output.with_suffix(".incidents.csv")
    rows, incidents = simulate(validated(FleetSettings, given), output, labels)
    typer.echo(f"{rows:,} rows in {output}, {len(incidents)} incidents in {labels}")


app.command("simulate", help="Write a CSV file of a simulated fleet, and one that tells its incidents.")(
    add_options(_simulate, FleetSettings)
)


@app.command()
def ingest(  # noqa: PLR0917 - its options
    file: Annotated[Path, typer.Argument(help="CSV file.", show_default=False)],
    stack: Stack = StackName.DEVOPS_METRICS,
    mapping: Mapping = None,
    quarantine: Annotated[
        Path | None,
        typer.Option(help="Where lines go that cannot be written (default: FILE.quarantine.csv).", show_default=False),
    ] = None,
    watch: Annotated[bool, typer.Option(help="Go on as the file grows, until Ctrl-C.")] = False,
    writers: Annotated[int, typer.Option(min=1, max=64, help="Batches written at the same time.")] = 4,
) -> None:
    """Write a CSV file into the database. Running it again changes nothing."""
    from workloads.devops_metrics.heartbeat import Heartbeat  # noqa: PLC0415
    from workloads.devops_metrics.ingest import Quarantine  # noqa: PLC0415
    from workloads.devops_metrics.ingest import ingest as run  # noqa: PLC0415
    from workloads.devops_metrics.reader import Reader  # noqa: PLC0415
    from workloads.timeseries.connection import connect  # noqa: PLC0415 - boto3 and pandas take a second to import

    stop = threading.Event()
    if watch:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
    schema = Schema.load(mapping)
    reader = Reader(file, schema, follow=watch, stop=stop.is_set)
    store = connect(stack, schema)
    bad = quarantine or file.with_name(file.name + ".quarantine.csv")
    heartbeat = Heartbeat(stack, lambda text: typer.echo(text, err=True))
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Quarantine(bad) as lines, Progress(*columns, console=console, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(file.name, total=None if watch else file.stat().st_size)

        def progress(tally: Tally) -> None:
            heartbeat.beat(tally)
            bar.update(task, completed=tally.position, description=f"{tally.lines:,} lines, {tally.rate:,.0f}/s")

        tally = run(reader, store, lines, writers=writers, progress=progress)
        heartbeat.send(tally)
    typer.echo(_summary(tally, bad))


def _summary(tally: Tally, quarantine: Path) -> str:
    from workloads.timeseries.liveanalytics import US_DOLLARS_PER_KIB  # noqa: PLC0415 - boto3 takes a second to import

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
    explain: Annotated[bool, typer.Option(help="Show the statements that the database gets, and ask nothing.")] = False,
    mapping: Mapping = None,
) -> None:
    """Answer a named question: a table, a figure, or both."""
    from workloads.devops_metrics.queries import find  # noqa: PLC0415
    from workloads.timeseries.connection import connect  # noqa: PLC0415 - boto3 and pandas take a second to import
    from workloads.timeseries.store import AskedOnce  # noqa: PLC0415

    chosen = find(name)
    period = _period(last, until, chosen.period)
    if incidents and name != "anomalies":
        raise InputError("--incidents: The option goes with the question anomalies only.")
    if plot and plot.suffix not in (".png", ".svg", ".pdf"):
        raise InputError(f"--plot {plot}: A figure's name ends in .png, .svg or .pdf.")
    store = AskedOnce(connect(stack, Schema.load(mapping)))
    if explain:
        statements = store.statements(chosen.asked, period) if chosen.asked else ["(the description of the table)"]
        typer.echo("\n;\n".join(statements))
        return
    table = chosen.answer(store, period)
    if table.empty:
        newest = store.describe().newest
        held = f"the newest row is of {newest:%Y-%m-%d %H:%M}" if newest else "the database is empty"
        typer.echo(f"nothing between {period.start:%Y-%m-%d %H:%M} and {period.end:%Y-%m-%d %H:%M} UTC; {held}")
    else:
        _show(table)
    if incidents:
        from workloads.devops_metrics.anomalies import evaluate  # noqa: PLC0415
        from workloads.devops_metrics.simulate import load_incidents  # noqa: PLC0415

        result = evaluate(table, load_incidents(incidents))
        typer.echo(
            f"{result.incidents} incidents, {result.found} found: "
            f"precision {result.precision:.2f}, recall {result.recall:.2f}"
        )
    if csv:
        part = csv.with_name(csv.name + ".part")
        table.to_csv(part, index=False)
        part.replace(csv)
        typer.echo(f"{len(table):,} rows in {csv}")
    if plot:
        from workloads.devops_metrics.plots import plot as draw  # noqa: PLC0415 - matplotlib takes a second to import

        draw(name, table, store, period).savefig(plot, dpi=120)
        typer.echo(f"figure in {plot}")


@app.command()
def queries() -> None:
    """List the named questions."""
    from workloads.devops_metrics.queries import QUERIES  # noqa: PLC0415 - pandas takes a second to import

    for name, one in QUERIES.items():
        typer.echo(f"{name:16} {one.summary}")


@app.command()
def describe(stack: Stack = StackName.DEVOPS_METRICS, mapping: Mapping = None) -> None:
    """Show what the database holds: rows, oldest and newest, retention."""
    from workloads.timeseries.connection import connect  # noqa: PLC0415 - boto3 and pandas take a second to import

    held = connect(stack, Schema.load(mapping)).describe()
    kept = f"{held.retention / timedelta(days=1):g} days" if held.retention else "for ever"
    typer.echo(f"{held.engine}, {held.place}: {held.rows:,} rows, kept {kept}")
    if held.oldest and held.newest:
        typer.echo(f"from {held.oldest:%Y-%m-%d %H:%M:%S} to {held.newest:%Y-%m-%d %H:%M:%S} UTC")
    for note in held.notes:
        typer.echo(note)


def _period(last: str, until: str, usual: timedelta) -> Period:
    from workloads.timeseries.store import Period  # noqa: PLC0415 - pandas takes a second to import

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


def _show(table: pd.DataFrame) -> None:
    shown = Table(box=None, header_style="bold", pad_edge=False)
    for column in table:
        shown.add_column(str(column), justify="right" if table[column].dtype.kind in "if" else "left")
    for row in table.head(_ROWS_SHOWN).itertuples(index=False):
        shown.add_row(*(_cell(value) for value in row))
    Console(width=None if sys.stdout.isatty() else 200).print(shown)
    if len(table) > _ROWS_SHOWN:
        typer.echo(f"… {len(table) - _ROWS_SHOWN:,} more rows (--csv writes them all)")


def _cell(value: object) -> str:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    if isinstance(value, float):
        return f"{value:,.3g}" if abs(value) < 1 else f"{value:,.2f}"
    return str(value)
