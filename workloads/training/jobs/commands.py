"""`groundwork submit`, `jobs`, `logs`, `cancel`, `runs`: training on the stack, from a shell."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.table import Table

from contract.errors import InputError, UnavailableError
from contract.stacks import TrainingOutput
from contract.tags import RUN
from contract.workloads import TRAINING
from workloads.aws import asking_aws
from workloads.storage import locate
from workloads.training.jobs import prices
from workloads.training.jobs.follow import (
    DESCRIBED_AT_ONCE,
    ENDED,
    FORGOTTEN,
    Ended,
    Log,
    describe,
    describe_instance,
    follow_instance,
    follow_job,
    instance_seconds,
    parts,
    reason_of,
    seconds_run,
    state_of,
    unknown,
    why,
)
from workloads.training.jobs.stack import DEFAULT, TrainingStack, client
from workloads.training.jobs.submit import Request, describe_definition, launch_instance, submit_to_batch

if TYPE_CHECKING:
    from collections.abc import Iterator

StackName = Annotated[str, typer.Option("--stack", help="Name of the deployed stack.")]
Follow = Annotated[bool, typer.Option(help="Tell states and log until the job ends; Ctrl-C leaves the job running.")]
PerHour = Annotated[
    float | None, typer.Option(help="USD an hour of one instance (default: list prices)", show_default=False)
]
JobId = Annotated[str, typer.Argument(help="A job's id, or that of a one-off instance (i-...).")]
_WIDEST = 1000
_STATES = ("SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED", "FAILED")


def register(app: typer.Typer, panel: str) -> None:
    """Add the commands to a panel of a command line."""
    app.command(context_settings={"ignore_unknown_options": True}, rich_help_panel=panel)(submit)
    for command in (jobs, logs, cancel, runs):
        app.command(rich_help_panel=panel)(asking_aws(f"groundwork {command.__name__}")(command))


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
    follow: Follow = True,
    price_per_hour: PerHour = None,
    stack: StackName = DEFAULT,
) -> None:
    """Train or tune a workload on the stack, follow it, and tell what it costs."""
    if workload not in TRAINING:
        raise InputError(f"There is no workload {workload}. Choose from {', '.join(TRAINING)}.")
    if workers > 1 and task != "tune":
        raise InputError(
            f"--workers {workers}: Only --task tune shares work among jobs. Use --nodes to train on several machines."
        )
    if on == "ec2" and (nodes > 1 or workers > 1):
        raise InputError("--on ec2: This starts one instance. Use --on batch for several nodes or workers.")
    request = Request(workload, options or [], task, "gpu" if on == "ec2" else queue, nodes, workers)
    send(TrainingStack.find(stack), request, on=on, wait=follow, price_per_hour=price_per_hour)


def send(stack: TrainingStack, request: Request, *, on: str, wait: bool, price_per_hour: float | None) -> None:
    """Submit a request, tell what it may cost, and follow it where that is wanted."""
    machines = "gpu" if request.nodes > 1 else request.queue
    hourly = prices.price(machines, per_hour=price_per_hour)
    with asking_aws(f"Job {request.job_name}"):
        limit = int(describe_definition(stack, request)["timeout"]["attemptDurationSeconds"])
        spot = on == "batch" and request.nodes == 1
        typer.echo(prices.estimate(hourly, max(request.nodes, request.workers), limit, spot=spot))
        job = launch_instance(stack, request) if on == "ec2" else submit_to_batch(stack, request)
    typer.echo(f"{'instance' if on == 'ec2' else 'job'} {job}")
    if wait:
        ended = followed(stack, job)
        typer.echo(prices.cost(hourly, ended.seconds))
        if ended.code:
            raise typer.Exit(ended.code)


def jobs(stack: StackName = DEFAULT, limit: Annotated[int, typer.Option(min=1, help="How many to show.")] = 20) -> None:
    """List the stack's jobs and one-off instances, the newest first: state, why it waits or failed, time."""
    found = TrainingStack.find(stack)
    rows = sorted([*_job_rows(found), *_instance_rows(found)], reverse=True)
    if not rows:
        typer.echo(f"no jobs yet: groundwork submit WORKLOAD{_option(found)} submits one", err=True)
        return
    table = _table("job", "name", "queue", "created", "state", "seconds", "reason")
    for created, job, name, queue, state, seconds, reason in rows[:limit]:
        took = "" if seconds is None else f"{seconds:,.0f}"
        table.add_row(job, name, queue, f"{created:%Y-%m-%d %H:%M}", state, took, reason)
    _show(table)


