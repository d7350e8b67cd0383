"""Jobs of the deployed stack, as a person submits them: in a queue, over several nodes, reclaimed, in search."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from localcloud import LocalCloud
from workloads.training.mnist import FILES

PROJECT = Path(__file__).parents[3]
Groundwork = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, digits: Path) -> Any:
    """A local cloud with the stack Training, and digits in its bucket."""
    with LocalCloud(tmp_path_factory.mktemp("stack"), project=PROJECT) as cloud:
        cloud.deploy("Training")
        bucket = cloud.outputs("Training")["DataBucketName"]
        for name in FILES:
            cloud.client("s3").put_object(Bucket=bucket, Key=f"mnist/{name}", Body=(digits / name).read_bytes())
        yield cloud


@pytest.fixture
def groundwork(stack: LocalCloud) -> Groundwork:
    """Runs the command line against the stack."""

    def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "workloads", *arguments],
            env=os.environ | stack.environment() | {"COLUMNS": "200"},
            cwd=PROJECT,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def artifacts(cloud: LocalCloud, run: str) -> dict[str, bytes]:
    """Everything in a run's folder."""
    s3, (bucket, _, prefix) = cloud.client("s3"), run.removeprefix("s3://").partition("/")
    listed = s3.list_objects_v2(Bucket=bucket, Prefix=f"{prefix}/").get("Contents", [])
    return {
        item["Key"].removeprefix(f"{prefix}/"): s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read()
        for item in listed
    }


def output_of(told: str) -> str:
    """The run folder that a training names."""
    return re.findall(r"s3://\S+/digit-classifier/\S+", told)[-1]


OPTIONS = ("--device", "cpu", "--batch-size", "50", "--architecture", "reference", "--shift", "0")


def test_a_job_is_submitted_followed_priced_and_listed(stack: LocalCloud, groundwork: Groundwork) -> None:
    done = groundwork("submit", "digit-classifier", "--", "--epochs", "2", *OPTIONS)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "USD an hour on demand" in done.stdout.splitlines()[0]
    assert "epoch 2/2" in done.stdout
    assert re.search(r"\d+ s on 1 instance: at most 0\.\d+ USD", done.stdout)
    run = output_of(done.stdout)
    assert {"metrics.json", "model.safetensors", "report.html"} <= set(artifacts(stack, run))
    [job] = re.findall(r"^job (\S+)$", done.stdout, re.MULTILINE)
    listed = groundwork("jobs").stdout
    assert job in listed
    assert "succeeded" in listed
    assert run in groundwork("runs").stdout
    assert "epoch 1/2" in groundwork("logs", job).stdout


def test_a_job_that_fails_says_so_and_is_not_tried_again(stack: LocalCloud, groundwork: Groundwork) -> None:
    done = groundwork("submit", "digit-classifier", "--", "--epochs", "0")
    assert done.returncode == 1
    assert "--epochs 0: input should be greater" in done.stdout
    [job] = re.findall(r"^job (\S+)$", done.stdout, re.MULTILINE)
    assert len(stack.client("batch").describe_jobs(jobs=[job])["jobs"][0]["attempts"]) == 1


def test_a_job_over_two_nodes_learns_what_one_node_learns(stack: LocalCloud, groundwork: Groundwork) -> None:
    options = ("--epochs", "2", "--precision", "float32", *OPTIONS)
    one = groundwork("submit", "digit-classifier", "--", *options)
    two = groundwork("submit", "digit-classifier", "--nodes", "2", "--", *options)
    assert two.returncode == 0, two.stdout + two.stderr
    losses = []
    for done in (one, two):
        history = artifacts(stack, output_of(done.stdout))["history.csv"].decode().splitlines()
        column = history[0].split(",").index("training_loss")
        losses.append([float(row.split(",")[column]) for row in history[1:]])
    assert losses[1] == pytest.approx(losses[0], rel=1e-3)
    metrics = json.loads(artifacts(stack, output_of(two.stdout))["metrics.json"])
    assert metrics["options"]["strategy"] == "ddp"


