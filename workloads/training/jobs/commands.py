"""`groundwork submit`, `jobs`, `logs`, `cancel`, `runs`: training on the stack, from a shell."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from contract.errors import InputError, UnavailableError
from contract.stacks import TrainingOutput
from contract.tags import RUN
from contract.workloads import TRAINING
from terminal.results import Result, listing, results
from terminal.screen import Table, say
from workloads.account.reader import Account
from workloads.aws import asking_aws
from workloads.storage import locate
from workloads.training.jobs import prices
from workloads.training.jobs.follow import (
    DESCRIBED_AT_ONCE,
    ENDED,
    FORGOTTEN,
    Ended,
    Log,
    child_jobs,
    describe,
    describe_instance,
    exit_codes,
    follow_instance,
    follow_job,
    instance_seconds,
    reason_of,
    seconds_run,
    state_of,
    unknown,
    why,
)
from workloads.training.jobs.readiness import check_readiness, reason_to_wait
from workloads.training.jobs.stack import DEFAULT, TrainingStack, client
from workloads.training.jobs.submit import Request, describe_definition, launch_instance, submit_to_batch

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

StackName = Annotated[str, typer.Option("--stack", help="Name of the deployed stack.")]
Follow = Annotated[bool, typer.Option(help="Print states and log until the job ends; Ctrl-C leaves the job running.")]
PerHour = Annotated[
    float | None, typer.Option(help="USD an hour of one instance (default: list prices)", show_default=False)
]
JobId = Annotated[str, typer.Argument(help="A job's id, or that of a one-off instance (i-...).")]
_STATES = ("SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED", "FAILED")


def register(app: typer.Typer, panel: str) -> None:
    """Add the commands to a panel of a command line."""
    app.command(context_settings={"ignore_unknown_options": True}, rich_help_panel=panel)(results(submit))
    for command, kind in ((jobs, listing), (logs, results), (cancel, results), (runs, listing)):
        app.command(rich_help_panel=panel)(kind(asking_aws(f"groundwork {command.__name__}")(command)))


def submit(
    workload: Annotated[str, typer.Argument(help="One of: " + ", ".join(TRAINING) + ".", show_default=False)],
    options: Annotated[
        list[str] | None, typer.Argument(help="After --: options of `groundwork train` (or tune).", show_default=False)
    ] = None,
    *,
    on: Annotated[
        Literal["batch", "ec2"], typer.Option(help="A queue, or an instance of its own with a GPU.")
    ] = "batch",
    queue: Annotated[Literal["cpu", "gpu"], typer.Option(help="Machines without or with a GPU.")] = "cpu",
    task: Annotated[
        Literal["train", "tune"], typer.Option(help="Train once, or search for better settings.")
    ] = "train",
    nodes: Annotated[int, typer.Option(min=1, help="Instances that train together.")] = 1,
    workers: Annotated[int, typer.Option(min=1, help="Jobs that search together.")] = 1,
    after: Annotated[
        list[str] | None,
        typer.Option(metavar="JOB", help="Start when this job has succeeded; may repeat.", show_default=False),
    ] = None,
    follow: Follow = True,
    price_per_hour: PerHour = None,
    stack: StackName = DEFAULT,
) -> Result:
    """Train or tune a workload on the stack, follow it, and print what it costs."""
    if workload not in TRAINING:
        raise InputError(f"There is no workload {workload}. Choose from {', '.join(TRAINING)}.")
    if workers > 1 and task != "tune":
        raise InputError(
            f"--workers {workers}: Only --task tune shares work among jobs. Use --nodes to train on several machines."
        )
    if on == "ec2" and (nodes > 1 or workers > 1):
        raise InputError("--on ec2: This starts one instance. Use --on batch for several nodes or workers.")
    if on == "ec2" and after:
        raise InputError("--after: An instance of its own starts at once. Use --on batch to wait for another job.")
    request = Request(workload, options or [], task, "gpu" if on == "ec2" else queue, nodes, workers, after or [])
    return send(TrainingStack.find(stack), request, on=on, wait=follow, price_per_hour=price_per_hour)


def send(stack: TrainingStack, request: Request, *, on: str, wait: bool, price_per_hour: float | None) -> Result:
    """Submit a request, print what it may cost, and follow it where that is wanted."""
    machines = "gpu" if request.nodes > 1 else request.queue
    hourly = prices.price(machines, per_hour=price_per_hour)
    with asking_aws(f"Job {request.job_name}"):
        for earlier in request.after:
            describe(earlier)  # or else the job would fail as soon as it is submitted
        limit = int(describe_definition(stack, request)["timeout"]["attemptDurationSeconds"])
        for permission in check_readiness(stack, request, on=on):
            say(f"Not everything could be checked: the credentials do not have {permission}.", errors=True)
        spot = on == "batch" and request.nodes == 1
        instances = max(request.nodes, request.workers)
        say(prices.estimate(hourly, instances, limit, spot=spot))
        job = launch_instance(stack, request) if on == "ec2" else submit_to_batch(stack, request)
    say(f"{'instance' if on == 'ec2' else 'job'} {job}")
    document = {
        "job": job,
        "name": request.job_name,
        "on": on,
        "instances": instances,
        "usd_per_hour": hourly * instances,
        "usd_per_attempt_at_most": hourly * instances * limit / 3600,
    }
    ended = followed(stack, job) if wait else None
    if not ended:
        return Result(document | _ended(None))
    ends = typer.Exit(ended.code) if ended.code else None
    return Result(document | _ended(ended, hourly), prices.cost(hourly, ended.seconds), ends=ends)


def _ended(ended: Ended | None, hourly: float | None = None) -> dict[str, object]:
    """Return how a job ended, for programs: nulls where nobody waited for it."""
    seconds = sum(ended.seconds) if ended else None
    cost = None if seconds is None or hourly is None else hourly * seconds / 3600
    return {"exit_code": ended.code if ended else None, "seconds": seconds, "usd_at_most": cost}


def jobs(
    stack: StackName = DEFAULT, limit: Annotated[int, typer.Option(min=1, help="How many to show.")] = 20
) -> Result:
    """List the stack's jobs and one-off instances, the newest first: state, why it waits or failed, time."""
    deployed = TrainingStack.find(stack)
    rows = sorted([*_job_rows(deployed), *_instance_rows(deployed)], reverse=True)
    names = ("created", "job", "name", "queue", "state", "seconds", "reason")
    cells = [
        (job, name, queue, f"{created:%Y-%m-%d %H:%M}", state, "" if took is None else f"{took:,.0f}", reason)
        for created, job, name, queue, state, took, reason in rows[:limit]
    ]
    columns = ("job", "name", "queue", "created", "state", "seconds", "reason")
    documents = [dict(zip(names, row, strict=True)) for row in rows[:limit]]
    empty = f"There are no jobs yet. `groundwork submit WORKLOAD{deployed.option}` submits one."
    return Result({"jobs": documents}, Table(columns, cells, numbers=["seconds"], empty=empty))


