"""What an update operation is given, the describe operation gives back: none of it is dropped in silence."""

from __future__ import annotations

import io
import json
import uuid
import zipfile
from typing import Any

import pytest

from localcloud import LocalCloud
from tests.policies import allow

TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}],
}


@pytest.fixture
def name() -> str:
    return f"n{uuid.uuid4().hex[:20]}"


@pytest.fixture
def role(cloud: LocalCloud, name: str) -> str:
    iam = cloud.client("iam")
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))
    iam.put_role_policy(RoleName=name, PolicyName="everything", PolicyDocument=allow("*"))
    return str(role["Role"]["Arn"])


@pytest.fixture
def subnets(cloud: LocalCloud) -> list[str]:
    ec2 = cloud.client("ec2")
    network = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    return [
        ec2.create_subnet(VpcId=network, CidrBlock=f"10.9.{number}.0/24", AvailabilityZone=f"us-east-1{zone}")[
            "Subnet"
        ].get("SubnetId", "")
        for number, zone in enumerate("ab")
    ]


def lost(wanted: dict[str, Any], described: Any) -> dict[str, Any]:
    """What of the wanted settings is described otherwise."""
    return {key: described.get(key) for key, value in wanted.items() if described.get(key) != value}


def test_a_function_keeps_its_new_configuration(cloud: LocalCloud, name: str, role: str) -> None:
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("index.py", "def handler(event, context): pass")
    functions = cloud.client("lambda")
    functions.create_function(
        FunctionName=name, Runtime="python3.13", Handler="index.handler", Role=role, Code={"ZipFile": code.getvalue()}
    )
    wanted: dict[str, Any] = {
        "Description": "b",
        "Timeout": 9,
        "MemorySize": 256,
        "Handler": "index.other",
        "Environment": {"Variables": {"AB": "1"}},
        "TracingConfig": {"Mode": "Active"},
        "EphemeralStorage": {"Size": 1024},
        "KMSKeyArn": "arn:aws:kms:us-east-1:123456789012:key/k",
        "DeadLetterConfig": {"TargetArn": "arn:aws:sqs:us-east-1:123456789012:q"},
    }
    functions.update_function_configuration(FunctionName=name, **wanted)
    assert lost(wanted, functions.get_function_configuration(FunctionName=name)) == {}
    functions.update_function_configuration(FunctionName=name, Description="c", KMSKeyArn="")
    described = functions.get_function_configuration(FunctionName=name)
    assert lost(wanted, described) == {"Description": "c", "KMSKeyArn": None}


def test_a_subnet_group_keeps_its_new_subnets(cloud: LocalCloud, name: str, subnets: list[str]) -> None:
    rds = cloud.client("rds")
    rds.create_db_subnet_group(DBSubnetGroupName=name, DBSubnetGroupDescription="a", SubnetIds=subnets[:1])
    rds.modify_db_subnet_group(DBSubnetGroupName=name, DBSubnetGroupDescription="b", SubnetIds=subnets)
    (group,) = rds.describe_db_subnet_groups(DBSubnetGroupName=name)["DBSubnetGroups"]
    assert group["DBSubnetGroupDescription"] == "b"
    assert {subnet.get("SubnetIdentifier") for subnet in group["Subnets"]} == {*subnets}
    with pytest.raises(rds.exceptions.DBSubnetGroupNotFoundFault):
        rds.modify_db_subnet_group(DBSubnetGroupName=f"{name}-gone", SubnetIds=subnets)


def test_a_graph_database_keeps_its_new_settings(cloud: LocalCloud, name: str) -> None:
    neptune = cloud.client("neptune")
    neptune.create_db_cluster(DBClusterIdentifier=name, Engine="neptune")
    wanted: dict[str, Any] = {
        "BackupRetentionPeriod": 9,
        "DeletionProtection": True,
        "ServerlessV2ScalingConfiguration": {"MinCapacity": 1.0, "MaxCapacity": 4.0},
    }
    neptune.modify_db_cluster(DBClusterIdentifier=name, EnableIAMDatabaseAuthentication=True, **wanted)
    (cluster,) = neptune.describe_db_clusters(DBClusterIdentifier=name)["DBClusters"]
    assert lost(wanted | {"IAMDatabaseAuthenticationEnabled": True}, cluster) == {}
    neptune.modify_db_cluster(DBClusterIdentifier=name, DeletionProtection=False)
    neptune.delete_db_cluster(DBClusterIdentifier=name, SkipFinalSnapshot=True)


def test_a_group_of_instances_keeps_its_new_settings(cloud: LocalCloud, name: str, subnets: list[str]) -> None:
    scaling = cloud.client("autoscaling")
    cloud.client("ec2").create_launch_template(
        LaunchTemplateName=name, LaunchTemplateData={"InstanceType": "t3.micro", "ImageId": "ami-12c6146b"}
    )
    scaling.create_auto_scaling_group(
        AutoScalingGroupName=name,
        MinSize=0,
        MaxSize=0,
        LaunchTemplate={"LaunchTemplateName": name},
        VPCZoneIdentifier=subnets[0],
    )
    wanted: dict[str, Any] = {
        "MaxSize": 2,
        "DefaultCooldown": 99,
        "HealthCheckGracePeriod": 77,
        "TerminationPolicies": ["OldestInstance"],
        "CapacityRebalance": True,
        "MaxInstanceLifetime": 86_400,
        "DefaultInstanceWarmup": 30,
    }
    scaling.update_auto_scaling_group(AutoScalingGroupName=name, **wanted)
    scaling.update_auto_scaling_group(AutoScalingGroupName=name, MinSize=0)
    (group,) = scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]
    assert lost(wanted, group) == {}


def test_a_table_keeps_its_new_class_and_encryption(cloud: LocalCloud, name: str) -> None:
    dynamodb = cloud.client("dynamodb")
    dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    dynamodb.update_table(
        TableName=name, TableClass="STANDARD_INFREQUENT_ACCESS", SSESpecification={"Enabled": True, "SSEType": "KMS"}
    )
    table = dynamodb.describe_table(TableName=name)["Table"]
    assert table["TableClassSummary"]["TableClass"] == "STANDARD_INFREQUENT_ACCESS"
    assert table["SSEDescription"]["Status"] == "ENABLED"


def test_a_queue_keeps_its_new_attributes_and_its_policy(cloud: LocalCloud, name: str) -> None:
    queues = cloud.client("sqs")
    denial = {"Effect": "Deny", "Action": "sqs:*", "Principal": "*", "Resource": "*"}
    policy = {"Version": "2012-10-17", "Statement": [denial]}
    url = queues.create_queue(QueueName=name, Attributes={"Policy": json.dumps(policy)})["QueueUrl"]
    wanted = {
        "VisibilityTimeout": "9",
        "DelaySeconds": "3",
        "MaximumMessageSize": "2048",
        "MessageRetentionPeriod": "99",
        "ReceiveMessageWaitTimeSeconds": "4",
        "KmsMasterKeyId": "alias/aws/sqs",
        "KmsDataKeyReusePeriodSeconds": "400",
        "RedriveAllowPolicy": json.dumps({"redrivePermission": "allowAll"}),
    }
    queues.set_queue_attributes(QueueUrl=url, Attributes=wanted)
    described = queues.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert lost(wanted, described) == {}
    assert json.loads(described["Policy"]) == policy
    allowed = queues.get_queue_attributes(QueueUrl=url, AttributeNames=["RedriveAllowPolicy"])["Attributes"]
    assert allowed == {"RedriveAllowPolicy": wanted["RedriveAllowPolicy"]}
