"""Write the figures of `devops_metrics.py` as docs/workloads/devops-metrics-measured.md."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import incidents
from devops_metrics_databases import SIZES
from devops_metrics_databases_page import databases_section

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def page(results: dict[str, Any]) -> str:
    """Return the results as a page of the documentation."""
    blocks = [
        "# DevOps metrics, measured\n\nWritten by `python benchmarks/devops_metrics.py page`; edit that, not this.\n"
    ]
    sections: dict[str, Callable[..., str]] = {
        "ingest": ingest_section,
        "writes": writes_section,
        "memory": memory_section,
        "databases": databases_section,
        "rollups": rollups_section,
        "detection": detection_section,
        "incidents": incidents.section,
    }
    for name, section in sections.items():
        kept_as = reversed(SIZES) if name == "databases" else (name,)
        if measured := [results[key] for key in kept_as if key in results]:
            blocks += [section(*measured), when(measured)]
    return "\n".join(blocks)


def when(results: Sequence[dict[str, Any]]) -> str:
    """Return when and where a section's figures were measured, at each size if there are several."""
    sentences = []
    for result in results:
        load = f", whose load average was {result['load_average']} then" if "load_average" in result else ""
        measured = f"{result['rows']:,} rows were measured" if len(results) > 1 else "Measured"
        sentences.append(f"{measured} {result['date']} on {result['machine']}{load}.")
    return "\n".join(sentences) + "\n"


def ingest_section(result: dict[str, Any]) -> str:
    """Return the section about ingestion."""
    tables = []
    for place, ways in result.items():
        if not isinstance(ways, dict):
            continue
        rows = "".join(
            f"| {way} | {median_with_extremes(figures['rows_per_second'])} | "
            f"{median_with_extremes(figures['rows_per_processor_second'])} |\n"
            for way, figures in ways.items()
        )
        head = "| | rows/s | rows for a second of processor time |\n|---|---|---|\n"
        tables.append(f"{result['rows']:,} rows of 100 hosts {place}:\n\n{head}{rows}")
    influxdb = result["to InfluxDB on the same machine"]
    rates = {way: figures["rows_per_second"]["median"] for way, figures in influxdb.items()}
    share = rates["ours"] / rates["requests that are ready"]
    return (
        "## Ingestion\n\nA CSV file is read, checked and sent as line protocol. Medians of "
        f"{result['rounds']} rounds, in which all ways take turns, with the extremes. The processor time is that of "
        "the process that reads and sends, not that of the server.\n\n"
        + "\n".join(tables)
        + f"\nOurs reaches {share:.0%} of what InfluxDB takes where the requests are ready and nothing has to be read; "
        "both share the cores. *Line by line* is our reader of lines that are not plain, used for all lines. DuckDB "
        "reads the file by the types of its columns and puts the lines together in SQL; it neither looks for repeated "
        "rows nor explains what it rejects.\n"
    )


def median_with_extremes(figures: dict[str, float]) -> str:
    """Return a median with the extremes."""
    return f"{figures['median']:,.0f} ({figures['least']:,.0f} to {figures['most']:,.0f})"


def writes_section(result: dict[str, Any]) -> str:
    """Return the section about writing."""
    rows = "".join(
        f"| {name} | {figures['rows_per_second']:,} | {figures['rows_per_processor_second']:,} | "
        f"{figures['requests_per_million_rows']:,} | "
        f"{figures['kib_per_million_rows']:,} | {figures['us_dollars_per_million_rows']:.3f} USD |\n"
        for name, figures in result.items()
        if isinstance(figures, dict)
    )
    return (
        f"## Writing to LiveAnalytics\n\n{result['rows']:,} rows of 100 hosts, to a server on the same machine that "
        "only counts and meters; median of three runs. The processor time is that of the writer. The metering rule and "
        "the price are AWS's (us-east-1).\n\n"
        "| writer | rows/s | rows for a second of processor time | requests | KiB metered | price |\n"
        "|---|---|---|---|---|---|\n"
        f"{rows}\nRequests, KiB and price are for a million rows.\n"
    )


def memory_section(result: dict[str, Any]) -> str:
    """Return the section about memory."""
    sizes = ", ".join(map(str, result["resident_mib_at_each_tenth"]))
    most = f"; {result['resident_mib_at_most']} MiB at most" if "resident_mib_at_most" in result else ""
    return (
        f"## Memory\n\nA file of {result['rows']:,} rows ({result['file_mib']:,} MiB) into InfluxDB, at "
        f"{result['rows_per_second']:,} rows/s. Resident memory of the process at each tenth, in MiB: {sizes}{most}.\n"
    )


def rollups_section(result: dict[str, Any]) -> str:
    """Return the section about rollups."""
    lines = ["| | rollups | of which our processor time | raw rows | times as fast |", "|---|---|---|---|---|"]
    for name in ("a day", "a month"):
        for query, figures in result[name].items():
            rolled, raw = figures["rollups"], figures["raw rows"]
            times = raw["milliseconds"] / rolled["milliseconds"]
            lines.append(
                f"| {query}, {name} | {rolled['milliseconds']:,} ms | {rolled['our_processor_milliseconds']:,} ms | "
                f"{raw['milliseconds']:,} ms | {times:,.1f} |"
            )
    rates, sizes = result["rows_per_second"], result["bytes_per_row"]
    return (
        f"## Rollups\n\nQuestions about {result['rows']:,} rows of {result['hosts']:,} hosts, spread evenly over 31 "
        "days, from [rollups](devops-metrics.md#rollups) and from raw rows. Medians of nine answers, or of three that "
        "take long, after one that warms up; "
        "an answer is a pandas table, and both answers were compared. The rest of the time is that of the local "
        "cloud's front, of InfluxDB, and of waiting for a core.\n\n"
        + "\n".join(lines)
        + f"\n\nWith rollups, the same file is ingested at {rates['with rollups']:,} rows/s instead of "
        f"{rates['without']:,}, and takes {sizes['with rollups']:,} bytes a row on disk instead of "
        f"{sizes['without']:,}.\n"
    )


def detection_section(result: dict[str, Any]) -> str:
    """Return the section about incidents of simulated fleets."""
    return (
        f"## Incidents of simulated fleets\n\n{result['fleets']} simulated fleets with {result['incidents']} incidents "
        f"of all severities, from hardly visible to plain: precision {result['precision']}, recall {result['recall']} "
        f"(worst fleet: {result['worst_precision']} and {result['worst_recall']}). The detector was developed with "
        "this simulation, so these figures say little about real series; the next section does.\n"
    )
