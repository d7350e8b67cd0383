"""Parts of networks that templates describe: access lists, interfaces, peerings, further addresses."""

from __future__ import annotations

from typing import Any

from localcloud import LocalCloud
from tests.stacks import Stack, attribute, ref, resource

Json = dict[str, Any]
NETWORK = {
    "Vpc": resource("EC2::VPC", CidrBlock="10.0.0.0/16"),
    "Subnet": resource("EC2::Subnet", VpcId=ref("Vpc"), CidrBlock="10.0.0.0/24", AvailabilityZone="us-east-1a"),
}


def access_list(cloud: LocalCloud, subnet: str) -> Json:
    """The access list of a subnet."""
    of_subnet = [{"Name": "association.subnet-id", "Values": [subnet]}]
    found: Json = cloud.client("ec2").describe_network_acls(Filters=of_subnet)["NetworkAcls"][0]
    return found


def test_an_entry_of_an_access_list_changes_and_goes(cloud: LocalCloud) -> None:
    def entry(**properties: Any) -> Json:
        fixed = {"NetworkAclId": ref("List"), "RuleNumber": 100, "Protocol": 6, "CidrBlock": "0.0.0.0/0"}
        return resource("EC2::NetworkAclEntry", **fixed, **properties)

    def entries() -> list[tuple[str, bool, Json]]:
        found = cloud.client("ec2").describe_network_acls(NetworkAclIds=[stack.physical("List")])["NetworkAcls"][0]
        return [(item["RuleAction"], item["Egress"], item.get("PortRange", {})) for item in found["Entries"]]

    parts = {**NETWORK, "List": resource("EC2::NetworkAcl", VpcId=ref("Vpc"))}
    stack = Stack(cloud, **parts, Entry=entry(RuleAction="allow", PortRange={"From": 443, "To": 443}))
    assert entries() == [("allow", False, {"From": 443, "To": 443})]
    changed = entry(RuleAction="deny", PortRange={"From": 80, "To": 81})
    assert stack.update(**parts, Entry=changed) == "UPDATE_COMPLETE"
    assert entries() == [("deny", False, {"From": 80, "To": 81})]
    outgoing = entry(RuleAction="deny", Egress=True, PortRange={"From": 80, "To": 81})
    assert stack.update(**parts, Entry=outgoing) == "UPDATE_COMPLETE"
    assert entries() == [("deny", True, {"From": 80, "To": 81})]
    assert stack.update(**parts) == "UPDATE_COMPLETE"
    assert entries() == []
    stack.delete()


def test_a_subnet_without_its_access_list_has_that_of_its_network(cloud: LocalCloud) -> None:
    lists = {name: resource("EC2::NetworkAcl", VpcId=ref("Vpc")) for name in ("One", "Other")}

    def association(name: str) -> Json:
        return resource("EC2::SubnetNetworkAclAssociation", SubnetId=ref("Subnet"), NetworkAclId=ref(name))

    def present() -> Json:
        return access_list(cloud, stack.physical("Subnet"))

    stack = Stack(cloud, **NETWORK, **lists, Association=association("One"))
    assert present()["NetworkAclId"] == stack.physical("One")
    assert stack.update(**NETWORK, **lists, Association=association("Other")) == "UPDATE_COMPLETE"
    assert present()["NetworkAclId"] == stack.physical("Other")
    assert stack.update(**NETWORK, **lists) == "UPDATE_COMPLETE"
    assert present()["IsDefault"]
    stack.delete()


def test_a_peering_of_two_networks_is_active(cloud: LocalCloud) -> None:
    networks = {name: resource("EC2::VPC", CidrBlock=f"10.{number}.0.0/16") for number, name in enumerate(("A", "B"))}
    peering = resource(
        "EC2::VPCPeeringConnection", VpcId=ref("A"), PeerVpcId=ref("B"), Tags=[{"Key": "Name", "Value": "between"}]
    )
    stack = Stack(cloud, **networks, Peering=peering)
    ec2, identifier = cloud.client("ec2"), stack.physical("Peering")

    def described() -> Json:
        answer = ec2.describe_vpc_peering_connections(VpcPeeringConnectionIds=[identifier])
        found: Json = answer["VpcPeeringConnections"][0]
        return found

    assert described()["Status"]["Code"] == "active"
    assert described()["AccepterVpcInfo"]["VpcId"] == stack.physical("B")
    assert {"Key": "Name", "Value": "between"} in described()["Tags"]
    assert stack.update(**networks) == "UPDATE_COMPLETE"
    assert described()["Status"]["Code"] == "deleted"
    stack.delete()


