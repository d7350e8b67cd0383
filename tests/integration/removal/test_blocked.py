"""`groundwork destroy` of a stack that AWS would not remove: it names what blocks, and works after the named remedy."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from groundwork.__main__ import main
from localcloud import LocalCloud

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def shell(cloud: LocalCloud) -> Iterator[LocalCloud]:
    """A shell in the project's folder after `eval "$(groundwork local env)"`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(Path(__file__).parents[3])
        for name, value in cloud.shell_environment().items():
            patch.setenv(name, value)
        yield cloud


def test_a_blocked_stack_is_removed_after_the_remedies_that_are_named(
    shell: LocalCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with zipfile.ZipFile(tmp_path / "code.zip", "w") as archive:
        archive.writestr("workloads/__init__.py", "")
    shell.client("s3").create_bucket(Bucket="code")
    shell.client("s3").upload_file(str(tmp_path / "code.zip"), "code", "code.zip")
    shell.deploy("WebApp", context={"web_app.email": "you@example.com", "web_app.code": "s3://code/code.zip"})
    cloudformation, ec2 = shell.client("cloudformation"), shell.client("ec2")
    [instance] = [
        instance["InstanceId"]
        for reservation in ec2.describe_instances()["Reservations"]
        for instance in reservation["Instances"]
    ]
    cloudformation.update_termination_protection(StackName="WebApp", EnableTerminationProtection=True)
    ec2.modify_instance_attribute(InstanceId=instance, DisableApiTermination={"Value": True})
    monkeypatch.setattr("sys.argv", ["groundwork", "destroy", "WebApp", "--yes"])

    assert main() == 2
    said = capsys.readouterr().err
    remedies = [
        "aws cloudformation update-termination-protection --stack-name WebApp --no-enable-termination-protection",
        f"aws ec2 modify-instance-attribute --instance-id {instance} --no-disable-api-termination",
    ]
    assert [remedy for remedy in remedies if remedy not in said] == []
    assert stack_status(shell) == "CREATE_COMPLETE"

    cloudformation.update_termination_protection(StackName="WebApp", EnableTerminationProtection=False)
    ec2.modify_instance_attribute(InstanceId=instance, DisableApiTermination={"Value": False})
    assert main() == 0
    with pytest.raises(ClientError, match="does not exist"):
        stack_status(shell)


PROTECTED: dict[str, Any] = {
    "Films": {
        "Type": "AWS::DynamoDB::Table",
        "Properties": {
            "TableName": "films",
            "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
            "BillingMode": "PAY_PER_REQUEST",
            "DeletionProtectionEnabled": True,
        },
    },
    "Site": {
        "Type": "AWS::ElasticLoadBalancingV2::LoadBalancer",
        "Properties": {"LoadBalancerAttributes": [{"Key": "deletion_protection.enabled", "Value": "true"}]},
    },
}


@pytest.mark.parametrize("name", PROTECTED)
def test_the_local_cloud_does_not_delete_what_is_protected(cloud: LocalCloud, name: str) -> None:
    subnets = cloud.client("ec2").describe_subnets()["Subnets"]
    zones = {subnet["AvailabilityZone"]: subnet["SubnetId"] for subnet in subnets}
    resource = json.loads(json.dumps(PROTECTED[name]))
    if name == "Site":
        resource["Properties"]["Subnets"] = [zones[zone] for zone in sorted(zones)[:2]]
    cloudformation = cloud.client("cloudformation")
    cloudformation.create_stack(StackName=name, TemplateBody=json.dumps({"Resources": {name: resource}}))
    cloudformation.delete_stack(StackName=name)
    [stack] = cloudformation.describe_stacks(StackName=name)["Stacks"]
    assert stack["StackStatus"] == "DELETE_FAILED"
    assert name in stack["StackStatusReason"]


def stack_status(cloud: LocalCloud) -> str:
    """The status of WebApp."""
    return str(cloud.client("cloudformation").describe_stacks(StackName="WebApp")["Stacks"][0]["StackStatus"])
