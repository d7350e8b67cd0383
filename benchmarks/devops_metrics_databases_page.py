"""Show how PostgreSQL and InfluxDB compare at every size that was measured, for `devops_metrics_page.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from devops_metrics_databases import INFLUXDB
from devops_metrics_postgres import BY_DAY, INDEXED, KINDS, PLAIN

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_RATE, _GIVEN_BACK = "rows/s written", "given back by that, MiB"


def databases_section(*results: dict[str, Any]) -> str:
    """Return the comparison, and what follows from it.

    Args:
        results: What was measured at each size, the smallest first. Where a run was interrupted, databases are missing.
    """
    complete = [result for result in results if INFLUXDB in result["databases"]]
    blocks = [
        "## A relational database beside the time series database",
        _what((complete or results)[-1]),
        _table(results),
    ]
    return "\n\n".join([*blocks, *([_conclusions(complete)] if complete else [])]) + "\n"


def _what(result: dict[str, Any]) -> str:
    versions = result["versions"]
    return (
        "The rows of 100 hosts, each with one every ten seconds, are written in order of time to four places:\n\n"
        f"- *plain*: a table of PostgreSQL {versions['PostgreSQL']} without an index;\n"
        "- *indexed*: one with a primary key of host and time, and a B-tree on time, both there before the rows come;\n"
        "- *by day with BRIN*: one with a partition for each day and a BRIN on time as the only index;\n"
        f"- *InfluxDB*: influxd {versions['influxd']} behind the local cloud's InfluxDB 2, with a bucket that keeps "
        "rows for 150 days, and so has a shard for each day.\n\n"
        "PostgreSQL has its usual settings and gets the rows by `COPY`. InfluxDB's figures are those of "
        "`groundwork devops-metrics`: ingestion reads and checks every line of the CSV file, which `COPY` leaves to "
        "the server, and an answer is a pandas table. Before sizes are taken and questions are asked, the tables are "
        "vacuumed, and InfluxDB has compacted its files, for which it waits seconds here instead of up to four hours; "
        f"neither counts as writing. The questions are about the last {result['hours_asked_about']} hours, and their "
        "times are medians of five answers. No rows are missing, so `gaps` looks for gaps and finds none. "
        f"{_lines(result)}\n\n"
        "The oldest day goes by `DELETE` and `VACUUM` from the first two tables, by `DROP TABLE` of its partition from "
        "the third, and in InfluxDB by a shorter retention of the bucket, timed until the shard is gone. influxd looks "
        "for such shards every half hour by default and here every second, so up to a second of its time is waiting. "
        "What `VACUUM` frees is used for new rows, and is not given back to the file system."
    )


def _lines(result: dict[str, Any]) -> str:
    """Return how long the statements are, which does not depend on the size."""
    sql, *_, other = (figures["lines"] for figures in result["databases"].values())
    if INFLUXDB not in result["databases"]:
        return ""
    pairs = _listed(f"{sql[query]} and {other[query]} for `{query}`" for query in sql)
    return f"The statements that PostgreSQL and InfluxDB get have these numbers of lines: {pairs}."


def _table(results: Sequence[dict[str, Any]]) -> str:
    """Return a row for each figure at each size, and a column for each database; the best is bold."""
    names = [*(kind.title for kind in KINDS), INFLUXDB]
    sizes = [{name: _figures(figures) for name, figures in result["databases"].items()} for result in results]
    lines = [f"| | rows | {' | '.join(names)} |", "|---" * (len(names) + 2) + "|"]
    for title in next(iter(sizes[0].values())):
        for number, (result, databases) in enumerate(zip(results, sizes, strict=True)):
            values = {name: figures[title] for name, figures in databases.items()}
            best = None if title == _GIVEN_BACK else (max if title == _RATE else min)(values.values())
            shown = {name: f"**{value:,}**" if value == best else f"{value:,}" for name, value in values.items()}
            cells = [title if number == 0 else "", _size(result), *(shown.get(name, "") for name in names)]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _figures(database: dict[str, Any]) -> dict[str, float]:
    """Return the figures of a database by what the table calls them."""
    removed = database["oldest_day_removed"]
    return {
        _RATE: database["rows_per_second"],
        "bytes a row on disk": database["bytes_per_row"],
        **{f"`{query}`, ms": milliseconds for query, milliseconds in database["milliseconds"].items()},
        "oldest day removed, s": removed["seconds"],
        _GIVEN_BACK: removed["mib_given_back"],
    }


def _conclusions(results: Sequence[dict[str, Any]]) -> str:
    """Return which database fits when, from the figures of all sizes."""
    largest = results[-1]["databases"]
    sizes = {name: database["bytes_per_row"] for name, database in largest.items()}
    rates = {name: database["rows_per_second"] for name, database in largest.items()}
    removal = {name: database["oldest_day_removed"]["seconds"] for name, database in largest.items()}
    queries = list(largest[INFLUXDB]["milliseconds"])
    return (
        "**Where the crossover is**:\n\n"
        + "\n".join(
            f"- {title}: {_crossover(results, name, queries)}"
            for name, title in (
                (PLAIN, "*plain*, which reads all rows for every question"),
                (INDEXED, "*indexed*, which finds the hours that are asked about"),
                (BY_DAY, "*by day with BRIN*, which finds them, too"),
            )
        )
        + f"\n\n**Which fits when**, by the figures at {_size(results[-1])} rows:\n\n"
        "- *PostgreSQL by day with BRIN* for rows that come in order of time and are asked about by time. It is "
        f"written {_times(rates[BY_DAY] / rates[INFLUXDB])} as fast as InfluxDB and "
        f"{_times(rates[BY_DAY] / rates[INDEXED])} as fast as the indexed table, a day is removed in "
        f"{removal[BY_DAY]:,} s, and it takes {_times(sizes[BY_DAY] / sizes[INFLUXDB])} the disk of InfluxDB. It has "
        "no index of hosts, and does not notice a repeated row.\n"
        "- *PostgreSQL, indexed* where a repeated row has to be refused, single hosts are asked about, or rows are "
        f"joined with others by their keys. It takes {_times(sizes[INDEXED] / sizes[INFLUXDB])} the disk of InfluxDB, "
        f"and a day is removed in {removal[INDEXED]:,} s, after which the table is as large as before.\n"
        "- *A plain table* for rows that are few, or are read as a whole: it has nothing but the rows, of which "
        f"{rates[PLAIN]:,} are written in a second.\n"
        f"- *InfluxDB* where rows are kept for long and disk counts ({sizes[INFLUXDB]:,} bytes a row), where rows come "
        "twice and the last one counts, and where old rows should go by themselves. It fills gaps in "
        f"{largest[INFLUXDB]['lines']['gaps']} lines instead of {largest[PLAIN]['lines']['gaps']}."
    )


def _crossover(results: Sequence[dict[str, Any]], name: str, queries: Sequence[str]) -> str:
    """Say at each size which questions a table answers later than InfluxDB; neighbours that agree are one."""
    verdicts: list[tuple[list[str], list[str]]] = []
    for result in results:
        table, influxdb = (result["databases"][database]["milliseconds"] for database in (name, INFLUXDB))
        later = [query for query in queries if table[query] > influxdb[query]]
        if verdicts and verdicts[-1][1] == later:
            verdicts[-1][0].append(_size(result))
        else:
            verdicts.append(([_size(result)], later))
    return "; ".join(f"at {_listed(sizes)} rows {_later(later, queries)}" for sizes, later in verdicts) + "."


def _later(later: Sequence[str], queries: Sequence[str]) -> str:
    if not later:
        return "it answers all questions sooner than InfluxDB"
    if len(later) == len(queries):
        return "it answers no question sooner than InfluxDB"
    return f"it answers all but {_listed(f'`{query}`' for query in later)} sooner than InfluxDB"


def _times(ratio: float) -> str:
    return f"{ratio:.1f} times"


def _size(result: dict[str, Any]) -> str:
    return f"{result['rows'] / 1e6:g} million"


def _listed(names: Iterable[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
