"""Jobs of the deployed stack, as a person submits them: in a queue, over several nodes, reclaimed, in search."""

from __future__ import annotations

import contextlib
import io
import json
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import boto3
import pytest

from localcloud import LocalCloud
from tests.documents import document
from tests.processes import fork_server_of
from workloads import storage
from workloads.__main__ import main
from workloads.training.jobs import follow
from workloads.training.mnist import FILES

PROJECT = Path(__file__).parents[3]


class Done(NamedTuple):
    """A command that has ended."""

    returncode: int
    stdout: str
    stderr: str


Groundwork = Callable[..., Done]
OPTIONS = (
    "--device",
    "cpu",
    "--precision",
    "float32",
    "--batch-size",
    "50",
    "--architecture",
    "reference",
    "--no-figures",
)
TRAINING = ("--", "--epochs", "6", "--shift", "0", *OPTIONS)  # a notice at its beginning comes long before its end


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, digits: Path, code_bundle: Path) -> Any:
    """A local cloud with the stack Training from its console template, and digits in its bucket."""
    folder = tmp_path_factory.mktemp("stack")
    with LocalCloud(folder, iam="enforce") as cloud:
        s3 = cloud.client("s3")
        s3.create_bucket(Bucket="mine")
        s3.upload_file(str(code_bundle), "mine", "code.zip")
        subnets = cloud.client("ec2").describe_subnets()["Subnets"]  # of the default network
        values = {
            "Code": "s3://mine/code.zip",
            "VpcId": subnets[0]["VpcId"],
            "SubnetIds": ",".join(subnet["SubnetId"] for subnet in subnets),
        }
        cloud.client("cloudformation").create_stack(
            StackName="Training",
            TemplateURL=cloud.template_url((PROJECT / "cloudformation" / "training.yaml").read_text()),
            Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in values.items()],
            Capabilities=["CAPABILITY_IAM"],
        )
        bucket = cloud.outputs("Training")["DataBucketName"]
        for name in FILES:
            s3.put_object(Bucket=bucket, Key=f"mnist/{name}", Body=(digits / name).read_bytes())
        yield cloud


@pytest.fixture(scope="module")
def groundwork(stack: LocalCloud) -> Groundwork:
    """Runs the command line against the stack, in this process: PyTorch is imported once."""

    def run(*arguments: str) -> Done:
        out, err, code = io.StringIO(), io.StringIO(), 0
        with pytest.MonkeyPatch.context() as patch:
            for name, value in (stack.environment() | {"COLUMNS": "200"}).items():
                patch.setenv(name, value)
            patch.setattr(boto3, "DEFAULT_SESSION", None)
            patch.setattr(sys, "argv", ["workloads", *arguments])
            storage.s3.cache_clear()
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                try:
                    main()
                except SystemExit as end:
                    code = int(end.code or 0)
            storage.s3.cache_clear()
        return Done(code, out.getvalue(), err.getvalue())

    return run


@pytest.fixture(scope="module")
def background(stack: LocalCloud, groundwork: Groundwork, eventually: Any) -> dict[str, str]:
    """The longer jobs, which run while the other tests do; one's host is taken back as soon as it runs."""
    options = {"reclaimed": (), "nodes": ("--nodes", "2"), "reclaimed nodes": ("--nodes", "2")}
    submitted = {
        name: groundwork("submit", "digit-classifier", "--no-follow", *given, *TRAINING)
        for name, given in options.items()
    }
    jobs = {name: job_of(done.stdout) for name, done in submitted.items()}
    batch = stack.client("batch")
    assert eventually(lambda: batch.describe_jobs(jobs=[jobs["reclaimed"]])["jobs"][0]["status"] == "RUNNING")
    stack.reclaim(jobs["reclaimed"])
    assert eventually(lambda: batch.describe_jobs(jobs=[jobs["reclaimed nodes"]])["jobs"][0]["status"] == "RUNNING")
    stack.reclaim(jobs["reclaimed nodes"])
    return jobs


@pytest.fixture(scope="module")
def followed(groundwork: Groundwork, background: dict[str, str]) -> Done:
    """The same training on one instance, undisturbed, and followed."""
    assert background
    return groundwork("submit", "digit-classifier", *TRAINING)


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
    return str(re.findall(r"s3://\S+/digit-classifier/\S+", told)[-1])


def job_of(told: str) -> str:
    """The job that a submission names."""
    [job] = re.findall(r"^job (\S+)$", told, re.MULTILINE)
    return str(job)