def test_a_reclaimed_job_resumes_and_ends_with_the_same_weights(
    stack: LocalCloud, groundwork: Groundwork, eventually: Any
) -> None:
    batch, s3, outputs = stack.client("batch"), stack.client("s3"), stack.outputs("Training")
    options = ("--epochs", "40", *OPTIONS)
    submitted = groundwork("submit", "digit-classifier", "--no-follow", "--", *options)
    [job] = re.findall(r"^job (\S+)$", submitted.stdout, re.MULTILINE)
    definition = batch.describe_jobs(jobs=[job])["jobs"][0]
    run = definition["parameters"]["output"]
    prefix = run.removeprefix(f"s3://{outputs['ArtifactBucketName']}/")

    def checkpoints() -> Any:
        return s3.list_objects_v2(Bucket=outputs["ArtifactBucketName"], Prefix=f"{prefix}/checkpoints/").get("Contents")

    assert eventually(checkpoints, 120)
    stack.reclaim(job)
    followed = groundwork("logs", job, "--follow")
    assert "told to end (spot instance: terminate at" in followed.stdout
    assert "continuing at epoch" in followed.stdout
    ended = batch.describe_jobs(jobs=[job])["jobs"][0]
    assert (ended["status"], [each["container"]["exitCode"] for each in ended["attempts"]]) == ("SUCCEEDED", [75, 0])
    whole = groundwork("submit", "digit-classifier", "--", *options)
    weights = [artifacts(stack, place)["model.safetensors"] for place in (run, output_of(whole.stdout))]
    assert weights[0] == weights[1]


def test_jobs_of_an_array_search_together(stack: LocalCloud, groundwork: Groundwork) -> None:
    done = groundwork(
        *("tune", "digit-classifier", "--on", "batch", "--workers", "2", "--trials", "3"),
        *("--epochs", "1", "--batch-size", "100", "--architecture", "reference"),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    bucket = stack.outputs("Training")["ArtifactBucketName"]
    listed = stack.client("s3").list_objects_v2(Bucket=bucket, Prefix="digit-classifier/tuning-")["Contents"]
    [name] = [item["Key"] for item in listed if item["Key"].endswith("tuning.json")]
    tuning = json.loads(stack.client("s3").get_object(Bucket=bucket, Key=name)["Body"].read())
    assert len(tuning["trials"]) == 3
    assert len({trial["run"] for trial in tuning["trials"]}) == 3


def test_a_one_off_instance_carries_its_command_and_its_role(stack: LocalCloud, groundwork: Groundwork) -> None:
    done = groundwork("submit", "digit-gan", "--on", "ec2", "--", "--epochs", "2")
    assert done.returncode == 0, done.stderr
    [instance] = re.findall(r"^instance (\S+)$", done.stdout, re.MULTILINE)
    found = stack.client("ec2").describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
    tags = {tag["Key"]: tag["Value"] for tag in found["Tags"]}
    assert tags["groundwork:command"].startswith("train digit-gan --data s3://")
    assert tags["groundwork:command"].endswith("--epochs 2")
    assert "DigitGanJobRole" in tags["groundwork:role"]
    assert tags["groundwork:expected-termination"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("submit", "digit-knitter"), "no workload is called digit-knitter"),
        (("submit", "delivery-time", "--queue", "gpu"), "delivery-time does not run in the queue gpu"),
        (("submit", "player-position", "--nodes", "2"), "player-position does not run on 2 nodes"),
        (("submit", "digit-gan", "--workers", "2"), "only --task tune shares its work"),
        (("submit", "digit-gan", "--stack", "Absent"), "stack Absent: "),
        (("logs", "absent"), "there is no job absent"),
        (("submit", "digit-gan", "--on", "ec2", "--", "--x", "é" * 300), "the command must fit into a tag"),
    ],
)
def test_what_cannot_be_is_one_line_and_exit_code_2(
    groundwork: Groundwork, arguments: tuple[str, ...], message: str
) -> None:
    done = groundwork(*arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
