"""Write the figures of `movie_rental.py` into docs/workloads/movie-rental.md."""

from __future__ import annotations

from itertools import pairwise
from statistics import median
from typing import Any

from workloads.differences import shown


def page(text: str, results: dict[str, Any]) -> str:
    """Return the page with the figures in it."""
    begin, end = "<!-- quality -->", "<!-- end of quality -->"
    before, _, rest = text.partition(begin)
    _, _, after = rest.partition(end)
    return (
        f"{before}{begin}\n\n{_quality_tables(results['quality'])}\n\n"
        f"{_migration_tables(results)}\n\n"
        f"{_partitions_table(results['partitions'])}\n\n"
        f"{_loads_table(results['loads'])}\n\n{end}{after}"
    )


DIFFERENCES = (
    "A difference is of the same customers or queries, with its standard error; what chance explains at the 5 % level "
    "(paired t-test) is marked as noise."
)


def _quality_tables(result: dict[str, Any]) -> str:
    companies = {name: figures for name, figures in result.items() if isinstance(figures, dict)}
    lines = [
        "Recommendations, hit rate@10: the share of customers of whose last three films, left out, one is recommended.",
        "",
        "| company | customers | people who rented the same | popular | ours less this | random | ours less this |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, figures in companies.items():
        rates = figures["hit_rate"]
        lines.append(
            f"| {name} | {figures['customers']:,} "
            f"| {rates['people who rented the same']:.3f} ± {figures['margin']:.3f} "
            f"| {rates['popular']:.3f} | {shown(figures['less']['popular'])} "
            f"| {rates['random']:.3f} | {shown(figures['less']['random'])} |"
        )
    lines += [
        "",
        "Search, nDCG@10, by kind of query:",
        "",
        "| company | kind | both | words | both less words | meaning | both less meaning |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, figures in companies.items():
        for kind in sorted(figures["ndcg"], key=lambda kind: kind == "all"):
            modes = figures["ndcg"][kind]
            less = figures["both_less"][kind]
            lines.append(
                f"| {name} | {kind} | {modes['both']:.3f} | {modes['text']:.3f} | {shown(less['text'])} "
                f"| {modes['meaning']:.3f} | {shown(less['meaning'])} |"
            )
    lines += [
        "",
        f"{DIFFERENCES} The ± of a hit rate is half its 95 % interval.",
    ]
    return "\n".join(lines)


def _migration_tables(results: dict[str, Any]) -> str:
    migrated = {name: figures for name, figures in results["migrate"].items() if isinstance(figures, dict)}
    intro = (
        f"Migration on {results['migrate']['machine']}, on {results['migrate']['date']}. Processor seconds are those "
        "of the command and of all engines; the load average is that of the last minute of the measurement."
    )
    lines = [
        intro,
        "",
        "| company | rows | seconds | one engine after another | processor seconds | MiB before | MiB, peak | load |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, figures in migrated.items():
        lines.append(
            f"| {name}: {figures['films']:,} films, {figures['rentals']:,} rentals | {figures['rows']:,} "
            f"| {figures['seconds']} | {figures['in_turn']['seconds']} | {figures['processor_seconds']} "
            f"| {figures['peak_mib_before']} | {figures['peak_mib']} | {figures['load_average']} |"
        )
    lines += [
        "",
        "`verify` of these, and whether it finds one cell of `payments` that was changed:",
        "",
        "| company | seconds | processor seconds | share of the migration's | MiB, peak | equal | one changed cell |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, figures in migrated.items():
        lines.append(
            f"| {name} | {figures['verify']['seconds']} | {figures['verify']['processor_seconds']} "
            f"| {figures['verify_share']:.0%} | {figures['verify']['peak_mib']} "
            f"| {'yes' if figures['equal'] else 'no'} "
            f"| {'found' if figures['changed_cell_found'] else 'not found'} |"
        )
    for (small, before), (large, figures) in pairwise(migrated.items()):
        work = figures["processor_seconds"] / before["processor_seconds"]
        wait = figures["seconds"] / before["seconds"]
        growth = (
            f"From {small} to {large} the work (processor seconds) grew {work:.1f} times, the time {wait:.1f} times."
        )
        lines += ["", growth]
    if "bulk" in results:
        lines += [
            "",
            "The same rows by queries, and by each engine's own tools, which do not look what is there:",
            "",
        ]
        lines += ["| engine | ours, s | its own, s | |", "|---|---|---|---|"]
        for name, figures in results["bulk"].items():
            if isinstance(figures, dict):
                lines += [
                    f"| {name} | {figures['ours']} | {seconds} | {tool} |"
                    for tool, seconds in figures.items()
                    if tool != "ours"
                ]
    return "\n".join(lines)


def _partitions_table(result: dict[str, Any]) -> str:
    """Return the table of migrations by one process and by two, a row for each."""
    intro = (
        f"One process and two (`--partitions 2`) on the same data, in turns, on {result['machine']}, on "
        f"{result['date']}. The time is that from the moment when all processes have imported what they need to the "
        "end of the last one. Other programs kept the machine busy meanwhile, as the load average tells:"
    )
    lines = [
        intro,
        "",
        "| company | processes | seconds | processor seconds | the processes' own | Neptune's | load average |",
        "|---|---|---|---|---|---|---|",
    ]
    scales = {name: figures for name, figures in result.items() if isinstance(figures, dict)}
    for name, figures in scales.items():
        for count, turns in figures["turns"].items():
            lines += [
                f"| {name} | {count} | {turn['seconds']} | {turn['processor_seconds']} | {turn['ours']} "
                f"| {turn['engines']['Neptune']} | {turn['load_average']} |"
                for turn in turns
            ]
    faster = ", ".join(f"{figures['times']} times ({name})" for name, figures in scales.items())
    lines += ["", f"Two processes were {faster} as fast as one."]
    return "\n".join(lines)


def _loads_table(result: dict[str, Any]) -> str:
    """Return the table of migrations by queries and by bulk loads, a row for each way and company."""
    intro = (
        f"Queries and bulk loads (`--bulk never`, `always`) into empty engines, in turns, on {result['machine']}, on "
        f"{result['date']}. The figures are medians, with the least and the most of several turns; what `verify` "
        "compared was equal each time."
    )
    lines = [
        intro,
        "",
        "| company | rentals | filled by | turns | seconds | processor seconds | Neptune's | load |",
        "|---|---|---|---|---|---|---|---|",
    ]
    scales = {name: figures for name, figures in result.items() if isinstance(figures, dict)}
    for name, figures in scales.items():
        for way, bulk in (("queries", "never"), ("bulk loads", "always")):
            turns = figures["turns"][bulk]
            assert all(turn["equal"] for turn in turns)  # noqa: S101 - the page says so
            neptune = median(turn["engines"]["Neptune"] for turn in turns)
            lines.append(
                f"| {name} | {figures['rentals']:,} | {way} | {len(turns)} | {_spread(turns, 'seconds')} "
                f"| {_spread(turns, 'processor_seconds')} | {neptune:.1f} | {_spread(turns, 'load_average')} |"
            )
    faster = ", ".join(f"{figures['times_as_fast']} times ({name})" for name, figures in scales.items())
    lines += ["", f"Bulk loads were {faster} as fast as queries."]
    return "\n".join(lines)


def _spread(turns: list[dict[str, Any]], name: str) -> str:
    """Return the median of a figure, with the least and the most of it where there are several."""
    figures = [turn[name] for turn in turns]
    spread = f" ({min(figures)} to {max(figures)})" if len(figures) > 1 else ""
    return f"{median(figures):g}{spread}"
