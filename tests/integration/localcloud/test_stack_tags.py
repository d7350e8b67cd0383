"""CloudFormation gives the tags of a stack, and its own, to the stack's resources."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localcloud import LocalCloud

TEMPLATE = {
    "Resources": {
        "Topic": {"Type": "AWS::SNS::Topic"},
        "Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"Tags": [{"Key": "Owner", "Value": "bucket"}]}},
        "Queue": {"Type": "AWS::SQS::Queue"},
        "Group": {"Type": "AWS::Logs::LogGroup"},
        "Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/16"}},
        "Role": {
            "Type": "AWS::IAM::Role",
            "Properties": {
                "AssumeRolePolicyDocument": {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Action": "sts:AssumeRole",
                            "Principal": {"Service": "lambda.amazonaws.com"},
                        }
                    ],
                }
            },
        },
        "Parameter": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": "v"}},
    }
}
OWN = "aws:cloudformation:"


@pytest.fixture
def stack(cloud: LocalCloud) -> str:
    name = f"stack-{uuid.uuid4().hex[:8]}"
    cloud.client("cloudformation").create_stack(
        StackName=name,
        TemplateBody=json.dumps(TEMPLATE),
        Tags=[{"Key": "Owner", "Value": "data"}, {"Key": "CostCenter", "Value": "42"}],
        Capabilities=["CAPABILITY_IAM"],
    )
    return name


def identifiers(cloud: LocalCloud, stack: str) -> dict[str, str]:
    resources = cloud.client("cloudformation").list_stack_resources(StackName=stack)["StackResourceSummaries"]
    return {resource["LogicalResourceId"]: resource["PhysicalResourceId"] for resource in resources}


def as_map(tags: list[dict[str, Any]]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in tags}


def tags_of(cloud: LocalCloud, stack: str) -> dict[str, dict[str, str]]:
    """The tags of the stack's resources as each service tells them."""
    name = identifiers(cloud, stack)
    parameter = {"ResourceType": "Parameter", "ResourceId": name["Parameter"]}
    return {
        "Topic": as_map(cloud.client("sns").list_tags_for_resource(ResourceArn=name["Topic"])["Tags"]),
        "Bucket": as_map(cloud.client("s3").get_bucket_tagging(Bucket=name["Bucket"])["TagSet"]),
        "Queue": cloud.client("sqs").list_queue_tags(QueueUrl=name["Queue"])["Tags"],
        "Group": cloud.client("logs").list_tags_log_group(logGroupName=name["Group"])["tags"],
        "Vpc": as_map(cloud.client("ec2").describe_vpcs(VpcIds=[name["Vpc"]])["Vpcs"][0]["Tags"]),
        "Role": as_map(cloud.client("iam").list_role_tags(RoleName=name["Role"])["Tags"]),
        "Parameter": as_map(cloud.client("ssm").list_tags_for_resource(**parameter)["TagList"]),
    }


def test_resources_have_the_tags_of_their_stack(cloud: LocalCloud, stack: str) -> None:
    for resource, tags in tags_of(cloud, stack).items():
        assert tags["CostCenter"] == "42", resource
        assert tags["Owner"] == ("bucket" if resource == "Bucket" else "data"), resource


def test_cloudformation_adds_its_own_tags_where_the_service_lets_it(cloud: LocalCloud, stack: str) -> None:
    """Types whose schema says `cloudFormationSystemTags: false` get none: queues and roles are among them."""
    without = {"Queue", "Role"}
    for resource, tags in tags_of(cloud, stack).items():
        own = {key.removeprefix(OWN): value for key, value in tags.items() if key.startswith(OWN)}
        if resource in without:
            assert own == {}, resource
        else:
            assert (own["stack-name"], own["logical-id"]) == (stack, resource)
            assert own["stack-id"].startswith("arn:aws:cloudformation:")


def test_a_change_of_the_stacks_tags_alone_reaches_its_resources(cloud: LocalCloud, stack: str) -> None:
    before = identifiers(cloud, stack)
    cloud.client("cloudformation").update_stack(
        StackName=stack,
        UsePreviousTemplate=True,
        Tags=[{"Key": "CostCenter", "Value": "43"}],
        Capabilities=["CAPABILITY_IAM"],
    )
    [described] = cloud.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    assert described["StackStatus"] == "UPDATE_COMPLETE"
    assert identifiers(cloud, stack) == before
    for resource, tags in tags_of(cloud, stack).items():
        assert tags["CostCenter"] == "43", resource
        assert tags.get("Owner") == ("bucket" if resource == "Bucket" else None), resource


def test_resources_are_found_by_the_name_of_their_stack(cloud: LocalCloud, stack: str) -> None:
    """This is how `groundwork left` finds what CloudFormation has forgotten."""
    filters = [{"Key": f"{OWN}stack-name", "Values": [stack]}]
    found = cloud.client("resourcegroupstaggingapi").get_resources(TagFilters=filters)["ResourceTagMappingList"]
    arns = {resource["ResourceARN"] for resource in found}
    name = identifiers(cloud, stack)
    assert {name["Topic"], f"arn:aws:s3:::{name['Bucket']}"} <= arns


def test_nobody_else_gives_a_bucket_such_tags(cloud: LocalCloud, stack: str) -> None:
    tagging = {"TagSet": [{"Key": f"{OWN}stack-name", "Value": "another"}]}
    with pytest.raises(ClientError, match="InvalidTag"):
        cloud.client("s3").put_bucket_tagging(Bucket=identifiers(cloud, stack)["Bucket"], Tagging=tagging)
