"""Batch jobs as local processes: states, logs, retries, limits, ends."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from localcloud import LocalCloud
from tests.policies import trust

Submit = Callable[..., str]
Finish = Callable[[str], dict[str, Any]]


@pytest.fixture(scope="module")
def queue(cloud: LocalCloud) -> str:
    batch, iam = cloud.client("batch"), cloud.client("iam")
    role = iam.create_role(RoleName="batch", AssumeRolePolicyDocument=trust("batch"))["Role"]["Arn"]
    environment = batch.create_compute_environment(
        computeEnvironmentName="cpu", type="UNMANAGED", state="ENABLED", serviceRole=role
    )["computeEnvironmentArn"]
    order = [{"order": 1, "computeEnvironment": environment}]
    return str(
        batch.create_job_queue(jobQueueName="queue", state="ENABLED", priority=1, computeEnvironmentOrder=order)[
            "jobQueueArn"
        ]
    )


@pytest.fixture
def submit(cloud: LocalCloud, queue: str) -> Submit:
    """Submits a job that runs a shell script; gives its id."""

    def run(script: str, *, definition: dict[str, Any] | None = None, **submission: Any) -> str:
        batch = cloud.client("batch")
        defined = {"containerProperties": {"image": "any", "command": ["sh", "-c", script]}, **(definition or {})}
        defined["containerProperties"] |= {"vcpus": 1, "memory": 128}
        name = f"job-{uuid.uuid4().hex[:8]}"
        made = batch.register_job_definition(jobDefinitionName=name, type="container", **defined)
        job = batch.submit_job(jobName=name, jobQueue=queue, jobDefinition=made["jobDefinitionArn"], **submission)
        return str(job["jobId"])

    return run


@pytest.fixture
def finish(cloud: LocalCloud, eventually: Any) -> Finish:
    """Waits for a job's end; gives its description."""

    def wait(job: str) -> dict[str, Any]:
        def ended() -> Any:
            found = cloud.client("batch").describe_jobs(jobs=[job])["jobs"][0]
            return found if found["status"] in ("SUCCEEDED", "FAILED") else None

        description: dict[str, Any] = eventually(ended)
        return description

    return wait


def lines(cloud: LocalCloud, job: dict[str, Any], group: str = "/aws/batch/job") -> list[str]:
    events = cloud.client("logs").get_log_events(
        logGroupName=group, logStreamName=job["container"]["logStreamName"], startFromHead=True
    )["events"]
    return [event["message"] for event in events]


def test_a_job_succeeds_and_its_output_is_in_its_own_log_group(
    cloud: LocalCloud, submit: Submit, finish: Finish
) -> None:
    options = {"awslogs-group": "training", "awslogs-stream-prefix": "digits"}
    container = {"image": "any", "command": ["sh", "-c", "echo one; echo two >&2"]}
    container["logConfiguration"] = {"logDriver": "awslogs", "options": options}  # type: ignore[assignment]
    job = finish(submit("", definition={"containerProperties": container}))
    assert job["status"] == "SUCCEEDED"
    assert job["container"]["exitCode"] == 0
    assert job["container"]["logStreamName"].startswith("digits/default/")
    assert job["stoppedAt"] >= job["startedAt"] >= job["createdAt"]
    assert lines(cloud, job, "training") == ["one", "two"]


def test_a_job_gets_parameters_environment_and_the_cloud(cloud: LocalCloud, submit: Submit, finish: Finish) -> None:
    script = 'echo Ref::data/Ref::epochs $COLOUR $AWS_BATCH_JOB_ATTEMPT $AWS_BATCH_JOB_ID $AWS_ENDPOINT_URL "$HOME"'
    job = finish(
        submit(
            script,
            definition={"parameters": {"data": "s3://here", "epochs": "5"}},
            parameters={"epochs": "7"},
            containerOverrides={"environment": [{"name": "COLOUR", "value": "blue"}]},
        )
    )
    assert lines(cloud, job)[0].startswith(f"s3://here/7 blue 1 {job['jobId']} {cloud.endpoint} /")


def test_parameters_are_put_into_the_definitions_command_only(
    cloud: LocalCloud, submit: Submit, finish: Finish
) -> None:
    """No document of AWS says that Batch would look for placeholders in a submission's own command."""
    definition = {"parameters": {"data": "s3://here"}}
    job = finish(submit("", definition=definition, containerOverrides={"command": ["echo", "Ref::data"]}))
    assert lines(cloud, job) == ["Ref::data"]


