"""A first deployment that fails leaves nothing behind: every stack, when everything but its last resource was there.

Only the policy `Snapshot` also holds then: it leaves final snapshots of empty databases.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from infra.console.templates import FOLDER, TEMPLATES
from localcloud import LocalCloud
from localcloud.cloud.inventory import inventory
from localcloud.cloudformation import templates

pytestmark = pytest.mark.timeout(600)

#: What the inventory calls the snapshots of a type.
KINDS = {"AWS::RDS::DBInstance": "database snapshots", "AWS::Neptune::DBCluster": "graph snapshots"}
TAKEN = "taken-by-somebody-else"


@pytest.fixture(scope="module")
def settings(cloud: LocalCloud, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the console would ask for, by parameter: a bundle of code, and a network that is there."""
    bundle = tmp_path_factory.mktemp("code") / "code.zip"
    with zipfile.ZipFile(bundle, "w") as archive:
        archive.writestr("workloads/__init__.py", "")
    cloud.client("s3").create_bucket(Bucket="code")
    cloud.client("s3").upload_file(str(bundle), "code", "code.zip")
    cloud.client("logs").create_log_group(logGroupName=TAKEN)
    ec2 = cloud.client("ec2")
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    subnets = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["Subnets"][:2]
    names = ",".join(subnet["SubnetId"] for subnet in subnets)
    return {"Code": "s3://code/code.zip", "Email": "you@example.com", "VpcId": vpc, "SubnetIds": names}


@pytest.mark.parametrize("file", TEMPLATES)
def test_a_first_deployment_that_fails_leaves_nothing(cloud: LocalCloud, settings: dict[str, str], file: str) -> None:
    template = templates.parse((FOLDER / file).read_text())
    last = {"Type": "AWS::Logs::LogGroup", "DependsOn": [*template["Resources"]], "Properties": {"LogGroupName": TAKEN}}
    template["Resources"]["Last"] = last
    asked = [{"ParameterKey": key, "ParameterValue": settings[key]} for key in settings.keys() & template["Parameters"]]
    url = cloud.template_url(json.dumps(template))
    name, before = f"Failing-{Path(file).stem}", inventory(cloud.client)
    cloudformation = cloud.client("cloudformation")
    cloudformation.create_stack(StackName=name, TemplateURL=url, Capabilities=["CAPABILITY_IAM"], Parameters=asked)
    stack = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE", stack["StackStatusReason"]
    assert "Last (AWS::Logs::LogGroup)" in stack["StackStatusReason"]
    left = {kind: names - before[kind] for kind, names in inventory(cloud.client).items() if names - before[kind]}
    snapshots = {resource["Type"] for resource in template["Resources"].values() if "Snapshot" in resource.values()}
    assert left.keys() == {KINDS[kind] for kind in snapshots}
