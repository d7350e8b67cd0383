"""Training workloads as Batch jobs: data from S3, metrics to CloudWatch, artifacts to S3."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread
from typing import Any

from PIL import Image

from contract.errors import TemporaryError
from contract.metrics import Namespace, TrainingMetric
from contract.stacks import StackName, TrainingOutput
from contract.workloads import TRAINING, TrainingWorkload, Trial
from groundwork.demo.checklist import Checklist
from groundwork.demo.cli import run
from groundwork.demo.metrics import count_datapoints
from localcloud import LocalCloud

ENDED = ("succeeded", "failed")
ARTIFACTS = {"metrics.json", "history.csv", "model.safetensors", "MODEL_CARD.md", "report.html"}


def train(cloud: LocalCloud, report: Checklist, results: Path) -> Callable[[], None]:
    """Bring the data sets to the stack's bucket, and put the workloads into its queue.

    Returns:
        What waits for the jobs and checks what they left; the queue works while other things are shown.
    """
    outputs = cloud.outputs(StackName.TRAINING)
    report.step("Data for the training jobs")
    real = {
        dataset: _bring(cloud, report, dataset, f"s3://{outputs[TrainingOutput.DATA_BUCKET_NAME]}/{dataset}")
        for dataset in dict.fromkeys(workload.data_set for workload in TRAINING.values())
    }
    trials = {workload: workload.real if real[workload.data_set] else workload.sample for workload in TRAINING.values()}
    report.step("Put every workload into the queue")
    began = datetime.now(UTC)
    artifacts = outputs[TrainingOutput.ARTIFACT_BUCKET_NAME]
    jobs: dict[TrainingWorkload, str] = {}
    for workload, trial in trials.items():
        # Each waits for the one before it: two cores train no faster when they share.
        order = [word for job in [*jobs.values()][-1:] for word in ("--after", job)]
        options = ["--output", f"s3://{artifacts}/{workload.name}", *_options(trial, artifacts)]
        submission = run(cloud, report, "submit", workload.name, "--no-follow", *order, "--", *options)
        jobs[workload] = submission["job"]
        if workload.reclaimed:
            Thread(target=_reclaim, args=(cloud, jobs[workload]), daemon=True).start()

    def collect() -> None:
        for workload, trial in trials.items():
            report.step(f"A Batch job: groundwork train {workload.name} {' '.join(_options(trial, artifacts))}")
            job = _follow(cloud, report, jobs[workload], reclaimed=workload.reclaimed)
            _check(cloud, report, results, workload, trial, job=job, began=began)
        report.fact("dashboard", outputs[TrainingOutput.DASHBOARD_NAME])

    return collect


def _options(trial: Trial, artifacts: str) -> list[str]:
    """Return the options of a trial, with the bucket of earlier results filled in."""
    return [option.format(artifacts=artifacts) for option in trial.options]


def _reclaim(cloud: LocalCloud, job: str) -> None:
    """Take a job's host back once it runs; that it did is seen by how its attempts end."""
    batch = cloud.client("batch")
    while (status := batch.describe_jobs(jobs=[job])["jobs"][0]["status"]) != "RUNNING":
        if status.lower() in ENDED:
            return
        time.sleep(1)  # asking takes processor time from the jobs, and this one trains for longer
    cloud.reclaim(job)


def _bring(cloud: LocalCloud, report: Checklist, dataset: str, target: str) -> bool:
    """Put the real data set where there is one, else its stand-in; whether it is the real one."""
    folder = Path(os.environ.get("GROUNDWORK_DATA") or "nowhere", dataset)
    real = folder.is_dir()
    report.fact(dataset, f"from {folder}" if real else "a sample; GROUNDWORK_DATA may name a folder with the real data")
    run(cloud, report, "data", "put" if real else "sample", dataset, "--to", target)
    return real


def _follow(cloud: LocalCloud, report: Checklist, job: str, *, reclaimed: bool) -> dict[str, Any]:
    """Print a job's log until it ends, and return what `groundwork logs` says of it."""
    ended = run(cloud, report, "logs", job, "--follow")
    report.promise("the job ended", held=ended["state"] in ENDED, seen=ended["state"])
    if reclaimed:
        report.fact("spot", "its instance got the notice that it goes in two minutes")
        codes = ended["exit_codes"]
        report.promise(
            "it saved its work, and the next attempt resumed it",
            held=codes == [TemporaryError.exit_code, 0],
            seen=codes,
        )
    return ended


def _check(
    cloud: LocalCloud,
    report: Checklist,
    results: Path,
    workload: TrainingWorkload,
    trial: Trial,
    *,
    job: dict[str, Any],
    began: datetime,
) -> None:
    """Fetch what a job left, and check it."""
    outputs = cloud.outputs(StackName.TRAINING)
    succeeded = job["state"] == "succeeded"
    report.ran(job["seconds"])
    report.promise("the job succeeded", held=succeeded, seen=f"{job['seconds']:.0f} s" if succeeded else job["reason"])

    s3 = cloud.client("s3")
    artifacts = {"Bucket": outputs[TrainingOutput.ARTIFACT_BUCKET_NAME], "Prefix": f"{workload.name}/"}
    pages = s3.get_paginator("list_objects_v2").paginate(**artifacts)
    keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
    for key in keys:
        (results / key).parent.mkdir(parents=True, exist_ok=True)
        s3.download_file(outputs[TrainingOutput.ARTIFACT_BUCKET_NAME], key, str(results / key))
    missing = ARTIFACTS - {Path(key).name for key in keys}
    report.promise("its artifacts are in S3", held=not missing, seen=f"{len(keys)} files, {len(missing)} missing")
    folder = results / workload.name
    for path in sorted([*folder.glob("figures/*.png"), *folder.glob("*.gif")]):
        with Image.open(path) as picture:  # which says inside what it shows
            words = picture.info
        report.picture(path, words.get("Title") or words["comment"].decode(), words.get("Description", ""))
    report.document(workload.name, folder / "report.html")
    metrics = json.loads((folder / "metrics.json").read_text())
    value = metrics["test"][workload.figure]
    name = workload.figure.replace("_", " ")
    report.promise(f"{name} on the test set is at least {trial.goal}", held=value >= trial.goal, seen=f"{value:.4g}")
    report.await_promise(
        f"CloudWatch has the metrics of each epoch ({metrics['epochs']})",
        lambda: (
            count_datapoints(cloud, Namespace.TRAINING, TrainingMetric.EPOCH_SECONDS, began, Workload=workload.name)
            == metrics["epochs"]
        ),
    )
