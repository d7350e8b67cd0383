"""Write the README's table of results, and when and where they were measured, from `benchmarks/results`.

    python benchmarks/tables.py [--check]

With `--check` it writes nothing and compares.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from measurement import recorded

from workloads.differences import shown

if TYPE_CHECKING:
    from collections.abc import Iterator

README = Path(__file__).parent.parent / "README.md"
BLOCK = re.compile(r"(<!-- measured -->\n).*?(<!-- end -->)", re.DOTALL)
Row = tuple[str, str, str, str, str]
MIGRATE = "movie_rental.py migrate"
SHOWN_PAGES = ("catalogue, first page", "catalogue, page 20", "search", "a category", "a film")
#: Models that the tabular workloads are compared with; the others are ours or parts of ours.
BASELINES = {
    *("mean", "linear", "Huber", "random forest", "gradient boosting"),
    *("majority", "logistic regression", "forest"),
}


def digits(results: dict[str, Any]) -> list[Row]:
    """Return the rows of the digit classifier."""
    rows: list[Row] = []
    for preset, quality in results["quality"].items():
        options = "one epoch" if preset == "default" else f"`--preset {preset}`"
        seeds = len(quality["runs"])
        what = f"digit-classifier, {options}"
        command = "digits.py quality" + ("" if preset == "default" else f" --preset {preset}")
        of_seeds = "one seed" if seeds == 1 else f"mean of {seeds} seeds"
        rows.append((what, f"test accuracy, {of_seeds}", f"{quality['mean']:.2%}", "97 %", command))
        in_worst = f" ({quality['worst_class']:.2%} in the worst seed)" if seeds > 1 else ""
        worst = f"{quality['worst_class_mean']:.2%}{in_worst}"
        rows.append(("", "its worst digit", worst, "95.8 %", command))
    if speed := results.get("speed"):
        peer, ours = speed["peer"], speed["ours"]
        least, precision = min(run["accuracy"] for run in ours), ours[0]["machine"]["precision"]
        what = f"one epoch of ours ({precision}), and all {len(peer['epoch_seconds'])} of a tutorial's recipe (float32)"
        seconds = sorted(run["seconds"] for run in ours)[len(ours) // 2]
        text = f"{seconds:.0f} s to {least:.2%} at least; {peer['seconds']:.0f} s to {peer['accuracy']:.2%}"
        rows.append(("", what, text, "", "digits.py speed"))
    return rows


def gan(results: dict[str, Any]) -> list[Row]:
    """Return the rows of the GAN."""
    seeds, epochs = len(results["seeds"]), results["settings"]["epochs"]
    distances = {name: f"{mean['frechet_distance']:.1f}" for name, mean in results["means"].items()}
    ours = distances.pop("ours")
    peers = ", ".join(f"{name} {distance}" for name, distance in distances.items())
    of_seeds = "one seed" if seeds == 1 else f"mean of {seeds} seeds"
    command = f"gan.py --seeds {seeds} --epochs {epochs}"
    mean = results["means"]["ours"]
    return [
        (f"digit-gan, `--epochs {epochs}`", f"Fréchet distance, {of_seeds}", f"{ours} ({peers})", "", command),
        ("", "images that the judge takes for the digit asked for", f"{mean['as_asked_for']:.1%}", "", command),
        ("", "precision, recall", f"{mean['precision']:.2f}, {mean['recall']:.2f}", "", command),
    ]


def tabular(results: dict[str, Any]) -> list[Row]:
    """Return the rows of delivery times and players' positions."""
    delivery, published, position = results["delivery"], results["delivery-published"], results["position"]
    season, by_row = results["position-receiving-season"], results["position-receiving-season-by-row"]
    test, splits = delivery["test"], delivery["splits"]
    protocol = f"R², published protocol ({published['rows']} rows without gaps, one split): ours, least squares"
    one_split = ", ".join(f"{published['models'][name]['r2']['mean']:.3f}" for name in ("network", "linear"))
    luck = published["luck"]["linear"]
    problem = "from receiving numbers of one season, the published problem, accuracy"
    figures = [
        ("delivery-time", f"R², mean of {splits} splits", f"{test['r2']:.3f}", ""),
        ("", "the best baseline of the same splits", _best_baseline(delivery, "r2"), ""),
        ("", protocol, one_split, f"{published['claim']['r2']}"),
        (
            "",
            f"luck: share of {luck['splits']:,} random splits on which least squares beats the published figure",
            f"{luck['above_the_claim']:.0%}",
            "",
        ),
        ("", f"mean absolute error, minutes, mean of {splits} splits", f"{test['mae']:.2f}", "7.30, one split"),
        ("", "truth within the 80 % interval", f"{test['coverage_80']:.1%}", ""),
        (
            "player-position",
            f"accuracy by player, mean of {position['splits']} splits by player",
            f"{position['test']['accuracy_by_group']:.3f}",
            "",
        ),
        ("", "the best baseline of the same splits", _best_baseline(position, "accuracy_by_group"), ""),
        ("", "accuracy by season", f"{position['test']['accuracy']:.3f}", ""),
        ("", "macro-F1 by player", f"{position['test']['macro_f1_by_group']:.3f}", ""),
        ("", f"{problem}, split by player", f"{season['test']['accuracy']:.3f}", ""),
        ("", "the best baseline of the same splits", _best_baseline(season, "accuracy"), ""),
        ("", "the same, split by row as the reference did: players leak", f"{by_row['test']['accuracy']:.3f}", "0.623"),
    ]
    return [(*figure, "tabular.py") for figure in figures]


