"""Answers as results: documents for programs, tables for people."""

from __future__ import annotations

import json
from dataclasses import asdict
from decimal import Decimal
from textwrap import indent
from typing import TYPE_CHECKING, Any

import typer

from terminal.results import Result, plain
from terminal.screen import Table, Text
from workloads.differences import shown
from workloads.movie_rental.database import SHARED
from workloads.movie_rental.quality import MODES
from workloads.movie_rental.source import EVERY_FILM
from workloads.movie_rental.trends import AVERAGE_WEEKS, Forecast, anomalies, forecast, moving_average

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import pandas as pd

    from workloads.movie_rental.customer import Known, Trace
    from workloads.movie_rental.model import Recommendation, SearchResults
    from workloads.movie_rental.partitions import Moved, Share
    from workloads.movie_rental.quality import HitRates, Judged, SearchQuality
    from workloads.movie_rental.quarantine import Quarantine
    from workloads.movie_rental.questions import Answer, Rows
    from workloads.movie_rental.source import Films
    from workloads.movie_rental.verify import Comparison

_ROWS = 10
_WEEKS_SHOWN = 8
_CATEGORIES_SHOWN = 8
_FIRST = 5  # keys of rows that differ


def migrated(
    rows: Mapping[str, int], partitions: Sequence[Moved], share: Share, seconds: float, quarantine: Quarantine | None
) -> Result:
    """Return the result of `migrate`.

    Args:
        rows: What was moved, by stream.
        partitions: What is in of each partition, over all attempts.
        share: What the process has moved.
        seconds: How long it took.
        quarantine: What was left out.
    """
    refused = len(quarantine.rows) if quarantine else 0
    file = quarantine.path if quarantine and refused else None
    films = [one for one in partitions if one.partition.number != SHARED]
    document = {
        "rows": rows,
        "seconds": seconds,
        "quarantined": refused,
        "quarantine": file,
        "partitions": [
            {
                "partition": None if one.partition.number == SHARED else one.partition.number,
                "films": None if one.partition.number == SHARED else _ends(one.partition.films),
                "rows": one.rows,
                "done": one.partition.done,
                "in_bulk": one.partition.in_bulk,
            }
            for one in partitions
        ],
    }
    counts = ", ".join(f"{count:,} {stream}" for stream, count in rows.items())
    lines: list[str | Table] = [f"{sum(rows.values()):,} rows in {seconds:.1f} s: {counts}"]
    if any(one.partition.in_bulk for one in partitions):
        lines.append("Neptune and DynamoDB were filled by their bulk loaders.")
    lines += [f"{refused:,} rows could not be migrated: see {file}"] if refused else []
    if left := sum(not one.partition.done for one in films):
        lines.append(f"partitions that are not in yet: {left} of {len(films)}")
    elif share.partitions > 1:
        lines.append(_partitions(partitions))
    return Result(document, *lines)


def _partitions(partitions: Sequence[Moved]) -> Table:
    """Return how many rows are in of each partition; they add up to the last line."""
    totals = [sum(one.rows.values()) for one in partitions]
    names = ["shared" if one.partition.number == SHARED else str(one.partition.number) for one in partitions]
    ranges = [
        ""
        if one.partition.number == SHARED
        else " to ".join(str(end or "") for end in _ends(one.partition.films)).strip()
        for one in partitions
    ]
    cells = [*zip(names, ranges, (f"{total:,}" for total in totals), strict=True)]
    return Table(("partition", "films", "rows"), [*cells, ("all", "", f"{sum(totals):,}")], numbers=("rows",))


def _ends(films: Films) -> list[int | None]:
    """Return both ends of a range of films, included in it; None where there is none."""
    return [None if end in EVERY_FILM else end for end in films]


def comparisons(compared: Sequence[Comparison], brought: Mapping[str, int] | None = None) -> Result:
    """Return the result of `verify`; it ends with exit code 1 if anything differs.

    Args:
        compared: What was compared.
        brought: How many rows were brought over before that, by stream.
    """
    rows = [
        (
            comparison.engine,
            comparison.kind,
            f"{comparison.source.rows:,}",
            f"{comparison.target.rows:,}",
            f"{comparison.source.hash:016x}",
            f"{comparison.target.hash:016x}",
            "equal" if comparison.equal else "DIFFERENT",
        )
        for comparison in compared
    ]
    columns = ["engine", "what", "source", "there", "hash of source", "hash", ""]
    different = [f"{comparison.engine}: {comparison.kind}" for comparison in compared if not comparison.equal]
    documents = [
        {
            "engine": comparison.engine,
            "what": comparison.kind,
            "rows_in_source": comparison.source.rows,
            "rows": comparison.target.rows,
            "equal": comparison.equal,
            "stream": comparison.stream,
            "differing": len(comparison.rows),
            "first": sorted(comparison.rows)[:_FIRST],
            "foreign": sorted(comparison.foreign)[:_FIRST],
        }
        for comparison in compared
    ]
    notes = [f"different: {'; '.join(different)}" if different else "everything is equal"]
    notes += [f"{name}, rows brought over: {count:,}" for name, count in (brought or {}).items()]
    notes += [
        f"{one.engine}: {one.kind}, rows that are missing or different ({one.stream}): {len(one.rows):,}, such as "
        f"{', '.join(map(str, sorted(one.rows)[:_FIRST]))}"
        for one in compared
        if one.rows
    ]
    notes += [
        f"{one.engine}: {one.kind}, not from the old database: {', '.join(sorted(one.foreign)[:_FIRST])}"
        for one in compared
        if one.foreign
    ]
    return Result(
        {"equal": not different, "brought": dict(brought or {}), "comparisons": documents},
        Table(columns, rows, numbers=["source", "there"]),
        *notes,
        ends=typer.Exit(1) if different else None,
    )


