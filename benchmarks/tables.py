"""Writes the README's table of results from the measurements in `benchmarks/results`; with `--check` it compares.

python benchmarks/tables.py [--check]
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
README = Path(__file__).parent.parent / "README.md"
BLOCK = re.compile(r"(<!-- measured -->\n).*?(<!-- end -->)", re.DOTALL)
Row = tuple[str, str, str, str, str]


def digits(found: dict[str, Any]) -> list[Row]:
    """The digit classifier."""
    rows: list[Row] = []
    for preset, options in {"default": "one epoch", "best": "`--preset best`"}.items():
        if quality := found["quality"].get(preset):
            seeds = len(quality["runs"])
            what = f"digit-classifier, {options}"
            command = "digits.py quality" + (" --preset best" if preset == "best" else "")
            rows.append((what, f"test accuracy, mean of {seeds} seeds", f"{quality['mean']:.2%}", "97 %", command))
            worst = quality.get("worst_class_mean", quality["worst_class"])
            rows.append(("", "its worst digit", f"{worst:.2%}", "95.8 %", command))
    if speed := found.get("speed"):
        text = f"{speed['ratio']:.0f} times as fast; {speed['images_per_second']:,.0f} images/s"
        rows.append(("", "time to 99.3 %, against a tutorial's recipe of 14 epochs", text, "", "digits.py speed"))
    return rows


def gan(found: dict[str, Any]) -> list[Row]:
    """The GAN."""
    ours, seeds = found["means"]["ours"], len(found["seeds"])
    peers = ", ".join(f"{name} {found['means'][name]['frechet_distance']:.1f}" for name in found["peer_to_ours"])
    what = f"Fréchet distance, equal time, {seeds} seed{'s' if seeds > 1 else ''}"
    penalty = found["settings"].get("gradient_penalty", 0)
    text = f"{ours['frechet_distance']:.2f} ({peers})"
    return [
        (f"digit-gan, `--gradient-penalty {penalty}`", what, text, "", "gan.py"),
        (
            "",
            "spread over the ten digits, as a share of the largest entropy",
            f"{ours['digit_entropy']:.3f}",
            "",
            "gan.py",
        ),
    ]


def tabular(found: dict[str, Any]) -> list[Row]:
    """Delivery times and players' positions."""
    delivery, position = found["delivery"], found["position"]
    receiving = found["position-receiving"]
    test, best = (
        delivery["test"],
        max((model["r2"]["mean"], name) for name, model in delivery["models"].items() if name != "network"),
    )
    splits = delivery["splits"]
    of_position = f"mean of {position['splits']} splits by player"
    return [
        ("delivery-time", f"R², mean of {splits} splits", f"{test['r2']:.3f}", "0.812, one split", "tabular.py"),
        ("", "the best baseline of the same splits", f"{best[0]:.3f} ({best[1]})", "", "tabular.py"),
        ("", "mean absolute error, minutes", f"{test['mae']:.2f}", "7.30", "tabular.py"),
        ("", "truth within the 80 % interval", f"{test['coverage_80']:.1%}", "", "tabular.py"),
        ("player-position", f"accuracy, {of_position}", f"{position['test']['accuracy']:.1%}", "62.3 %", "tabular.py"),
        ("", "macro-F1", f"{position['test']['macro_f1']:.3f}", "", "tabular.py"),
        ("", "from receiving numbers alone", f"{receiving['test']['accuracy']:.1%}", "62.3 %", "tabular.py"),
    ]


def devops_metrics(found: dict[str, Any]) -> list[Row]:
    """Monitoring data."""
    writes, detection, memory = found["writes"], found["detection"], found["memory"]
    ours, wrangler, single = (writes[name]["rows_per_second"] for name in ("ours", "awswrangler", "a request a row"))
    rates = f"{ours:,} rows/s (awswrangler {wrangler:,}, one by one {single:,})"
    found_rate = f"{detection['precision']:.2f}, {detection['recall']:.2f}"
    return [
        ("devops-metrics", "written to LiveAnalytics on a laptop", rates, "", "devops_metrics.py"),
        ("", "incidents found: precision, recall", found_rate, "", "devops_metrics.py"),
        (
            "",
            f"memory for {memory['rows']:,} rows",
            f"{max(memory['resident_mib_at_each_tenth'])} MiB",
            "",
            "devops_metrics.py",
        ),
    ]


def movie_rental(found: dict[str, Any]) -> list[Row]:
    """The film rental company."""
    migrate = found["migrate"]
    one = migrate["x1"]
    text = f"{one['seconds']:.0f} s ({one['rows']:,} rows)"
    rows = [("movie-rental", f"{one['company']} into every engine", text, "", "movie_rental.py")]
    if ten := migrate.get("x10"):
        times = ten["seconds"] / one["seconds"]
        rows.append(("", "ten times the company", f"{times:.1f} times as long", "", "movie_rental.py"))
    return rows


def storefront(found: dict[str, Any]) -> list[Row]:
    """The storefront."""
    load, faults = found["load"], found["faults"]
    first, plain = load["catalogue, first page"], load["plain static page"]
    rates = f"{first['requests_per_second']:.0f} requests/s, p99 {first['p99_ms']:.0f} ms"
    static = f"{plain['requests_per_second']:,.0f} requests/s, p99 {plain['p99_ms']:.0f} ms"
    rentals = faults["rentals"]
    kept = f"{rentals['confirmed']}, {rentals['confirmed_but_not_stored']}, {rentals['copies_rented_twice']}"
    return [
        ("storefront", "the catalogue's first page", rates, "", "storefront.py"),
        ("", "a plain file of the same server", static, "", "storefront.py"),
        ("", "rentals confirmed while database and bucket fail, lost, doubled", kept, "", "storefront.py"),
    ]


def scaling(found: dict[str, Any]) -> list[Row]:
    """Training in several processes, killed and not."""
    efficiency = found["scaling"]["figures"]["efficiency"]["median"]
    return [("training", "two processes: share of twice one's speed", f"{efficiency:.2f}", "", "scaling.py")]


def resume(found: dict[str, Any]) -> list[Row]:
    """Trainings that were killed."""
    runs = found["workloads"].values()
    kills = min(run["kills"] for run in runs)
    equal = "all" if all(run["equal"] for run in runs) else "NOT ALL"
    return [("", f"each workload killed {kills} times, weights equal to undisturbed ones", equal, "", "resume.py")]


SOURCES = {
    "digits": digits,
    "gan": gan,
    "tabular": tabular,
    "devops_metrics": devops_metrics,
    "movie_rental": movie_rental,
    "storefront": storefront,
    "scaling": scaling,
    "resume": resume,
}


def table() -> str:
    """The table, in Markdown, of what has been measured."""
    lines = ["| workload | figure | measured | published | `python benchmarks/…` |", "|---|---|---|---|---|"]
    for name, rows in SOURCES.items():
        found = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
        lines += [f"| {' | '.join(row)} |" for row in rows(found)]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Write or compare."""
    text = README.read_text(encoding="utf-8")
    wanted = BLOCK.sub(lambda block: f"{block[1]}\n{table()}\n{block[2]}", text)
    if "--check" in sys.argv:
        return 0 if wanted == text else "README.md is not what benchmarks/tables.py writes"  # type: ignore[return-value]
    README.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
