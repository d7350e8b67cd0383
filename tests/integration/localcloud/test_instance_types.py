"""The local cloud launches only what its region offers, and only where it does, and answers as AWS does."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localcloud import LocalCloud

#: A type that exists, but not in us-east-1, and one that us-east-1e does not have.
ELSEWHERE, NOT_IN_E = "hpc7a.48xlarge", "t3.micro"
NOT_SUPPORTED = (
    "The requested configuration is currently not supported. "
    "Please check the documentation for supported configurations."
)
LAUNCH = {"ImageId": "ami-12c6146b", "MinCount": 1, "MaxCount": 1}


def refusal(act: Callable[..., object], **parameters: Any) -> tuple[str, str]:
    """The code and the message with which AWS refuses a request."""
    with pytest.raises(ClientError) as refused:
        act(**parameters)
    error = refused.value.response["Error"]
    return str(error["Code"]), str(error["Message"])


def subnet(cloud: LocalCloud, zone: str) -> str:
    """The subnet of a zone in the default VPC."""
    filters: Any = [{"Name": "availability-zone", "Values": [zone]}, {"Name": "default-for-az", "Values": ["true"]}]
    return str(cloud.client("ec2").describe_subnets(Filters=filters)["Subnets"][0]["SubnetId"])


def template(cloud: LocalCloud, kind: str) -> dict[str, str]:
    """A launch template with an instance type, which EC2 takes whatever it is."""
    name = f"template-{uuid.uuid4().hex}"
    data: Any = {"InstanceType": kind, "ImageId": LAUNCH["ImageId"]}
    cloud.client("ec2").create_launch_template(LaunchTemplateName=name, LaunchTemplateData=data)
    return {"LaunchTemplateName": name}


@pytest.mark.parametrize("place", ["subnet", "placement", "interface"])
def test_an_instance_is_launched_only_in_a_zone_that_offers_its_type(cloud: LocalCloud, place: str) -> None:
    def launch(zone: str) -> Any:
        places: dict[str, Any] = {
            "subnet": {"SubnetId": subnet(cloud, zone)},
            "placement": {"Placement": {"AvailabilityZone": zone}},
            "interface": {"NetworkInterfaces": [{"DeviceIndex": 0, "SubnetId": subnet(cloud, zone)}]},
        }
        return cloud.client("ec2").run_instances(InstanceType=NOT_IN_E, **LAUNCH, **places[place])

    code, message = refusal(launch, zone="us-east-1e")
    assert code == "Unsupported"
    assert message == (
        "Your requested instance type (t3.micro) is not supported in your requested Availability Zone (us-east-1e). "
        "Please retry your request by not specifying an Availability Zone or choosing us-east-1a, us-east-1b, "
        "us-east-1c, us-east-1d, us-east-1f."
    )
    instance = launch("us-east-1a")["Instances"][0]["InstanceId"]
    cloud.client("ec2").terminate_instances(InstanceIds=[instance])


def test_a_type_that_the_region_does_not_offer_is_refused_from_a_launch_template_too(cloud: LocalCloud) -> None:
    launch = cloud.client("ec2").run_instances
    assert refusal(launch, LaunchTemplate=template(cloud, ELSEWHERE), **LAUNCH) == ("Unsupported", NOT_SUPPORTED)
    unknown = template(cloud, "t3.mikro")
    assert refusal(launch, LaunchTemplate=unknown, **LAUNCH) == (
        "InvalidParameterValue",
        "Invalid value 't3.mikro' for InstanceType.",
    )


def test_a_group_takes_no_launch_template_that_launches_nothing(cloud: LocalCloud) -> None:
    groups, name = cloud.client("autoscaling"), f"group-{uuid.uuid4().hex}"
    settings: Any = {"AutoScalingGroupName": name, "MinSize": 0, "MaxSize": 1}
    place = {"VPCZoneIdentifier": subnet(cloud, "us-east-1a")}
    wrong = template(cloud, ELSEWHERE)
    answer = ("ValidationError", f"You must use a valid fully-formed launch template. {NOT_SUPPORTED}")
    assert refusal(groups.create_auto_scaling_group, LaunchTemplate=wrong, **settings, **place) == answer
    assert groups.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"] == []
    groups.create_auto_scaling_group(LaunchTemplate=template(cloud, "t3.micro"), **settings, **place)
    assert refusal(groups.update_auto_scaling_group, LaunchTemplate=wrong, AutoScalingGroupName=name) == answer
    groups.delete_auto_scaling_group(AutoScalingGroupName=name, ForceDelete=True)


def test_a_group_with_a_zone_that_lacks_its_type_launches_in_the_others(cloud: LocalCloud) -> None:
    groups, name = cloud.client("autoscaling"), f"group-{uuid.uuid4().hex}"
    subnets = ",".join(subnet(cloud, zone) for zone in ("us-east-1a", "us-east-1e"))
    groups.create_auto_scaling_group(
        AutoScalingGroupName=name,
        MinSize=1,
        MaxSize=1,
        LaunchTemplate=template(cloud, NOT_IN_E),
        VPCZoneIdentifier=subnets,
    )
    assert (
        len(groups.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"][0]["Instances"]) == 1
    )
    groups.delete_auto_scaling_group(AutoScalingGroupName=name, ForceDelete=True)
