"""Machine images that an SSM parameter names: EC2 reads it at each launch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from localcloud import LocalCloud

FIRST, SECOND = "ami-12c6146b", "ami-03cf127a"
Json = dict[str, Any]


@pytest.fixture
def parameter(cloud: LocalCloud) -> str:
    """The name of a parameter that holds the first image."""
    name = f"/golden/{uuid4().hex[:8]}"
    publish(cloud, name, FIRST)
    return name


@pytest.fixture
def template(cloud: LocalCloud, parameter: str) -> Iterator[Json]:
    """A launch template that names its image by the parameter."""
    ec2, name = cloud.client("ec2"), f"t-{uuid4().hex[:8]}"
    data = {"ImageId": f"resolve:ssm:{parameter}", "InstanceType": "t3.micro"}
    ec2.create_launch_template(LaunchTemplateName=name, LaunchTemplateData=data)
    yield {"LaunchTemplateName": name, "Version": "$Latest"}
    ec2.delete_launch_template(LaunchTemplateName=name)


def publish(cloud: LocalCloud, parameter: str, image: str) -> None:
    cloud.client("ssm").put_parameter(
        Name=parameter, Value=image, Type="String", DataType="aws:ec2:image", Overwrite=True
    )


def launch(cloud: LocalCloud, **parameters: Any) -> str:
    [instance] = cloud.client("ec2").run_instances(MinCount=1, MaxCount=1, **parameters)["Instances"]
    return str(instance["ImageId"])


def test_each_launch_has_the_image_that_the_parameter_holds_then(
    cloud: LocalCloud, parameter: str, template: Json
) -> None:
    named: Json = {"ImageId": f"resolve:ssm:{parameter}", "InstanceType": "t3.micro"}
    assert (launch(cloud, **named), launch(cloud, LaunchTemplate=template)) == (FIRST, FIRST)
    publish(cloud, parameter, SECOND)
    assert (launch(cloud, **named), launch(cloud, LaunchTemplate=template)) == (SECOND, SECOND)
    assert launch(cloud, **named | {"ImageId": f"resolve:ssm:{parameter}:1"}) == FIRST


def test_a_group_starts_later_instances_from_the_newer_image(cloud: LocalCloud, parameter: str, template: Json) -> None:
    autoscaling, ec2, name = cloud.client("autoscaling"), cloud.client("ec2"), f"group-{uuid4().hex[:8]}"
    autoscaling.create_auto_scaling_group(
        AutoScalingGroupName=name, LaunchTemplate=template, MinSize=1, MaxSize=2, AvailabilityZones=["us-east-1a"]
    )
    publish(cloud, parameter, SECOND)
    autoscaling.set_desired_capacity(AutoScalingGroupName=name, DesiredCapacity=2)
    [group] = autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]
    found = ec2.describe_instances(InstanceIds=[instance["InstanceId"] for instance in group["Instances"]])
    images = {instance["ImageId"] for reservation in found["Reservations"] for instance in reservation["Instances"]}
    autoscaling.delete_auto_scaling_group(AutoScalingGroupName=name, ForceDelete=True)
    assert images == {FIRST, SECOND}


def test_a_launch_template_shows_the_parameter_or_the_image(cloud: LocalCloud, parameter: str, template: Json) -> None:
    def shown(**options: Any) -> str:
        described = cloud.client("ec2").describe_launch_template_versions(
            LaunchTemplateName=template["LaunchTemplateName"], **options
        )
        return str(described["LaunchTemplateVersions"][0]["LaunchTemplateData"]["ImageId"])

    assert (shown(), shown(ResolveAlias=True)) == (f"resolve:ssm:{parameter}", FIRST)


def test_a_parameter_that_cannot_be_used_is_refused(cloud: LocalCloud) -> None:
    ec2, text = cloud.client("ec2"), f"/text/{uuid4().hex[:8]}"
    cloud.client("ssm").put_parameter(Name=text, Value=FIRST, Type="String")
    for name, says in ((text, "supported: aws:ec2:image"), ("/nowhere", "aliases are invalid: /nowhere")):
        image = {"ImageId": f"resolve:ssm:{name}", "InstanceType": "t3.micro"}
        with pytest.raises(ClientError, match=rf"\(SsmInvalidParameter\).*{says}"):
            launch(cloud, **image)
        with pytest.raises(ClientError, match=rf"\(SsmInvalidParameter\).*{says}"):
            ec2.create_launch_template(LaunchTemplateName=f"t-{uuid4().hex[:8]}", LaunchTemplateData=image)