def logs(job: JobId, *, follow: Follow = False, stack: StackName = DEFAULT) -> Result:
    """Print the log of a job or a one-off instance; with --follow also its states, until it ends."""
    deployed = TrainingStack.find(stack)
    if follow:
        followed(deployed, job)
    is_instance = job.startswith("i-")
    description = describe_instance(job) if is_instance else describe(job)
    log = Log(deployed[TrainingOutput.LOG_GROUP_NAME])
    lines = list(log.of_instance(job) if is_instance else log.new_lines(description))
    state = description["State"]["Name"] if is_instance else description["status"].lower()
    if is_instance and not lines:
        if state == FORGOTTEN:
            raise unknown(job)
        say(f"There is no log of {job}, which is {state}.", errors=True)
    document = {
        "job": job,
        "state": state,
        "reason": why(description) if is_instance else reason_of(description) or reason_to_wait(description),
        "seconds": instance_seconds(description) if is_instance else sum(map(seconds_run, child_jobs(description))),
        "exit_codes": [] if is_instance else exit_codes(description),
        "lines": lines,
    }
    return Result(document, *([] if follow else lines))


def cancel(
    job: JobId,
    reason: Annotated[str, typer.Option(help="The reason, which AWS Batch keeps.")] = "cancelled by its owner",
) -> Result:
    """End a job: it saves a checkpoint and is not repeated."""
    if job.startswith("i-"):
        if RUN not in {tag["Key"] for tag in describe_instance(job).get("Tags", [])}:
            raise InputError(f"{job}: This is not a one-off instance of the stack. `groundwork jobs` lists them.")
        client("ec2").terminate_instances(InstanceIds=[job])
    else:
        if (state := describe(job)["status"]) in ENDED:
            raise InputError(f"Job {job}: The job has ended already ({state.lower()}).")
        client("batch").terminate_job(jobId=job, reason=reason)
    return Result({"job": job, "reason": reason}, f"{job} was asked to end.")


def runs(
    places: Annotated[
        list[str] | None,
        typer.Argument(help="Folders or s3:// URIs (default: the stack's artifacts)", show_default=False),
    ] = None,
    *,
    compare: Annotated[bool, typer.Option("--compare", help="Show side by side in what the runs differ.")] = False,
    figure: Annotated[
        Path | None,
        typer.Option(help="With --compare: a PNG, SVG or PDF for the curves.", show_default=False),
    ] = None,
    stack: StackName = DEFAULT,
    limit: Annotated[int, typer.Option(min=1, help="How many to show.")] = 30,
) -> Result:
    """List finished runs with their figures, the newest first, or compare them."""
    from workloads.training.jobs.runs import finished_runs, headline

    if figure and not compare:
        raise InputError(f"--figure {figure}: Only --compare draws a picture. Add it.")
    where = [
        locate(place) for place in places or [f"s3://{TrainingStack.find(stack)[TrainingOutput.ARTIFACT_BUCKET_NAME]}"]
    ]
    finished = finished_runs(where)
    if not finished:
        raise InputError(
            f"{', '.join(map(str, where))}: There is no finished run. "
            "`groundwork train` and `groundwork submit` make them."
        )
    if compare:
        return _compared(finished[:limit], figure)
    rows = [
        (
            run["workload"],
            str(run["started"])[:16].replace("T", " "),
            run["epochs"],
            f"{run['seconds']:,.0f}",
            headline(run),
            run["machine"]["device"],
            run["run"],
        )
        for run in finished[:limit]
    ]
    columns = ("workload", "started", "epochs", "seconds", "on the test set", "device", "run")
    return Result(
        {"runs": _documents(finished[:limit])}, Table(columns, rows, keys=["run"], numbers=["epochs", "seconds"])
    )


