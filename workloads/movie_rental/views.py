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
    """Return the result of `verify`; it ends with exit code 1 if anything differs."""
    rows = [
        (
            comparison.engine,
            comparison.what,
            f"{comparison.source.rows:,}",
            f"{comparison.target.rows:,}",
            f"{comparison.source.hash:016x}",
            f"{comparison.target.hash:016x}",
            "equal" if comparison.equal else "DIFFERENT",
        )
        for comparison in compared
    ]
    columns = ["engine", "what", "source", "there", "hash of source", "hash", ""]
    different = [f"{comparison.engine}: {comparison.what}" for comparison in compared if not comparison.equal]
    documents = [
        {
            "engine": comparison.engine,
            "what": comparison.what,
            "rows_in_source": comparison.source.rows,
            "rows": comparison.target.rows,
            "equal": comparison.equal,
        }
        for comparison in compared
    ]
    return Result(
        {"equal": not different, "comparisons": documents},
        Table(columns, rows, numbers=["source", "there"]),
        f"different: {'; '.join(different)}" if different else "everything is equal",
        ends=typer.Exit(1) if different else None,
    )


def hits(results: Answer) -> Result:
    """Return the results of a search."""
    rows = [
        (hit.movie_id, hit.title, hit.genre, hit.year, f"{hit.score:.4f}", _highlight(hit.highlights))
        for hit in results.hits
    ]
    columns = ["id", "title", "genre", "year", "score", "where"]
    facets = [
        f"{name}: " + ", ".join(f"{value} {count}" for value, count in counts.items())
        for name, counts in results.facets.items()
    ]
    document = {"total": results.total, "movies": [asdict(hit) for hit in results.hits], "facets": results.facets}
    table = Table(columns, rows, numbers=["id", "year", "score"])
    return Result(document, table, f"{results.total:,} movies", *facets)


def _highlight(highlights: Mapping[str, Sequence[str]]) -> Text:
    """Return the first fragment of a text that was found, with the words that were searched in bold."""
    fragments = [fragment for fragments_of_field in highlights.values() for fragment in fragments_of_field]
    marked = Text()
    for index, fragment in enumerate(fragments[0].split("<em>") if fragments else ()):
        word, end, text = fragment.rpartition("</em>") if index else ("", "", fragment)
        marked.append(word, "bold" if end else "").append(text)
    return marked


def recommendations(customer: int, movies: Sequence[Recommendation]) -> Result:
    """Return what a customer may like."""
    rows = [(movie.movie_id, movie.title, f"{movie.score:.3f}", movie.people) for movie in movies]
    columns = ["id", "title", "score", "people like them who rented it"]
    document = {"customer": customer, "movies": [asdict(movie) for movie in movies]}
    return Result(document, Table(columns, rows, numbers=["id", "score"]))


def trends(table: pd.DataFrame, csv: Path | None) -> Result:
    """Return counts, moving averages, anomalies, the forecast, and the file that has the whole table."""
    counts = [{"week": week, "rentals": row.to_dict()} for week, row in table.iterrows()]
    coming, stand_out = forecast(table["all"].tolist()), anomalies(table)
    document = {
        "weeks": counts,
        "anomalies": stand_out.to_dict("records"),
        "forecast": asdict(coming) | {"pays": coming.pays} if coming else None,
        "file": csv,
    }
    notes = [f"{len(table):,} weeks in {csv}"] if csv else []
    if table["all"].sum() == 0:
        return Result(document, "there is no whole week with rentals", *notes)
    totals = table.drop(columns="all").sum().sort_values(ascending=False)
    columns = ["all", *totals.index[:_CATEGORIES_SHOWN]]
    recent = table[columns].tail(_WEEKS_SHOWN)
    rows = [[f"{week:%Y-%m-%d}", *row] for week, row in zip(recent.index, recent.to_numpy().tolist(), strict=True)]
    average = moving_average(table)[columns].iloc[-1]
    rows.append([f"mean of {AVERAGE_WEEKS}", *(f"{value:,.1f}" for value in average)])
    lines = [f"{len(stand_out)} weeks stand out"]
    lines += [
        f"  {anomaly['week']:%Y-%m-%d} {anomaly['category']}: {anomaly['rentals']}, usually {anomaly['usual']:g}"
        for anomaly in stand_out.tail(_ROWS).to_dict("records")
    ]
    return Result(document, Table(["week of", *columns], rows, numbers=columns), *lines, *_outlook(coming), *notes)


def _outlook(coming: Forecast | None) -> list[str]:
    """Return the lines about a forecast: the weeks to come, or why there is no forecast."""
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


def personal_data(data: Known) -> Result:
    """Return all that is known of a customer."""
    document: dict[str, Any] = {"person": data.person, "rentals": data.rentals}
    document |= {"rentals_in_graph": data.graph, "events_waiting": data.waiting}
    lines = [f"{name:14} {value}" for name, value in data.person.items() if value not in (None, "")]
    rows = [
        (
            rental["rental_id"],
            rental["title"],
            f"{rental['rented_at']:%Y-%m-%d}",
            f"{rental['returned_at']:%Y-%m-%d}" if rental["returned_at"] else "not yet",
            rental["paid"],
        )
        for rental in data.rentals[:_ROWS]
    ]
    lent = Table(["rental", "title", "rented", "returned", "paid"], rows, numbers=["rental", "paid"])
    counts = (
        f"{len(data.rentals):,} rentals ({_ROWS} shown at most), {data.graph:,} in the graph, "
        f"{data.waiting:,} events wait to be sent"
    )
    return Result(document, *lines, lent, counts)


def erasure(customer: int, traces: Sequence[Trace]) -> Result:
    """Return what an erasure left; it ends with exit code 1 if it left anything."""
    rows = [(trace.engine, trace.what, trace.before, trace.left) for trace in traces]
    remaining = sum(trace.left for trace in traces)
    return Result(
        {"customer": customer, "left": remaining, "traces": [asdict(trace) for trace in traces]},
        Table(["engine", "what", "before", "left"], rows, numbers=["before", "left"]),
        f"{remaining:,} traces are left" if remaining else "nothing is left of them",
        ends=typer.Exit(1) if remaining else None,
    )


def quality(rates: HitRates, search: Mapping[str, Mapping[Mode, float]], judged: Sequence[Judged]) -> Result:
    """Return how good recommendations and search are."""
    rows = [
        ("people who rented the same", f"{rates.graph:.3f} ± {rates.margin:.3f}"),
        ("popular", f"{rates.popular:.3f}"),
        ("random", f"{rates.random:.3f}"),
    ]
    counts = {kind: sum(query.kind == kind for query in judged) for kind in search} | {"all": len(judged)}
    ordered = sorted(search, key=lambda kind: kind == "all")  # which comes last
    search_rows = [(kind, counts[kind], *(f"{search[kind][mode]:.3f}" for mode in MODES)) for kind in ordered]
    return Result(
        {"recommendations": asdict(rates), "search": search, "queries": counts},
        f"recommendations: hit rate@10 over {rates.customers:,} customers, their last films left out",
        Table(["way", "hit rate"], rows),
        "search: nDCG@10",
        Table(["kind of query", "queries", *MODES], search_rows, numbers=["queries", *MODES]),
    )
