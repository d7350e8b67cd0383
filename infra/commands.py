"""``groundwork bundle``, ``left`` and ``destroy``: the stacks before they are deployed, and when they go."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from contract.errors import InputError
from contract.stacks import StackName
from infra import environments
from infra.config import Config
from terminal.results import Result, listing, results
from terminal.screen import Table, confirm, print_table, say

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from infra.left import Left
    from infra.removal import Deployed

app = typer.Typer()
PANEL = "Stacks"

Context = Annotated[list[str] | None, typer.Option("--context", "-c", help="A setting, key=value; may repeat.")]


def pairs(context: list[str] | None) -> dict[str, str]:
    """Return the settings on the command line.

    Raises:
        InputError: A setting is not of the form `key=value`.
    """
    assignments = [pair.partition("=") for pair in context or []]
    if wrong := [key for key, sign, _ in assignments if not sign]:
        raise InputError(f"--context {wrong[0]}: This is not a setting. Write it as key=value.")
    return {key: value for key, _, value in assignments}


@dataclass(frozen=True)
class Chosen:
    """A stack that a command is about.

    Attributes:
        name: The name under which it is deployed, such as `WebApp-dev`.
        section: The name of its settings.
        config: The settings that `cdk deploy` would take here.
        cdk_context: The settings that cdk.json, the environment's file and the command line give, as a CDK context.
        overrides: Those of the command line, and the environment.
    """

    name: str
    section: str
    config: Config
    cdk_context: dict[str, Any]
    overrides: dict[str, str]


def chosen(name: str, context: list[str] | None) -> Chosen:
    """Return the stack of a name: `WebApp-dev`, or `WebApp` where there are no environments or `-c` chooses one.

    Raises:
        InputError: There is no such stack, more than one environment could be meant, or a setting is wrong.
    """
    stack, environment = environments.split(name)
    section_name, overrides = section(name), pairs(context)
    cdk_context = environments.usual() | overrides
    of_context = environments.names(cdk_context)
    if not environment and len(of_context) > 1:
        options = ", ".join(environments.deployed_name(stack, choice) for choice in of_context)
        raise InputError(f"{name}: There are several environments. Say which one is meant: {options}.")
    if environment and overrides.get(environments.KEY, environment) != environment:
        raise InputError(
            f"{name}: The name says that the environment is {environment}, and -c says {overrides[environments.KEY]}. "
            "Leave one of them out."
        )
    environment = environment or of_context[0]
    cdk_context = environments.context_of(environment, cdk_context)
    overrides |= {environments.KEY: environment} if environment else {}
    deployed = environments.deployed_name(stack, environment)
    return Chosen(deployed, section_name, Config.from_context(cdk_context), cdk_context, overrides)


def configurations(names: Sequence[str], context: list[str] | None) -> Iterator[tuple[Config, list[str]]]:
    """Yield the settings of each environment with the stacks that are asked for there; [] stands for all of them.

    Raises:
        InputError: There is no such stack, or a setting is wrong.
    """
    if not names:
        cdk_context = environments.usual() | pairs(context)
        yield from ((config, []) for _, config in environments.configurations(cdk_context))
    for name in names:
        yield chosen(name, context).config, [environments.split(name)[0]]


def section(stack: str) -> str:
    """The name of the settings of a stack, which may be of an environment.

    Raises:
        InputError: There is no such stack.
    """
    sections = {kind.value: kind.name.lower() for kind in StackName}  # the stacks themselves take long to import
    kind, _ = environments.split(stack)
    if kind not in sections:
        raise InputError(f"There is no stack {stack}. There are {', '.join(sections)}.")
    return sections[kind]


@app.command(rich_help_panel=PANEL)
@results
def bundle(
    file: Annotated[Path, typer.Argument(help="The zip file to write, such as code.zip.", show_default=False)],
) -> Result:
    """Write the code bundle for the console's templates: put it into S3, and give its address as parameter Code."""
    if file.suffix != ".zip" or file.is_dir():
        raise InputError(
            f"{file}: The bundle is a zip file, and the stacks ask for that. Name it code.zip, for example."
        )

    from infra.packing import packed

    written = packed(file)
    if written.missing:
        say(written.missing, errors=True)
    size = file.stat().st_size
    return Result({"file": str(file), "bytes": size}, f"{file}: {size / 1e6:.1f} MB")