def _best_baseline(results: dict[str, Any], score: str) -> str:
    """Return the best baseline: its mean score, its name, and the lead of ours."""
    baselines = {name: model[score] for name, model in results["models"].items() if name in BASELINES}
    name, best = max(baselines.items(), key=lambda baseline: float(baseline[1]["mean"]))
    return f"{best['mean']:.3f} ({name}); ours {shown(best['difference'])}"


def devops_metrics(results: dict[str, Any]) -> list[Row]:
    """Return the rows of monitoring data."""
    ingest, writes, detection, memory = (results[name] for name in ("ingest", "writes", "detection", "memory"))
    ways = ("ours", "awswrangler", "one request per row")
    ours, wrangler, single = (writes[way]["rows_per_second"] for way in ways)
    rates = f"{ours:,} rows/s (awswrangler {wrangler:,}, one by one {single:,})"
    fleets = f"in the worst of {detection['fleets']} fleets"
    precision, recall = (
        f"{detection[name]:.2f} ({detection[f'worst_{name}']:.2f} {fleets})" for name in ("precision", "recall")
    )
    into_influxdb = ingest["to InfluxDB on the same machine"]
    influx, ready = (
        f"{into_influxdb[way]['rows_per_second']['median']:,.0f}" for way in ("ours", "requests that are ready")
    )
    counted = ingest["to a server that only counts"]["ours"]["rows_per_processor_second"]["median"]
    return [
        ("devops-metrics", "written to LiveAnalytics on a laptop", rates, "", "devops_metrics.py writes"),
        (
            "",
            "read, checked and written to the local InfluxDB",
            f"{influx} rows/s (requests that are ready {ready})",
            "",
            "devops_metrics.py ingest",
        ),
        (
            "",
            "read, checked and sent in a second of our processor time",
            f"{counted:,.0f} rows",
            "",
            "devops_metrics.py ingest",
        ),
        ("", "incidents found: precision", precision, "", "devops_metrics.py detection"),
        ("", "incidents found: recall", recall, "", "devops_metrics.py detection"),
        (
            "",
            f"memory for {memory['rows']:,} rows",
            f"{memory['resident_mib_at_most']} MiB at most",
            "",
            "devops_metrics.py memory",
        ),
    ]