def test_boto3_inside_a_job_reaches_the_cloud(cloud: LocalCloud, submit: Submit, finish: Finish) -> None:
    cloud.client("s3").create_bucket(Bucket="from-a-job")
    code = "import boto3; boto3.client('s3').put_object(Bucket='from-a-job', Key='k', Body=b'v')"
    assert finish(submit(f'python -c "{code}"'))["status"] == "SUCCEEDED"
    assert cloud.client("s3").get_object(Bucket="from-a-job", Key="k")["Body"].read() == b"v"


def test_a_failing_job_is_retried_as_its_strategy_says(submit: Submit, finish: Finish) -> None:
    rules = [{"onExitCode": "3*", "action": "RETRY"}, {"onReason": "*", "action": "EXIT"}]
    retry = {"attempts": 3, "evaluateOnExit": rules}
    repeated = finish(submit("exit 3", definition={"retryStrategy": retry}))
    assert (repeated["status"], len(repeated["attempts"])) == ("FAILED", 3)
    assert [attempt["container"]["exitCode"] for attempt in repeated["attempts"]] == [3, 3, 3]
    own_error = finish(submit("exit 1", definition={"retryStrategy": retry}))
    assert (own_error["status"], len(own_error["attempts"])) == ("FAILED", 1)


def test_a_later_attempt_may_succeed(submit: Submit, finish: Finish) -> None:
    job = finish(submit('[ "$AWS_BATCH_JOB_ATTEMPT" = 2 ]', retryStrategy={"attempts": 5}))
    assert (job["status"], len(job["attempts"])) == ("SUCCEEDED", 2)


def test_an_attempt_that_takes_too_long_fails_and_is_not_retried(submit: Submit, finish: Finish) -> None:
    limits = {"timeout": {"attemptDurationSeconds": 60}, "retryStrategy": {"attempts": 2}}
    job = finish(submit("sleep 600", definition=limits, timeout={"attemptDurationSeconds": 1}))
    assert job["status"] == "FAILED"
    assert job["statusReason"] == "Job attempt duration exceeded timeout"
    assert len(job["attempts"]) == 1


def test_a_terminated_job_gets_sigterm_and_says_why(
    cloud: LocalCloud, submit: Submit, finish: Finish, eventually: Any
) -> None:
    batch = cloud.client("batch")
    job = submit("trap 'echo saving; exit 7' TERM; echo up; while :; do sleep 0.1; done")
    eventually(lambda: batch.describe_jobs(jobs=[job])["jobs"][0]["status"] == "RUNNING")
    eventually(lambda: "up" in lines(cloud, batch.describe_jobs(jobs=[job])["jobs"][0]))
    batch.terminate_job(jobId=job, reason="no longer needed")
    ended = finish(job)
    assert (ended["status"], ended["statusReason"], ended["isTerminated"]) == ("FAILED", "no longer needed", True)
    assert ended["container"]["exitCode"] == 7
    assert lines(cloud, ended)[-1] == "saving"


def test_a_job_waits_for_the_jobs_it_depends_on(submit: Submit, finish: Finish) -> None:
    good, bad = submit("sleep 0.5"), submit("exit 1")
    after_good = finish(submit("true", dependsOn=[{"jobId": good}]))
    assert after_good["status"] == "SUCCEEDED"
    assert after_good["startedAt"] >= finish(good)["stoppedAt"] - 1000
    after_bad = finish(submit("true", dependsOn=[{"jobId": bad}]))
    assert (after_bad["status"], after_bad["statusReason"]) == ("FAILED", "Dependent Job failed")


def test_a_job_can_be_cancelled_before_it_starts(
    cloud: LocalCloud, submit: Submit, finish: Finish, eventually: Any
) -> None:
    batch = cloud.client("batch")
    first = submit("sleep 600")
    waiting = submit("true", dependsOn=[{"jobId": first}])
    eventually(lambda: batch.describe_jobs(jobs=[waiting])["jobs"][0]["status"] == "PENDING")
    batch.cancel_job(jobId=waiting, reason="changed my mind")
    job = finish(waiting)
    assert (job["status"], job["statusReason"], job["isCancelled"]) == ("FAILED", "changed my mind", True)
    batch.terminate_job(jobId=first, reason="done")
    assert finish(first)["status"] == "FAILED"


def test_a_command_that_does_not_exist_fails_with_its_name(cloud: LocalCloud, submit: Submit, finish: Finish) -> None:
    container = {"image": "any", "command": ["no-such-program"]}
    job = finish(submit("", definition={"containerProperties": container}))
    assert job["status"] == "FAILED"
    assert "no-such-program" in lines(cloud, job)[0]
