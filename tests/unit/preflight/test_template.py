"""What preflight reads from a template: what starts instances, where, and what exists before the stack."""

from __future__ import annotations

from typing import Any

import pytest

from contract.quotas import ON_DEMAND, SPOT, Quota, vcpu_quota
from groundwork.preflight.template import Launch, Template

ZONE = {"Fn::Select": [1, {"Fn::GetAZs": ""}]}


def template(**resources: tuple[str, dict[str, Any]]) -> Template:
    body = {
        "Parameters": {
            "MachineImage": {"Type": "String", "Default": "resolve:ssm:/my/image"},
            "BootstrapVersion": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/cdk-bootstrap/x/version"},
        },
        "Mappings": {"Sizes": {"small": {"Type": "t3.small"}}},
        "Rules": {
            "CheckBootstrapVersion": {
                "Assertions": [{"Assert": {"Fn::Not": [{"Fn::Contains": [["1", "2"], {"Ref": "BootstrapVersion"}]}]}}]
            }
        },
        "Resources": {name: {"Type": kind, "Properties": said} for name, (kind, said) in resources.items()},
    }
    return Template("Shop", body, "shop")


def launch_template(**data: Any) -> tuple[str, dict[str, Any]]:
    return "AWS::EC2::LaunchTemplate", {"LaunchTemplateData": data}


USED = {"LaunchTemplateId": {"Ref": "Server"}, "Version": "1"}


def test_an_instance_starts_what_its_launch_template_says() -> None:
    stack = template(
        Server=launch_template(
            InstanceType={"Fn::FindInMap": ["Sizes", "small", "Type"]}, ImageId={"Ref": "MachineImage"}
        ),
        Shop=("AWS::EC2::Instance", {"LaunchTemplate": USED, "SubnetId": {"Ref": "Front"}}),
    )
    assert list(stack.launches()) == [
        Launch("Shop", ("t3.small",), ({"Ref": "Front"},), "resolve:ssm:/my/image", instances=1)
    ]


@pytest.mark.parametrize(("size", "instances"), [({"DesiredCapacity": "3"}, 3), ({"DesiredCapacity": "0"}, 0), ({}, 1)])
def test_a_group_starts_as_many_as_it_desires_or_else_its_minimum(size: dict[str, str], instances: int) -> None:
    group = {"LaunchTemplate": USED, "MinSize": "1", "VPCZoneIdentifier": ["subnet-1"], **size}
    stack = template(
        Server=launch_template(InstanceType="t3.micro"), Group=("AWS::AutoScaling::AutoScalingGroup", group)
    )
    assert [launch.instances for launch in stack.launches()] == [instances]


def test_a_compute_environment_starts_nothing_at_once_and_is_spot_where_it_says_so() -> None:
    compute = {"Type": "SPOT", "InstanceTypes": ["m7i", "c7i"], "MaxvCpus": 16, "Subnets": ["subnet-1"]}
    fargate = {"Type": "FARGATE", "MaxvCpus": 8, "Subnets": ["subnet-1"]}
    stack = template(
        Jobs=("AWS::Batch::ComputeEnvironment", {"ComputeResources": compute}),
        Small=("AWS::Batch::ComputeEnvironment", {"ComputeResources": fargate}),
    )
    assert list(stack.launches()) == [Launch("Jobs", ("m7i", "c7i"), ("subnet-1",), vcpus=16, spot=True)]


def test_a_launch_template_that_nothing_uses_starts_its_instance_later() -> None:
    stack = template(Server=launch_template(InstanceType="g4dn.xlarge", NetworkInterfaces=[{"SubnetId": "subnet-1"}]))
    assert list(stack.launches()) == [Launch("Server", ("g4dn.xlarge",), ("subnet-1",))]


def test_a_subnet_of_the_stack_has_the_zone_that_the_template_says() -> None:
    stack = template(
        Front=("AWS::EC2::Subnet", {"AvailabilityZone": ZONE}),
        Back=("AWS::EC2::Subnet", {"AvailabilityZone": "us-east-1c"}),
    )
    assert stack.zone({"Ref": "Front"}) == 1
    assert stack.zone({"Ref": "Back"}) == "us-east-1c"
    assert stack.zone({"Fn::Select": [1, [{"Ref": "Front"}, {"Ref": "Back"}]]}) == "us-east-1c"
    assert stack.zone("subnet-0123") is None


def test_identifiers_of_what_exists_are_found_wherever_they_stand() -> None:
    stack = template(
        Jobs=("AWS::Batch::ComputeEnvironment", {"ComputeResources": {"Type": "FARGATE", "Subnets": ["subnet-0a1b"]}}),
        Rule=("AWS::EC2::SecurityGroup", {"VpcId": "vpc-0a1b", "Description": "not vpc-0a1b itself"}),
    )
    assert stack.subnets() == {"subnet-0a1b": "Jobs"}
    assert stack.identifiers(r"vpc-[0-9a-f]+") == {"vpc-0a1b": "Rule"}


def test_the_bootstrap_needs_the_version_after_the_last_that_is_refused() -> None:
    assert template().bootstrap == ("/cdk-bootstrap/x/version", 3)
    assert Template("Shop", {"Resources": {}}).bootstrap is None


def test_what_is_known_only_during_the_deployment_is_no_text() -> None:
    stack = template()
    assert [stack.text(value) for value in ("a", 5, {"Ref": "MachineImage"})] == ["a", "5", "resolve:ssm:/my/image"]
    assert [stack.text(value) for value in ({"Ref": "Bucket"}, {"Fn::GetAtt": ["Bucket", "Arn"]}, None)] == [""] * 3


@pytest.mark.parametrize(
    ("kind", "spot", "quota"),
    [
        ("t3.micro", False, ON_DEMAND["standard"]),
        ("im4gn.large", False, ON_DEMAND["standard"]),
        ("m7i", True, SPOT["standard"]),
        ("g4dn.xlarge", False, ON_DEMAND["g"]),
        ("vt1.3xlarge", True, SPOT["g"]),
        ("p5.48xlarge", False, ON_DEMAND["p"]),
        ("trn1.2xlarge", False, None),
        ("hpc7a.12xlarge", False, None),
        ("inf2.xlarge", False, None),
        ("x2idn.16xlarge", False, None),
    ],
)
def test_the_vcpus_of_a_family_count_against_the_quota_of_its_bucket(
    kind: str, spot: bool, quota: Quota | None
) -> None:
    assert vcpu_quota(kind, spot=spot) == quota