def incidents(results: dict[str, Any]) -> list[Row]:
    """Return the rows of incidents in labelled real series, beside the best of the baselines."""
    rows: list[Row] = []
    for source, measured in results["sources"].items():
        methods = {name: thresholds["chosen"] for name, thresholds in measured["methods"].items()}
        ours = methods.pop("ours")
        name, best = max(methods.items(), key=lambda method: float(method[1]["f1"]))
        difference = f"; ours {shown(best['difference'], 2)}" if best["difference"] else ""
        text = f"{_by_windows(ours)} ({name}: {_by_windows(best)}{difference})"
        what = f"incidents in {measured['series']} real series ({source}): F1 by windows, false alarms a day"
        rows.append(("", what, text, "", "incidents.py …"))
    return rows


def _by_windows(scores: dict[str, Any]) -> str:
    return f"{scores['f1']:.2f}, {scores['false_alarms_per_day']:.2f}"


def movie_rental(results: dict[str, Any]) -> list[Row]:
    """Return the rows of the film rental company."""
    migrate = results["migrate"]
    smallest = migrate["x1"]
    text = (
        f"{smallest['seconds']:.0f} s ({smallest['rows']:,} rows), and {smallest['verify']['seconds']:.0f} s to verify"
    )
    rows = [("movie-rental", f"{smallest['company']} into every engine", text, "", MIGRATE)]
    for name, factor in {"x10": "ten", "x100": "a hundred"}.items():
        if larger := migrate.get(name):
            times = larger["seconds"] / smallest["seconds"]
            rows.append(("", f"{factor} times the company", f"{times:.1f} times as long", "", MIGRATE))
    ratios = {
        engine: times["ours"] / min(seconds for tool, seconds in times.items() if tool != "ours")
        for engine, times in results["bulk"].items()
        if isinstance(times, dict)
    }
    slower = ", ".join(f"{engine} {ratio:.1f}" for engine, ratio in ratios.items())
    rows.append(("", "times as long as each engine's own bulk tool", slower, "", "movie_rental.py bulk"))
    for company in ("Pagila", "generated"):
        quality = results["quality"][company]
        rates = {name: f"{rate:.3f}" for name, rate in quality["hit_rate"].items()}
        ours = rates.pop("people who rented the same")
        peers = ", ".join(f"{name} {rate}; ours {shown(quality['less'][name])}" for name, rate in rates.items())
        what = f"recommendations, hit rate, {'Pagila' if company == 'Pagila' else 'a generated company'}"
        rows.append(("", what, f"{ours} ({peers})", "", "movie_rental.py quality"))
        ranked = quality["ndcg"]["all"]
        less = {mode: shown(difference, 2) for mode, difference in quality["both_less"]["all"].items()}
        single = ", ".join(f"{mode} {ranked[mode]:.2f}; both {difference}" for mode, difference in less.items())
        rows.append(
            (
                "",
                "search: nDCG of both ways together",
                f"{ranked['both']:.2f} ({single})",
                "",
                "movie_rental.py quality",
            )
        )
    return rows


def storefront(results: dict[str, Any]) -> list[Row]:
    """Return the rows of the storefront."""
    load, faults = results["load"], results["faults"]
    pages = {
        name: figures
        for name, figures in load.items()
        if isinstance(figures, dict) and "requests_per_second" in figures
    }
    slowest = min(SHOWN_PAGES, key=lambda name: pages[name]["requests_per_second"])
    failed = sum(figures["failed"] for figures in pages.values())

    def rates(name: str) -> str:
        return f"{pages[name]['requests_per_second']:,.0f} requests/s, p99 {pages[name]['p99_ms']:.0f} ms"

    rentals, statuses = faults["rentals"], faults["answers to members"]
    total = sum(statuses.values())
    lost, unsure, twice = (
        rentals[name] for name in ("confirmed_but_not_stored", "stored_but_not_confirmed", "copies_rented_twice")
    )
    returns, returns_lost, returns_unsure = (
        rentals[f"returns_{name}"] for name in ("confirmed", "confirmed_but_not_stored", "stored_but_not_confirmed")
    )
    meanwhile = "while the database, then the bucket are away"
    return [
        ("storefront", "the catalogue's first page", rates("catalogue, first page"), "", "storefront.py load"),
        ("", f"the slowest page: {slowest}", rates(slowest), "", "storefront.py load"),
        ("", "a plain file of the same server", rates("plain static page"), "", "storefront.py load"),
        ("", "answers that were errors, in all of these", f"{failed:,}", "", "storefront.py load"),
        (
            "",
            f"rentals confirmed {meanwhile}: lost, stored but not confirmed, copies out twice",
            f"{rentals['confirmed']}: {lost}, {unsure}, {twice}",
            "",
            "storefront.py faults",
        ),
        (
            "",
            "returns confirmed: lost, stored but not confirmed",
            f"{returns}: {returns_lost}, {returns_unsure}",
            "",
            "storefront.py faults",
        ),
        (
            "",
            'answers to these members that said "unavailable" (503)',
            f"{statuses.get('503', 0) / total:.1%} of {total:,}",
            "",
            "storefront.py faults",
        ),
    ]


