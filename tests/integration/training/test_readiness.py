"""`groundwork submit` refuses a job that could not start, before it waits in RUNNABLE, and says why."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from contract.errors import InputError
from localcloud import LocalCloud
from workloads.account.reader import Account
from workloads.training.jobs import commands, follow
from workloads.training.jobs.readiness import check_readiness, data_of, reason_to_wait
from workloads.training.jobs.stack import TrainingStack
from workloads.training.jobs.submit import Request

PROJECT = Path(__file__).parents[3]
IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/jobs:1"
Deploy = Callable[..., TrainingStack]


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """A local cloud whose account is new: it may have no GPUs."""
    with (
        LocalCloud(tmp_path_factory.mktemp("readiness"), account="new") as running,
        pytest.MonkeyPatch.context() as patch,
    ):
        for name, value in running.environment().items():
            patch.setenv(name, value)
        patch.setattr(boto3, "DEFAULT_SESSION", None)
        running.client("s3").create_bucket(Bucket="mine")
        running.client("s3").put_object(Bucket="mine", Key="code.zip", Body=b"code")
        yield running


@pytest.fixture(scope="module")
def deploy(cloud: LocalCloud) -> Deploy:
    """Deploys the stack Training under a name, from its console template, with data for the digits."""
    default = cloud.client("ec2").describe_subnets()["Subnets"]
    network = {"VpcId": default[0]["VpcId"], "SubnetIds": ",".join(subnet["SubnetId"] for subnet in default)}

    def create(name: str, **parameters: str) -> TrainingStack:
        values = {"Code": "s3://mine/code.zip", **network, **parameters}
        cloud.client("cloudformation").create_stack(
            StackName=name,
            TemplateURL=cloud.template_url((PROJECT / "cloudformation" / "training.yaml").read_text()),
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()],
            Capabilities=["CAPABILITY_IAM"],
        )
        stack = TrainingStack(name, cloud.outputs(name))
        cloud.client("s3").put_object(Bucket=stack["DataBucketName"], Key="mnist/images", Body=b"digits")
        return stack

    return create


@pytest.fixture(scope="module")
def stack(deploy: Deploy) -> TrainingStack:
    return deploy("Training")


def refusal(stack: TrainingStack, request: Request, on: str = "batch") -> str:
    """Why a job is refused."""
    with pytest.raises(InputError) as refused:
        check_readiness(stack, request, on=on)
    return str(refused.value)


def denied(**_: Any) -> None:
    """What AWS answers to credentials that do not have the permission."""
    raise ClientError({"Error": {"Code": "AccessDenied", "Message": "No."}}, "Any")


def test_a_job_that_can_start_is_not_refused(stack: TrainingStack) -> None:
    assert check_readiness(stack, Request("digit-classifier"), on="batch") == []


def test_data_that_are_not_there_are_named(stack: TrainingStack) -> None:
    there = f"s3://{stack['DataBucketName']}"
    assert f"There are no data in {there}/delivery" in refusal(stack, Request("delivery-time"))
    elsewhere = Request("digit-classifier", ["--data", "s3://absent-bucket/digits"])
    assert "There are no data in s3://absent-bucket/digits" in refusal(stack, elsewhere)
    assert check_readiness(stack, Request("delivery-time", [f"--data={there}/mnist"]), on="batch") == []


def test_a_folder_that_holds_no_file_has_no_data(stack: TrainingStack) -> None:
    """The console makes an empty object for a folder, and a prefix is also the beginning of other names."""
    bucket = stack["DataBucketName"]
    for key in ("nfl/", "nfl/old/", "nfl-old/data.csv"):
        boto3.client("s3").put_object(Bucket=bucket, Key=key, Body=b"")
    refused = refusal(stack, Request("player-position"))
    assert f"There are no data in s3://{bucket}/nfl. Put them there with `groundwork data put nfl`" in refused
    place = f"s3://{bucket}/nfl-ol"
    assert f"`groundwork data put nfl --to {place}`" in refusal(stack, Request("player-position", ["--data", place]))
    one_file = Request("player-position", ["--data", f"s3://{bucket}/nfl-old/data.csv"])
    assert check_readiness(stack, one_file, on="batch") == []


@pytest.mark.parametrize(
    ("options", "place"),
    [
        ([], "s3://bucket/mnist"),
        (["--epochs", "3"], "s3://bucket/mnist"),
        (["--data", "s3://a", "--data=s3://b"], "s3://b"),
        (["--data=s3://b", "--data", "s3://a"], "s3://a"),
        (["--data"], ""),
    ],
)
def test_the_last_option_says_where_the_data_are(options: list[str], place: str) -> None:
    assert data_of({"parameters": {"data": "s3://bucket/mnist"}}, options) == place


@pytest.mark.parametrize(
    ("request_", "on", "quota"),
    [
        (Request("digit-classifier", queue="gpu"), "batch", "L-3819A6DF"),
        (Request("digit-classifier", nodes=2), "batch", "L-DB2E81BA"),
        (Request("digit-classifier", queue="gpu"), "ec2", "L-DB2E81BA"),
    ],
    ids=["spot", "several nodes", "an instance of its own"],
)
def test_a_quota_without_gpus_is_named_with_the_way_to_raise_it(
    stack: TrainingStack, request_: Request, on: str, quota: str
) -> None:
    reason = refusal(stack, request_, on)
    assert "The account may have 0 vCPUs of G and VT" in reason
    assert f"--quota-code {quota} --desired-value" in reason


def waiting(stack: TrainingStack, queue: str, **changes: Any) -> dict[str, Any]:
    """A job that waits, as Batch describes it without a reason."""
    gpu = [{"type": "VCPU", "value": "4"}, {"type": "MEMORY", "value": "8000"}, {"type": "GPU", "value": "1"}]
    job = {"jobId": "j", "jobName": "digit-classifier-train", "jobQueue": stack[f"{queue}QueueArn"]}
    return job | {"status": "RUNNABLE", "createdAt": 0, "container": {"resourceRequirements": gpu}} | changes


class Waiting:
    """Batch, with one job that waits in the queue of the GPUs."""

    def __init__(self, stack: TrainingStack) -> None:
        self._job = waiting(stack, "Gpu")

    def describe_jobs(self, **_: list[str]) -> dict[str, Any]:
        return {"jobs": [self._job]}

    def get_paginator(self, _: str) -> Waiting:
        return self

    def paginate(self, **asked: str) -> list[dict[str, Any]]:
        is_there = asked == {"jobQueue": self._job["jobQueue"], "jobStatus": "RUNNABLE"}
        return [{"jobSummaryList": [self._job] if is_there else []}]


def test_a_job_that_waits_for_a_quota_of_nothing_is_explained(stack: TrainingStack) -> None:
    reason = reason_to_wait(waiting(stack, "Gpu"))
    assert "The account may have 0 vCPUs of G and VT" in reason
    assert "--quota-code L-3819A6DF --desired-value" in reason
    container = waiting(stack, "Gpu")["container"]
    nodes = {"numNodes": 2, "mainNode": 0, "nodeRangeProperties": [{"targetNodes": "0:1", "container": container}]}
    assert "--quota-code L-DB2E81BA" in reason_to_wait(waiting(stack, "MultiNode", nodeProperties=nodes))


def test_a_job_that_waits_for_its_turn_has_no_such_reason(stack: TrainingStack) -> None:
    cpu = {"resourceRequirements": [{"type": "VCPU", "value": "4"}, {"type": "MEMORY", "value": "8000"}]}
    assert not reason_to_wait(waiting(stack, "Cpu", container=cpu))
    assert not reason_to_wait(waiting(stack, "Gpu", status="RUNNING"))


def test_what_the_credentials_may_not_read_gives_no_reason(stack: TrainingStack) -> None:
    session = boto3.Session()
    session.events.register("before-call.service-quotas", denied)
    assert not reason_to_wait(waiting(stack, "Gpu"), Account(session))


def test_the_list_of_jobs_and_the_log_say_why_a_job_waits(
    stack: TrainingStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = Waiting(stack)
    for module in (commands, follow):
        monkeypatch.setattr(module, "client", lambda service: batch if service == "batch" else boto3.client(service))
    monkeypatch.setattr(TrainingStack, "find", lambda _: stack)
    (listed,) = commands.jobs().document["jobs"]
    assert "The account may have 0 vCPUs of G and VT" in listed["reason"]
    assert "The account may have 0 vCPUs of G and VT" in str(commands.logs("j").document["reason"])


def test_whoever_follows_a_job_that_waits_is_told_why(stack: TrainingStack, monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []

    def say(line: str) -> None:
        lines.append(line)
        raise KeyboardInterrupt

    monkeypatch.setattr(
        follow, "client", lambda service: Waiting(stack) if service == "batch" else boto3.client(service)
    )
    with pytest.raises(KeyboardInterrupt):
        follow.follow_job(stack, "j", say)
    assert "runnable (The account may have 0 vCPUs of G and VT" in lines[0]


def test_more_nodes_than_the_compute_environment_may_have_are_refused(stack: TrainingStack) -> None:
    assert "needs 20 vCPUs, and compute environment" in refusal(stack, Request("digit-classifier", nodes=5))


def test_a_job_that_fits_on_no_instance_type_is_refused(deploy: Deploy) -> None:
    reason = refusal(deploy("Large", JobMemoryMib="1500000"), Request("digit-classifier"))
    assert "The job needs 4 vCPUs, 1500000 MiB, and no instance type of compute environment" in reason
    assert "(m7i, c7i, m6i, c6i)" in reason


def test_an_image_that_is_not_in_its_registry_is_refused(deploy: Deploy, cloud: LocalCloud) -> None:
    stack = deploy("Imageless", Image=IMAGE)
    assert f"There is no image {IMAGE}" in refusal(stack, Request("digit-classifier"))
    cloud.client("ecr").create_repository(repositoryName="jobs")
    assert f"There is no image {IMAGE}" in refusal(stack, Request("digit-classifier"))
    kind = "application/vnd.docker.distribution.manifest.v2+json"
    manifest = f'{{"schemaVersion": 2, "mediaType": "{kind}", "config": {{"digest": "sha256:0"}}, "layers": []}}'
    cloud.client("ecr").put_image(repositoryName="jobs", imageManifest=manifest, imageTag="1")
    assert check_readiness(stack, Request("digit-classifier"), on="batch") == []


def test_subnets_without_a_way_to_the_registry_are_refused(deploy: Deploy, cloud: LocalCloud) -> None:
    ec2 = cloud.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.7.{number}.0/24", AvailabilityZone=zone)["Subnet"]["SubnetId"]
        for number, zone in enumerate(("us-east-1a", "us-east-1b"))
    ]
    stack = deploy("Lonely", VpcId=vpc, SubnetIds=",".join(subnets))
    assert f"Subnet {subnets[0]} has no route to the internet" in refusal(stack, Request("digit-classifier"))
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(VpcId=vpc, InternetGatewayId=gateway)
    (table,) = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["RouteTables"]
    ec2.create_route(RouteTableId=table["RouteTableId"], DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    assert f"Subnet {subnets[0]} gives instances no public address" in refusal(stack, Request("digit-classifier"))
    ec2.modify_subnet_attribute(SubnetId=subnets[1], MapPublicIpOnLaunch={"Value": True})
    assert check_readiness(stack, Request("digit-classifier"), on="batch") == []


def test_a_disabled_queue_is_refused(deploy: Deploy, cloud: LocalCloud) -> None:
    stack = deploy("Closed")
    cloud.client("batch").update_job_queue(jobQueue=stack["CpuQueueArn"], state="DISABLED")
    assert "is disabled. Enable it" in refusal(stack, Request("digit-classifier"))


def test_what_the_credentials_may_not_read_is_named_and_does_not_stop_the_job(stack: TrainingStack) -> None:
    session = boto3.Session()
    session.events.register("before-call.s3.ListObjectsV2", denied)
    unknown = check_readiness(stack, Request("delivery-time"), on="batch", account=Account(session))
    assert unknown == ["s3:ListBucket"]
