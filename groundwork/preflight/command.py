"""`groundwork preflight`: would a deployment work in this account and region?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from contract.errors import InputError
from infra.commands import Context, settings
from terminal.results import Result, results
from terminal.screen import Table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from groundwork.preflight.checks import Finding
    from groundwork.preflight.template import Template


@results
def preflight(
    stacks: Annotated[
        list[str] | None, typer.Argument(metavar="[STACK...]", help="Stacks (default: all of them).")
    ] = None,
    context: Context = None,
    *,
    permissions: Annotated[
        bool, typer.Option("--permissions", help="Print the permissions that this needs, and ask nothing.")
    ] = False,
) -> Result:
    """Say whether stacks would deploy in this account and region, and what to do where they would not."""
    from groundwork.preflight import subjects
    from groundwork.preflight.checks import Verdict, run
    from groundwork.preflight.checks import permissions as needed

    if permissions:
        actions = needed(subjects.CHECKS)
        return Result({"permissions": actions}, *actions)
    config = settings(context)

    from infra.cost.page import templates
    from workloads.account.reader import Account

    account = Account()
    chosen = choose(templates(config), stacks or [])
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


def choose(templates: Mapping[str, Any], names: Sequence[str]) -> list[Template]:
    """Return the stacks of some names, in the order of deployment; all of them if no name is given.

    Raises:
        InputError: No stack has one of the names.
    """
    from groundwork.preflight.template import Template
    from infra.stacks import STACKS

    sections = {stack.__name__: stack.SECTION for stack in STACKS}
    if unknown := [name for name in names if name not in templates]:
        raise InputError(f"There is no stack {unknown[0]}. There are {', '.join(templates)}.")
    chosen: list[Template] = []
    for name in templates:
        if not names or name in names:
            chosen.append(Template(name, templates[name], sections[name], tuple(chosen)))
    return chosen


def table(findings: Sequence[Finding], title: str) -> Table:
    """Return findings as a table for people."""
    rows = [
        (finding.check, finding.stack, str(finding.result), finding.reason, finding.way_out) for finding in findings
    ]
    return Table(
        ["check", "stack", "result", "reason", "way out"], rows, keys=["check", "stack", "result"], title=title
    )
