"""`groundwork preflight`: would a deployment work in this account and region?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from contract.errors import InputError
from infra.commands import Context, configurations, section
from terminal.results import Result, listing
from terminal.screen import Table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from groundwork.preflight.checks import Finding
    from groundwork.preflight.template import Template


@listing
def preflight(
    stacks: Annotated[
        list[str] | None, typer.Argument(metavar="[STACK...]", help="Stacks (default: all of them).")
    ] = None,
    context: Context = None,
    *,
    permissions: Annotated[
        bool, typer.Option("--permissions", help="Print the permissions that this needs, without a request to AWS.")
    ] = False,
) -> Result:
    """Say whether stacks would deploy in this account and region, and what to do if they would not."""
    from groundwork.preflight import subjects
    from groundwork.preflight.checks import Verdict, run
    from groundwork.preflight.checks import permissions as needed

    if permissions:
        actions = needed(subjects.CHECKS)
        return Result({"permissions": actions}, *actions)
    asked = [*configurations(stacks or [], context)]

    from infra.templates import templates
    from workloads.account.reader import Account

    account = Account()
    bodies: dict[str, Any] = {}
    for config, names in asked:
        bodies |= templates(config, names)
    chosen = in_order(bodies)
    findings = run(chosen, account, subjects.CHECKS)
    document = {"account": account.number, "region": account.region, "checks": findings}
    title = f"Account {account.number}, {account.region}"
    fails = list(dict.fromkeys(finding.stack for finding in findings if finding.result is Verdict.REFUSED))
    ends = (
        InputError(f"{', '.join(fails)}: A deployment would fail. Follow the way out of each refusal.")
        if fails
        else None
    )
    return Result(document, table(findings, title), ends=ends)


def in_order(templates: Mapping[str, Any]) -> list[Template]:
    """Return stacks in the order of deployment, each with those that come before it.

    Args:
        templates: What is deployed, by the stacks' names.
    """
    from groundwork.preflight.template import Template

    ordered: list[Template] = []
    for name, template in templates.items():
        ordered += [Template(name, template, section(name), tuple(ordered))]
    return ordered


def table(findings: Sequence[Finding], title: str) -> Table:
    """Return findings as a table for people."""
    rows = [
        (finding.check, finding.stack, str(finding.result), finding.reason, finding.way_out) for finding in findings
    ]
    return Table(["check", "stack", "result", "reason", "way out"], rows, keys=["stack", "result"], title=title)
