"""Answers as results: documents for programs, tables for people."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer

from terminal.results import Result
from terminal.screen import Table, Text
from workloads.movie_rental.quality import MODES
from workloads.movie_rental.trends import AVERAGE_WEEKS, Forecast, anomalies, forecast, moving_average

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import pandas as pd

    from workloads.movie_rental.customer import Known, Trace
    from workloads.movie_rental.model import Answer, Recommendation
    from workloads.movie_rental.quality import HitRates, Judged
    from workloads.movie_rental.search import Mode
    from workloads.movie_rental.verify import Comparison

_ROWS = 10
_WEEKS_SHOWN = 8
_CATEGORIES_SHOWN = 8


def comparisons(compared: Sequence[Comparison]) -> Result:
    """Give the result of `verify`; it ends with exit code 1 where anything differs."""
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
    columns = ["engine", "what", "source", "there", "hash of source", "hash", ""]
    different = [f"{one.engine}: {one.what}" for one in compared if not one.equal]
    documents = [
        {
            "engine": one.engine,
            "what": one.what,
            "rows_in_source": one.source.rows,
            "rows": one.target.rows,
            "equal": one.equal,
        }
        for one in compared
    ]
    return Result(
        {"equal": not different, "comparisons": documents},
        Table(columns, rows, numbers=["source", "there"]),
        f"different: {'; '.join(different)}" if different else "everything is equal",
        ends=typer.Exit(1) if different else None,
    )


def hits(answer: Answer) -> Result:
    """Give what a search found."""
    rows = [
        (hit.movie_id, hit.title, hit.genre, hit.year, f"{hit.score:.4f}", _highlight(hit.highlights))
        for hit in answer.hits
    ]
    columns = ["id", "title", "genre", "year", "score", "where"]
    facets = [
        f"{name}: " + ", ".join(f"{value} {count}" for value, count in counts.items())
        for name, counts in answer.facets.items()
    ]
    document = {"total": answer.total, "movies": [asdict(hit) for hit in answer.hits], "facets": answer.facets}
    table = Table(columns, rows, numbers=["id", "year", "score"])
    return Result(document, table, f"{answer.total:,} movies", *facets)


def _highlight(highlights: Mapping[str, Sequence[str]]) -> Text:
    """The first piece of a text that was found, with the words that were searched in bold."""
    pieces = [piece for found in highlights.values() for piece in found]
    marked = Text()
    for index, piece in enumerate(pieces[0].split("<em>") if pieces else ()):
        word, end, rest = piece.rpartition("</em>") if index else ("", "", piece)
        marked.append(word, "bold" if end else "").append(rest)
    return marked


def recommendations(customer: int, found: Sequence[Recommendation]) -> Result:
    """Give what a customer may like."""
    rows = [(one.movie_id, one.title, f"{one.score:.3f}", one.people) for one in found]
    columns = ["id", "title", "score", "people like them who rented it"]
    document = {"customer": customer, "movies": [asdict(one) for one in found]}
    return Result(document, Table(columns, rows, numbers=["id", "score"]))


def trends(table: pd.DataFrame, csv: Path | None) -> Result:
    """Give counts, moving averages, anomalies and the forecast, and the file that has the whole table."""
    counts = [{"week": week, "rentals": row.to_dict()} for week, row in table.iterrows()]
    coming, stand_out = forecast(table["all"].tolist()), anomalies(table)
    document = {
        "weeks": counts,
        "anomalies": stand_out.to_dict("records"),
        "forecast": asdict(coming) | {"pays": coming.pays} if coming else None,
        "file": csv,
    }
    written = [f"{len(table):,} weeks in {csv}"] if csv else []
    if table["all"].sum() == 0:
        return Result(document, "there is no whole week with rentals", *written)
    totals = table.drop(columns="all").sum().sort_values(ascending=False)
    shown = ["all", *totals.index[:_CATEGORIES_SHOWN]]
    recent = table[shown].tail(_WEEKS_SHOWN)
    rows = [[f"{week:%Y-%m-%d}", *row] for week, row in zip(recent.index, recent.to_numpy().tolist(), strict=True)]
    average = moving_average(table)[shown].iloc[-1]
    rows.append([f"mean of {AVERAGE_WEEKS}", *(f"{value:,.1f}" for value in average)])
    lines = [f"{len(stand_out)} weeks stand out"]
    lines += [
        f"  {one['week']:%Y-%m-%d} {one['category']}: {one['rentals']}, usually {one['usual']:g}"
        for one in stand_out.tail(_ROWS).to_dict("records")
    ]
    return Result(document, Table(["week of", *shown], rows, numbers=shown), *lines, *_outlook(coming), *written)


def _outlook(coming: Forecast | None) -> list[str]:
    """What a person reads of a forecast: the weeks to come, or why there is none."""
    if coming is None:
        return ["there are too few weeks for a forecast"]
    errors = (
        f"one week ahead it was {coming.error:,.0f} off on average, and expecting the week before again "
        f"{coming.naive_error:,.0f}"
    )
    if not coming.pays:
        return [f"there is no forecast, as it would be no better than expecting last week again: {errors}"]
    expected = ", ".join(
        f"{middle:,.0f} ({low:,.0f} to {high:,.0f})"
        for middle, low, high in zip(coming.expected, coming.low, coming.high, strict=True)
    )
    return [
        f"the weeks to come: {expected}; four of five weeks should lie within the brackets",
        f"how good the forecast is: {errors}",
    ]


def personal_data(known: Known) -> Result:
    """Give all that is known of a customer."""
    document: dict[str, Any] = {"person": known.person, "rentals": known.rentals}
    document |= {"rentals_in_graph": known.graph, "events_waiting": known.waiting}
    lines = [f"{name:14} {value}" for name, value in known.person.items() if value not in (None, "")]
    rows = [
        (
            rental["rental_id"],
            rental["title"],
            f"{rental['rented_at']:%Y-%m-%d}",
            f"{rental['returned_at']:%Y-%m-%d}" if rental["returned_at"] else "not yet",
            rental["paid"],
        )
        for rental in known.rentals[:_ROWS]
    ]
    lent = Table(["rental", "title", "rented", "returned", "paid"], rows, numbers=["rental", "paid"])
    counts = (
        f"{len(known.rentals):,} rentals ({_ROWS} shown at most), {known.graph:,} in the graph, "
        f"{known.waiting:,} events wait to be sent"
    )
    return Result(document, *lines, lent, counts)


def erasure(customer: int, traces: Sequence[Trace]) -> Result:
    """Give what an erasure left; it ends with exit code 1 where it left anything."""
    rows = [(trace.engine, trace.what, trace.before, trace.left) for trace in traces]
    left = sum(trace.left for trace in traces)
    return Result(
        {"customer": customer, "left": left, "traces": [asdict(trace) for trace in traces]},
        Table(["engine", "what", "before", "left"], rows, numbers=["before", "left"]),
        f"{left:,} traces are left" if left else "nothing is left of them",
        ends=typer.Exit(1) if left else None,
    )


def quality(rates: HitRates, search: Mapping[str, Mapping[Mode, float]], judged: Sequence[Judged]) -> Result:
    """Give how good recommendations and search are."""
    rows = [
        ("people who rented the same", f"{rates.graph:.3f} ± {rates.margin:.3f}"),
        ("popular", f"{rates.popular:.3f}"),
        ("random", f"{rates.random:.3f}"),
    ]
    counts = {kind: sum(one.kind == kind for one in judged) for kind in search} | {"all": len(judged)}
    ordered = sorted(search, key=lambda kind: kind == "all")  # which comes last
    found = [(kind, counts[kind], *(f"{search[kind][mode]:.3f}" for mode in MODES)) for kind in ordered]
    return Result(
        {"recommendations": asdict(rates), "search": search, "queries": counts},
        f"recommendations: hit rate@10 over {rates.customers:,} customers, their last films left out",
        Table(["way", "hit rate"], rows),
        "search: nDCG@10",
        Table(["kind of query", "queries", *MODES], found, numbers=["queries", *MODES]),
    )