def logs(job: JobId, *, follow: Follow = False, stack: StackName = DEFAULT) -> None:
    """Print what a job, or a one-off instance, has printed; with --follow its states too, until it ends."""
    found = TrainingStack.find(stack)
    if follow:
        followed(found, job)
        return
    log = Log(found[TrainingOutput.LOG_GROUP_NAME])
    lines = list(log.of_instance(job) if job.startswith("i-") else log.new_lines(describe(job)))
    for line in lines:
        typer.echo(line)
    if job.startswith("i-") and not lines:
        state = describe_instance(job)["State"]["Name"]
        if state == FORGOTTEN:
            raise unknown(job)
        typer.echo(f"no log of {job}, which is {state}", err=True)


def cancel(
    job: JobId, reason: Annotated[str, typer.Option(help="Why, for whoever looks later.")] = "cancelled by its owner"
) -> None:
    """End a job: it saves a checkpoint, and is not tried again."""
    if job.startswith("i-"):
        if RUN not in {tag["Key"] for tag in describe_instance(job).get("Tags", [])}:
            raise InputError(f"{job}: This is not a one-off instance of the stack. `groundwork jobs` lists them.")
        client("ec2").terminate_instances(InstanceIds=[job])
    else:
        if (state := describe(job)["status"]) in ENDED:
            raise InputError(f"Job {job}: The job has ended already ({state.lower()}).")
        client("batch").terminate_job(jobId=job, reason=reason)
    typer.echo(f"{job} is told to end")


def runs(
    place: Annotated[
        str | None, typer.Argument(help="Folder or s3:// URI (default: the stack's artifacts)", show_default=False)
    ] = None,
    stack: StackName = DEFAULT,
    limit: Annotated[int, typer.Option(min=1, help="How many to show.")] = 30,
) -> None:
    """List finished runs with their figures, the newest first."""
    from workloads.training.jobs.runs import finished_runs, headline  # noqa: PLC0415 - PyTorch takes seconds to import

    where = locate(place or f"s3://{TrainingStack.find(stack)[TrainingOutput.ARTIFACT_BUCKET_NAME]}")
    table = _table("workload", "started", "epochs", "seconds", "on the test set", "device", "run")
    found = finished_runs(where)
    if not found:
        raise InputError(f"{where}: There is no finished run. `groundwork train` and `groundwork submit` make them.")
    for run in found[:limit]:
        cells = (
            run["workload"],
            str(run["started"])[:16].replace("T", " "),
            str(run["epochs"]),
            f"{run['seconds']:,.0f}",
        )
        table.add_row(*cells, headline(run), run["machine"]["device"], run["run"])
    _show(table)


def _option(stack: TrainingStack) -> str:
    """What a command line needs in order to use the same stack."""
    return "" if stack.name == DEFAULT else f" --stack {stack.name}"


def _table(*columns: str) -> Table:
    return Table(*columns, box=None, pad_edge=False, padding=(0, 2, 0, 0))


def _show(table: Table) -> None:
    """As wide as it is, whatever the terminal: a name that is cut off cannot be copied."""
    Console(width=_WIDEST, highlight=False).print(table, crop=False)


def followed(stack: TrainingStack, job: str) -> Ended:
    """How a job or an instance ended.

    Raises:
        UnavailableError: AWS cannot be asked any more.
        typer.Exit: Whoever watched has gone.
    """
    options = f"{job} --follow{_option(stack)}"
    again = f"The job runs on. Come back with `groundwork logs {options}`, or end it with `groundwork cancel {job}`."
    follow = follow_instance if job.startswith("i-") else follow_job
    try:
        with asking_aws(f"Job {job}"):
            return follow(stack, job, typer.echo)
    except KeyboardInterrupt:
        typer.echo(f"\n{again}")
        raise typer.Exit(0) from None
    except UnavailableError as error:
        error.advice = again  # the same command could submit the job a second time
        raise


_Row = tuple[datetime, str, str, str, str, float | None, str]
"""Of the table of jobs: when it was created, id, name, queue, state, seconds if they are known, reason."""


def _job_rows(stack: TrainingStack) -> Iterator[_Row]:
    """The jobs in the stack's queues, in every state."""
    batch = client("batch")
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
                seconds = sum(map(seconds_run, parts(job)))
                yield created, job["jobId"], job["jobName"], queue.lower(), state_of(job), seconds, reason_of(job)


def _instance_rows(stack: TrainingStack) -> Iterator[_Row]:
    """The instances of the stack's launch template that EC2 still knows of."""
    of_template = [{"Name": "tag:aws:ec2launchtemplate:id", "Values": [stack[TrainingOutput.LAUNCH_TEMPLATE_ID]]}]
    for page in client("ec2").get_paginator("describe_instances").paginate(Filters=of_template):
        for instance in [each for reservation in page["Reservations"] for each in reservation["Instances"]]:
            name = {tag["Key"]: tag["Value"] for tag in instance["Tags"]}.get(RUN, "")
            state, seconds = instance["State"]["Name"], instance_seconds(instance)
            yield instance["LaunchTime"], instance["InstanceId"], name, "ec2", state, seconds, why(instance)


__all__ = ["register", "send"]