def test_a_job_is_submitted_followed_priced_and_listed(
    stack: LocalCloud, groundwork: Groundwork, followed: Done
) -> None:
    assert followed.returncode == 0, followed.stdout + followed.stderr
    assert "USD an hour on demand" in followed.stdout.splitlines()[0]
    assert "epoch 6/6" in followed.stdout
    assert re.search(r"\d+ s on 1 instance: at most 0\.\d+ USD", followed.stdout)
    run, job = output_of(followed.stdout), job_of(followed.stdout)
    assert {"metrics.json", "model.safetensors", "report.html"} <= set(artifacts(stack, run))
    listed = groundwork("jobs").stdout
    assert job in listed
    assert "succeeded" in listed
    assert run in groundwork("runs").stdout
    assert "epoch 1/6" in groundwork("logs", job).stdout


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere no job is forked")
def test_a_forked_training_gives_the_bits_of_one_that_was_started(
    stack: LocalCloud, groundwork: Groundwork, followed: Done
) -> None:
    assert fork_server_of(stack).is_running()
    batch, run = stack.client("batch"), output_of(followed.stdout)
    [forked] = batch.describe_jobs(jobs=[job_of(followed.stdout)])["jobs"]
    override = {
        "command": [word.replace(run, f"{run}-started") for word in forked["container"]["command"]],
        "environment": [{"name": "PYTHONHASHSEED", "value": "0"}],  # with which no process can be forked
    }
    names = {"jobName": "started", "jobQueue": forked["jobQueue"], "jobDefinition": forked["jobDefinition"]}
    job = batch.submit_job(**names, containerOverrides=override, shareIdentifier=forked["shareIdentifier"])["jobId"]
    assert "succeeded" in groundwork("logs", job, "--follow").stdout
    model = "model.safetensors"
    assert artifacts(stack, f"{run}-started")[model] == artifacts(stack, run)[model]


def test_a_job_starts_when_another_has_succeeded(
    stack: LocalCloud, groundwork: Groundwork, background: dict[str, str]
) -> None:
    done = groundwork("submit", "digit-classifier", "--no-follow", "--after", background["nodes"], "--json", *TRAINING)
    assert done.returncode == 0, done.stderr
    submission = document(done.stdout, "submit")
    [job] = stack.client("batch").describe_jobs(jobs=[submission["job"]])["jobs"]
    assert job["dependsOn"] == [{"jobId": background["nodes"]}]
    assert (submission["name"], submission["exit_code"]) == ("digit-classifier-train", None)
    assert document(groundwork("cancel", submission["job"], "--json").stdout, "cancel")["job"] == submission["job"]


def test_documents_say_what_the_page_promises(groundwork: Groundwork, followed: Done) -> None:
    job = job_of(followed.stdout)
    [row] = [row for row in document(groundwork("jobs", "--json").stdout, "jobs")["jobs"] if row["job"] == job]
    assert (row["state"], row["queue"], row["reason"]) == ("succeeded", "cpu", "")
    for option in ((), ("--follow",)):
        log = document(groundwork("logs", job, "--json", *option).stdout, "logs")
        assert (log["state"], log["exit_codes"], log["seconds"]) == ("succeeded", [0], row["seconds"])
        assert any("epoch 1/6" in line for line in log["lines"])
    runs = document(groundwork("runs", "--json").stdout, "runs")["runs"]
    [run] = [run for run in runs if run["run"] == output_of(followed.stdout)]
    assert run["test"]["accuracy"] > 0
    failed = groundwork("submit", "digit-classifier", "--json", "--", "--epochs", "0")
    assert (failed.returncode, document(failed.stdout, "submit")["exit_code"]) == (2, 2)


def test_a_job_that_fails_says_so_and_is_not_tried_again(stack: LocalCloud, groundwork: Groundwork) -> None:
    done = groundwork("submit", "digit-classifier", "--", "--epochs", "0")
    assert done.returncode == 2  # the training's own
    assert "--epochs 0: Input should be greater" in done.stdout
    assert "\nfailed, exit code 2 (" in done.stdout
    [job] = stack.client("batch").describe_jobs(jobs=[job_of(done.stdout)])["jobs"]
    assert len(job["attempts"]) == 1


def test_a_job_predicts_with_a_finished_run(stack: LocalCloud, groundwork: Groundwork, followed: Done) -> None:
    outputs = stack.outputs("Training")
    data, artifact = (f"s3://{outputs[f'{kind}BucketName']}" for kind in ("Data", "Artifact"))
    job = stack.client("batch").submit_job(
        jobName="predict",
        jobQueue=outputs["CpuQueueArn"],
        jobDefinition=outputs["PredictJobDefinitionArn"],
        shareIdentifier="digits",
        parameters={
            "workload": "digit-classifier",
            "model": output_of(followed.stdout),
            "data": f"{data}/mnist/{FILES[2]}",
            "output": f"{artifact}/predictions/digits.csv",
        },
    )["jobId"]
    assert "  100 predictions in" in groundwork("logs", job, "--follow").stdout
    assert len(artifacts(stack, f"{artifact}/predictions")["digits.csv"].splitlines()) == 101


