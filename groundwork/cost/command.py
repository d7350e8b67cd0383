"""``groundwork cost``: what stacks cost, what a change of them costs, and the prices behind both."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from contract.errors import InputError
from contract.prices import DATE, PRICES, REGION
from infra.commands import Context, configurations, section
from terminal.results import Result, listing
from terminal.screen import Table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from infra.cost.estimate import Estimate


@listing
def cost(
    stack: Annotated[str, typer.Argument(help="A stack, in detail.", show_default="all of them, in brief")] = "",
    context: Context = None,
    *,
    compare: Annotated[
        tuple[str, str] | None,
        typer.Option(
            "--compare",
            metavar="OLD NEW",
            help="Compare two templates, folders, git revisions, or settings (`key=value`; `defaults`).",
        ),
    ] = None,
    folder: Annotated[
        str, typer.Option("--templates", help="With --compare: folder in which a git revision has its templates.")
    ] = "cloudformation",
    refresh: Annotated[
        bool, typer.Option("--refresh", help="Read the prices from AWS's Price List API into contract/prices.json.")
    ] = False,
) -> Result:
    """Show what stacks cost while idle and by use, at AWS's list prices."""
    if refresh:
        if stack or context or compare:
            raise InputError("--refresh: It reads all prices. Give it alone.")
        return _refresh()
    if compare:
        if stack:
            section(stack)  # which refuses a name that no stack has
        return _compare(*compare, folder, context or [], stack)
    asked = [*configurations([stack] if stack else [], context)]

    from infra.cost.estimate import estimates

    estimated = [estimate for config, names in asked for estimate in estimates(config, names)]
    return _cost_of(*estimated) if stack else _cost_of_all(estimated)


def _refresh() -> Result:
    """Read the prices, write them, and say which of them are others now."""
    import boto3

    from groundwork.cost.refresh import API_REGION, LIST, refreshed, write

    client = boto3.client("pricing", region_name=API_REGION)
    read = refreshed(PRICES, REGION, DATE, client)
    if len(read.unread) == len(PRICES):
        raise InputError("AWS's price list: None of the prices was found, so nothing is written. Report this.")
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    write(read.prices, REGION, today)
    changed = {
        name: (PRICES[name].usd, price.usd) for name, price in read.prices.items() if price.usd != PRICES[name].usd
    }
    document = {
        "region": REGION,
        "date": today,
        "changed": {name: {"before": before, "after": after} for name, (before, after) in changed.items()},
        "unread": read.unread,
    }
    rows = [(name, f"{before:g}", f"{after:g}") for name, (before, after) in changed.items()]
    table = Table(["price", "before", "after"], rows, numbers=["before", "after"], title=f"USD in {REGION}")
    unread = Table(["price", "why it was not read, and keeps its date"], list(read.unread.items()))
    verdict = f"{LIST}: {len(PRICES) - len(read.unread)} of {len(PRICES)} prices are of {today}."
    return Result(document, verdict, *([table] if rows else []), *([unread] if read.unread else []))


def _compare(old: str, new: str, folder: str, context: list[str], stack: str) -> Result:
    """What a change costs, resource by resource."""
    from groundwork.cost.comparison import differences, estimates
    from infra.cost.estimate import free

    stacks = [stack] if stack else []
    before, after = (estimates(name, folder, context, stacks) for name in (old, new))
    rows = differences(before, after)
    totals = [
        sum(charge.usd for estimate in version for charge in estimate.charges) - free(version)
        for version in (before, after)
    ]
    document = {
        "region": REGION,
        "date": DATE,
        "usd_idle_per_month_before": totals[0],
        "usd_idle_per_month": totals[1],
        "differences": [
            {
                "stack": row.stack,
                "resource": row.resource,
                "usd_per_month_before": row.before,
                "usd_per_month": row.after,
            }
            for row in rows
        ],
    }
    lines: list[tuple[str, ...]] = [
        (row.stack, row.resource, f"{row.before:.2f}", f"{row.after:.2f}", f"{row.more:+.2f}") for row in rows
    ]
    if rows:
        lines += [(), ("all", "", f"{totals[0]:.2f}", f"{totals[1]:.2f}", f"{totals[1] - totals[0]:+.2f}")]
    numbers = ["before", "after", "difference"]
    title = f"USD a month while idle in {REGION}, list prices of {DATE}"
    same = f"Both cost {totals[1]:.2f} USD a month while idle, in {REGION} at prices of {DATE}."
    return Result(document, Table(["stack", "resource", *numbers], lines, numbers=numbers, title=title, empty=same))


def _cost_of_all(estimates: Iterable[Estimate]) -> Result:
    """What each stack costs while idle, and all of them in one account."""
    from infra.cost.estimate import free

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
    from infra.cost.words import amount, figure, why

    rows: list[tuple[str, ...]] = [
        (charge.resource, amount(charge), f"{charge.usd:.2f}", why(estimate, charge)) for charge in estimate.charges
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
    by_use = [(price.source, figure(price), price.unit) for price in estimate.uses]
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
                "why": why(estimate, charge),
            }
            for charge in estimate.charges
        ],
        "uses": [{"name": price.source, "usd": price.usd, "unit": price.unit} for price in estimate.uses],
    }
    return Result(document, idle, "", Table(["bills by use", "USD", "for a"], by_use, keys=["USD"], numbers=["USD"]))