def hits(results: SearchResults) -> Result:
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


def rows(engine: str, answer: Rows) -> Result:
    """Return the rows of a question of a person's own."""
    cells = [[_cell(value) for value in row] for row in answer.rows]
    kinds = [{type(row[index]) for row in answer.rows} - {type(None)} for index in range(len(answer.columns))]
    numbers = {name for name, kind in zip(answer.columns, kinds, strict=True) if kind and kind <= {int, float, Decimal}}
    documents = [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]
    count = f"{len(cells):,} {'row' if len(cells) == 1 else 'rows'}"
    return Result(
        {"engine": engine, "rows": documents, "more": answer.more, "plan": None},
        Table(answer.columns, cells, numbers=numbers),
        f"the first {count}; --limit gives more" if answer.more else count,
    )


def _cell(value: object) -> object:
    return json.dumps(plain(value), ensure_ascii=False) if isinstance(value, dict | list | set) else value


def compared(question: str, answers: Sequence[Answer]) -> Result:
    """Return what several engines answer to one question."""
    titles = {film: title for answer in answers for film, title in answer.titles.items()}
    longest = max(len(answer.films) for answer in answers)
    table_rows = [
        (rank + 1, *(f"{film} {titles.get(film, '')}".strip() for film in _films_at(answers, rank)))
        for rank in range(longest)
    ]
    texts = [
        f"\n{answer.engine}: {answer.milliseconds:,.1f} ms (median of 3)\n"
        + indent("\n\n".join(filter(None, [answer.text, answer.plan])), "    ")
        for answer in answers
    ]
    same = all(set(answer.films) == set(answers[0].films) for answer in answers)
    document = {"question": question, "same": same, "answers": [asdict(answer) for answer in answers]}
    verdict = "All engines name the same films." if same else "The engines name different films."
    return Result(document, question, *texts, "", Table(["", *(a.engine for a in answers)], table_rows), verdict)


def _films_at(answers: Sequence[Answer], rank: int) -> list[str]:
    return [answer.films[rank] if rank < len(answer.films) else "" for answer in answers]


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
        f"{coming.naive_error:,.0f}; the difference is {shown(coming.difference, 1)}"
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
    rows = [(trace.engine, trace.kind, trace.before, trace.left) for trace in traces]
    remaining = sum(trace.left for trace in traces)
    return Result(
        {"customer": customer, "left": remaining, "traces": [asdict(trace) for trace in traces]},
        Table(["engine", "what", "before", "left"], rows, numbers=["before", "left"]),
        f"{remaining:,} traces are left" if remaining else "nothing is left of them",
        ends=typer.Exit(1) if remaining else None,
    )


def quality(rates: HitRates, search: Mapping[str, SearchQuality], judged: Sequence[Judged]) -> Result:
    """Return how good recommendations and search are."""
    rows = [
        ("people who rented the same", f"{rates.graph:.3f} ± {rates.margin:.3f}", None),
        ("popular", f"{rates.popular:.3f}", shown(rates.less_popular)),
        ("random", f"{rates.random:.3f}", shown(rates.less_random)),
    ]
    counts = {kind: sum(query.kind == kind for query in judged) for kind in search} | {"all": len(judged)}
    ordered = sorted(search.items(), key=lambda kind: kind[0] == "all")  # which comes last
    search_rows = [
        (
            kind,
            counts[kind],
            *(f"{ranked.means[mode]:.3f}" for mode in MODES),
            *(shown(ranked.both_less(mode)) for mode in MODES if mode != "both"),
        )
        for kind, ranked in ordered
    ]
    document = {
        "recommendations": asdict(rates),
        "search": {kind: ranked.means for kind, ranked in search.items()},
        "both_less": {
            kind: {mode: ranked.both_less(mode) for mode in MODES if mode != "both"} for kind, ranked in ordered
        },
        "queries": counts,
    }
    return Result(
        document,
        f"recommendations: hit rate@10 over {rates.customers:,} customers, their last films left out",
        Table(["way", "hit rate", "the first less this"], rows),
        "search: nDCG@10",
        Table(
            ["kind of query", "queries", *MODES, "both less text", "both less meaning"],
            search_rows,
            numbers=["queries", *MODES],
        ),
        "differences are of the same customers and queries, with their standard error; noise may be chance",
    )
