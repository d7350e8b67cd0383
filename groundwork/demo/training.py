"""Training workloads as Batch jobs: data from S3, metrics to CloudWatch, artifacts to S3."""

import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from groundwork.demo.checklist import Checklist
from groundwork.demo.cli import run
from groundwork.demo.metrics import count_datapoints
from localcloud import LocalCloud


@dataclass(frozen=True)
class Trial:
    """How a workload is shown on one data set.

    Attributes:
        options: Of `groundwork train`, short enough to watch; `{artifacts}` is the bucket of earlier results.
        goal: What its figure must reach with them, with room for chance.
    """

    options: tuple[str, ...]
    goal: float


@dataclass(frozen=True)
class Exercise:
    """One workload of the demonstration.

    Attributes:
        workload: Its name on the command line.
        dataset: What it learns from.
        figure: The figure on the test set that is checked.
        real: With the real data set.
        sample: With the stand-in that the project makes.
    """

    workload: str
    dataset: str
    figure: str
    real: Trial
    sample: Trial

    @property
    def output(self) -> str:
        """The stack's output that names its job definition."""
        return f"{self.workload.title().replace('-', '')}JobDefinitionArn"


CLASSIFIER = "s3://{artifacts}/digit-classifier"  # the run before judges the images
EXERCISES = (
    Exercise(
        "digit-classifier",
        "mnist",
        figure="accuracy",
        real=Trial(("--epochs", "1"), goal=0.985),
        sample=Trial(("--epochs", "12"), goal=0.9),
    ),
    Exercise(
        "digit-gan",
        "mnist",
        figure="as_asked_for",
        real=Trial(("--preset", "short", "--epochs", "2", "--classifier", CLASSIFIER), goal=0.5),
        sample=Trial(("--epochs", "10", "--classifier", CLASSIFIER), goal=0.6),
    ),
    Exercise(
        "delivery-time",
        "delivery",
        figure="r2",
        real=Trial(("--splits", "2"), goal=0.6),
        sample=Trial(("--splits", "1"), goal=0.6),
    ),
    Exercise(
        "player-position",
        "nfl",
        figure="accuracy",
        real=Trial(("--splits", "1"), goal=0.85),
        sample=Trial(("--splits", "1"), goal=0.85),
    ),
)
ARTIFACTS = {"metrics.json", "history.csv", "model.safetensors", "MODEL_CARD.md", "report.html"}


def train(cloud: LocalCloud, report: Checklist, results: Path) -> None:
    """Bring the data sets to the stack's bucket, and train the workloads in its queue."""
    outputs = cloud.outputs("Training")
    report.step("Data for the training jobs")
    real = {
        dataset: _bring(cloud, report, dataset, f"s3://{outputs['DataBucketName']}/{dataset}")
        for dataset in dict.fromkeys(exercise.dataset for exercise in EXERCISES)
    }
    for exercise in EXERCISES:
        trial = exercise.real if real[exercise.dataset] else exercise.sample
        report.step(f"A Batch job: groundwork train {exercise.workload} {' '.join(trial.options)}")
        _exercise(cloud, report, results, exercise, trial)
    report.fact("dashboard", outputs["DashboardName"])


def _bring(cloud: LocalCloud, report: Checklist, dataset: str, target: str) -> bool:
    """Put the real data set where there is one, else its stand-in; whether it is the real one."""
    folder = Path(os.environ.get("GROUNDWORK_DATA") or "nowhere", dataset)
    real = folder.is_dir()
    report.fact(dataset, f"from {folder}" if real else "a sample; GROUNDWORK_DATA may name a folder with the real data")
    run(cloud, report, "data", "put" if real else "sample", dataset, "--to", target)
    return real


def _exercise(cloud: LocalCloud, report: Checklist, results: Path, exercise: Exercise, trial: Trial) -> None:
    outputs = cloud.outputs("Training")
    began = datetime.now(UTC)
    job = _follow_job(cloud, report, exercise, trial)
    report.promise("the job succeeded", held=job["status"] == "SUCCEEDED", seen=job.get("statusReason", job["status"]))

    s3 = cloud.client("s3")
    listed = s3.list_objects_v2(Bucket=outputs["ArtifactBucketName"], Prefix=f"{exercise.workload}/")
    keys = [item["Key"] for item in listed.get("Contents", [])]
    for key in keys:
        (results / key).parent.mkdir(parents=True, exist_ok=True)
        s3.download_file(outputs["ArtifactBucketName"], key, str(results / key))
    missing = ARTIFACTS - {Path(key).name for key in keys}
    report.promise("its artifacts are in S3", held=not missing, seen=f"{len(keys)} files, {len(missing)} missing")
    metrics = json.loads((results / exercise.workload / "metrics.json").read_text())
    value = metrics["test"][exercise.figure]
    name = exercise.figure.replace("_", " ")
    report.promise(f"{name} on the test set is at least {trial.goal}", held=value >= trial.goal, seen=f"{value:.4g}")
    report.await_promise(
        f"CloudWatch has the metrics of each epoch ({metrics['epochs']})",
        lambda: (
            count_datapoints(cloud, "Groundwork/Training", "EpochSeconds", began, Workload=exercise.workload)
            == metrics["epochs"]
        ),
    )


def _follow_job(cloud: LocalCloud, report: Checklist, exercise: Exercise, trial: Trial) -> dict[str, Any]:
    """Submit the job with options and print its log until it ends; its description."""
    outputs, batch, logs = cloud.outputs("Training"), cloud.client("batch"), cloud.client("logs")
    definition = outputs[exercise.output]
    [found] = batch.describe_job_definitions(jobDefinitions=[definition])["jobDefinitions"]
    options = [option.format(artifacts=outputs["ArtifactBucketName"]) for option in trial.options]
    job = batch.submit_job(
        jobName=exercise.workload,
        jobQueue=outputs["CpuQueueArn"],
        shareIdentifier=exercise.workload.replace("-", ""),
        jobDefinition=definition,
        containerOverrides={"command": [*found["containerProperties"]["command"], *options]},
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
