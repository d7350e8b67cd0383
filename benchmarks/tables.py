"""Writes the README's table of results, and when and where they were measured, from `benchmarks/results`.

    python benchmarks/tables.py [--check]

With `--check` it writes nothing and compares.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from measurement import recorded

if TYPE_CHECKING:
    from collections.abc import Iterator

README = Path(__file__).parent.parent / "README.md"
BLOCK = re.compile(r"(<!-- measured -->\n).*?(<!-- end -->)", re.DOTALL)
Row = tuple[str, str, str, str, str]
MIGRATE = "movie_rental.py migrate"


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
    peers = ", ".join(
        f"{name} {mean['frechet_distance']:.1f} after {mean['seconds']:.0f} s"
        for name, mean in found["means"].items()
        if name != "ours"
    )
    what = f"Fréchet distance, mean of {seeds} seed{'s' if seeds > 1 else ''}, peers trained as long or longer"
    epochs = found["settings"]["epochs"]
    command = f"gan.py --seeds {seeds} --epochs {epochs}"
    text = f"{ours['frechet_distance']:.2f} after {ours['seconds']:.0f} s ({peers})"
    return [
        (f"digit-gan, `--epochs {epochs}`", what, text, "", command),
        (
            "",
            "spread over the ten digits, as a share of the largest entropy",
            f"{ours['digit_entropy']:.3f}",
            "",
            command,
        ),
    ]


def tabular(found: dict[str, Any]) -> list[Row]:
    """Delivery times and players' positions."""
    delivery, position = found["delivery"], found["position"]
    receiving, season = found["position-receiving"], found["position-receiving-season"]
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
        ("player-position", f"accuracy, {of_position}", f"{position['test']['accuracy']:.1%}", "", "tabular.py"),
        ("", "macro-F1", f"{position['test']['macro_f1']:.3f}", "", "tabular.py"),
        ("", "from receiving numbers alone", f"{receiving['test']['accuracy']:.1%}", "", "tabular.py"),
        (
            "",
            "from those of one season, the published problem",
            f"{season['test']['accuracy']:.1%}",
            "62.3 %",
            "tabular.py",
        ),
    ]


def devops_metrics(found: dict[str, Any]) -> list[Row]:
    """Monitoring data."""
    writes, detection, memory = found["writes"], found["detection"], found["memory"]
    ours, wrangler, single = (writes[name]["rows_per_second"] for name in ("ours", "awswrangler", "a request a row"))
    rates = f"{ours:,} rows/s (awswrangler {wrangler:,}, one by one {single:,})"
    found_rate = f"{detection['precision']:.2f}, {detection['recall']:.2f}"
    return [
        ("devops-metrics", "written to LiveAnalytics on a laptop", rates, "", "devops_metrics.py writes"),
        ("", "incidents found: precision, recall", found_rate, "", "devops_metrics.py detection"),
        (
            "",
            f"memory for {memory['rows']:,} rows",
            f"{max(memory['resident_mib_at_each_tenth'])} MiB",
            "",
            "devops_metrics.py memory",
        ),
    ]


def movie_rental(found: dict[str, Any]) -> list[Row]:
    """The film rental company."""
    migrate = found["migrate"]
    one = migrate["x1"]
    text = f"{one['seconds']:.0f} s ({one['rows']:,} rows)"
    rows = [("movie-rental", f"{one['company']} into every engine", text, "", MIGRATE)]
    for name, factor in {"x10": "ten", "x100": "a hundred"}.items():
        if larger := migrate.get(name):
            times = larger["seconds"] / one["seconds"]
            rows.append(("", f"{factor} times the company", f"{times:.1f} times as long", "", MIGRATE))
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
        ("storefront", "the catalogue's first page", rates, "", "storefront.py load"),
        ("", "a plain file of the same server", static, "", "storefront.py load"),
        ("", "rentals confirmed while database and bucket fail, lost, doubled", kept, "", "storefront.py faults"),
    ]


def scaling(found: dict[str, Any]) -> list[Row]:
    """Training in several processes, killed and not."""
    figures = {name: part["figures"] for name, part in found.items()}
    text = "{median:.2f} ({least:.2f} to {most:.2f})".format(**figures["scaling"]["efficiency"])
    shares = [figures["checkpoint"][place]["percent_of_training"]["median"] for place in ("folder", "s3")]
    ours, torchvision, boto3 = (
        figures["first-batch"][f"{name}_seconds"]["median"] for name in ("ours", "torchvision", "plain_boto3")
    )
    queue = 1000 * figures["queue"]["submit_to_running_seconds"]["median"]
    command = "scaling.py --data …/mnist"
    return [
        ("training", "two processes: share of twice one's speed", text, "", command),
        (
            "",
            "checkpoints' share of the training time, in a folder, in S3",
            ", ".join(f"{share:.2f}%" for share in shares),
            "",
            command,
        ),
        (
            "",
            "from MNIST in S3, verified and cached, to the first batch",
            f"{ours:.2f} s (torchvision {torchvision:.2f}, plain boto3 {boto3:.2f})",
            "",
            command,
        ),
        ("", "from submit to RUNNING in the local queue", f"{queue:.0f} ms", "", command),
    ]


