"""Jobs of AWS Batch."""

from __future__ import annotations

from typing import Any

from behaviours.resources import client, eventually, expect, lines, name, role

LIMIT_SECONDS = 60


def _queue() -> str:
    """Create a compute environment and a queue of Fargate; the queue's ARN."""
    ec2, batch = client("ec2"), client("batch")
    (network,) = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]
    own = [{"Name": "vpc-id", "Values": [network["VpcId"]]}]
    resources = {
        "type": "FARGATE",
        "maxvCpus": 4,
        "subnets": [ec2.describe_subnets(Filters=own)["Subnets"][0]["SubnetId"]],
        "securityGroupIds": [ec2.describe_security_groups(Filters=own)["SecurityGroups"][0]["GroupId"]],
    }
    environment = batch.create_compute_environment(
        computeEnvironmentName=name(), type="MANAGED", computeResources=resources, serviceRole=role()
    )["computeEnvironmentArn"]
    order = [{"order": 1, "computeEnvironment": environment}]
    jobs = batch.create_job_queue(jobQueueName=name(), state="ENABLED", priority=1, computeEnvironmentOrder=order)
    return str(jobs["jobQueueArn"])


def _submit(script: str, jobs: str = "", **settings: Any) -> str:
    """Submit a job that runs a shell script; its id."""
    batch = client("batch")
    container = {
        "image": "public.ecr.aws/docker/library/busybox",
        "command": ["sh", "-c", script],
        "resourceRequirements": [{"type": "VCPU", "value": "0.25"}, {"type": "MEMORY", "value": "512"}],
        "executionRoleArn": role(),
    }
    definition = batch.register_job_definition(
        jobDefinitionName=name(), type="container", platformCapabilities=["FARGATE"], containerProperties=container
    )["jobDefinitionArn"]
    job = batch.submit_job(jobName=name(), jobQueue=jobs or _queue(), jobDefinition=definition, **settings)
    return str(job["jobId"])


def _ended(job: str) -> dict[str, Any]:
    def ended() -> dict[str, Any] | None:
        (described,) = client("batch").describe_jobs(jobs=[job])["jobs"]
        return described if described["status"] in {"SUCCEEDED", "FAILED"} else None

    described: dict[str, Any] = eventually(ended, "the job does not end", LIMIT_SECONDS)
    return described


def a_job_that_exits_3_fails() -> None:
    """A job that exits with 3 fails, and says so."""
    job = _ended(_submit("exit 3"))
    expect((job["status"], job["container"].get("exitCode")) == ("FAILED", 3), f"{job['status']}, {job['container']}")


def a_job_writes_its_log() -> None:
    """A job that succeeds has written its output to its log stream."""
    job = _ended(_submit("echo it was here"))
    expect(job["status"] == "SUCCEEDED", str(job.get("statusReason")))
    expect("it was here" in lines("/aws/batch/job"), "the line is not in the log")


def a_job_is_tried_again() -> None:
    """A job that fails is tried as often as it says."""
    job = _ended(_submit("exit 1", retryStrategy={"attempts": 2}))
    expect(len(job.get("attempts", [])) == 2, f"{len(job.get('attempts', []))} attempts")  # noqa: PLR2004


def a_job_does_not_run_after_one_that_failed() -> None:
    """A job that depends on one that fails does not run."""
    jobs = _queue()
    first = _submit("exit 1", jobs)
    job = _ended(_submit("echo must not run", jobs, dependsOn=[{"jobId": first}]))
    expect(job["status"] == "FAILED", job["status"])
    expect(_ended(first)["container"].get("exitCode") == 1, "the first job did not run")
    expect("must not run" not in lines("/aws/batch/job"), "the second job ran")


def a_job_can_be_ended() -> None:
    """A job that is terminated fails with the reason that was given."""
    submitted = _submit("sleep 600")
    running = lambda: client("batch").describe_jobs(jobs=[submitted])["jobs"][0]["status"] == "RUNNING"  # noqa: E731
    eventually(running, "the job does not run")
    client("batch").terminate_job(jobId=submitted, reason="no longer needed")
    job = _ended(submitted)
    expect((job["status"], job["statusReason"]) == ("FAILED", "no longer needed"), f"{job['status']}")


def each_child_of_an_array_knows_its_index() -> None:
    """Each child of an array job knows its index."""
    mark = name()
    job = _ended(_submit(f'echo "{mark} $AWS_BATCH_JOB_ARRAY_INDEX"', arrayProperties={"size": 2}))
    expect(job["status"] == "SUCCEEDED", job["status"])
    expect({f"{mark} 0", f"{mark} 1"} <= {*lines("/aws/batch/job")}, "an index is missing")
