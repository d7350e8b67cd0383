"""`groundwork deploy`: a plan that a person can read, and then the deployment."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from contract.errors import InputError
from infra.commands import Context, chosen, table_of_left
from terminal.results import Result, results
from terminal.screen import confirm, print_table, say

if TYPE_CHECKING:
    from groundwork.deploy.plan import Plan


@results
def deploy(
    stack: Annotated[str, typer.Argument(help="The stack.", show_default=False)],
    context: Context = None,
    *,
    replace: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A resource with data that may be replaced or deleted; may repeat."),
    ] = None,
    accept_default: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY", help="A deployed setting that may fall back to its default; may repeat."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> Result:
    """Show what a deployment would do, to data and to the bill, and deploy; on AWS, or on the local cloud."""
    chosen_stack = chosen(stack, context)
    stack, section_name = chosen_stack.name, chosen_stack.section

    from groundwork.deploy.change_set import DeploymentError, Stack
    from groundwork.deploy.plan import plan
    from groundwork.deploy.protection import refuse_loss, refuse_shrinking
    from groundwork.deploy.settings import taken_over
    from infra.config import Config
    from infra.left import left

    deployed = Stack(stack)
    cdk_context = chosen_stack.cdk_context
    remembered = taken_over(deployed.template, cdk_context, accept_default or (), stack)
    Config.from_context(cdk_context | remembered)
    for key, value in remembered.items():
        say(f"Setting {key} stays {value}, as {stack} is deployed.")
    with tempfile.TemporaryDirectory(prefix="groundwork-") as folder:
        assembly = Path(folder) / "cdk.out"
        template = synthesise(stack, remembered | chosen_stack.overrides, assembly)
        if refusal := check(stack, section_name, template):
            intended = plan(stack, deployed.template, template, ())
            return Result(_document(intended, "refused", remembered, {}), ends=refusal)
        change_set = deployed.prepare(assembly, _quiet)
    if change_set is None:
        intended = plan(stack, deployed.template, template, ())
        return Result(_document(intended, "unchanged", remembered, deployed.outputs()), f"{stack} is up to date.")
    executed = False
    try:
        intended = plan(stack, deployed.template, template, change_set.changes)
        print_table(intended.table())
        say(intended.cost())
        refusal = refuse_shrinking(intended) or refuse_loss(intended, replace or (), deployed.identifiers)
        if refusal:
            return Result(_document(intended, "refused", remembered, {}), ends=refusal)
        if not yes and not confirm(f"Deploy {stack}?"):
            return Result(_document(intended, "declined", remembered, {}), "Nothing was deployed.", ends=typer.Exit(1))
        executed = True
        try:
            status = change_set.execute(say)
        except DeploymentError:
            if resources := left([stack]):
                print_table(table_of_left(resources))
            raise
    finally:
        if not executed:
            change_set.discard()
    outputs = deployed.outputs()
    lines = [f"{name} = {value}" for name, value in outputs.items()]
    return Result(_document(intended, status, remembered, outputs), f"{stack} is deployed ({status}).", *lines)


def synthesise(stack: str, context: dict[str, str], assembly: Path) -> dict[str, Any]:
    """Write the cloud assembly with the CDK, and return the template of the stack.

    Raises:
        InputError: The CDK refuses the app or its settings.
    """
    from terminal import cdk

    finished = cdk.run("synth", stack, "--exclusively", "--quiet", f"--output={assembly}", context=context)
    if finished.failed:
        raise InputError(f"Stack {stack}: It cannot be synthesised: {finished.reason.rstrip('.')}.")
    template: dict[str, Any] = json.loads((assembly / f"{stack}.template.json").read_text(encoding="utf-8"))
    return template


def check(stack: str, section_name: str, template: dict[str, Any]) -> InputError | None:
    """Run preflight on a template, print what is not as it should be, and return why the deployment would fail."""
    from groundwork.preflight import subjects
    from groundwork.preflight.checks import Verdict, run
    from groundwork.preflight.command import table
    from groundwork.preflight.template import Template
    from workloads.account.reader import Account

    findings = run([Template(stack, template, section_name)], Account(), subjects.CHECKS)
    if wrong := [finding for finding in findings if finding.result is not Verdict.OK]:
        print_table(table(wrong, "Preflight"))
    if any(finding.result is Verdict.REFUSED for finding in wrong):
        return InputError(f"{stack}: A deployment would fail. Follow the way out of each refusal.")
    return None


def _document(intended: Plan, status: str, remembered: dict[str, str], outputs: dict[str, str]) -> dict[str, Any]:
    return {
        "stack": intended.stack,
        "status": status,
        "changes": [
            {"action": step.action, "resource": step.resource, "type": step.type, "data": step.data}
            for step in intended.steps
        ],
        "settings_taken_over": remembered,
        "usd_idle_per_month_before": intended.month_before,
        "usd_idle_per_month": intended.month_after,
        "usd_left_per_month": intended.month_left,
        "outputs": outputs,
    }


def _quiet(_: str) -> None:
    """Leave out what the CDK says about a change set: the plan says it."""