def resume(found: dict[str, Any]) -> list[Row]:
    """Trainings that were killed."""
    runs = found["workloads"].values()
    kills = min(run["kills"] for run in runs)
    equal = "all" if all(run["equal"] for run in runs) else "NOT ALL"
    return [
        (
            "",
            f"each workload killed {kills} times, weights equal to undisturbed ones",
            equal,
            "",
            f"resume.py --kills {kills}",
        )
    ]


def deployment(found: dict[str, Any]) -> list[Row]:
    """The stacks, synthesised and deployed."""
    synth, deploy = found["synth"], found["deploy"]

    def against(part: dict[str, Any], name: str) -> str:
        return (
            f"{part['seconds'][name]['median']:.1f} s, {part['times_the_empty_app'][name]['median']:.1f} times as long"
        )

    return [
        (
            "the stacks",
            f"`CDK_VALIDATION=false cdk synth` of all {synth['stacks']}, against an app of one parameter",
            against(synth, "all"),
            "",
            f"deployment.py synth --runs {synth['runs']}",
        ),
        *(
            (
                "",
                f"`cdk deploy` of {name}, {deploy['resources'][name]} resources, to the local cloud, against that app",
                against(deploy, name),
                "",
                f"deployment.py deploy --runs {deploy['runs']}",
            )
            for name in deploy["times_the_empty_app"]
        ),
    ]


def alarm(found: dict[str, Any]) -> list[Row]:
    """The drill."""
    mail, aws = found["seconds_since_termination"]["mail"], found["aws"]
    command = f"alarm.py --drills {found['drills']}"
    text = f"{mail['median']:.1f} s ({mail['least']:.1f} to {mail['most']:.1f} in {found['drills']} drills)"
    return [
        ("TerminationAlarm", "from a termination to the mail, in the local cloud", text, "", command),
        (
            "",
            "on AWS, by the alarm's settings: from the metric's datapoint to ALARM",
            f"{aws['seconds_to_alarm_at_most']} s at most",
            "",
            command,
        ),
    ]


SOURCES = {
    "deployment": deployment,
    "alarm": alarm,
    "digits": digits,
    "gan": gan,
    "tabular": tabular,
    "devops_metrics": devops_metrics,
    "movie_rental": movie_rental,
    "storefront": storefront,
    "scaling": scaling,
    "resume": resume,
}


def table(results: dict[str, Any]) -> str:
    """The table, in Markdown, of what has been measured."""
    lines = ["| what | figure | measured | published | `python benchmarks/…` |", "|---|---|---|---|---|"]
    lines += [f"| {' | '.join(row)} |" for name, rows in SOURCES.items() for row in rows(results[name])]
    return "\n".join(lines) + "\n"


def circumstances(results: dict[str, Any]) -> str:
    """When and on what all that was measured, and how busy that was."""
    dates, machines, loads = set(), set(), []
    for part in _parts(results):
        dates |= {str(part[key])[:10] for key in ("date", "measured") if key in part}
        loads += [value for key, value in part.items() if key.startswith("load_average")]
        if isinstance(machine := part.get("machine"), str):
            machines |= set(re.findall(r"^\d+ cores of [^,]+", machine))
        elif machine and "processor" in machine:
            machines.add(f"{machine['cpus']} cores of {machine['processor']}")
    when = " and ".join(sorted({min(dates), max(dates)}))
    gpu = "" if results["scaling"]["gpu"]["figures"] else " without a GPU"
    return (
        f"Measured {'between ' if ' ' in when else 'on '}{when} on {' or '.join(sorted(machines))}{gpu}, under load "
        f"averages of up to {max(loads):.0f}, the benchmarks' own load included: compare the ratios.\n"
    )


def _parts(found: Any) -> Iterator[dict[str, Any]]:
    """Every object in results, however deep."""
    if isinstance(found, dict):
        yield found
        found = list(found.values())
    for inner in found if isinstance(found, list) else ():
        yield from _parts(inner)


def main() -> int:
    """Write or compare."""
    text = README.read_text(encoding="utf-8")
    results = {name: recorded(name) for name in SOURCES}
    measured = f"{table(results)}\n{circumstances(results)}"
    wanted = BLOCK.sub(lambda block: f"{block[1]}\n{measured}\n{block[2]}", text)
    if "--check" in sys.argv:
        return 0 if wanted == text else "README.md is not what benchmarks/tables.py writes"  # type: ignore[return-value]
    README.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
