"""What of a network is in use cannot be deleted, as on EC2."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localcloud import LocalCloud


@pytest.fixture
def network(cloud: LocalCloud) -> dict[str, str]:
    """The ids of a VPC, a subnet in it and two security groups."""
    ec2 = cloud.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"]
    groups = [
        ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc)["GroupId"] for name in ("web", "data")
    ]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.7.0.0/24", AvailabilityZone="us-east-1a")["Subnet"].get(
        "SubnetId", ""
    )
    return {"vpc": vpc, "subnet": subnet, "web": groups[0], "data": groups[1]}


def refusal(delete: Callable[..., Any], **parameters: str) -> str:
    """Why something is not deleted."""
    with pytest.raises(ClientError) as refused:
        delete(**parameters)
    assert refused.value.response["Error"].get("Code") == "DependencyViolation"
    return refused.value.response["Error"].get("Message", "")


def test_an_instance_keeps_its_subnet_and_its_security_groups(cloud: LocalCloud, network: dict[str, str]) -> None:
    ec2 = cloud.client("ec2")
    subnet, group = network["subnet"], network["web"]
    instance = ec2.run_instances(
        MinCount=1, MaxCount=1, ImageId="ami-03cf127a", SubnetId=subnet, SecurityGroupIds=[group]
    )["Instances"][0].get("InstanceId", "")
    message = refusal(ec2.delete_subnet, SubnetId=subnet)
    assert message == f"The subnet '{subnet}' has dependencies and cannot be deleted."
    assert refusal(ec2.delete_security_group, GroupId=group) == f"resource {group} has a dependent object"
    ec2.terminate_instances(InstanceIds=[instance])
    ec2.delete_security_group(GroupId=group)
    ec2.delete_subnet(SubnetId=subnet)


def test_a_security_group_that_another_one_names_stays(cloud: LocalCloud, network: dict[str, str]) -> None:
    ec2 = cloud.client("ec2")
    rule: Any = {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432}
    permissions = [rule | {"UserIdGroupPairs": [{"GroupId": network["web"]}]}]
    ec2.authorize_security_group_ingress(GroupId=network["data"], IpPermissions=permissions)
    refusal(ec2.delete_security_group, GroupId=network["web"])
    ec2.revoke_security_group_ingress(GroupId=network["data"], IpPermissions=permissions)
    ec2.delete_security_group(GroupId=network["web"])


def test_an_instance_of_a_cluster_keeps_the_clusters_subnets(cloud: LocalCloud, network: dict[str, str]) -> None:
    rds, ec2, name = cloud.client("neptune"), cloud.client("ec2"), f"d{uuid.uuid4().hex[:8]}"
    rds.create_db_subnet_group(DBSubnetGroupName=name, DBSubnetGroupDescription="d", SubnetIds=[network["subnet"]])
    rds.create_db_cluster(DBClusterIdentifier=name, Engine="neptune", DBSubnetGroupName=name)
    rds.create_db_instance(
        DBInstanceIdentifier=f"{name}-1", DBInstanceClass="db.t4g.medium", Engine="neptune", DBClusterIdentifier=name
    )
    refusal(ec2.delete_subnet, SubnetId=network["subnet"])
    rds.delete_db_instance(DBInstanceIdentifier=f"{name}-1", SkipFinalSnapshot=True)
    ec2.delete_subnet(SubnetId=network["subnet"])


def test_a_database_keeps_its_subnets(cloud: LocalCloud, network: dict[str, str]) -> None:
    rds, ec2, name = cloud.client("rds"), cloud.client("ec2"), f"d{uuid.uuid4().hex[:8]}"
    rds.create_db_subnet_group(DBSubnetGroupName=name, DBSubnetGroupDescription="d", SubnetIds=[network["subnet"]])
    rds.create_db_instance(
        DBInstanceIdentifier=name,
        DBInstanceClass="db.t4g.micro",
        Engine="mysql",
        AllocatedStorage=20,
        MasterUsername="owner",
        MasterUserPassword="abcdefgh",
        DBSubnetGroupName=name,
    )
    refusal(ec2.delete_subnet, SubnetId=network["subnet"])
    rds.delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True)
    ec2.delete_subnet(SubnetId=network["subnet"])


def test_an_endpoint_without_a_type_is_a_gateway_and_can_be_deleted(cloud: LocalCloud, network: dict[str, str]) -> None:
    ec2 = cloud.client("ec2")
    service = "com.amazonaws.us-east-1.s3"
    endpoint = ec2.create_vpc_endpoint(VpcId=network["vpc"], ServiceName=service)["VpcEndpoint"]
    assert endpoint.get("VpcEndpointType") == "Gateway"
    identity = endpoint.get("VpcEndpointId", "")
    [described] = ec2.describe_vpc_endpoints(VpcEndpointIds=[identity])["VpcEndpoints"]
    assert described.get("VpcEndpointType") == "Gateway"
    assert ec2.delete_vpc_endpoints(VpcEndpointIds=[identity])["Unsuccessful"] == []
