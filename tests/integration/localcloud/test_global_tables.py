"""Global tables, which the CDK's TableV2 writes: one replica is a table of this region."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from aws_cdk import App, Environment, Stack
from aws_cdk import aws_dynamodb as dynamodb

from localcloud import LocalCloud


@pytest.fixture
def name() -> str:
    return f"table-{uuid.uuid4().hex[:8]}"


def deploy(cloud: LocalCloud, name: str, operation: str = "create", **settings: Any) -> dict[str, Any]:
    """Create or update a stack with a TableV2; the stack's description."""
    app = App(analytics_reporting=False)
    stack = Stack(app, "Tables", env=Environment(region="us-east-1"))
    key = dynamodb.Attribute(name="k", type=dynamodb.AttributeType.STRING)
    dynamodb.TableV2(stack, "Table", table_name=name, partition_key=key, **settings)
    template = app.synth().get_stack_by_name("Tables").template
    body = json.dumps({"Resources": template["Resources"]})
    cloudformation = cloud.client("cloudformation")
    getattr(cloudformation, f"{operation}_stack")(StackName=name, TemplateBody=body)
    description: dict[str, Any] = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    return description


def test_a_table_of_the_cdk_has_the_settings_of_its_replica(cloud: LocalCloud, name: str) -> None:
    recovery = dynamodb.PointInTimeRecoverySpecification(point_in_time_recovery_enabled=True)
    settings = {"point_in_time_recovery_specification": recovery, "deletion_protection": True}
    assert deploy(cloud, name, **settings)["StackStatus"] == "CREATE_COMPLETE"
    client = cloud.client("dynamodb")
    table = client.describe_table(TableName=name)["Table"]
    assert table["DeletionProtectionEnabled"]
    backups = client.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"
    assert deploy(cloud, name, "update")["StackStatus"] == "UPDATE_COMPLETE"
    assert not client.describe_table(TableName=name)["Table"]["DeletionProtectionEnabled"]
    backups = client.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "DISABLED"


def test_a_replica_in_another_region_is_refused_by_name(cloud: LocalCloud, name: str) -> None:
    stack = deploy(cloud, name, replicas=[dynamodb.ReplicaTableProps(region="eu-west-1")])
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert "eu-west-1" in stack["StackStatusReason"]
