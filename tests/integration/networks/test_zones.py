"""The zones of a stack's own VPC are those that a person chooses, also in the console."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError

from infra.console.templates import FOLDER
from localcloud import LocalCloud

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    bundle = tmp_path_factory.mktemp("code") / "code.zip"
    with zipfile.ZipFile(bundle, "w") as archive:
        archive.writestr("workloads/__init__.py", "")
    with LocalCloud(tmp_path_factory.mktemp("cloud")) as running:
        running.client("s3").create_bucket(Bucket="code")
        running.client("s3").upload_file(str(bundle), "code", "code.zip")
        yield running


def create(cloud: LocalCloud, name: str, **parameters: str) -> None:
    values = {"Code": "s3://code/code.zip", **parameters}
    cloud.client("cloudformation").create_stack(
        StackName=name,
        TemplateURL=cloud.template_url((FOLDER / "web-app.yaml").read_text()),
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()],
        Capabilities=["CAPABILITY_IAM"],
    )


@pytest.mark.parametrize(
    "zones",
    [{"FirstZone": "us-east-1c"}, {"FirstZone": "us-east-1c", "SecondZone": "us-east-1c"}],
    ids=["one", "twice"],
)
def test_zones_that_do_not_go_together_are_refused(cloud: LocalCloud, zones: dict[str, str]) -> None:
    with pytest.raises(ClientError, match="Choose two zones that differ"):
        create(cloud, "Refused", **zones)


def test_the_chosen_zones_are_those_of_the_subnets(cloud: LocalCloud) -> None:
    create(cloud, "Zones", FirstZone="us-east-1d", SecondZone="us-east-1b")
    ec2 = cloud.client("ec2")
    subnets = ec2.describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["false"]}])["Subnets"]
    assert sorted({subnet["AvailabilityZone"] for subnet in subnets}) == ["us-east-1b", "us-east-1d"]
    [instances] = [
        group["Instances"]
        for group in ec2.describe_instances()["Reservations"]
        if group["Instances"][0]["State"]["Name"] == "running"
    ]
    assert instances[0]["Placement"]["AvailabilityZone"] == "us-east-1d"
