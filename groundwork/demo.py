"""`groundwork demo`: the stacks deployed to a local cloud, their workloads run, and every result checked."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email import policy
from email.parser import BytesParser
from pathlib import Path
from subprocess import CalledProcessError
from typing import Annotated, Any

import typer
from rich.markup import escape

from groundwork.checklist import Checklist, PromiseBrokenError
from localcloud import LocalCloud
from localcloud.errors import LocalCloudError

EMAIL = "you@example.com"


@dataclass(frozen=True)
class Digits:
    """What the digit classifier learns from in the demonstration.

    Attributes:
        description: For the reader.
        command: Of `groundwork data`, that puts it into the stack's bucket.
        epochs: Enough to learn it.
        accuracy: On the test set, that those epochs must reach, with room for the seed's luck.
    """

    description: str
    command: str
    epochs: int
    accuracy: float


MNIST = Digits("the full MNIST, from {folder}", "put", epochs=1, accuracy=0.985)
SAMPLE = Digits(
    "scikit-learn's 8×8 digits, scaled to 28×28; GROUNDWORK_DATA may name a folder with the full MNIST",
    "sample",
    epochs=12,
    accuracy=0.9,
)


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
        drill(cloud, report)
    except (PromiseBrokenError, LocalCloudError, CalledProcessError) as error:
        report.console.print(f"\n[bold red]✘ {escape(str(error))}[/]\n  Look into {cloud.folder}/*.log", soft_wrap=True)
        raise typer.Exit(1) from None
    finally:
        if not keep:
            cloud.stop()
    report.console.print(f"\n[bold green]All {report.kept} promises kept.[/] What came out:")
    report.fact("the trained model, its figures and report", results / "digit-classifier" / "report.html")
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


def train(cloud: LocalCloud, report: Checklist, results: Path) -> None:
    """Train the digit classifier as a Batch job: data from S3, metrics to CloudWatch, artifacts to S3."""
    outputs = cloud.outputs("Training")
    report.step("Digits for the training job")
    folder = Path(os.environ.get("GROUNDWORK_DATA") or "nowhere", "mnist")
    digits = MNIST if folder.is_dir() else SAMPLE
    report.fact("data", digits.description.format(folder=folder))
    _run(cloud, report, "data", digits.command, "mnist", "--to", f"s3://{outputs['DataBucketName']}/mnist")

    report.step("A Batch job trains the digit classifier")
    began = datetime.now(UTC)
    job = _follow_job(cloud, report, outputs, digits.epochs)
    report.promise("the job succeeded", held=job["status"] == "SUCCEEDED", seen=job.get("statusReason", job["status"]))

    s3 = cloud.client("s3")
    bucket = s3.list_objects_v2(Bucket=outputs["ArtifactBucketName"], Prefix="digit-classifier/")
    keys = [item["Key"] for item in bucket.get("Contents", [])]
    for key in keys:
        (results / key).parent.mkdir(parents=True, exist_ok=True)
        s3.download_file(outputs["ArtifactBucketName"], key, str(results / key))
    names = {Path(key).name for key in keys}
    wanted = {"metrics.json", "history.csv", "model.safetensors", "report.html"}
    report.promise("its artifacts are in S3", held=wanted <= names, seen=f"{len(keys)} files")
    accuracy = json.loads((results / "digit-classifier" / "metrics.json").read_text())["test"]["accuracy"]
    report.promise(
        f"accuracy on the test set is at least {digits.accuracy:.1%}",
        held=accuracy >= digits.accuracy,
        seen=f"{accuracy:.2%}",
    )
    report.await_promise(
        f"CloudWatch has the validation accuracy of each epoch ({digits.epochs})",
        lambda: (
            _datapoints(cloud, "Groundwork/Training", "ValidationAccuracy", began, Workload="digit-classifier")
            == digits.epochs
        ),
    )
    report.fact("dashboard", outputs["DashboardName"])


def drill(cloud: LocalCloud, report: Checklist) -> None:
    """Lose instances: a scale-in stays silent, an unexpected termination ends in an e-mail."""
    outputs = cloud.outputs("TerminationAlarm")
    group = outputs["AutoScalingGroupName"]
    autoscaling = cloud.client("autoscaling")
    began = datetime.now(UTC)

    def terminations() -> list[dict[str, Any]]:
        return list(_log_lines(cloud, outputs["LogGroupName"]))

    def counted() -> int:
        return _datapoints(cloud, outputs["MetricNamespace"], outputs["MetricName"], began)

    def alarm_state() -> str:
        alarms = cloud.client("cloudwatch").describe_alarms(AlarmNames=[outputs["AlarmName"]])
        return str(alarms["MetricAlarms"][0]["StateValue"])

    report.step("The group shrinks from two instances to one: nobody is told")
    autoscaling.set_desired_capacity(AutoScalingGroupName=group, DesiredCapacity=2)
    report.await_promise("two instances run", lambda: len(_instances(autoscaling, group)) == 2)  # noqa: PLR2004
    autoscaling.set_desired_capacity(AutoScalingGroupName=group, DesiredCapacity=1)
    report.await_promise("one line is logged", lambda: len(terminations()) == 1)
    line = terminations()[0]
    report.line(json.dumps(line))
    report.promise("it says: scale-in, expected", held=line["class"] == "scale-in" and line["expected"])
    report.await_promise("the alarm has looked", lambda: alarm_state() == "OK")
    report.promise(
        "nothing is counted, no mail is sent", held=counted() == 0 and not _mails(cloud), seen=f"alarm {alarm_state()}"
    )

    report.step("Somebody terminates an instance: the alarm rings")
    lost = _instances(autoscaling, group)[0]
    cloud.client("ec2").terminate_instances(InstanceIds=[lost])
    report.await_promise("one more line is logged", lambda: len(terminations()) == 2)  # noqa: PLR2004
    line = next(line for line in terminations() if line["instanceId"] == lost)
    report.line(json.dumps(line))
    report.promise("it says: unexpected", held=not line["expected"], seen=line["class"])
    report.await_promise("the metric counts one", lambda: counted() == 1)
    report.await_promise("the alarm is in ALARM", lambda: alarm_state() == "ALARM")
    mail = report.await_promise(
        f"a mail to {EMAIL} names the instance {lost}",
        lambda: next((text for text in _mails(cloud) if lost in text), None),
    )
    for text in mail.splitlines():
        report.line(text)


def _run(cloud: LocalCloud, report: Checklist, *arguments: str) -> None:
    """Run `groundwork ARGUMENTS` against the cloud, as a person would in a shell."""
    report.fact("$", " ".join(["groundwork", *arguments]))
    command = [sys.executable, "-m", "workloads", *arguments]
    done = subprocess.run(
        command,
        env=os.environ | cloud.environment(),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    for text in done.stdout.splitlines():
        report.line(text)
    done.check_returncode()


def _follow_job(cloud: LocalCloud, report: Checklist, outputs: dict[str, str], epochs: int) -> dict[str, Any]:
    """Submit the job and print its log until it ends; its description."""
    batch, logs = cloud.client("batch"), cloud.client("logs")
    job = batch.submit_job(
        jobName="digit-classifier",
        jobQueue=outputs["JobQueueArn"],
        jobDefinition=outputs["DigitClassifierJobDefinitionArn"],
        parameters={"epochs": str(epochs)},
    )["jobId"]
    report.fact("job", job)
    printed = 0

    def poll() -> dict[str, Any] | None:
        nonlocal printed
        description: dict[str, Any] = batch.describe_jobs(jobs=[job])["jobs"][0]
        if stream := description.get("container", {}).get("logStreamName"):
            answer = logs.filter_log_events(logGroupName=outputs["LogGroupName"], logStreamNames=[stream])
            for event in answer["events"][printed:]:
                report.line(event["message"])
            printed = len(answer["events"])
        return description if description["status"] in ("SUCCEEDED", "FAILED") else None

    return report.await_promise("the job ended", poll, seconds=1800)


def _instances(autoscaling: Any, group: str) -> list[str]:
    found = autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[group])["AutoScalingGroups"][0]
    return [instance["InstanceId"] for instance in found["Instances"] if instance["LifecycleState"] == "InService"]


def _log_lines(cloud: LocalCloud, group: str) -> Iterator[dict[str, Any]]:
    """The structured lines of the termination logger."""
    for event in cloud.client("logs").filter_log_events(logGroupName=group)["events"]:
        if event["message"].startswith("{"):
            line = json.loads(event["message"])
            if line.get("event") == "instance-terminated":
                yield line


def _datapoints(cloud: LocalCloud, namespace: str, metric: str, since: datetime, **dimensions: str) -> int:
    """How many values of a metric have been sent since a moment."""
    answer = cloud.client("cloudwatch").get_metric_statistics(
        Namespace=namespace,
        MetricName=metric,
        Dimensions=[{"Name": name, "Value": value} for name, value in dimensions.items()],
        StartTime=since - timedelta(minutes=1),
        EndTime=datetime.now(UTC) + timedelta(minutes=1),
        Period=60,
        Statistics=["SampleCount"],
    )
    return sum(int(point["SampleCount"]) for point in answer["Datapoints"])


def _mails(cloud: LocalCloud) -> list[str]:
    """Every mail delivered so far, as text: headers and body."""
    texts = []
    for path in sorted(cloud.mailbox.glob("*.eml")):
        mail = BytesParser(policy=policy.default).parsebytes(path.read_bytes())
        body = mail.get_body(("plain",))
        texts.append(f"To: {mail['To']}\nSubject: {mail['Subject']}\n\n{body.get_content() if body else ''}")
    return texts
