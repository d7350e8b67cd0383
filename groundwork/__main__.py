"""The command line: what the packages offer, under one name."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from contract.errors import GroundworkError, complain, report
from groundwork.local import use
from terminal.screen import say
from workloads.process import run

HERE, STACKS, TRAINING, APPLICATIONS = "On this machine", "Stacks", "Training", "Applications"
#: Each command: its panel in the list of commands, where it is, and the first line of its help.
COMMANDS = {
    "demo": (
        HERE,
        "groundwork.demo.command:demo",
        "Deploy the stacks to a local cloud, run their workloads, check the results, and write a page about them.",
    ),
    "site": (
        HERE,
        "groundwork.site:site",
        "Serve the storefront of a local cloud as its instance would, until Ctrl-C: Apache in front of gunicorn.",
    ),
    "access-diff": (
        STACKS,
        "groundwork.access_diff.command:access_diff",
        "List the access that is new, by principal, action, resource and condition. Exit code 1 if there is any.",
    ),
    "preflight": (
        STACKS,
        "groundwork.preflight.command:preflight",
        "Say whether stacks would deploy in this account and region, and what to do if they would not.",
    ),
    "deploy": (
        STACKS,
        "groundwork.deploy.command:deploy",
        "Show what a deployment would do, to data and to the bill, and deploy; on AWS, or on the local cloud.",
    ),
    "drill": (
        HERE,
        "groundwork.drill.command:drill",
        "Rehearse a restore: fill a stack on a local cloud of its own, lose the data, restore them, count the rows.",
    ),
    "local": (HERE, "localcloud.commands:app", "A cloud on this machine, for the stacks and their jobs."),
    "cost": (
        STACKS,
        "groundwork.cost.command:cost",
        "Show what stacks cost while idle and by use, at AWS's list prices.",
    ),
    "bundle": (
        STACKS,
        "infra.commands:app",
        "Write the code bundle for the console's templates: put it into S3, and give its address as parameter Code.",
    ),
    "left": (
        STACKS,
        "infra.commands:app",
        "List what former and failed deployments left behind, what it costs, and the command that removes each.",
    ),
    "destroy": (
        STACKS,
        "infra.commands:app",
        "Remove a stack, after saying what stays and what that costs; on AWS, or on the local cloud of `local env`.",
    ),
    "submit": (
        TRAINING,
        "workloads.commands:app",
        "Train or tune a workload on the stack, follow it, and print what it costs.",
    ),
    "jobs": (
        TRAINING,
        "workloads.commands:app",
        "List the stack's jobs and one-off instances, the newest first: state, why it waits or failed, time.",
    ),
    "logs": (
        TRAINING,
        "workloads.commands:app",
        "Print the log of a job or a one-off instance; with --follow also its states, until it ends.",
    ),
    "cancel": (TRAINING, "workloads.commands:app", "End a job: it saves a checkpoint and is not repeated."),
    "runs": (
        TRAINING,
        "workloads.commands:app",
        "List finished runs with their figures, the newest first, or compare them.",
    ),
    "predict": (
        TRAINING,
        "workloads.commands:app",
        "Predict with a finished run: write one line per input row, in order, the prediction first.",
    ),
    "generate": (TRAINING, "workloads.commands:app", "Generate images of digits with a finished run."),
    "open": (TRAINING, "workloads.commands:app", "Show the report of a finished run in the browser."),
    "fetch": (TRAINING, "workloads.commands:app", "Copy a finished run to this machine, with its report."),
    "export": (TRAINING, "workloads.commands:app", "Write a finished run of a digit model as an ONNX file."),
    "storefront": (
        APPLICATIONS,
        "workloads.storefront.commands:app",
        "The film rental company's web site: set it up, fill it, serve it.",
    ),
    "movie-rental": (
        APPLICATIONS,
        "workloads.movie_rental.commands:app",
        "A film rental company's data, moved to the engines that fit, and used.",
    ),
    "devops-metrics": (
        APPLICATIONS,
        "workloads.devops_metrics.commands:app",
        "Monitoring data in a time series database: ingest, query, find incidents.",
    ),
    "data": (TRAINING, "workloads.data:app", "Bring data sets to where a workload reads them."),
    "train": (TRAINING, "workloads.commands:app", "Train a model and write its run folder."),
    "tune": (
        TRAINING,
        "workloads.commands:app",
        "Search for a model's best settings; those you give stay fixed. The same --output goes on.",
    ),
}


class CommandLine(TyperGroup):
    """Imports a command when it is called; the list of commands needs none of them."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        for name, (panel, _, text) in COMMANDS.items():
            self.add_command(TyperCommand(name, help=text, rich_help_panel=panel))

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Return the command that the arguments name, imported."""
        name, _, arguments = super().resolve_command(ctx, args)
        return name, imported(str(name)), arguments


def imported(name: str) -> Any:
    """Import a command of the command line, and return it."""
    _, place, _ = COMMANDS[name]
    module, _, attribute = place.partition(":")
    function = getattr(import_module(module), attribute)
    if isinstance(function, typer.Typer):
        group = typer.main.get_group(function)
        return group.commands.get(name, group)
    alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    alone.command(name)(function)
    return typer.main.get_command(alone)


app = typer.Typer(
    name="groundwork",
    cls=CommandLine,
    help="AWS stacks, and the workloads that run on them: on this machine, or in an account of yours.",
    epilog='Begin with `groundwork demo`; or `groundwork local up`, then eval "$(groundwork local env)".',
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _show_version(asked: bool) -> None:
    if asked:
        say(f"groundwork {version('groundwork')}")
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Take the options that belong to no command; each acts by its callback."""


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
    except ModuleNotFoundError as error:
        if Path(__file__).parents[1].joinpath((error.name or "").partition(".")[0]).is_dir():
            raise  # a module of our own: that is a fault
        message = f"The Python package {error.name} is not installed here. `make setup` installs all"
        message, code = f"{message}, and docs/dependencies.md says what installs a part.", 2
    complain(message)
    return code


def command() -> None:
    """Run the program `groundwork`."""
    run(main)


if __name__ == "__main__":
    command()
