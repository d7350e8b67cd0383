"""`groundwork demo`: the command itself."""

import shutil
from pathlib import Path
from subprocess import CalledProcessError
from typing import Annotated

import typer
from rich.markup import escape

from groundwork.demo.alarm import drill
from groundwork.demo.checklist import Checklist, PromiseBrokenError
from groundwork.demo.monitoring import monitor
from groundwork.demo.movie_rental import move
from groundwork.demo.training import train
from localcloud import LocalCloud
from localcloud.errors import LocalCloudError

EMAIL = "you@example.com"


def demo(
    results: Annotated[Path, typer.Option(help="Folder for what comes out; replaced.")] = Path("demo"),
    keep: Annotated[bool, typer.Option(help="Leave the local cloud running, to look around in it.")] = False,
) -> None:
    """Deploy the stacks to a local cloud, run their workloads, and check what comes out. Needs no account."""
    report = Checklist()
    cloud = LocalCloud(results / "cloud")
    if cloud.running:
        raise LocalCloudError(f"The demonstration's local cloud still runs: end it with kill {cloud.pid}")
    shutil.rmtree(results, ignore_errors=True)
    try:
        deploy(cloud, report, detached=keep)
        train(cloud, report, results)
        monitor(cloud, report, results)
        move(cloud, report, results)
        drill(cloud, report, EMAIL)
    except (PromiseBrokenError, LocalCloudError, CalledProcessError) as error:
        report.console.print(f"\n[bold red]✘ {escape(str(error))}[/]\n  Look into {cloud.folder}/*.log", soft_wrap=True)
        raise typer.Exit(1) from None
    finally:
        if not keep:
            cloud.stop()
    report.console.print(f"\n[bold green]All {report.kept} promises kept.[/] What came out:")
    for path in sorted(results.glob("*/report.html")):
        report.fact(f"{path.parent.name}: model, figures and report", path)
    report.fact("the fleet and its incidents", results / "devops-metrics")
    report.fact("questions and answers of the film rental company", results / "movie-rental" / "answers.txt")
    report.fact("the e-mails", cloud.mailbox)
    report.fact("what the local cloud and the CDK wrote", f"{cloud.folder}/*.log")
    if keep:
        report.console.print("\nThe local cloud runs on. In a shell:")
        for name, value in cloud.environment().items():
            report.console.print(f"  export {name}={value}")
        report.console.print(f"End it with: kill {cloud.pid}")


def deploy(cloud: LocalCloud, report: Checklist, *, detached: bool) -> None:
    """Start the cloud and deploy both stacks with the CDK's own command line."""
    report.step("A local cloud")
    cloud.start(detached=detached)
    report.fact("endpoint", cloud.endpoint)

    report.step("cdk deploy TerminationAlarm Training")
    cloud.deploy("TerminationAlarm", "Training", context={"termination_alarm.email": EMAIL})
    formation = cloud.client("cloudformation")
    for stack in ("TerminationAlarm", "Training"):
        resources = formation.describe_stack_resources(StackName=stack)["StackResources"]
        status = formation.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"]
        report.promise(f"{stack} is deployed", held=status == "CREATE_COMPLETE", seen=f"{len(resources)} resources")
        for name, value in cloud.outputs(stack).items():
            report.fact(name, value)
