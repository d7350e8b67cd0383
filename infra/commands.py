"""``groundwork cost`` and ``groundwork destroy``: the stacks before they are deployed, and when they go."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from infra.config import Config
from infra.errors import InfraError

app = typer.Typer()

Context = Annotated[list[str] | None, typer.Option("--context", "-c", help="A setting, key=value; may repeat.")]


def settings(context: list[str] | None) -> Config:
    """The settings that `cdk deploy` would take here: those of cdk.json, and those given.

    Raises:
        InfraError: A setting is unknown or has a value that is not allowed, or cdk.json cannot be read.
    """
    file = Path("cdk.json")
    try:
        found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")).get("context", {}) if file.exists() else {}
    except (OSError, ValueError, AttributeError) as error:
        raise InfraError(f"{file.resolve()} cannot be read: {error}") from None
    for pair in context or []:
        key, sign, value = pair.partition("=")
        if not sign:
            raise InfraError(f"--context {pair}: expected key=value.")
        found[key] = value
    return Config.from_context(found)


@app.command()
def cost(
    stack: Annotated[str, typer.Argument(help="A stack, in detail.", show_default="all of them, in brief")] = "",
    context: Context = None,
) -> None:
    """What stacks cost while idle and by use, from AWS's public prices."""
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
        raise InfraError(f"There is no stack {stack}. There are {', '.join(found)}.")
    chosen = found[stack]
    idle = Table("bills while idle", "what", "a month", "why it may", title=f"{stack}: {title}")
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
