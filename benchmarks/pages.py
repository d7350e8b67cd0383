"""Writes the figures in the pages of the workloads and of the local cloud from `benchmarks/results`.

    python benchmarks/pages.py [--check]

With `--check` it writes nothing and compares.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from measurement import recorded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

FOLDER = Path(__file__).parent.parent / "docs"
BLOCK = re.compile(r"(<!-- measured -->\n).*?(<!-- end -->)", re.DOTALL)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [f"| {' | '.join(row)} |" for row in (head, *rows)]
    return "\n".join([lines[0], "|---" * len(head) + "|", *lines[1:]]) + "\n"


def digit_classifier(found: dict[str, Any]) -> str:
    """Accuracy of each preset, and the time to it beside a tutorial's recipe."""
    names = {"default": "default, one epoch", "best": "`--preset best`"}
    quality = [
        (
            names[name],
            f"{one['mean']:.2%}",
            ", ".join(f"{run['accuracy']:.2%}" for run in one["runs"]),
            f"{one['worst_class_mean']:.2%}",
            f"{one['worst_class']:.2%}",
        )
        for name, one in found["quality"].items()
    ]
    speed, peer = found["speed"], found["speed"]["peer"]
    ours = sorted(run["seconds"] for run in speed["ours"])
    least = min(run["accuracy"] for run in speed["ours"])
    rate = f"{speed['images_per_second']:,.0f} images/s"
    recipe = "the recipe of most tutorials (convolutions to 32 and 64, dropout, Adadelta, batches of 64)"
    times = [
        (
            f"default, one epoch, median of {len(ours)} seeds",
            f"{ours[len(ours) // 2]:.1f} s ({ours[0]:.1f} to {ours[-1]:.1f}), {rate}",
            f"{least:.2%} at least",
        ),
        (f"{recipe}, all {len(peer['epoch_seconds'])} epochs", f"{peer['seconds']:.0f} s", f"{peer['accuracy']:.2%}"),
        ("ratio", f"{speed['ratio']:.0f} ({min(speed['ratios']):.0f} to {max(speed['ratios']):.0f})", ""),
    ]
    return (
        table(("settings", "test accuracy", "of each seed", "worst digit", "in any seed"), quality)
        + "\nThe time, on one thread, in turns in one run:\n\n"
        + table(("", "time", "test accuracy"), times)
        + f"\nOurs does {speed['achieved_gflops']:.0f} billion operations a second in convolutions and matrices, "
        f"{speed['share_of_peak']:.0%} of the {speed['matrix_peak_gflops']:.0f} that\na bfloat16 product of two "
        "2,048x2,048 matrices reaches on that thread; the epoch's time includes augmentation and validation.\n"
    )


def digit_gan(found: dict[str, Any]) -> str:
    """Our generator beside its peers."""
    names = {"ours": "`compact`", "reference": "`reference`"}
    ours, seeds = found["means"]["ours"], len(found["seeds"])
    rows = [
        (
            names.get(name, name),
            f"{mean['frechet_distance']:.2f}",
            f"{mean['frechet_distance'] / ours['frechet_distance']:.0f}" if mean is not ours else "",
            *(f"{mean[key]:.2f}" for key in ("precision", "recall")),
            f"{mean['digit_entropy']:.3f}",
            f"{mean['seconds']:.0f} s",
        )
        for name, mean in found["means"].items()
    ]
    head = ("", "Fréchet distance", "times ours", "precision", "recall", "digit entropy", "trained")
    least, most = (pick(one["ours"]["frechet_distance"] for one in found["seeds"]) for pick in (min, max))
    return (
        f"Means of {seeds} seeds, default settings for {found['settings']['epochs']} epochs; each peer trained for at "
        f"least the wall and processor time of ours, which includes\nthe quality measured after each epoch.\n\n"
        + table(head, rows)
        + f"\nThe seeds of `compact` lie between {least:.2f} and {most:.2f}; the training images themselves are at "
        f"{found['frechet_distance_of_training_images']:.2f}.\n"
    )


def delivery_time(found: dict[str, Any]) -> str:
    """Our model beside the baselines, on the same splits."""
    whole, reference, nested = (found[name] for name in ("delivery", "delivery-reference", "delivery-nested"))

    def row(name: str, model: dict[str, Any]) -> tuple[str, ...]:
        digits = {"r2": 3, "mae": 2, "rmse": 2}
        return (name, *(f"{model[key]['mean']:.{n}f} ± {model[key]['sd']:.{n}f}" for key, n in digits.items()))

    rows = [row(f"**{name}**" if name == "network" else name, model) for name, model in whole["models"].items()]
    rows.append(row("network, `--architecture reference`", reference["models"]["network"]))
    test, huber = whole["test"], nested["models"]["Huber"]
    return (
        table((f"{whole['splits']} splits", "R²", "MAE, minutes", "RMSE, minutes"), rows)
        + f"\nThe 80 % interval held {test['coverage_80']:.1%} of the truths and was {test['width_80']:.0f} minutes "
        f"wide on average, the 95 % interval {test['coverage_95']:.1%} and {test['width_95']:.0f} minutes.\n"
        f"With settings searched for inside each split (`--nested-trials {nested['given']['nested_trials']}`, the "
        f"first {nested['splits']} splits): R² {nested['test']['r2']:.3f}, MAE {nested['test']['mae']:.2f}; Huber\n"
        f"regression on the same splits {huber['r2']['mean']:.3f} and {huber['mae']['mean']:.2f}.\n"
    )


