"""How soon a Batch job trains in the local cloud, forked and started: `python benchmarks/jobs.py [--runs 5]`.

Each job imports what every training imports, and takes one step on a batch of 128 images of 28 × 28 pixels. The
seconds are those from the request that submits it to the end of that step; the processor time, user and system, is that
of the cloud and all its processes. Forked jobs are of an image whose packages are imported once, by the first job,
which is shown on its own; the others are of an image of which the local cloud knows nothing.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
from functions import processor_seconds
from measurement import circumstances, make_role, record, spread

from localcloud import LocalCloud

if TYPE_CHECKING:
    from collections.abc import Iterable

IMAGES = {"forked": "pytorch", "started": "unknown"}
STEP = """
import time
import boto3, jinja2, matplotlib.figure, pydantic, torch, typer
network = torch.nn.Sequential(
    torch.nn.Conv2d(1, 32, 3), torch.nn.ReLU(), torch.nn.Conv2d(32, 64, 3), torch.nn.ReLU(), torch.nn.MaxPool2d(2),
    torch.nn.Flatten(), torch.nn.Linear(9216, 10),
)
torch.nn.functional.cross_entropy(network(torch.rand(128, 1, 28, 28)), torch.arange(128) % 10).backward()
for weights in network.parameters():
    weights.data -= 0.001 * weights.grad
print(time.time())
"""


def main() -> None:
    """Measure, print, and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as folder, LocalCloud(Path(folder)) as cloud:
        make_queue(cloud)
        first = measure(cloud, IMAGES["forked"])
        jobs = {name: [measure(cloud, image) for _ in range(runs)] for name, image in IMAGES.items()}
    measured = {name: summary(done) for name, done in jobs.items()}
    record(
        "jobs",
        {"circumstances": circumstances("torch", "moto"), "runs": runs, "first": summary([first]), **measured},
    )


def make_queue(cloud: LocalCloud) -> None:
    """Make a queue, and a job definition for each image."""
    batch = cloud.client("batch")
    role = make_role(cloud, "batch", "batch.amazonaws.com")
    environment = batch.create_compute_environment(
        computeEnvironmentName="cpu", type="UNMANAGED", state="ENABLED", serviceRole=role
    )
    order = [{"order": 1, "computeEnvironment": environment["computeEnvironmentArn"]}]
    batch.create_job_queue(jobQueueName="queue", state="ENABLED", priority=1, computeEnvironmentOrder=order)
    for image in IMAGES.values():
        container = {"image": image, "command": ["python", "-c", STEP], "vcpus": 1, "memory": 2048}
        batch.register_job_definition(jobDefinitionName=image, type="container", containerProperties=container)


def measure(cloud: LocalCloud, image: str) -> tuple[float, float]:
    """Return the seconds until a job has taken its step, and the processor time until it has ended."""
    batch, server = cloud.client("batch"), psutil.Process(cloud.pid)
    used, began = processor_seconds(server), time.time()
    job = batch.submit_job(jobName="step", jobQueue="queue", jobDefinition=image)["jobId"]
    while (description := batch.describe_jobs(jobs=[job])["jobs"][0])["status"] not in ("SUCCEEDED", "FAILED"):
        time.sleep(0.2)
    logged = cloud.client("logs").get_log_events(
        logGroupName="/aws/batch/job", logStreamName=description["container"]["logStreamName"]
    )
    return float(logged["events"][-1]["message"]) - began, processor_seconds(server) - used


def summary(jobs: Iterable[tuple[float, float]]) -> dict[str, Any]:
    """Return the median and the extremes of some jobs."""
    times, used = zip(*jobs, strict=True)
    return {"seconds": spread(times, 2), "processor_seconds": spread(used, 2)}


if __name__ == "__main__":
    main()
