"""The command line: what the packages offer, under one name."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import typer

from contract.errors import GroundworkError, report
from groundwork.access_diff.command import access_diff
from groundwork.demo.command import demo
from groundwork.deploy.command import deploy
from groundwork.local import use
from groundwork.preflight.command import preflight
from groundwork.site import site
from infra.commands import PANEL as STACKS
from infra.commands import app as infra
from localcloud.commands import app as local
from workloads.commands import app as workloads
from workloads.process import run

app = typer.Typer(
    name="groundwork",
    help="AWS stacks, and the workloads that run on them: on this machine, or in an account of yours.",
    epilog='Begin with `groundwork demo`; or `groundwork local up`, then eval "$(groundwork local env)".',
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
HERE = "On this machine"
app.command(rich_help_panel=HERE)(demo)
app.add_typer(local, name="local", rich_help_panel=HERE)
app.command(rich_help_panel=HERE)(site)
app.add_typer(infra)
app.command("access-diff", rich_help_panel="Stacks")(access_diff)
app.command(rich_help_panel=STACKS)(preflight)
app.command(rich_help_panel=STACKS)(deploy)
app.add_typer(workloads)


def main() -> int:
    """Run a command, and return its exit code; an error is told in one line."""
    use()
    # Node and the CDK lie beside this Python, and must be found where nobody has activated the environment, too.
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    try:
        return app(standalone_mode=False) or 0
    except GroundworkError as error:
        return report(error)
    except typer.TyperException as error:
        if not (message := error.format_message()):  # there was no argument: the help has been printed
            return error.exit_code
        context = getattr(error, "ctx", None)
        message = message.rstrip(".") + (f". See {context.command_path} --help." if context else ".")
        code = error.exit_code
    except typer.Abort:
        message, code = "ended before its time.", 1
    print(f"Error: {message}", file=sys.stderr)  # noqa: T201 - the command line speaks
    return code


def command() -> None:
    """The program `groundwork`."""
    run(main)


if __name__ == "__main__":
    command()
