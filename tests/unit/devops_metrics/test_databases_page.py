"""The page of measurements shows how databases compare, at all sizes that were measured."""

from __future__ import annotations

import copy
import importlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]
QUERIES = ("fleet-cpu", "busiest", "error-rate", "gaps")
NAMES = ("PostgreSQL, plain", "PostgreSQL, indexed", "PostgreSQL, by day with BRIN", "InfluxDB")


@pytest.fixture(scope="module")
def section() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "benchmarks")
        yield importlib.import_module("devops_metrics_databases_page").databases_section


def result(rows: int, **milliseconds: float) -> dict[str, Any]:
    """Make the figures of one size, in which each database takes the same time for all questions."""
    return {
        "rows": rows,
        "hours_asked_about": 6,
        "versions": {"PostgreSQL": "15.0", "influxd": "1.6.7"},
        "databases": {
            name: {
                "rows_per_second": rows // 10 + number,
                "bytes_per_row": 90.0 - number,
                "milliseconds": dict.fromkeys(QUERIES, milliseconds[key]),
                "lines": dict.fromkeys(QUERIES, number + 1),
                "oldest_day_removed": {"seconds": 4.0 - number, "mib_given_back": float(number)},
            }
            for number, (name, key) in enumerate(zip(NAMES, ("plain", "indexed", "by_day", "influxdb"), strict=True))
        },
    }


SMALL = result(1_000_000, plain=50.5, indexed=20.5, by_day=30.5, influxdb=99.5)
LARGE = result(10_000_000, plain=500.5, indexed=21.5, by_day=31.5, influxdb=98.5)


def test_the_best_of_each_row_is_bold(section: Any) -> None:
    page = section(SMALL, LARGE)
    assert "| `gaps`, ms | 1 million | 50.5 | **20.5** | 30.5 | 99.5 |\n|  | 10 million | 500.5 | **21.5** |" in page
    assert "| rows/s written | 1 million | 100,000 | 100,001 | 100,002 | **100,003** |" in page
    assert "| bytes a row on disk | 1 million | 90.0 | 89.0 | 88.0 | **87.0** |" in page
    assert "| given back by that, MiB | 1 million | 0.0 | 1.0 | 2.0 | 3.0 |" in page


def test_the_crossover_is_where_the_figures_have_it(section: Any) -> None:
    page = section(SMALL, LARGE)
    assert (
        "at 1 million rows it answers all questions sooner than InfluxDB; "
        "at 10 million rows it answers no question sooner than InfluxDB." in page
    )
    assert "at 1 million and 10 million rows it answers all questions sooner than InfluxDB." in page
    mixed = copy.deepcopy(SMALL)
    mixed["databases"]["InfluxDB"]["milliseconds"]["gaps"] = 1.5
    assert "it answers all but `gaps` sooner than InfluxDB" in section(mixed)


def test_an_interrupted_run_shows_what_was_measured_and_concludes_from_the_other_sizes(section: Any) -> None:
    interrupted = copy.deepcopy(LARGE)
    del interrupted["databases"]["InfluxDB"]
    page = section(SMALL, interrupted)
    assert "|  | 10 million | 500.5 | **21.5** | 31.5 |  |" in page
    assert "by the figures at 1 million rows" in page
    assert "Which fits when" not in section(interrupted)


def test_the_page_has_the_figures_that_were_recorded(section: Any) -> None:
    recorded = json.loads((ROOT / "benchmarks" / "results" / "devops_metrics.json").read_text())
    sizes = [recorded[name] for name in ("databases", "databases_large", "databases_huge") if name in recorded]
    assert section(*sizes) in (ROOT / "docs" / "workloads" / "devops-metrics-measured.md").read_text()