def scaling(results: dict[str, Any]) -> list[Row]:
    """Return the rows of training in several processes."""
    figures = {name: measurement["figures"] for name, measurement in results.items()}
    text = "{median:.2f} ({least:.2f} to {most:.2f})".format(**figures["scaling"]["efficiency"])
    text += f"; two that share nothing: {figures['scaling']['efficiency_apart']['median']:.2f}"
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


def resume(results: dict[str, Any]) -> list[Row]:
    """Return the rows of trainings that were killed."""
    runs = results["workloads"].values()
    kills = min(run["kills"] for run in runs)
    equal = "all" if all(run["equal"] for run in runs) else "NOT ALL"
    return [
        (
            "",
            f"each workload killed {kills} times on {results['data']}, weights equal to undisturbed ones",
            equal,
            "",
            f"resume.py --kills {kills}",
        )
    ]


def deployment(results: dict[str, Any]) -> list[Row]:
    """Return the rows of synthesis and deployment of the stacks."""
    synth, deploy = results["synth"], results["deploy"]

    def against(figures: dict[str, Any], name: str) -> str:
        ratio = figures["times_the_empty_app"][name]["median"]
        return f"{figures['seconds'][name]['median']:.1f} s, {ratio:.1f} times as long"

    return [
        (
            "the stacks",
            f"`CDK_VALIDATION=false cdk synth` of all {synth['stacks']}, against an app of one parameter",
            against(synth, "all"),
            "",
            f"deployment.py synth --runs {synth['runs']}",
        ),
        (
            "",
            "the same, when nothing has changed since the last time",
            against(synth, "unchanged"),
            "",
            f"deployment.py synth --runs {synth['runs']}",
        ),
        *(
            (
                "",
                f"`cdk deploy` of {name}, to the local cloud, against that app",
                against(deploy, name),
                "",
                f"deployment.py deploy --runs {deploy['runs']}",
            )
            for name in deploy["times_the_empty_app"]
        ),
    ]


def functions(results: dict[str, Any]) -> list[Row]:
    """Return the rows of the cost of a warm function."""
    call, events = results["call_seconds"], results["events"]
    text = f"{1000 * call['median']:.1f} ms ({1000 * call['least']:.1f} to {1000 * call['most']:.1f})"
    cost = f"{events['processor_seconds']:.1f} s, {events['lost']} lost, {events['doubled']} doubled"
    return [
        ("", "a call of a warm function that does nothing", text, "", "functions.py"),
        ("", f"{events['count']:,} events by a rule to a function's log, processor time", cost, "", "functions.py"),
    ]


def jobs(results: dict[str, Any]) -> list[Row]:
    """Return the rows of the start of a Batch job."""

    def text(kind: str) -> str:
        seconds, used = (results[kind][name]["median"] for name in ("seconds", "processor_seconds"))
        return f"{seconds:.1f} s ({used:.1f} s of processor time)"

    what = "a Batch job, from SUBMITTED to the end of its first batch: forked, and started as a new process"
    return [("", what, f"{text('forked')}; {text('started')}", "", f"jobs.py --runs {results['runs']}")]


