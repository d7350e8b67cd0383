"""``groundwork local``: the local cloud from a shell."""

import os
import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from botocore.exceptions import BotoCoreError

from localcloud.cloud.inventory import inventory
from localcloud.cloud.local_cloud import DEFAULT, NAMED, LocalCloud
from localcloud.cloud.server import serve
from localcloud.errors import LocalCloudError

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


def named(name: str, folder: Path | None = None, port: int = 0) -> LocalCloud:
    """The cloud of a name, or that of a folder.

    Raises:
        LocalCloudError: No cloud can have that name.
    """
    if not re.fullmatch(r"\w[\w.-]*", name, re.ASCII):
        raise LocalCloudError(f"--name {name}: a cloud's name consists of letters, digits, '.', '_' and '-'.")
    return LocalCloud(folder or NAMED / name, port)


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
def up(
    name: Name = DEFAULT,
    folder: Folder = None,
    port: Annotated[int, typer.Option(help="Loopback port (default: a free one).", min=0, max=65535)] = 0,
    foreground: Annotated[bool, typer.Option("--foreground", help="Stay until Ctrl-C.")] = False,
) -> None:
    """Start a cloud, in the background unless told otherwise."""
    cloud = named(name, folder, port)
    if foreground:
        serve(cloud.folder, port, cloud.take())
    cloud.start(detached=True)
    typer.echo(f"ready {cloud.endpoint}")
    typer.echo(f"Use it from this shell: {cloud.evaluation}", err=True)


@app.command()
def status(name: Name = DEFAULT, folder: Folder = None) -> None:
    """Say where a cloud is and what is deployed to it."""
    cloud = named(name, folder)
    typer.echo(f"endpoint  {cloud.endpoint}\nprocess   {cloud.pid}\nlog       {cloud.log}\nmailbox   {cloud.mailbox}")
    with _asking(cloud):
        for page in cloud.client("cloudformation").get_paginator("describe_stacks").paginate():
            for stack in page["Stacks"]:
                typer.echo(f"stack     {stack['StackName']} ({stack['StackStatus']})")


@app.command()
def down(name: Name = DEFAULT, folder: Folder = None) -> None:
    """Stop a cloud with everything that it runs; what it held is gone."""
    cloud = named(name, folder)
    try:
        stopped = f"stopped {cloud.endpoint}"
    except LocalCloudError:  # it does not answer, or was killed
        stopped = f"stopped the local cloud in {cloud.folder}, and removed what it left behind"
    if not cloud.stop():
        raise cloud.not_running()
    typer.echo(stopped)


@app.command()
def env(name: Name = DEFAULT, folder: Folder = None) -> None:
    """Print what a shell needs: eval "$(groundwork local env)"."""
    environment = named(name, folder).shell_environment()  # before a line is printed, which a shell would obey
    others = {variable for variable in os.environ if re.fullmatch(r"AWS_\w+", variable, re.ASCII)}
    typer.echo(f"unset {' '.join(sorted((others | ELSEWHERE) - KEPT - environment.keys()))}")
    for variable, value in environment.items():
        typer.echo(f"export {variable}={shlex.quote(value)}")


@app.command()
def deploy(stacks: Stacks = None, name: Name = DEFAULT, folder: Folder = None, context: Context = None) -> None:
    """Deploy stacks with the CDK, and print their outputs."""
    named(name, folder).deploy(*(stacks or []), context=_pairs(context), echo=typer.echo)


@app.command()
def destroy(stacks: Stacks = None, name: Name = DEFAULT, folder: Folder = None, context: Context = None) -> None:
    """Delete stacks with the CDK; what their policies retain stays."""
    named(name, folder).destroy(*(stacks or []), context=_pairs(context), echo=typer.echo)


@app.command()
def reclaim(
    job: Annotated[str, typer.Argument(help="Id of a running Batch job.")],
    name: Name = DEFAULT,
    folder: Folder = None,
    notice: Annotated[float, typer.Option(help="Seconds from the notice to the end of the host.", min=0)] = 120,
) -> None:
    """Take the spot instance of a job back, as EC2 does: a notice in its metadata, and then it is gone."""
    named(name, folder).reclaim(job, notice)
    typer.echo(f"{job}: its host was told, and goes in {notice:.0f} seconds")


@app.command()
def sweep(name: Name = DEFAULT, folder: Folder = None) -> None:
    """List what there is, of every kind, whoever made it: after a removal, what it left behind."""
    cloud = named(name, folder)
    with _asking(cloud):
        for kind, resources in inventory(cloud.client).items():
            for resource in sorted(resources):
                typer.echo(f"{kind:24}{resource}")