def _documents(finished: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return what `--json` says about each run."""
    names = ("run", "workload", "started", "epochs", "seconds", "test", "commit")
    return [{name: run.get(name) for name in names} | {"device": run["machine"]["device"]} for run in finished]


def _compared(finished: Sequence[Mapping[str, Any]], figure: Path | None) -> Result:
    """Show runs beside each other, each under its number, and draw their curves where that is wanted."""
    from workloads.training.jobs.comparison import compare, draw

    compared = compare(finished)
    if figure:
        draw(compared, figure)
    numbers = [str(number) for number in range(1, len(finished) + 1)]
    listed = [
        (
            number,
            str(run["started"])[:16].replace("T", " "),
            run["machine"]["device"],
            _short(run.get("commit")),
            run["run"],
        )
        for number, run in zip(numbers, finished, strict=True)
    ]
    settings = [(name, *map(_cell, values)) for name, values in compared.settings.items()]
    figures = [(name.replace("_", " "), *map(_cell, values)) for name, values in compared.figures.items()]
    shown: list[str | Table] = [Table(["", "started", "device", "commit", "run"], listed, keys=["run"])]
    if settings:
        shown += ["", Table(["setting", *numbers], settings, numbers=numbers)]
    else:
        shown += ["", "All settings are the same."]
    shown += ["", Table(["on the test set", *numbers], figures, numbers=numbers)]
    if figure:
        shown += ["", f"The curves are in {figure}."]
    document = {
        "runs": _documents(finished),
        "settings": compared.settings,
        "figures": compared.figures,
        "figure": figure,
    }
    return Result(document, *shown)


def _short(commit: str | None) -> str:
    """Shorten a commit as Git does, and keep the mark of changed files."""
    return f"{commit[:9]}{'+' * commit.endswith('+')}" if commit else "-"


def _cell(value: Any) -> str:
    """Write a setting or a figure for a table."""
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def followed(stack: TrainingStack, job: str) -> Ended | None:
    """Follow a job or an instance to its end, and return how it ended; None once the person presses Ctrl-C.

    Raises:
        UnavailableError: AWS cannot be asked any more.
    """
    options = f"{job} --follow{stack.option}"
    again = f"The job runs on. Come back with `groundwork logs {options}`, or end it with `groundwork cancel {job}`."
    follow = follow_instance if job.startswith("i-") else follow_job
    try:
        with asking_aws(f"Job {job}"):
            return follow(stack, job, say)
    except KeyboardInterrupt:
        say(f"\n{again}")
        return None
    except UnavailableError as error:
        error.advice = again  # the same command could submit the job a second time
        raise


_Row = tuple[datetime, str, str, str, str, float | None, str]
"""Of the table of jobs: when it was created, id, name, queue, state, seconds if they are known, reason."""


def _job_rows(stack: TrainingStack) -> Iterator[_Row]:
    """The jobs in the stack's queues, in every state."""
    batch, account = client("batch"), Account()
    for queue in ("Cpu", "Gpu", "MultiNode"):
        listed = [
            item["jobId"]
            for state in _STATES
            for page in batch.get_paginator("list_jobs").paginate(jobQueue=stack[f"{queue}QueueArn"], jobStatus=state)
            for item in page["jobSummaryList"]
            if ":" not in item["jobId"]
        ]
        ids = list(dict.fromkeys(listed))
        for start in range(0, len(ids), DESCRIBED_AT_ONCE):
            for job in batch.describe_jobs(jobs=ids[start : start + DESCRIBED_AT_ONCE])["jobs"]:
                created = datetime.fromtimestamp(job["createdAt"] / 1000, UTC)
                seconds = sum(map(seconds_run, child_jobs(job)))
                reason = reason_of(job) or reason_to_wait(job, account)
                yield created, job["jobId"], job["jobName"], queue.lower(), state_of(job), seconds, reason


def _instance_rows(stack: TrainingStack) -> Iterator[_Row]:
    """Yield the instances of the stack's launch template that EC2 still knows."""
    of_template = [{"Name": "tag:aws:ec2launchtemplate:id", "Values": [stack[TrainingOutput.LAUNCH_TEMPLATE_ID]]}]
    for page in client("ec2").get_paginator("describe_instances").paginate(Filters=of_template):
        for instance in [member for reservation in page["Reservations"] for member in reservation["Instances"]]:
            name = {tag["Key"]: tag["Value"] for tag in instance["Tags"]}.get(RUN, "")
            state, seconds = instance["State"]["Name"], instance_seconds(instance)
            yield instance["LaunchTime"], instance["InstanceId"], name, "ec2", state, seconds, why(instance)


__all__ = ["register", "send"]