def test_jobs_of_an_array_search_together_and_each_is_paid(stack: LocalCloud, groundwork: Groundwork) -> None:
    done = groundwork(
        *("tune", "digit-classifier", "--on", "batch", "--workers", "2", "--trials", "3"),
        *("--epochs", "1", "--batch-size", "100", "--architecture", "reference"),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert {line.split()[0] for line in done.stdout.splitlines() if "trial" in line} >= {"0:", "1:"}
    bucket = stack.outputs("Training")["ArtifactBucketName"]
    listed = stack.client("s3").list_objects_v2(Bucket=bucket, Prefix="digit-classifier/tuning-")["Contents"]
    [name] = [item["Key"] for item in listed if item["Key"].endswith("tuning.json")]
    tuning = json.loads(stack.client("s3").get_object(Bucket=bucket, Key=name)["Body"].read())
    assert len(tuning["trials"]) == 3
    assert len({trial["run"] for trial in tuning["trials"]}) == 3
    array = job_of(done.stdout)
    workers = stack.client("batch").describe_jobs(jobs=[f"{array}:{index}" for index in range(2)])["jobs"]
    times = [(attempt["stoppedAt"] - attempt["startedAt"]) / 1000 for job in workers for attempt in job["attempts"]]
    assert len(times) == 2
    assert f"{sum(times):,.0f} s on 2 instances together: at most" in done.stdout


def test_a_job_over_two_nodes_learns_what_one_node_learns(
    stack: LocalCloud, groundwork: Groundwork, background: dict[str, str], followed: Done
) -> None:
    told = groundwork("logs", background["nodes"], "--follow").stdout
    one, two = (artifacts(stack, output_of(lines)) for lines in (followed.stdout, told))
    losses = []
    for run in (one, two):
        header, first, second, *_ = run["history.csv"].decode().splitlines()
        column = header.split(",").index("training_loss")
        losses.append([float(row.split(",")[column]) for row in (first, second)])
    assert losses[1] == pytest.approx(losses[0], rel=1e-3)
    assert json.loads(two["metrics.json"])["options"]["strategy"] == "ddp"
    nodes = [f"{background['nodes']}#{node}" for node in range(2)]
    attempts = [job["attempts"][0] for job in stack.client("batch").describe_jobs(jobs=nodes)["jobs"]]
    seconds = sum(attempt["stoppedAt"] - attempt["startedAt"] for attempt in attempts) / 1000
    listed = document(groundwork("jobs", "--json").stdout, "jobs")["jobs"]
    assert [row["seconds"] for row in listed if row["job"] == background["nodes"]] == [pytest.approx(seconds)]


def test_a_reclaimed_job_resumes_and_ends_with_the_same_weights(
    stack: LocalCloud, groundwork: Groundwork, background: dict[str, str], followed: Done
) -> None:
    job = background["reclaimed"]
    told = groundwork("logs", job, "--follow").stdout
    assert "told to end (spot instance: terminate at" in told
    assert "continuing at epoch" in told
    [ended] = stack.client("batch").describe_jobs(jobs=[job])["jobs"]
    assert (ended["status"], [each["container"]["exitCode"] for each in ended["attempts"]]) == ("SUCCEEDED", [75, 0])
    weights = [
        artifacts(stack, run)["model.safetensors"]
        for run in (ended["parameters"]["output"], output_of(followed.stdout))
    ]
    assert weights[0] == weights[1]


def test_two_nodes_that_see_a_notice_at_different_moments_stop_together_and_continue(
    stack: LocalCloud, groundwork: Groundwork, background: dict[str, str], followed: Done
) -> None:
    job = background["reclaimed nodes"]
    log = groundwork("logs", job, "--follow").stdout
    assert "told to end (spot instance: terminate at" in log
    assert "continuing at epoch" in log
    nodes = stack.client("batch").describe_jobs(jobs=[f"{job}#{node}" for node in range(2)])["jobs"]
    for node in nodes:
        codes = [attempt["container"]["exitCode"] for attempt in node["attempts"]]
        assert (node["status"], codes) == ("SUCCEEDED", [75, 0])
    metrics = json.loads(artifacts(stack, output_of(log))["metrics.json"])
    assert (metrics["attempts"], metrics["options"]["strategy"]) == (2, "ddp")
    undisturbed = json.loads(
        artifacts(stack, output_of(groundwork("logs", background["nodes"], "--follow").stdout))["metrics.json"]
    )
    assert metrics["test"] == undisturbed["test"]


def test_whoever_interrupts_following_leaves_the_job_running(
    stack: LocalCloud, groundwork: Groundwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(follow, "time", SimpleNamespace(sleep=interrupted, time=time.time))
        done = groundwork("submit", "digit-classifier", *TRAINING)
    job = job_of(done.stdout)
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == (
        f"The job runs on. Come back with `groundwork logs {job} --follow`, or end it with `groundwork cancel {job}`."
    )
    [running] = stack.client("batch").describe_jobs(jobs=[job])["jobs"]
    assert (running["status"] in follow.ENDED, running["isTerminated"], running["isCancelled"]) == (False, False, False)
    assert groundwork("cancel", job, "--reason", "enough seen").returncode == 0
    ended = groundwork("logs", job, "--follow")
    assert re.search(r"^failed.* \(enough seen\)$", ended.stdout, re.MULTILINE)


def test_a_one_off_instance_trains_is_followed_and_priced_and_ends_itself(
    stack: LocalCloud, groundwork: Groundwork
) -> None:
    done = groundwork("submit", "digit-classifier", "--on", "ec2", "--", "--epochs", "1", *OPTIONS)
    assert done.returncode == 0, done.stdout + done.stderr
    [instance] = re.findall(r"^instance (\S+)$", done.stdout, re.MULTILINE)
    assert "epoch 1/1" in done.stdout
    assert "  the training ended with exit code 0\n" in done.stdout
    assert "\nterminated (exit code 0)\n" in done.stdout
    assert re.search(r"^\d+ s on 1 instance: at most 0\.\d+ USD$", done.stdout.splitlines()[-1])
    assert {"metrics.json", "model.safetensors"} <= set(artifacts(stack, output_of(done.stdout)))

    found = stack.client("ec2").describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
    assert found["State"]["Name"] == "terminated"
    tags = {tag["Key"]: tag["Value"] for tag in found["Tags"]}
    assert "DigitClassifierJobRole" in tags["groundwork:role"]
    needed = [row["text"] for row in stack.statements() if "DigitClassifierJobRole" in row["policy"]]
    assert any("OneOffRole" in text for text in needed), "the instance has its own role, not the administrator's rights"
    assert tags["groundwork:expected-termination"]
    [row] = [line for line in groundwork("jobs").stdout.splitlines() if instance in line]
    assert "ec2" in row
    assert "terminated" in row
    assert "epoch 1/1" in groundwork("logs", instance).stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("submit", "digit-knitter"), "There is no workload digit-knitter"),
        (("submit", "delivery-time"), "Job delivery-time-train: There are no data in s3://"),
        (("submit", "delivery-time", "--queue", "gpu"), "Workload delivery-time: It does not run on a GPU"),
        (("submit", "player-position", "--nodes", "2"), "Workload player-position: It does not run on 2 nodes"),
        (("submit", "digit-gan", "--workers", "2"), "Only --task tune shares work"),
        (("submit", "digit-gan", "--on", "ec2", "--after", "x"), "--after: An instance of its own starts at once"),
        (("submit", "digit-gan", "--after", "absent"), "Job absent: There is no such job"),
        (("submit", "digit-gan", "--stack", "Absent"), "Stack Absent: "),
        (("logs", "absent"), "Job absent: There is no such job"),
        (("logs", "i-0123456789abcdef0", "--follow"), "Instance i-0123456789abcdef0: There is no such instance"),
        (("logs", "i-0123456789abcdef0"), "Instance i-0123456789abcdef0: There is no such instance"),
        (("cancel", "absent"), "Job absent: There is no such job"),
        (("submit", "digit-gan", "--on", "ec2", "--", "--x", "é" * 300), "do not fit into a tag"),
    ],
)
def test_what_cannot_be_is_one_line_and_exit_code_2(
    groundwork: Groundwork, arguments: tuple[str, ...], message: str
) -> None:
    done = groundwork(*arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_role_looks_for_its_data_in_the_folder_that_it_may_read(
    stack: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may read what is below the prefix, but not ask for an object with the prefix's own name."""
    resource = {"StackName": "Training", "LogicalResourceId": "DeliveryTimeJobRole"}
    role = stack.client("cloudformation").describe_stack_resource(**resource)["StackResourceDetail"]
    bucket = stack.outputs("Training")["DataBucketName"]
    stack.client("s3").put_object(Bucket=bucket, Key="delivery/train.csv", Body=b"content")
    for name, value in (stack.environment() | stack.role_credentials(role["PhysicalResourceId"])).items():
        monkeypatch.setenv(name, value)
    storage.s3.cache_clear()
    data = storage.locate(f"s3://{bucket}/delivery")
    assert not data.is_file()
    assert (data / "train.csv").is_file()
    storage.s3.cache_clear()
