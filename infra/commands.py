"""``groundwork cost``, ``bundle`` and ``destroy``: the stacks before they are deployed, and when they go."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from contract.errors import InputError, phrase
from infra.config import Config
from terminal.results import Result, results
from terminal.screen import Table, confirm, print_table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from infra.cost.estimate import Estimate
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


def usual() -> dict[str, Any]:
    """Return the CDK context of cdk.json in the current folder.

    Raises:
        InputError: The file cannot be read.
    """
    file = Path("cdk.json")
    try:
        context: dict[str, Any] = (
            json.loads(file.read_text(encoding="utf-8")).get("context", {}) if file.exists() else {}
        )
    except (OSError, ValueError, AttributeError) as error:
        raise InputError(f"{file.resolve()}: The file cannot be read: {phrase(error)}.") from None
    return context


def settings(context: list[str] | None) -> Config:
    """The settings that `cdk deploy` would take here: those of cdk.json, and those given.

    Raises:
        InputError: A setting is unknown or has a value that is not allowed, or cdk.json cannot be read.
    """
    return Config.from_context(usual() | pairs(context))


def section(stack: str) -> str:
    """The name of the settings of a stack.

    Raises:
        InputError: There is no such stack.
    """
    from infra.stacks import STACKS

    sections = {kind.__name__: kind.SECTION for kind in STACKS}
    if stack not in sections:
        raise InputError(f"There is no stack {stack}. There are {', '.join(sections)}.")
    return sections[stack]


@app.command(rich_help_panel=PANEL)
@results
def cost(
    stack: Annotated[str, typer.Argument(help="A stack, in detail.", show_default="all of them, in brief")] = "",
    context: Context = None,
) -> Result:
    """Show what stacks cost while idle and by use, at AWS's list prices."""
    config = settings(context)

    from infra.cost import page

    estimates = {estimate.stack: estimate for estimate in page.estimates(config)}
    if not stack:
        return _cost_of_all(estimates.values())
    if stack not in estimates:
        raise InputError(f"There is no stack {stack}. There are {', '.join(estimates)}.")
    return _cost_of(estimates[stack])


def _cost_of_all(estimates: Iterable[Estimate]) -> Result:
    """What each stack costs while idle, and all of them in one account."""
    from infra.cost.estimate import DATE, REGION, free

    estimates = [*estimates]
    idle = {estimate.stack: estimate.idle for estimate in estimates}
    beyond = sum(estimate.free for estimate in estimates) - free(estimates)
    total = sum(idle.values()) + beyond
    rows: list[tuple[str, ...]] = [(stack, f"{usd:.2f}") for stack, usd in idle.items()]
    rows += [("dashboards beyond the three that are free", f"{beyond:.2f}"), (), ("all in one account", f"{total:.2f}")]
    title = f"USD in {REGION}, list prices of {DATE}"
    document = {"region": REGION, "date": DATE, "usd_idle_per_month": idle, "usd_idle_per_month_together": total}
    return Result(document, Table(["stack", "idle, a month"], rows, numbers=["idle, a month"], title=title))


def _cost_of(estimate: Estimate) -> Result:
    """What a stack costs while idle, resource by resource, and what it costs by use."""
    from infra.cost import page
    from infra.cost.estimate import DATE, REGION

    rows: list[tuple[str, ...]] = [
        (charge.resource, page.amount(charge), f"{charge.usd:.2f}", page.why(estimate, charge))
        for charge in estimate.charges
    ]
    if estimate.free:
        rows.append(("", "free in an account that has no others", f"-{estimate.free:.2f}", ""))
    rows += [(), ("", "", f"{estimate.idle:.2f}", "")]
    idle = Table(
        ["bills while idle", "what", "a month", "why it may"],
        rows,
        numbers=["a month"],
        title=f"{estimate.stack}: USD in {REGION}, list prices of {DATE}",
    )
    by_use = [(price.source, page.figure(price), price.unit) for price in estimate.uses]
    document = {
        "stack": estimate.stack,
        "region": REGION,
        "date": DATE,
        "usd_idle_per_month": estimate.idle,
        "usd_free_per_month": estimate.free,
        "charges": [
            {
                "resource": charge.resource,
                "type": charge.kind,
                "quantity": charge.quantity,
                "usd_per_month": charge.usd,
                "why": page.why(estimate, charge),
            }
            for charge in estimate.charges
        ],
        "uses": [{"name": price.source, "usd": price.usd, "unit": price.unit} for price in estimate.uses],
    }
    return Result(document, idle, "", Table(["bills by use", "USD", "for a"], by_use))


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
        typer.echo(written.missing, err=True)
    size = file.stat().st_size
    return Result({"file": str(file), "bytes": size}, f"{file}: {size / 1e6:.1f} MB")


@app.command(rich_help_panel=PANEL)
@results
def left(
    stacks: Annotated[
        list[str] | None, typer.Argument(metavar="[STACK...]", help="Stacks (default: all of them).")
    ] = None,
) -> Result:
    """List what former and failed deployments left behind, what it costs, and the command that removes each."""
    from infra.left import left as find
    from infra.stacks import STACKS

    for stack in stacks or ():
        section(stack)
    resources = find(stacks or [kind.__name__ for kind in STACKS])
    total = sum(resource.usd_per_month or 0 for resource in resources)
    document = {"left": resources, "usd_per_month": total}
    if not resources:
        return Result(document, "Nothing is left behind.")
    return Result(document, table_of_left(resources), f"It bills {total:.2f} USD a month, and by what it holds.")


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
    return Table(columns, rows, keys=["left behind", "command that removes it"], numbers=["USD a month"])


@app.command(rich_help_panel=PANEL)
@results
def destroy(
    stack: Annotated[str, typer.Argument(help="The stack, as it is deployed.", show_default=False)],
    context: Context = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> Result:
    """Remove a stack, after saying what stays and what that costs; on AWS, or on the local cloud of `local env`."""
    config, overrides = settings(context), pairs(context)

    from infra.left import left as find
    from infra.removal import Deployed

    section_name = section(stack)
    both_keys = config.allow_data_deletion and getattr(config, section_name).delete_data
    keys = f"-c allow_data_deletion=true -c {section_name}.delete_data=true"
    deployed = Deployed(stack)
    if deployed.filled and not both_keys:
        full = ", ".join(f"{bucket} ({number})" for bucket, number in deployed.filled.items())
        raise InputError(
            f"{stack} was deployed so that its data may go, but the settings here do not agree, and there are objects "
            f"in {full}. Save them, or give both keys: {keys}."
        )
    earlier = find([stack])
    _announce(deployed)
    if earlier:
        print_table(table_of_left(earlier))
        month = sum(resource.usd_per_month or 0 for resource in earlier)
        typer.echo(f"Earlier deployments left this behind. It bills {month:.2f} USD a month, and by what it holds.")
    if deployed.kept and both_keys:
        typer.echo(f"It was deployed without both keys to the data. To let data go: cdk deploy {stack} {keys}")
    if not yes and not confirm(f"Remove {stack}?"):
        raise typer.Exit(1)
    deployed.empty()
    deployed.destroy(overrides, typer.echo)
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
        typer.echo(f"What stays bills {total:.2f} USD a month, and by what it holds.")
    for bucket, number in deployed.filled.items():
        deleted = typer.style("Deleted for good:", fg="red", bold=True)
        typer.echo(f"{deleted} all objects in {bucket}, with all their versions: {number}")
