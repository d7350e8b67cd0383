"""Where instances of templates are, and the volumes that they have."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localcloud import LocalCloud
from tests.stacks import Stack, attribute, ref, resource

Json = dict[str, Any]
VPC = resource("EC2::VPC", CidrBlock="10.0.0.0/16")
SUBNET = resource("EC2::Subnet", VpcId=ref("Vpc"), CidrBlock="10.0.0.0/24", AvailabilityZone="us-east-1b")
NETWORK = {"Vpc": VPC, "Subnet": SUBNET}


def machine(**properties: Any) -> Json:
    return resource("EC2::Instance", ImageId="ami-03cf127a", InstanceType="t3.micro", **properties)


def volume(size: int = 10, **properties: Any) -> Json:
    return resource("EC2::Volume", AvailabilityZone="us-east-1b", Size=size, VolumeType="gp3", **properties)


def instance(cloud: LocalCloud, identifier: str) -> Json:
    answer: Json = cloud.client("ec2").describe_instances(InstanceIds=[identifier])
    found: Json = answer["Reservations"][0]["Instances"][0]
    return found


def attached(cloud: LocalCloud, identifier: str) -> list[tuple[str, str]]:
    """To which instance a volume is attached, and where."""
    described = cloud.client("ec2").describe_volumes(VolumeIds=[identifier])["Volumes"][0]
    return [(item["InstanceId"], item["Device"]) for item in described.get("Attachments", [])]


def test_an_instance_is_where_its_template_says(cloud: LocalCloud) -> None:
    group = resource("EC2::PlacementGroup", Strategy="cluster")
    placed = machine(
        SubnetId=ref("Subnet"), AvailabilityZone="us-east-1b", Tenancy="dedicated", PlacementGroupName=ref("Group")
    )
    outputs = {"Zone": attribute("Machine", "AvailabilityZone")}
    stack = Stack(cloud, outputs, **NETWORK, Group=group, Machine=placed)
    first = stack.physical("Machine")
    placement = instance(cloud, first)["Placement"]
    assert placement["AvailabilityZone"] == stack.output("Zone") == "us-east-1b"
    assert placement["Tenancy"] == "dedicated"
    assert placement["GroupName"] == stack.physical("Group")
    with pytest.raises(ClientError, match="in use"):
        cloud.client("ec2").delete_placement_group(GroupName=stack.physical("Group"))
    alone = machine(SubnetId=ref("Subnet"), AvailabilityZone="us-east-1b", Tenancy="dedicated")
    assert stack.update(**NETWORK, Group=group, Machine=alone) == "UPDATE_COMPLETE"
    assert stack.physical("Machine") != first
    assert not instance(cloud, stack.physical("Machine"))["Placement"].get("GroupName")
    stack.delete()


def test_what_a_launch_template_says_of_the_place_counts_too(cloud: LocalCloud) -> None:
    data = {"ImageId": "ami-03cf127a", "InstanceType": "t3.micro", "Placement": {"GroupName": ref("Group")}}
    stack = Stack(
        cloud,
        Group=resource("EC2::PlacementGroup"),
        Launch=resource("EC2::LaunchTemplate", LaunchTemplateData=data),
        Machine=resource("EC2::Instance", LaunchTemplate={"LaunchTemplateId": ref("Launch"), "Version": "1"}),
    )
    assert instance(cloud, stack.physical("Machine"))["Placement"]["GroupName"] == stack.physical("Group")
    stack.delete()


@pytest.mark.parametrize(
    ("properties", "problem"),
    [
        ({"AvailabilityZone": "us-east-1a"}, "Value (us-east-1a) for parameter availabilityZone is invalid"),
        ({"PlacementGroupName": "nobody"}, "The Placement Group 'nobody' is unknown"),
    ],
    ids=["zone", "group"],
)
def test_an_instance_is_nowhere_where_it_cannot_be(cloud: LocalCloud, properties: Json, problem: str) -> None:
    stack = Stack(cloud, **NETWORK)
    wrong = machine(SubnetId=ref("Subnet"), **properties)
    assert stack.update(**NETWORK, Machine=wrong) == "UPDATE_ROLLBACK_COMPLETE"
    assert problem in stack.reasons()
    stack.delete()


def test_an_instance_takes_packets_that_are_not_for_it_while_its_template_says_so(cloud: LocalCloud) -> None:
    def checked() -> bool:
        answer = cloud.client("ec2").describe_instance_attribute(
            InstanceId=stack.physical("Machine"), Attribute="sourceDestCheck"
        )
        return bool(answer["SourceDestCheck"]["Value"])

    stack = Stack(cloud, Machine=machine(SourceDestCheck=False))
    first = stack.physical("Machine")
    assert not checked()
    assert stack.update(Machine=machine(SourceDestCheck=True)) == "UPDATE_COMPLETE"
    assert checked()
    assert stack.update(Machine=machine(SourceDestCheck=False)) == "UPDATE_COMPLETE"
    assert stack.update(Machine=machine()) == "UPDATE_COMPLETE"
    assert checked()
    assert stack.physical("Machine") == first
    stack.delete()


def test_the_volumes_of_an_instance_come_and_go(cloud: LocalCloud) -> None:
    disks = {"One": volume(), "Other": volume()}

    def with_volume(name: str) -> Json:
        return machine(SubnetId=ref("Subnet"), Volumes=[{"Device": "/dev/sdf", "VolumeId": ref(name)}])

    stack = Stack(cloud, **NETWORK, **disks, Machine=with_volume("One"))
    identifier = stack.physical("Machine")
    assert attached(cloud, stack.physical("One")) == [(identifier, "/dev/sdf")]
    assert stack.update(**NETWORK, **disks, Machine=with_volume("Other")) == "UPDATE_COMPLETE"
    assert attached(cloud, stack.physical("One")) == []
    assert attached(cloud, stack.physical("Other")) == [(identifier, "/dev/sdf")]
    assert stack.update(**NETWORK, **disks, Machine=machine(SubnetId=ref("Subnet"))) == "UPDATE_COMPLETE"
    assert attached(cloud, stack.physical("Other")) == []
    assert stack.physical("Machine") == identifier
    stack.delete()


def test_a_volume_grows_in_place_and_does_not_shrink(cloud: LocalCloud) -> None:
    def described() -> Json:
        answer: Json = cloud.client("ec2").describe_volumes(VolumeIds=[stack.physical("Disk")])["Volumes"][0]
        return answer

    tagged = {"Tags": [{"Key": "Name", "Value": "data"}]}
    stack = Stack(cloud, Disk=volume(Iops=3100, Throughput=130, Encrypted=True, **tagged))
    first = stack.physical("Disk")
    assert {key: described()[key] for key in ("Size", "VolumeType", "Iops", "Throughput", "Encrypted")} == {
        "Size": 10,
        "VolumeType": "gp3",
        "Iops": 3100,
        "Throughput": 130,
        "Encrypted": True,
    }
    assert stack.update(Disk=volume(20, Iops=3200, Throughput=130, Encrypted=True)) == "UPDATE_COMPLETE"
    assert stack.physical("Disk") == first
    assert (described()["Size"], described()["Iops"]) == (20, 3200)
    assert "data" not in [tag["Value"] for tag in described().get("Tags", [])]
    smaller = volume(5, Iops=3200, Throughput=130, Encrypted=True)
    assert stack.update(Disk=smaller) == "UPDATE_ROLLBACK_COMPLETE"
    assert "New size cannot be smaller than existing size" in stack.reasons()
    assert described()["Size"] == 20
    stack.delete()


def test_a_volume_is_attached_to_one_instance_in_its_zone(cloud: LocalCloud) -> None:
    people = {**NETWORK, "Machine": machine(SubnetId=ref("Subnet")), "Disk": volume()}
    place = {"InstanceId": ref("Machine"), "Device": "/dev/sdf"}
    attachment = resource("EC2::VolumeAttachment", VolumeId=ref("Disk"), **place)
    stack = Stack(cloud, **people, Attachment=attachment)
    assert stack.physical("Attachment") == f"{stack.physical('Disk')}|{stack.physical('Machine')}"
    assert attached(cloud, stack.physical("Disk")) == [(stack.physical("Machine"), "/dev/sdf")]
    ec2 = cloud.client("ec2")
    elsewhere = ec2.create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"]
    with pytest.raises(ClientError, match="not in the same availability zone"):
        ec2.attach_volume(VolumeId=elsewhere, InstanceId=stack.physical("Machine"), Device="/dev/sdg")
    with pytest.raises(ClientError, match="is already attached to an instance"):
        ec2.attach_volume(VolumeId=stack.physical("Disk"), InstanceId=stack.physical("Machine"), Device="/dev/sdg")
    assert stack.update(**people) == "UPDATE_COMPLETE"
    assert attached(cloud, stack.physical("Disk")) == []
    with pytest.raises(ClientError, match="'available' state"):
        ec2.detach_volume(VolumeId=stack.physical("Disk"))
    ec2.delete_volume(VolumeId=elsewhere)
    stack.delete()


PUBLIC = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKX4KI3DYyghfbg3israLiH1ubyHInZJmB0n8iz5jz8O"


def test_a_public_key_is_imported_and_deleted(cloud: LocalCloud) -> None:
    name, ec2 = f"key-{uuid.uuid4().hex[:10]}", cloud.client("ec2")
    key = resource("EC2::KeyPair", KeyName=name, PublicKeyMaterial=PUBLIC, Tags=[{"Key": "a", "Value": "b"}])
    stack = Stack(cloud, {"Id": attribute("Key", "KeyPairId")}, Key=key)
    described = ec2.describe_key_pairs(KeyNames=[name], IncludePublicKey=True)["KeyPairs"][0]
    assert described["PublicKey"] == PUBLIC
    assert described["KeyPairId"] == stack.output("Id")
    assert {"Key": "a", "Value": "b"} in described["Tags"]
    stack.delete()
    assert name not in [pair["KeyName"] for pair in ec2.describe_key_pairs()["KeyPairs"]]


def test_the_instances_of_a_group_are_launched_into_its_placement_group(cloud: LocalCloud) -> None:
    def group(**properties: Any) -> Json:
        launch = {"LaunchTemplateId": ref("Launch"), "Version": "1"}
        return resource(
            "AutoScaling::AutoScalingGroup",
            MinSize="1",
            MaxSize="2",
            LaunchTemplate=launch,
            VPCZoneIdentifier=[ref("Subnet")],
            **properties,
        )

    data = {"ImageId": "ami-03cf127a", "InstanceType": "t3.micro"}
    others = {
        **NETWORK,
        "Together": resource("EC2::PlacementGroup"),
        "Launch": resource("EC2::LaunchTemplate", LaunchTemplateData=data),
    }
    stack = Stack(cloud, **others, Group=group(PlacementGroup=ref("Together")))
    client, name = cloud.client("autoscaling"), stack.physical("Group")
    described = client.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"][0]
    assert described["PlacementGroup"] == stack.physical("Together")
    launched = instance(cloud, described["Instances"][0]["InstanceId"])
    assert launched["Placement"]["GroupName"] == stack.physical("Together")
    assert stack.update(**others, Group=group()) == "UPDATE_COMPLETE"
    described = client.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"][0]
    assert not described.get("PlacementGroup")
    stack.delete()