def test_a_network_interface_is_attached_and_changes_in_place(cloud: LocalCloud) -> None:
    groups = {
        name: resource("EC2::SecurityGroup", GroupDescription=name, VpcId=ref("Vpc")) for name in ("First", "Second")
    }
    machine = resource("EC2::Instance", ImageId="ami-03cf127a", InstanceType="t3.micro", SubnetId=ref("Subnet"))
    attachment = resource(
        "EC2::NetworkInterfaceAttachment", InstanceId=ref("Machine"), NetworkInterfaceId=ref("Card"), DeviceIndex="1"
    )
    parts = {**NETWORK, **groups, "Machine": machine}

    def card(group: str, **properties: Any) -> Json:
        return resource("EC2::NetworkInterface", SubnetId=ref("Subnet"), GroupSet=[ref(group)], **properties)

    def described() -> Json:
        answer = cloud.client("ec2").describe_network_interfaces(NetworkInterfaceIds=[stack.physical("Card")])
        found: Json = answer["NetworkInterfaces"][0]
        return found

    outputs = {"Address": attribute("Card", "PrimaryPrivateIpAddress")}
    special = card("First", Description="second", SourceDestCheck=False)
    stack = Stack(cloud, outputs, **parts, Card=special, Attachment=attachment)
    first = stack.physical("Card")
    assert described()["Attachment"]["InstanceId"] == stack.physical("Machine")
    assert described()["PrivateIpAddress"] == stack.output("Address")
    assert (described()["Description"], described()["SourceDestCheck"]) == ("second", False)
    assert stack.update(**parts, Card=card("Second"), Attachment=attachment) == "UPDATE_COMPLETE"
    assert stack.physical("Card") == first
    assert [group["GroupId"] for group in described()["Groups"]] == [stack.physical("Second")]
    assert (described().get("Description", ""), described()["SourceDestCheck"]) == ("", True)
    assert stack.update(**parts, Card=card("Second")) == "UPDATE_COMPLETE"
    assert not described().get("Attachment", {}).get("InstanceId")
    stack.delete()


def test_a_network_has_further_addresses_while_its_template_says_so(cloud: LocalCloud) -> None:
    vpc = {"Vpc": NETWORK["Vpc"]}
    block = resource("EC2::VPCCidrBlock", VpcId=ref("Vpc"), CidrBlock="10.1.0.0/16")
    subnet = {**resource("EC2::Subnet", VpcId=ref("Vpc"), CidrBlock="10.1.0.0/24"), "DependsOn": "Block"}
    stack = Stack(cloud, **vpc, Block=block, Subnet=subnet)

    def blocks() -> list[str]:
        found = cloud.client("ec2").describe_vpcs(VpcIds=[stack.physical("Vpc")])["Vpcs"][0]
        associations = found["CidrBlockAssociationSet"]
        return [item["CidrBlock"] for item in associations if item["CidrBlockState"]["State"] == "associated"]

    assert blocks() == ["10.0.0.0/16", "10.1.0.0/16"]
    assert stack.update(**vpc) == "UPDATE_COMPLETE"
    assert blocks() == ["10.0.0.0/16"]
    stack.delete()


def test_an_egress_only_gateway_takes_a_route(cloud: LocalCloud) -> None:
    gateway = resource("EC2::EgressOnlyInternetGateway", VpcId=ref("Vpc"))
    routes = resource("EC2::RouteTable", VpcId=ref("Vpc"))
    route = resource(
        "EC2::Route",
        RouteTableId=ref("Routes"),
        DestinationIpv6CidrBlock="::/0",
        EgressOnlyInternetGatewayId=ref("Gateway"),
    )
    stack = Stack(cloud, Vpc=NETWORK["Vpc"], Gateway=gateway, Routes=routes, Route=route)
    table = cloud.client("ec2").describe_route_tables(RouteTableIds=[stack.physical("Routes")])["RouteTables"][0]
    assert stack.physical("Gateway") in [item.get("EgressOnlyInternetGatewayId") for item in table["Routes"]]
    stack.delete()
