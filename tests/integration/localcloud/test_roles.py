"""IAM: what answers about roles have, and policies that cannot be attached."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localcloud import LocalCloud

TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


@pytest.fixture
def iam(cloud: LocalCloud) -> Any:
    return cloud.client("iam")


def test_only_the_description_of_a_role_says_how_long_its_sessions_last(iam: Any) -> None:
    name = uuid.uuid4().hex
    tags = [{"Key": "a", "Value": "b"}]
    created = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST), Description="d", Tags=tags)
    role = iam.get_role(RoleName=name)["Role"]
    assert created["Role"] == {key: role[key] for key in role.keys() - {"MaxSessionDuration", "RoleLastUsed"}}
    assert (role["MaxSessionDuration"], created["Role"]["Tags"]) == (3600, tags)


def test_a_policy_is_attached_by_its_arn_alone(iam: Any) -> None:
    name = uuid.uuid4().hex
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))
    with pytest.raises(ClientError, match="Invalid ARN:  Could not be parsed!") as error:
        iam.attach_role_policy(RoleName=name, PolicyArn="AmazonS3ReadOnlyAccess")
    assert error.value.response["Error"]["Code"] == "ValidationError"


def test_a_service_linked_role_has_the_name_and_the_policy_that_its_service_gives_it(cloud: LocalCloud) -> None:
    iam = cloud.client("iam")
    role = iam.create_service_linked_role(AWSServiceName="elasticache.amazonaws.com")["Role"]
    assert role["RoleName"] == "AWSServiceRoleForElastiCache"
    [statement] = role["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Service": "elasticache.amazonaws.com"}
    [policy] = iam.list_attached_role_policies(RoleName=role["RoleName"])["AttachedPolicies"]
    assert policy["PolicyArn"] == "arn:aws:iam::aws:policy/aws-service-role/ElastiCacheServiceRolePolicy"
    task = iam.delete_service_linked_role(RoleName=role["RoleName"])["DeletionTaskId"]
    assert task.startswith("task/aws-service-role/elasticache.amazonaws.com/AWSServiceRoleForElastiCache/")
    assert iam.get_service_linked_role_deletion_status(DeletionTaskId=task)["Status"] == "SUCCEEDED"
