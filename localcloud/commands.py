"""The local cloud from a shell, as a group of commands of the program that it is a part of."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from botocore.exceptions import BotoCoreError

from localcloud import host
from localcloud.cloud.connections import all_databases
from localcloud.cloud.inventory import inventory
from localcloud.cloud.local_cloud import DEFAULT, LocalCloud
from localcloud.cloud.server import serve
from localcloud.cloud.settings import DEFAULT_AGE, DEFAULT_MODE, Age, IamMode, Settings
from localcloud.errors import LocalCloudError
from terminal.results import Result, listing, results
from terminal.screen import Table, say

app = typer.Typer(help="A cloud on this machine, for the stacks and their jobs.", no_args_is_help=True)

Name = Annotated[str, typer.Option(help="Which cloud; each has its own port, state and mailbox.")]
Folder = Annotated[
    Path | None,
    typer.Option(help="A cloud by its folder, such as that of a demonstration.", show_default=False),
]
Stacks = Annotated[list[str] | None, typer.Argument(help="Stacks (default: all of the app's).")]
Context = Annotated[list[str] | None, typer.Option("--context", "-c", help="CDK context, key=value; may repeat.")]

#: What may lead a shell's programs to an account on AWS; `env` unsets it, and every other AWS_ variable but KEPT.
ELSEWHERE = {"AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"}
KEPT = {"AWS_PAGER", "AWS_DEFAULT_OUTPUT"}


def named(name: str, folder: Path | None = None, port: int = 0, iam: IamMode = DEFAULT_MODE) -> LocalCloud:
    """Return the cloud of a name, or that of a folder.

    Raises:
        LocalCloudError: No cloud can have that name.
    """
    if not re.fullmatch(r"\w[\w.-]*", name, re.ASCII):
        raise LocalCloudError(f"--name {name}: a cloud's name consists of letters, digits, '.', '_' and '-'.")
    return LocalCloud(folder or host.current().named(name), port, iam=iam)


def _pairs(context: list[str] | None) -> dict[str, str]:
    pairs = [pair.partition("=") for pair in context or []]
    if wrong := [key for key, sign, _ in pairs if not sign]:
        raise LocalCloudError(f"--context {wrong[0]}: expected key=value.")
    return {key: value for key, _, value in pairs}


@contextmanager
def _asking(cloud: LocalCloud) -> Iterator[None]:
    """Say in a line that a cloud does not answer, such as one that is killed meanwhile."""
    try:
        yield
    except BotoCoreError as error:
        raise LocalCloudError(f"The local cloud in {cloud.folder} does not answer: {error}") from error


@app.command()
@results
def up(  # noqa: PLR0917 - its options
    name: Name = DEFAULT,
    folder: Folder = None,
    port: Annotated[int, typer.Option(help="Loopback port (default: a free one).", min=0, max=65535)] = 0,
    account: Annotated[
        Age, typer.Option(help="A new account has AWS's default quotas; an established one, raised ones.")
    ] = DEFAULT_AGE,
    foreground: Annotated[bool, typer.Option("--foreground", help="Stay until Ctrl-C.")] = False,
    iam: Annotated[IamMode, typer.Option(help="What happens to requests that IAM does not allow.")] = DEFAULT_MODE,
) -> Result:
    """Start a cloud in the background; with --foreground, until Ctrl-C."""
    cloud = named(name, folder, port, iam)
    cloud.account = account
    if foreground:
        serve(cloud.folder, port, cloud.take(), Settings.read(account, iam))
    cloud.start(detached=True)
    say(f"Look into it in a browser: {cloud.console_link}", errors=True)
    say(f"Use it from this shell: {cloud.evaluation}", errors=True)
    document = {"name": name, "endpoint": cloud.endpoint, "console": cloud.console, "process": cloud.pid}
    return Result(document, f"ready {cloud.endpoint}")


@app.command()
@results
def console(
    name: Name = DEFAULT,
    folder: Folder = None,
    open_browser: Annotated[bool, typer.Option("--open/--no-open", help="Open it in a browser.")] = False,
) -> Result:
    """Print the address of the console, where a browser shows what a cloud holds."""
    cloud = named(name, folder)
    if open_browser:
        typer.launch(cloud.console_link)
    return Result({"name": name, "console": cloud.console_link}, cloud.console_link)


@app.command()
@results
def connect(
    engine: Annotated[
        str,
        typer.Argument(
            help="Only this engine: postgresql, mysql, neptune, opensearch, or influxdb.", show_default="all engines"
        ),
    ] = "",
    name: Name = DEFAULT,
    folder: Folder = None,
) -> Result:
    """Print the command that connects a client to each database: psql, mysql, influx, or curl."""
    cloud, wanted = named(name, folder), "postgres" if engine == "postgresql" else engine  # as RDS calls it
    with _asking(cloud):
        databases = [row for row in all_databases(cloud.client, cloud.folder) if wanted in {"", row.engine}]
    if not databases:
        raise LocalCloudError(f"The cloud {name} has no database of {engine or 'any engine'}. Deploy a stack first.")
    lines = [f"# {row.name} ({row.engine}, {row.status})\n{row.command}" for row in databases]
    return Result({"name": name, "databases": [asdict(row) for row in databases]}, *lines)


@app.command()
@results
def status(name: Name = DEFAULT, folder: Folder = None) -> Result:
    """Say where a cloud is and what is deployed to it."""
    cloud = named(name, folder)
    places = {
        "endpoint": cloud.endpoint,
        "console": cloud.console,
        "process": cloud.pid,
        "log": cloud.log,
        "mailbox": cloud.mailbox,
    }
    with _asking(cloud):
        pages = cloud.client("cloudformation").get_paginator("describe_stacks").paginate()
        stacks = {stack["StackName"]: stack["StackStatus"] for page in pages for stack in page["Stacks"]}
    lines = [f"{place:10}{value}" for place, value in places.items()]
    lines += [f"stack     {stack} ({state})" for stack, state in stacks.items()]
    return Result({"name": name, **places, "stacks": stacks}, *lines)


@app.command()
@results
def down(name: Name = DEFAULT, folder: Folder = None) -> Result:
    """Stop a cloud and everything that it runs, and delete what it holds."""
    cloud = named(name, folder)
    address = None
    try:
        address = cloud.endpoint
        stopped = f"stopped {address}"
    except LocalCloudError:  # it does not answer, or was killed
        stopped = f"stopped the local cloud in {cloud.folder}, and removed what it left behind"
    if not cloud.stop():
        raise cloud.not_running()
    return Result({"name": name, "endpoint": address}, stopped)


@app.command()
@results
def env(
    name: Name = DEFAULT,
    folder: Folder = None,
    role: Annotated[
        str | None, typer.Option(help="Name or ARN of a role to use instead of the administrator.", show_default=False)
    ] = None,
) -> Result:
    """Print the variables with which a shell uses the cloud, for `eval`, as `up` shows."""
    cloud = named(name, folder)
    environment = cloud.shell_environment()  # before a line is printed, which a shell would obey
    if role is not None:
        with _asking(cloud):
            environment |= cloud.role_credentials(role)
    variables = {variable for variable in os.environ if re.fullmatch(r"AWS_\w+", variable, re.ASCII)}
    lines = [f"unset {' '.join(sorted((variables | ELSEWHERE) - KEPT - environment.keys()))}"]
    lines += [f"export {variable}={shlex.quote(value)}" for variable, value in environment.items()]
    return Result({"environment": environment}, *lines)


@app.command()
@results
def deploy(stacks: Stacks = None, name: Name = DEFAULT, folder: Folder = None, context: Context = None) -> Result:
    """Deploy stacks with the CDK, and print their outputs."""
    cloud = named(name, folder)
    cloud.deploy(*(stacks or []), context=_pairs(context), echo=say)
    return Result({"name": name, "stacks": {stack: cloud.outputs(stack) for stack in stacks or _deployed(cloud)}})


def _deployed(cloud: LocalCloud) -> list[str]:
    """Return the names of the stacks in a cloud."""
    pages = cloud.client("cloudformation").get_paginator("describe_stacks").paginate()
    return [stack["StackName"] for page in pages for stack in page["Stacks"]]


@app.command()
@results
def destroy(stacks: Stacks = None, name: Name = DEFAULT, folder: Folder = None, context: Context = None) -> Result:
    """Delete stacks with the CDK; what their policies retain stays."""
    cloud = named(name, folder)
    before = _deployed(cloud)
    cloud.destroy(*(stacks or []), context=_pairs(context), echo=say)
    remaining = _deployed(cloud)
    return Result(
        {"name": name, "destroyed": [stack for stack in before if stack not in remaining], "stacks": remaining}
    )


@app.command()
@results
def reclaim(
    job: Annotated[str, typer.Argument(help="Id of a running Batch job.")],
    name: Name = DEFAULT,
    folder: Folder = None,
    notice: Annotated[float, typer.Option(help="Seconds from the notice to the end of the host.", min=0)] = 120,
) -> Result:
    """Take the spot instance of a job back, as EC2 does: with a notice in its metadata, then without the instance."""
    named(name, folder).reclaim(job, notice)
    sentence = f"{job}: its host was told, and goes in {notice:.0f} seconds"
    return Result({"job": job, "notice_seconds": notice}, sentence)


@app.command()
@listing
def sweep(name: Name = DEFAULT, folder: Folder = None) -> Result:
    """List all resources of a cloud by type; after a removal, these are what it left behind."""
    cloud = named(name, folder)
    with _asking(cloud):
        resources = {kind: sorted(names) for kind, names in inventory(cloud.client).items()}
    rows = [(kind, resource) for kind, names in resources.items() for resource in names]
    table = Table(["kind", "resource"], rows, keys=["kind", "resource"], empty="There is nothing in the cloud.")
    return Result({"name": name, "resources": resources}, table)


@app.command()
@listing
def denials(name: Name = DEFAULT, folder: Folder = None) -> Result:
    """List the requests that IAM does not allow: who asked for what, why not, and what would allow it."""
    denied = named(name, folder).denials()
    columns = ["time", "caller", "action", "resource", "reason", "statement", "would_allow"]
    rows = [tuple(str(denial[column]) for column in columns) for denial in denied]
    titles = [column.replace("_", " ") for column in columns]
    keys = [title for title in titles if title != "reason"]
    return Result({"name": name, "denials": denied}, Table(titles, rows, keys=keys, empty="IAM has refused nothing."))


@app.command()
@listing
def access(
    role: Annotated[str, typer.Argument(help="Name or ARN of a role.")], name: Name = DEFAULT, folder: Folder = None
) -> Result:
    """Compare what a role has used since the cloud started with what its policies allow."""
    cloud = named(name, folder)
    with _asking(cloud):
        report: dict[str, Any] = cloud.access(role)
    rows = [(action, "used", ", ".join(some)) for action, some in report["used"].items()]
    rows += [(action, "never used", "") for action in report["unused"]]
    empty = "It has used nothing, and its policies allow nothing."
    return Result({"name": name, **report}, Table(["action", "use", "resources"], rows, keys=["action"], empty=empty))
