"""``groundwork cost`` and ``groundwork destroy``: the stacks before they are deployed, and when they go."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from contract.errors import InputError, phrase
from infra.config import Config

if TYPE_CHECKING:
    from infra.removal import Deployed

app = typer.Typer()
PANEL = "Stacks"

Context = Annotated[list[str] | None, typer.Option("--context", "-c", help="A setting, key=value; may repeat.")]


def pairs(context: list[str] | None) -> dict[str, str]:
    """Settings as given on the command line.

    Raises:
        InputError: One is not `key=value`.
    """
    given = [pair.partition("=") for pair in context or []]
    if wrong := [key for key, sign, _ in given if not sign]:
        raise InputError(f"--context {wrong[0]}: This is not a setting. Write it as key=value.")
    return {key: value for key, _, value in given}


def settings(context: list[str] | None) -> Config:
    """The settings that `cdk deploy` would take here: those of cdk.json, and those given.

    Raises:
        InputError: A setting is unknown or has a value that is not allowed, or cdk.json cannot be read.
    """
    file = Path("cdk.json")
    try:
        found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")).get("context", {}) if file.exists() else {}
    except (OSError, ValueError, AttributeError) as error:
        raise InputError(f"{file.resolve()}: The file cannot be read: {phrase(error)}.") from None
    return Config.from_context(found | pairs(context))


@app.command(rich_help_panel=PANEL)
def cost(
    stack: Annotated[str, typer.Argument(help="A stack, in detail.", show_default="all of them, in brief")] = "",
    context: Context = None,
) -> None:
    """Show what stacks cost while idle and by use, at AWS's list prices."""
    config = settings(context)

    from infra.cost import page  # noqa: PLC0415 - the CDK takes seconds to import
    from infra.cost.estimate import DATE, REGION, free  # noqa: PLC0415

    found = {each.stack: each for each in page.estimates(config)}
    console = Console()
    title = f"USD in {REGION}, list prices of {DATE}"
    if not stack:
        table = Table("stack", "idle, a month", title=title)
        table.columns[1].justify = "right"
        for each in found.values():
            table.add_row(each.stack, f"{each.idle:.2f}")
        beyond = sum(each.free for each in found.values()) - free(found.values())
        table.add_row("dashboards beyond the three that are free", f"{beyond:.2f}", end_section=True)
        table.add_row("all in one account", f"{sum(each.idle for each in found.values()) + beyond:.2f}")
        console.print(table)
        return
    if stack not in found:
        raise InputError(f"There is no stack {stack}. There are {', '.join(found)}.")
    chosen = found[stack]
    idle = Table("bills while idle", "what", "a month", "why it may", title=f"{stack}: {title}")
    idle.columns[0].overflow = "fold"  # names are for searching, so never cut
    idle.columns[2].justify = "right"
    for charge in chosen.charges:
        idle.add_row(charge.resource, page.amount(charge), f"{charge.usd:.2f}", page.why(chosen, charge))
    if chosen.free:
        idle.add_row("", "free in an account that has no others", f"-{chosen.free:.2f}", "")
    idle.add_section()
    idle.add_row("", "", f"{chosen.idle:.2f}", "")
    console.print(idle)
    by_use = Table("bills by use", "USD", "for a")
    for used in chosen.uses:
        by_use.add_row(used.source, page.figure(used), used.unit)
    console.print(by_use)


@app.command(rich_help_panel=PANEL)
def destroy(
    stack: Annotated[str, typer.Argument(help="The stack, as it is deployed.", show_default=False)],
    context: Context = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Remove a stack, after saying what stays and what that costs; on AWS, or on the local cloud of `local env`."""
    config, given = settings(context), pairs(context)

    from infra.console import TEMPLATES  # noqa: PLC0415 - the CDK takes seconds to import
    from infra.removal import Deployed  # noqa: PLC0415

    sections = {kind.__name__: section for kind, section in TEMPLATES.values()}
    if stack not in sections:
        raise InputError(f"There is no stack {stack}. There are {', '.join(sections)}.")
    section = sections[stack]
    both_keys = config.allow_data_deletion and getattr(config, section).delete_data
    keys = f"-c allow_data_deletion=true -c {section}.delete_data=true"
    deployed = Deployed(stack)
    if deployed.filled and not both_keys:
        full = ", ".join(f"{bucket} ({number})" for bucket, number in deployed.filled.items())
        raise InputError(
            f"{stack} was deployed so that its data may go, but the settings here do not agree, and there are objects "
            f"in {full}. Save them, or give both keys: {keys}."
        )
    console = Console(soft_wrap=True)
    _announce(console, deployed)
    if deployed.kept and both_keys:
        console.print(f"It was deployed without both keys to the data. To let data go: cdk deploy {stack} {keys}")
    if not yes and not typer.confirm(f"Remove {stack}?"):
        raise typer.Exit(1)
    deployed.empty()
    deployed.destroy(given, console.out)
    console.print(f"{stack} is removed.")


def _announce(console: Console, deployed: "Deployed") -> None:
    """Say what stays, what it costs, and what goes for good."""
    if deployed.kept:
        table = Table("stays", "type", "name", "USD a month", "and by what it holds")
        for kept in deployed.kept:
            month = "unknown" if kept.month is None else f"{kept.month:.2f}"
            held = ", ".join(f"{price.usd:g} a {price.unit}" for price in kept.uses)
            table.add_row(
                kept.name, kept.kind, "a final snapshot" if kept.is_snapshot else kept.identifier, month, held
            )
        Console(width=max(console.width, 180)).print(table)  # names are for copying, so never cut
        total = sum(kept.month or 0 for kept in deployed.kept)
        console.print(f"What stays bills {total:.2f} USD a month, and by what it holds.")
    for bucket, number in deployed.filled.items():
        console.print(f"[bold red]Deleted for good:[/] all objects in {bucket}, with all their versions: {number}")
