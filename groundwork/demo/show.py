"""The demonstration: every stack deployed, each workload run, and a page of what came out."""

from __future__ import annotations

import sys
import webbrowser
from collections.abc import Callable, Iterable
from pathlib import Path
from subprocess import CalledProcessError

import typer

from contract.errors import GroundworkError, InputError
from contract.stacks import StackName
from groundwork.demo import page
from groundwork.demo.alarm import EMAIL, drill
from groundwork.demo.checklist import Checklist
from groundwork.demo.monitoring import monitor
from groundwork.demo.movie_rental import move
from groundwork.demo.storefront import visit
from groundwork.demo.training import train
from localcloud import LocalCloud
from localcloud.cloud import disposable
from terminal.screen import escape

#: The file by which a folder of results is known, so that the next demonstration may replace it.
MARK = ".groundwork-demo"
EXPLANATION = "`groundwork demo` has made this folder, and replaces it with all that is in it when it runs again."

#: The settings with which the stacks are deployed.
SETTINGS = {"termination_alarm.email": EMAIL}

#: What is shown of each stack once it is deployed, in this order; what one returns is called when all have begun.
PARTS: dict[str, Callable[[LocalCloud, Checklist, Path], Callable[[], None] | None]] = {
    StackName.TRAINING: train,
    StackName.WEB_APP: visit,
    StackName.DATA_ECOSYSTEM: move,
    StackName.DEVOPS_METRICS: monitor,
    StackName.TERMINATION_ALARM: drill,
}


def show(stacks: list[str], results: Path, *, keep: bool) -> None:
    """Deploy stacks to a local cloud, run their workloads, check what comes out, and make a page of it.

    Args:
        stacks: Of `PARTS`.
        results: Folder for what comes out. One that is not empty is replaced only if it carries `MARK`.
        keep: Leave the local cloud running.

    Raises:
        InputError: The folder holds other files, or the cloud of an earlier demonstration is still running.
        Exit: A promise was broken; what it was, and where the logs are, has been said.
    """
    report = Checklist()
    cloud = LocalCloud(results / "cloud")
    if cloud.running:
        raise InputError(f"The demonstration's cloud is still running. Stop it with `{cloud.command('down')}`.")
    cloud.stop()  # one that was killed may have left something running
    disposable.make(results, MARK, explanation=EXPLANATION)
    try:
        deploy(cloud, report, stacks, detached=keep)
        templates = {stack: page.template_of(cloud.folder / "cdk.out", stack) for stack in stacks}
        outputs = {stack: cloud.outputs(stack) for stack in stacks}  # parts of the demonstration deploy some again
        run(cloud, report, stacks, results)
        sections = [page.section(stack, templates[stack], outputs[stack], report.steps) for stack in stacks]
        page.write(results / "index.html", report, sections, cloud.console if keep else "")
    except (GroundworkError, CalledProcessError) as error:
        report.finish()
        report.console.print(f"\n[bold red]✘ {escape(str(error))}[/]\n  Look into {cloud.folder}/*.log", soft_wrap=True)
        raise typer.Exit(1) from None
    finally:
        report.finish()
        if not keep:
            cloud.stop()
    report.console.print(f"\n[bold green]All {report.promises_kept} checks passed.[/] Results:")
    report.fact("the page", (results / "index.html").resolve().as_uri())
    for path in sorted(results.glob("*/report.html")):
        report.fact(f"{path.parent.name}: model, figures and report", path)
    report.fact("the e-mails", cloud.mailbox)
    report.fact("what the local cloud and the CDK wrote", f"{cloud.folder}/*.log")
    if sys.stdout.isatty():
        webbrowser.open((results / "index.html").resolve().as_uri())
    if keep:
        report.console.print("\nThe local cloud is still running.")
        report.console.print(f"Look into it in a browser: {escape(cloud.console_link)}", soft_wrap=True)
        report.console.print(f"Use it from this shell: {escape(cloud.evaluation)}", soft_wrap=True)
        report.console.print(f"Stop it: {escape(cloud.command('down'))}", soft_wrap=True)


def run(cloud: LocalCloud, report: Checklist, stacks: Iterable[str], results: Path) -> None:
    """Run the workloads of deployed stacks; the queue trains while the others are shown."""
    begun = []
    for report.stack in stacks:
        if collect := PARTS[report.stack](cloud, report, results):
            begun.append((report.stack, collect))
    for report.stack, collect in begun:
        collect()
    report.finish()


def chosen(only: str) -> list[str]:
    """Return the stacks that a person named, by commas, in the order they are shown; all when none is named.

    Raises:
        InputError: There is no such stack.
    """
    names = {name.strip().lower() for name in only.split(",") if name.strip()}
    if unknown := names - {stack.lower() for stack in PARTS}:
        raise InputError(f"--only {only}: There is no stack {min(unknown)}. Choose from {', '.join(PARTS)}.")
    return [stack for stack in PARTS if not names or stack.lower() in names]


def deploy(cloud: LocalCloud, report: Checklist, stacks: Iterable[str], *, detached: bool) -> None:
    """Start the cloud and deploy the stacks at once, with the CDK's own command line."""
    report.step("A local cloud")
    cloud.start(detached=detached)
    report.fact("endpoint", cloud.endpoint)

    report.step(f"cdk deploy {' '.join(stacks)}")
    cloud.deploy(*stacks, context=SETTINGS)
    formation = cloud.client("cloudformation")
    for stack in stacks:
        resources = formation.describe_stack_resources(StackName=stack)["StackResources"]
        status = formation.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"]
        report.promise(f"{stack} is deployed", held=status == "CREATE_COMPLETE", seen=f"{len(resources)} resources")
        for name, value in cloud.outputs(stack).items():
            report.fact(name, value)
