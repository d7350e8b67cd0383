"""``groundwork local``: the local cloud from a shell."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from localcloud.cloud import LocalCloud
from localcloud.errors import LocalCloudError
from localcloud.inventory import inventory
from localcloud.server import serve

app = typer.Typer(help="A cloud on this machine, for the stacks and their jobs.", no_args_is_help=True)

Name = Annotated[str, typer.Option(help="Which cloud; each has its own port, state and mailbox.")]
Stacks = Annotated[list[str] | None, typer.Argument(help="Stacks (default: all of the app's).")]
Context = Annotated[list[str] | None, typer.Option("--context", "-c", help="CDK context, key=value; may repeat.")]


def _cloud(name: str, port: int = 0) -> LocalCloud:
    return LocalCloud(Path(".groundwork") / "local" / name, port)


def _pairs(context: list[str] | None) -> dict[str, str]:
    pairs = [pair.partition("=") for pair in context or []]
    if wrong := [key for key, sign, _ in pairs if not sign]:
        raise LocalCloudError(f"--context {wrong[0]}: expected key=value.")
    return {key: value for key, _, value in pairs}


@app.command()
def up(
    name: Name = "default",
    port: Annotated[int, typer.Option(help="Loopback port (default: a free one).", min=0, max=65535)] = 0,
    foreground: Annotated[bool, typer.Option("--foreground", help="Stay until Ctrl-C.")] = False,
) -> None:
    """Start a cloud, in the background unless told otherwise."""
    cloud = _cloud(name, port)
    if foreground:
        if cloud.running:
            raise LocalCloudError(f"The local cloud {name} is already running at {cloud.endpoint}.")
        cloud.folder.mkdir(parents=True, exist_ok=True)
        serve(cloud.folder, port)
    cloud.start(detached=True)
    typer.echo(f"ready {cloud.endpoint}")
    typer.echo('Use it from this shell: eval "$(groundwork local env)"', err=True)


@app.command()
def status(name: Name = "default") -> None:
    """Say where a cloud is and what is deployed to it."""
    cloud = _cloud(name)
    typer.echo(f"endpoint  {cloud.endpoint}\nprocess   {cloud.pid}\nlog       {cloud.log}\nmailbox   {cloud.mailbox}")
    for stack in cloud.client("cloudformation").describe_stacks()["Stacks"]:
        typer.echo(f"stack     {stack['StackName']} ({stack['StackStatus']})")


@app.command()
def down(name: Name = "default") -> None:
    """Stop a cloud with everything that it runs; what it held is gone."""
    cloud = _cloud(name)
    address = cloud.endpoint
    cloud.stop()
    typer.echo(f"stopped {address}")


@app.command()
def env(name: Name = "default") -> None:
    """Print what a shell needs: eval "$(groundwork local env)"."""
    environment = _cloud(name).shell_environment()  # before a line is printed, which a shell would obey
    typer.echo("unset AWS_PROFILE AWS_SESSION_TOKEN")
    for key, value in environment.items():
        typer.echo(f"export {key}={shlex.quote(value)}")


@app.command()
def deploy(stacks: Stacks = None, name: Name = "default", context: Context = None) -> None:
    """Deploy stacks with the CDK, and print their outputs."""
    cloud = _cloud(name)
    cloud.deploy(*(stacks or []), context=_pairs(context), echo=typer.echo)


@app.command()
def destroy(stacks: Stacks = None, name: Name = "default", context: Context = None) -> None:
    """Delete stacks with the CDK; what their policies retain stays."""
    _cloud(name).destroy(*(stacks or []), context=_pairs(context), echo=typer.echo)


@app.command()
def reclaim(
    job: Annotated[str, typer.Argument(help="Id of a running Batch job.")],
    name: Name = "default",
    notice: Annotated[float, typer.Option(help="Seconds from the notice to the end of the host.", min=0)] = 120,
) -> None:
    """Take the spot instance of a job back, as EC2 does: a notice in its metadata, and then it is gone."""
    _cloud(name).reclaim(job, notice)
    typer.echo(f"{job}: its host was told, and goes in {notice:.0f} seconds")


@app.command()
def sweep(name: Name = "default") -> None:
    """List what there is, of every kind, whoever made it: after a removal, what it left behind."""
    for kind, names in inventory(_cloud(name).client).items():
        for each in sorted(names):
            typer.echo(f"{kind:24}{each}")