@app.command(rich_help_panel=PANEL)
@listing
def left(
    stacks: Annotated[
        list[str] | None, typer.Argument(metavar="[STACK...]", help="Stacks (default: all of them).")
    ] = None,
    *,
    remove: Annotated[bool, typer.Option("--remove", help="Ask for each, and remove it.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="With --remove: remove all of it, and do not ask.")] = False,
) -> Result:
    """List what former and failed deployments left behind, what it costs, and the command that removes each."""
    from infra.left import left as find
    from infra.left import remove as delete
    from infra.stacks import STACKS

    names = [chosen(stack, None).name for stack in stacks or ()] or [
        environments.deployed_name(kind.__name__, environment)
        for environment in environments.names(environments.usual())
        for kind in STACKS
    ]
    if yes and not remove:
        raise InputError("--yes: Without --remove nothing is removed, so there is no question. Give both, or neither.")
    resources = find(names)
    total = sum(resource.usd_per_month or 0 for resource in resources)
    document: dict[str, Any] = {"left": resources, "usd_per_month": total, "removed": []}
    if not resources:
        return Result(document, table_of_left(resources))
    listed = (table_of_left(resources), f"It bills {total:.2f} USD a month, and by what it holds.")
    if not remove:
        return Result(document, *listed)
    for block in listed:
        say(block) if isinstance(block, str) else print_table(block)
    for resource in resources:
        if yes or confirm(f"Remove {resource.name} ({resource.type}) for good?"):
            delete(resource)
            document["removed"].append(resource.name)
            say(f"{resource.name} is removed.")
    return Result(document)


def table_of_left(resources: Iterable[Left]) -> Table:
    """Return what is left behind as a table for people."""
    rows = [
        (
            resource.name,
            resource.type,
            resource.stack,
            "unknown" if resource.usd_per_month is None else f"{resource.usd_per_month:.2f}",
            ", ".join(resource.uses),
            resource.command,
        )
        for resource in resources
    ]
    columns = ["left behind", "type", "by", "USD a month", "and by what it holds", "command that removes it"]
    keys = ["left behind", "command that removes it"]
    return Table(columns, rows, keys=keys, numbers=["USD a month"], empty="Nothing is left behind.")


@app.command(rich_help_panel=PANEL)
@results
def destroy(
    stack: Annotated[str, typer.Argument(help="The stack, as it is deployed.", show_default=False)],
    context: Context = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> Result:
    """Remove a stack, after saying what stays and what that costs; on AWS, or on the local cloud of `local env`."""
    removed = chosen(stack, context)
    stack, config = removed.name, removed.config

    from infra.left import left as find
    from infra.removal import Deployed

    both_keys = config.allow_data_deletion and getattr(config, removed.section).delete_data
    keys = f"-c allow_data_deletion=true -c {removed.section}.delete_data=true"
    deployed = Deployed(stack)
    if deployed.filled and not both_keys:
        full = ", ".join(f"{bucket} ({number})" for bucket, number in deployed.filled.items())
        raise InputError(
            f"{stack} was deployed so that its data may go, but the settings here do not agree, and there are objects "
            f"in {full}. Save them, or give both keys: {keys}."
        )
    if blocking := deployed.blockers():
        raise InputError(f"Stack {stack}: It cannot be removed yet. {' '.join(f'{blocker}.' for blocker in blocking)}")
    earlier = find([stack])
    _announce(deployed)
    if earlier:
        print_table(table_of_left(earlier))
        month = sum(resource.usd_per_month or 0 for resource in earlier)
        say(f"Earlier deployments left this behind. It bills {month:.2f} USD a month, and by what it holds.")
    if deployed.kept and both_keys:
        say(f"It was deployed without both keys to the data. To let data go: cdk deploy {stack} {keys}")
    if not yes and not confirm(f"Remove {stack}?"):
        raise typer.Exit(1)
    deployed.empty()
    deployed.destroy(removed.overrides, say)
    stays = [
        {
            "resource": resource.name,
            "type": resource.kind,
            "name": resource.identifier,
            "is_snapshot": resource.is_snapshot,
            "usd_per_month": resource.month,
        }
        for resource in deployed.kept
    ]
    document = {"stack": stack, "kept": stays, "emptied": deployed.filled, "left": earlier}
    return Result(document, f"{stack} is removed.")


def _announce(deployed: Deployed) -> None:
    """Say what stays, what it costs, and what goes for good."""
    if deployed.kept:
        rows = [
            (
                kept.name,
                kept.kind,
                "a final snapshot" if kept.is_snapshot else kept.identifier,
                "unknown" if kept.month is None else f"{kept.month:.2f}",
                ", ".join(f"{price.usd:g} a {price.unit}" for price in kept.uses),
            )
            for kept in deployed.kept
        ]
        columns = ["stays", "type", "name", "USD a month", "and by what it holds"]
        print_table(Table(columns, rows, keys=["stays", "name"], numbers=["USD a month"]))
        total = sum(kept.month or 0 for kept in deployed.kept)
        say(f"What stays bills {total:.2f} USD a month, and by what it holds.")
    for bucket, number in deployed.filled.items():
        typer.secho("Deleted for good:", fg="red", bold=True, nl=False)
        say(f" all objects in {bucket}, with all their versions: {number}")
