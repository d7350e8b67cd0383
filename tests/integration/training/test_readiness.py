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
from workloads.training.jobs.readiness import check_readiness, data_of
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


def test_a_job_that_can_start_is_not_refused(stack: TrainingStack) -> None:
    assert check_readiness(stack, Request("digit-classifier"), on="batch") == []


def test_data_that_are_not_there_are_named(stack: TrainingStack) -> None:
    there = f"s3://{stack['DataBucketName']}"
    assert f"There are no data in {there}/delivery" in refusal(stack, Request("delivery-time"))
    elsewhere = Request("digit-classifier", ["--data", "s3://absent-bucket/digits"])
    assert "There are no data in s3://absent-bucket/digits" in refusal(stack, elsewhere)
    assert check_readiness(stack, Request("delivery-time", [f"--data={there}/mnist"]), on="batch") == []


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
    def deny(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "No."}}, "ListObjectsV2")

    session = boto3.Session()
    session.events.register("before-call.s3.ListObjectsV2", deny)
    unknown = check_readiness(stack, Request("delivery-time"), on="batch", account=Account(session))
    assert unknown == ["s3:ListBucket"]