def permissions(results: dict[str, Any]) -> list[Row]:
    """Return the rows of the cost of enforcing IAM."""
    puts = results["puts"]
    text = ", ".join(f"{100 * (put['ratio'] - 1):.0f} % ({kind})" for kind, put in puts.items())
    return [("", "what judging a put by IAM adds to its time", text, "", "permissions.py")]


def alarm(results: dict[str, Any]) -> list[Row]:
    """Return the rows of the alarm drill."""
    mail, aws = results["seconds_since_termination"]["mail"], results["aws"]
    command = f"alarm.py --drills {results['drills']}"
    text = f"{mail['median']:.1f} s ({mail['least']:.1f} to {mail['most']:.1f} in {results['drills']} drills)"
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


def scoreboard(results: dict[str, Any]) -> list[Row]:
    """Return the rows of the behaviours that hold in the local cloud and in a plain moto server."""
    ours, plain = (len(results["holds"][title]) for title in ("the local cloud", "moto server"))
    docker = "" if results["docker"] else " without Docker"
    text = f"{ours} of {len(results['behaviours'])} (a plain moto server{docker}: {plain})"
    return [("local cloud", "behaviours that people rely on", text, "", "scoreboard.py")]


SOURCES = {
    "deployment": deployment,
    "alarm": alarm,
    "scoreboard": scoreboard,
    "functions": functions,
    "jobs": jobs,
    "permissions": permissions,
    "digits": digits,
    "gan": gan,
    "tabular": tabular,
    "devops_metrics": devops_metrics,
    "incidents": incidents,
    "movie_rental": movie_rental,
    "storefront": storefront,
    "scaling": scaling,
    "resume": resume,
}


def table(results: dict[str, Any]) -> str:
    """Return the table of what has been measured, in Markdown."""
    lines = ["| what | figure | measured | published | `python benchmarks/…` |", "|---|---|---|---|---|"]
    lines += [f"| {' | '.join(row)} |" for name, rows in SOURCES.items() for row in rows(results[name])]
    return "\n".join(lines) + "\n"


def circumstances(results: dict[str, Any]) -> str:
    """Return when and on which machines the results were measured, and how busy these were."""
    dates, machines, loads = set(), set(), []
    for result in _parts(results):
        dates |= {str(result[key])[:10] for key in ("date", "measured") if key in result}
        loads += [value for key, value in result.items() if key.startswith("load_average")]
        if isinstance(machine := result.get("machine"), str):
            machines |= set(re.findall(r"^\d+ cores of [^,]+", machine))
        elif machine and "processor" in machine:
            machines.add(f"{machine['cpus']} cores of {machine['processor']}")
    when = " and ".join(sorted({min(dates), max(dates)}))
    gpu = "" if results["scaling"]["gpu"]["figures"] else " without a GPU"
    return (
        f"Measured {'between ' if ' ' in when else 'on '}{when} on {' or '.join(sorted(machines))}{gpu}, under load "
        f"averages of up to {max(loads):.0f}, the benchmarks' own load included: compare the ratios.\n"
    )


def _parts(results: Any) -> Iterator[dict[str, Any]]:
    """Yield every object in the results, at any depth."""
    if isinstance(results, dict):
        yield results
        results = list(results.values())
    for inner in results if isinstance(results, list) else ():
        yield from _parts(inner)


def main() -> int:
    """Write or compare."""
    text = README.read_text(encoding="utf-8")
    results = {name: recorded(name) for name in SOURCES}
    measured = f"{table(results)}\n{circumstances(results)}"
    updated = BLOCK.sub(lambda block: f"{block[1]}\n{measured}\n{block[2]}", text)
    if "--check" in sys.argv:
        return 0 if updated == text else "README.md is not what benchmarks/tables.py writes"  # type: ignore[return-value]
    README.write_text(updated, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
