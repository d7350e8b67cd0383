"""Answers as tables, for people."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from workloads.movie_rental.quality import MODES
from workloads.movie_rental.trends import AVERAGE_WEEKS, anomalies, forecast, moving_average

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pandas as pd

    from workloads.movie_rental.customer import Known, Trace
    from workloads.movie_rental.model import Answer, Recommendation
    from workloads.movie_rental.quality import HitRates, Judged
    from workloads.movie_rental.search import Mode
    from workloads.movie_rental.verify import Comparison

_ROWS = 10
_WEEKS_SHOWN = 8
_CATEGORIES_SHOWN = 8


def _print(names: Sequence[str], rows: Iterable[Sequence[object]], right: Iterable[str] = ()) -> None:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in names:
        table.add_column(name, justify="right" if name in right else "left")
    for row in rows:
        table.add_row(*("" if cell is None else str(cell) for cell in row))
    Console(width=None if sys.stdout.isatty() else 160, highlight=False).print(table)


def show_comparisons(compared: Sequence[Comparison]) -> None:
    """The table of `verify`."""
    rows = [
        (
            one.engine,
            one.what,
            f"{one.source.rows:,}",
            f"{one.target.rows:,}",
            f"{one.source.hash:016x}",
            f"{one.target.hash:016x}",
            "equal" if one.equal else "DIFFERENT",
        )
        for one in compared
    ]
    _print(["engine", "what", "source", "there", "hash of source", "hash", ""], rows, ["source", "there"])
    different = [f"{one.engine}: {one.what}" for one in compared if not one.equal]
    typer.echo(f"different: {'; '.join(different)}" if different else "everything is equal")


def show_answer(answer: Answer) -> None:
    """What a search found."""
    rows = [
        (hit.movie_id, escape(hit.title), hit.genre, hit.year, f"{hit.score:.4f}", _highlight(hit.highlights))
        for hit in answer.hits
    ]
    _print(["id", "title", "genre", "year", "score", "where"], rows, ["id", "year", "score"])
    typer.echo(f"{answer.total:,} movies")
    for name, counts in answer.facets.items():
        typer.echo(f"{name}: " + ", ".join(f"{value} {count}" for value, count in counts.items()))


def _highlight(highlights: Mapping[str, Sequence[str]]) -> str:
    pieces = [piece for found in highlights.values() for piece in found]
    marked = escape(pieces[0]) if pieces else ""
    return marked.replace("<em>", "[bold]").replace("</em>", "[/bold]")


def show_recommendations(found: Sequence[Recommendation]) -> None:
    """What a customer may like."""
    rows = [(one.movie_id, escape(one.title), f"{one.score:.3f}", one.people) for one in found]
    _print(["id", "title", "score", "people like them who rented it"], rows, ["id", "score"])


def show_trends(table: pd.DataFrame) -> None:
    """Counts, moving averages, anomalies and the forecast."""
    if table["all"].sum() == 0:
        typer.echo("there are no rentals")
        return
    totals = table.drop(columns="all").sum().sort_values(ascending=False)
    shown = ["all", *totals.index[:_CATEGORIES_SHOWN]]
    recent = table[shown].tail(_WEEKS_SHOWN)
    rows = [[f"{week:%Y-%m-%d}", *row] for week, row in zip(recent.index, recent.to_numpy().tolist(), strict=True)]
    average = moving_average(table)[shown].iloc[-1]
    rows.append([f"mean of {AVERAGE_WEEKS}", *(f"{value:,.1f}" for value in average)])
    _print(["week of", *shown], rows, shown)
    found = anomalies(table)
    typer.echo(f"{len(found)} weeks stand out")
    for one in found.tail(_ROWS).to_dict("records"):
        typer.echo(f"  {one['week']:%Y-%m-%d} {one['category']}: {one['rentals']}, usually {one['usual']:g}")
    coming = forecast(table["all"].tolist())
    if coming:
        expected = ", ".join(
            f"{middle:,.0f} ({low:,.0f} to {high:,.0f})"
            for middle, low, high in zip(coming.expected, coming.low, coming.high, strict=True)
        )
        typer.echo(f"the weeks to come: {expected}; in brackets what four of five weeks keep to")
        typer.echo(
            f"one week ahead the forecast was {coming.error:,.0f} off; "
            f"to expect the week before again, {coming.naive_error:,.0f}"
        )


def show_customer(known: Known, *, as_json: bool) -> None:
    """All that is known of a customer."""
    if as_json:
        content: Any = {"person": known.person, "rentals": known.rentals, "events_waiting": known.waiting}
        typer.echo(json.dumps(content, indent=2, default=str, ensure_ascii=False))
        return
    for name, value in known.person.items():
        if value not in (None, ""):
            typer.echo(f"{name:14} {value}")
    rows = [
        (
            rental["rental_id"],
            escape(rental["title"]),
            f"{rental['rented_at']:%Y-%m-%d}",
            f"{rental['returned_at']:%Y-%m-%d}" if rental["returned_at"] else "not yet",
            rental["paid"],
        )
        for rental in known.rentals[:_ROWS]
    ]
    _print(["rental", "title", "rented", "returned", "paid"], rows, ["rental", "paid"])
    typer.echo(
        f"{len(known.rentals):,} rentals ({_ROWS} shown at most), {known.graph:,} in the graph, "
        f"{known.waiting:,} events wait to be sent"
    )


def show_traces(traces: Sequence[Trace]) -> None:
    """What an erasure left."""
    rows = [(trace.engine, trace.what, trace.before, trace.left) for trace in traces]
    _print(["engine", "what", "before", "left"], rows, ["before", "left"])
    left = sum(trace.left for trace in traces)
    typer.echo(f"{left:,} traces are left" if left else "nothing is left of them")


def show_quality(rates: HitRates, search: Mapping[str, Mapping[Mode, float]], judged: Sequence[Judged]) -> None:
    """How good recommendations and search are."""
    typer.echo(f"recommendations: hit rate@10 over {rates.customers:,} customers, their last films left out")
    rows = [
        ("people who rented the same", f"{rates.graph:.3f} ± {rates.margin:.3f}"),
        ("popular", f"{rates.popular:.3f}"),
        ("random", f"{rates.random:.3f}"),
    ]
    _print(["way", "hit rate"], rows)
    typer.echo("search: nDCG@10")
    counts = {kind: sum(one.kind == kind for one in judged) for kind in search} | {"all": len(judged)}
    ordered = sorted(search, key=lambda kind: kind == "all")  # which comes last
    found = [(kind, counts[kind], *(f"{search[kind][mode]:.3f}" for mode in MODES)) for kind in ordered]
    _print(["kind of query", "queries", *MODES], found, ["queries", *MODES])