def player_position(found: dict[str, Any]) -> str:
    """Our model beside the baselines, for four questions."""
    columns = {
        "position": "all, career",
        "position-season": "all, season",
        "position-receiving": "receiving, career, with a catch",
        "position-receiving-season": "receiving, season, with a catch",
    }

    def cell(run: str, model: str) -> str:
        scores = found[run]["models"][model]
        return f"{scores['accuracy']['mean']:.3f} / {scores['macro_f1']['mean']:.3f}"

    rows = [
        (f"**{model}**" if model == "combination" else model, *(cell(run, model) for run in columns))
        for model in found["position"]["models"]
    ]
    grid = "position-receiving-season-grid"
    return (
        f"Accuracy / macro-F1, means of {found['position']['splits']} splits by player:\n\n"
        + table(("", *columns.values()), rows)
        + "\nThe last column is the reference's problem, split by player. There the forest with its grid search gets "
        f"{cell(grid, 'forest')} on the first {found[grid]['splits']}\nsplits and the network with the forest "
        f"{cell(grid, 'network with the forest')}.\n"
    )


def storefront(found: dict[str, Any]) -> str:
    """What every page takes, and what came of the rentals while something was away."""
    load, faults = found["load"], found["faults"]
    rows = [
        (
            name,
            f"{page['requests_per_second']:,.0f}",
            f"{page['p50_ms']:.1f}",
            f"{page['p99_ms']:.1f}",
            f"{page['failed']:,}",
        )
        for name, page in load.items()
        if isinstance(page, dict)
    ]
    database, bucket, rentals = faults["database restart"], faults["bucket away"], faults["rentals"]
    what = ("confirmed", "stored", "confirmed_but_not_stored", "stored_but_not_confirmed")
    kept = [
        ("rentals", *(f"{rentals[name]:,}" for name in what)),
        ("returns", *(f"{rentals[f'returns_{name}']:,}" for name in what)),
    ]
    away, back = database["page_statuses_while_away"], database["seconds_until_a_good_page"]
    return (
        f"{load['server']}, with two processes of eight threads; MariaDB, the local cloud and the visitors share its "
        f"machine ({load['machine']}).\nOver {load['connections']} connections, with a load average of "
        f"{load['load_average']:.0f} in the end, of which this was a part:\n\n"
        + table(("", "requests/s", "median, ms", "p99, ms", "errors"), rows)
        + f"\n{faults['members']} members rent the same films and return them all the time. Meanwhile the database is "
        f"away for {database['seconds_away']:.0f} seconds, and later the bucket for {bucket['seconds_away']:.0f}.\n"
        "Afterwards each rental and each return is looked up by its number:\n\n"
        + table(("", "confirmed", "stored", "confirmed, not stored", "stored, not confirmed"), kept)
        + f"\n- Copies that went out a second time before they were back: {rentals['copies_rented_twice']}.\n"
        f"- Answers to the members: {_statuses(faults['answers to members'])}.\n"
        f"- Answers to visitors of the first page while the database was away: {_statuses(away)}, the slowest after "
        f"{database['slowest_page_seconds']:.2f} s;\n"
        f"  the first page with films came {back:.2f} s after the database was back.\n"
        f"- Answers to visitors of the first page while the bucket was away: "
        f"{_statuses(bucket['page_statuses_while_away'])}; `/readyz`: "
        f"{_statuses(bucket['readiness_statuses_while_away'])}, and\n"
        f"  200 again {bucket['seconds_until_ready']:.2f} s after the bucket was back.\n"
    )


def _statuses(answers: dict[str, int]) -> str:
    return ", ".join(f"{count:,} times {status}" for status, count in sorted(answers.items()))


def scoreboard(found: dict[str, Any]) -> str:
    """Which behaviours hold in the local cloud, and which in a plain moto server."""
    clouds, versions = found["holds"], found["versions"]
    rows = [
        (sentence, *("yes" if name in holding else "no" for holding in clouds.values()))
        for name, sentence in found["behaviours"].items()
    ]
    totals = ", ".join(f"{title}: {len(holding)} of {len(rows)}" for title, holding in clouds.items())
    docker = "" if found["docker"] else ", without Docker, in which moto runs functions and jobs"
    return (
        table(("behaviour", *clouds), rows)
        + f"\n{totals[0].upper()}{totals[1:]}. Measured on {found['date']} with moto {versions['moto']} and boto3 "
        f"{versions['boto3']}{docker}.\n"
    )


PAGES: dict[str, tuple[str, Callable[[dict[str, Any]], str]]] = {
    "workloads/digit-classifier.md": ("digits", digit_classifier),
    "workloads/digit-gan.md": ("gan", digit_gan),
    "workloads/delivery-time.md": ("tabular", delivery_time),
    "workloads/player-position.md": ("tabular", player_position),
    "workloads/storefront.md": ("storefront", storefront),
    "local-cloud.md": ("scoreboard", scoreboard),
}


def main() -> int:
    """Write or compare."""
    for name, (results, figures) in PAGES.items():
        text = (FOLDER / name).read_text(encoding="utf-8")
        measured = figures(recorded(results))
        wanted = BLOCK.sub(lambda block: f"{block[1]}\n{measured}\n{block[2]}", text)  # noqa: B023 - called at once
        if wanted != text and "--check" in sys.argv:
            return f"docs/{name} is not what benchmarks/pages.py writes"  # type: ignore[return-value]
        (FOLDER / name).write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
