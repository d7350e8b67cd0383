"""The command line of the workloads."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer.core import TyperGroup

from contract.errors import InputError
from contract.workloads import TRAINING
from terminal.results import Result, results
from terminal.screen import say
from workloads import data
from workloads.devops_metrics.commands import app as devops_metrics
from workloads.movie_rental.commands import app as movie_rental
from workloads.options import add_options, validated, words
from workloads.storage import locate
from workloads.storefront.commands import app as storefront
from workloads.training.jobs import commands as training_jobs
from workloads.training.jobs.commands import StackName
from workloads.training.jobs.stack import DEFAULT, TrainingStack
from workloads.training.jobs.submit import Request
from workloads.training.models import load

if TYPE_CHECKING:
    from collections.abc import Callable

PANEL = "Training"
APPLICATIONS = "Applications"
app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, help="Train, tune and use the workloads.")
app.add_typer(storefront, name="storefront", rich_help_panel=APPLICATIONS)
app.add_typer(movie_rental, name="movie-rental", rich_help_panel=APPLICATIONS)
app.add_typer(devops_metrics, name="devops-metrics", rich_help_panel=APPLICATIONS)
app.add_typer(data.app, name="data", rich_help_panel=PANEL)

WorkloadName = Annotated[str, typer.Argument(help="One of: " + ", ".join(TRAINING) + ".", show_default=False)]
Data = Annotated[str, typer.Option(help="Folder or s3:// URI of the data.")]
Output = Annotated[
    str | None,
    typer.Option(help="Folder or s3:// URI of the run (default: runs/<workload>/<time>)", show_default=False),
]
Trials = Annotated[int, typer.Option(min=1, help="How many settings to try, including those of earlier calls.")]
Workers = Annotated[int, typer.Option(min=1, help="How many to try at the same time, each in a process.")]
SamplerName = Annotated[
    Literal["tpe", "random", "grid"], typer.Option(help="What proposes settings; grid: all of a few combinations.")
]
Storage = Annotated[
    str | None,
    typer.Option(help="File or database URL of the study (default: study.journal in the output)", show_default=False),
]
TuningData = Annotated[
    str | None, typer.Option(help="Folder or s3:// URI of the data (--on batch: the stack's)", show_default=False)
]
On = Annotated[
    Literal["here", "batch"], typer.Option(help="This machine, or jobs of the stack Training, one per worker.")
]
Model = Annotated[str, typer.Option(help="Folder or s3:// URI of a finished run.")]


def _group(build: Callable[[str], Callable[..., None]], help_text: str) -> typer.Typer:
    """Return a command for each workload, whose options are known only when its model file is imported.

    Args:
        build: Returns the command of a workload.
        help_text: What the commands do.
    """

    class WorkloadGroup(TyperGroup):
        """Import a model file when its command is called; the list of commands does not need it."""

        def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
            name, _, arguments = super().resolve_command(ctx, args)
            command = typer.Typer(add_completion=False, rich_markup_mode=None)  # whose columns cut long options
            command.command(name, help=TRAINING[str(name)].summary)(build(str(name)))
            return name, typer.main.get_command(command), arguments

    group = typer.Typer(cls=WorkloadGroup, no_args_is_help=True, help=help_text)
    for name, workload in TRAINING.items():
        group.command(name, help=workload.summary)(lambda: None)
    return group


def _train(name: str) -> Callable[..., None]:
    workload = load(name)

    from workloads.training.runtime.settings import RunOptions
    from workloads.training.runtime.train import train

    def command(data: Data, option_values: dict[str, Any], output: Output = None) -> None:
        settings, options = validated(workload.settings, option_values), validated(RunOptions, option_values)
        train(name, workload, settings, options=options, data=data, output=output or default_output(name))

    return add_options(command, workload.settings, RunOptions, presets=workload.settings.presets)


def _tune(name: str) -> Callable[..., None]:
    from workloads.training.runtime.settings import TrialOptions
    from workloads.training.runtime.tune import Search, tune

    workload = load(name)

    def command(
        *,
        data: TuningData = None,
        option_values: dict[str, Any],
        trials: Trials = 20,
        workers: Workers = 1,
        sampler: SamplerName = "tpe",
        storage: Storage = None,
        output: Output = None,
        on: On = "here",
    ) -> None:
        if on == "batch":
            options = words({"data": data, "output": output, "trials": trials, "sampler": sampler, **option_values})
            request = Request(name, options, task="tune", workers=workers)
            stack = TrainingStack.find(DEFAULT)
            result = training_jobs.send(stack, request, on="batch", wait=True, price_per_hour=None)
            result.print()
            if result.ends:
                raise result.ends
            return
        if data is None:
            raise InputError(
                "--data: The option is missing. Name the folder or s3:// URI of the data; only --on batch knows it."
            )
        settings = {key: value for key, value in option_values.items() if key in workload.settings.model_fields}
        validated(workload.settings, settings)
        target = output or default_output(f"{name}-tuning")
        search = Search(name, workload, settings, validated(TrialOptions, option_values), data, target, sampler)
        tune(search, trials=trials, workers=workers, storage=storage, say=say)

    return add_options(command, workload.settings, TrialOptions, presets=workload.settings.presets)


app.add_typer(_group(_train, "Train a model and write its run folder."), name="train", rich_help_panel=PANEL)
app.add_typer(
    _group(_tune, "Search for a model's best settings; those you give stay fixed. The same --output goes on."),
    name="tune",
    rich_help_panel=PANEL,
)
training_jobs.register(app, PANEL)


@app.command(rich_help_panel=PANEL)
@results
def predict(
    workload: WorkloadName,
    model: Model,
    inputs: Annotated[str, typer.Option("--input", help="File, folder or s3:// URI of what to predict from.")],
    output: Annotated[str, typer.Option(help="CSV file or s3:// URI to write.")],
) -> Result:
    """Predict with a finished run: write one line per input row, in order, the prediction first."""
    offered = load(workload)
    if offered.predict is None:
        raise InputError(f"Workload {workload}: It does not predict.")
    predictions = offered.predict(locate(model), locate(inputs))
    notes = [*_of_sample(model), *predictions.notes]
    for note in notes:
        say(f"Note: {note}", errors=True)
    locate(output).write(predictions.table.to_csv(index=False).encode())
    document = {"predictions": len(predictions.table), "output": locate(output).uri, "notes": notes}
    return Result(document, f"{len(predictions.table):,} predictions in {output}")


@app.command(rich_help_panel=PANEL)
@results
def generate(
    model: Model,
    output: Annotated[str, typer.Option(help="Folder or s3:// URI to write the images to.")],
    digits: Annotated[str, typer.Option(help="Which digits: 0-9, or 3,5,7.")] = "0-9",
    count: Annotated[int, typer.Option(min=1, help="Images of each digit.")] = 10,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the images.")] = 0,
) -> Result:
    """Generate images of digits with a finished run."""
    from workloads.training.runtime.run_folder import load_metrics

    run = locate(model)
    name = load_metrics(run)["workload"]
    offered = load(name)
    if offered.generate is None:
        raise InputError(f"{run}: This is a run of {name}, which does not generate anything.")
    images = offered.generate(run, _digits(digits), count, seed)
    if existing := locate(output).different(images):
        raise InputError(
            f"{output}: The file {existing[0]} is not of such a command. Choose another --output, or remove it."
        )
    for note in _of_sample(model):
        say(f"Note: {note}", errors=True)
    for path, content in images.items():
        (locate(output) / path).write(content)
    document = {"files": [(locate(output) / path).uri for path in images], "output": locate(output).uri}
    return Result(document, f"{len(images):,} files in {output}")


RunPlace = Annotated[str, typer.Argument(help="Folder or s3:// URI of a finished run.", show_default=False)]


@app.command("open", rich_help_panel=PANEL)
@results
def open_report(run: RunPlace) -> Result:
    """Show the report of a finished run in the browser."""
    import webbrowser

    from workloads.storage import Folder
    from workloads.training.runtime.run_folder import load_metrics

    place = locate(run)
    load_metrics(place)
    if not isinstance(place, Folder):
        raise InputError(f"{run}: The run is not on this machine. `groundwork fetch {run} --output FOLDER` brings it.")
    report = place.path.absolute() / "report.html"
    opened = webbrowser.open(report.as_uri())
    return Result(
        {"report": report, "opened": opened}, str(report) if opened else f"There is no browser. Open {report}."
    )


@app.command(rich_help_panel=PANEL)
@results
def fetch(
    run: Annotated[
        str,
        typer.Argument(help="Folder or s3:// URI of a finished run; latest: the stack's newest.", show_default=False),
    ],
    output: Annotated[str, typer.Option(help="Folder to write the run to.")],
    *,
    stack: StackName = DEFAULT,
) -> Result:
    """Copy a finished run to this machine, with its report."""
    from workloads.training.jobs.runs import latest_run
    from workloads.training.runtime.run_folder import CHECKPOINTS, METRICS, check_replaceable, load_metrics

    place, target = locate(latest_run(stack) if run == "latest" else run), locate(output)
    load_metrics(place)
    check_replaceable(target)
    names = [name for name in place.names() if not name.startswith(f"{CHECKPOINTS}/")]
    (target / METRICS).delete()
    for name in sorted(names, key=lambda name: name == METRICS):  # which says that the others are there
        (target / name).write((place / name).read())
    return Result({"run": place.uri, "output": target.uri, "files": names}, f"{len(names):,} files in {output}")


@app.command(rich_help_panel=PANEL)
@results
def export(
    model: Model,
    output: Annotated[str, typer.Option(help="ONNX file or s3:// URI to write.")],
) -> Result:
    """Write a finished run of a digit model as an ONNX file."""
    from workloads.training.runtime.onnx import describe, to_onnx
    from workloads.training.runtime.run_folder import load_metrics

    run = locate(model)
    metrics = load_metrics(run)
    name = metrics["workload"]
    offered = load(name)
    if offered.export is None:
        raise InputError(f"{run}: This is a run of {name}, which cannot be exported.")
    exported = offered.export(run)
    notes = _of_sample(model)
    facts = {"workload": name, "data": metrics["data"]["sha256"], "commit": metrics.get("commit"), "notes": notes}
    content = to_onnx(exported, {key: str(value) for key, value in facts.items() if value})
    for note in notes:
        say(f"Note: {note}", errors=True)
    locate(output).write(content)
    inputs = describe(exported)
    document = {"output": locate(output).uri, "bytes": len(content), "inputs": inputs, "result": exported.output}
    takes = " and ".join(f"{name} {shape}" for name, shape in inputs.items())
    return Result(
        document, f"{output}: {exported.output} from {takes}; ONNX Runtime gives the answers that PyTorch gives."
    )


def _of_sample(model: str) -> list[str]:
    """Return what a person should know of a model of sample data."""
    from workloads.training.runtime.run_folder import load_metrics

    if not load_metrics(locate(model))["data"].get("sample"):
        return []
    return ["The model was trained on sample data, a small stand-in: what it gives says nothing of real data."]


def default_output(name: str) -> str:
    """Return a new folder for a run without --output."""
    return f"runs/{name}/{datetime.now(UTC):%Y-%m-%dT%H-%M-%S}"


def _digits(text: str) -> list[int]:
    """Return the digits of `0-9` or `3,5,7`, in order."""
    if not re.fullmatch(r"\d(-\d)?(,\d(-\d)?)*", text):
        raise InputError(f"--digits {text}: These are not digits. Write them as 0-9 or 3,5,7.")
    return [digit for span in text.split(",") for digit in range(int(span[0]), int(span[-1]) + 1)]
