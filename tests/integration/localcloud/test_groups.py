"""Groups, users and their policies from templates: what they allow, and that it ends with them."""

from __future__ import annotations

import json
import uuid
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from localcloud import LocalCloud
from tests.stacks import Stack, attribute, ref, resource

Json = dict[str, Any]


def document(*actions: str) -> Json:
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": [*actions], "Resource": "*"}]}


def may_list_queues(cloud: LocalCloud, user: str) -> bool:
    """Whether the cloud lets a user do what the policies of these tests allow."""
    iam = cloud.client("iam")
    key = iam.create_access_key(UserName=user)["AccessKey"]
    held = boto3.session.Session(key["AccessKeyId"], key["SecretAccessKey"], region_name="us-east-1")
    try:
        held.client("sqs", endpoint_url=cloud.endpoint).list_queues()
    except ClientError as error:
        assert error.response["Error"]["Code"] == "AccessDenied"  # noqa: PT017 - the other outcome is an answer, too
        return False
    finally:
        iam.delete_access_key(UserName=user, AccessKeyId=key["AccessKeyId"])
    return True


MAY = document("sqs:ListQueues")
MAY_NOT = document("sns:ListTopics")


@pytest.mark.parametrize(
    "holders",
    [
        {"Group": resource("IAM::Group", Policies=[{"PolicyName": "own", "PolicyDocument": MAY}])},
        {
            "Managed": resource("IAM::ManagedPolicy", PolicyDocument=MAY),
            "Group": resource("IAM::Group", ManagedPolicyArns=[ref("Managed")]),
        },
        {
            "Group": resource("IAM::Group"),
            "Managed": resource("IAM::ManagedPolicy", PolicyDocument=MAY, Groups=[ref("Group")]),
        },
        {
            "Group": resource("IAM::Group"),
            "Inline": resource("IAM::Policy", PolicyName="own", PolicyDocument=MAY, Groups=[ref("Group")]),
        },
        {
            "Group": resource("IAM::Group"),
            "Inline": resource("IAM::GroupPolicy", PolicyName="own", PolicyDocument=MAY, GroupName=ref("Group")),
        },
    ],
    ids=["inline", "managed", "attached", "policy", "group policy"],
)
def test_a_group_allows_its_users_what_its_policies_allow(enforcing: LocalCloud, holders: Json) -> None:
    stack = Stack(enforcing, **holders, User=resource("IAM::User", Groups=[ref("Group")]))
    user = stack.physical("User")
    assert may_list_queues(enforcing, user)
    assert stack.update(**holders, User=resource("IAM::User")) == "UPDATE_COMPLETE"
    assert not may_list_queues(enforcing, user)
    addition = resource("IAM::UserToGroupAddition", GroupName=ref("Group"), Users=[ref("User")])
    assert stack.update(**holders, User=resource("IAM::User"), Addition=addition) == "UPDATE_COMPLETE"
    assert may_list_queues(enforcing, user)
    assert stack.update(**holders, User=resource("IAM::User")) == "UPDATE_COMPLETE"
    assert not may_list_queues(enforcing, user)
    stack.delete()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            resource("IAM::ManagedPolicy", PolicyDocument=MAY, Users=[ref("User")]),
            resource("IAM::ManagedPolicy", PolicyDocument=MAY),
        ),
        (
            resource("IAM::Policy", PolicyName="own", PolicyDocument=MAY, Users=[ref("User")], Groups=[ref("Group")]),
            resource("IAM::Policy", PolicyName="own", PolicyDocument=MAY, Groups=[ref("Group")]),
        ),
        (
            resource("IAM::UserPolicy", PolicyName="own", PolicyDocument=MAY, UserName=ref("User")),
            resource("IAM::UserPolicy", PolicyName="own", PolicyDocument=MAY_NOT, UserName=ref("User")),
        ),
    ],
    ids=["managed", "policy", "user policy"],
)
def test_a_user_may_what_a_policy_says_for_as_long_as_it_says_so(
    enforcing: LocalCloud, before: Json, after: Json
) -> None:
    people = {"User": resource("IAM::User"), "Group": resource("IAM::Group")}
    stack = Stack(enforcing, **people, Policy=before)
    user = stack.physical("User")
    assert may_list_queues(enforcing, user)
    assert stack.update(**people, Policy=after) == "UPDATE_COMPLETE"
    assert not may_list_queues(enforcing, user)
    assert stack.update(**people, Policy=before) == "UPDATE_COMPLETE"
    assert may_list_queues(enforcing, user)
    assert stack.update(**people) == "UPDATE_COMPLETE"
    assert not may_list_queues(enforcing, user)
    stack.delete()


def test_a_policy_of_a_role_changes_and_goes(cloud: LocalCloud) -> None:
    trust = {
        "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ec2.amazonaws.com"}}]
    }
    role = resource("IAM::Role", AssumeRolePolicyDocument=trust)
    policies = [
        resource("IAM::RolePolicy", PolicyName="own", RoleName=ref("Role"), PolicyDocument=own)
        for own in (MAY, MAY_NOT)
    ]
    stack, iam = Stack(cloud, Role=role, Own=policies[0]), cloud.client("iam")
    name = stack.physical("Role")
    assert stack.physical("Own") == f"own|{name}"
    assert iam.get_role_policy(RoleName=name, PolicyName="own")["PolicyDocument"] == MAY
    assert stack.update(Role=role, Own=policies[1]) == "UPDATE_COMPLETE"
    assert iam.get_role_policy(RoleName=name, PolicyName="own")["PolicyDocument"] == MAY_NOT
    assert stack.update(Role=role) == "UPDATE_COMPLETE"
    assert iam.list_role_policies(RoleName=name)["PolicyNames"] == []
    stack.delete()


def test_a_group_moves_to_another_path_and_back(cloud: LocalCloud) -> None:
    stack = Stack(cloud, {"Arn": attribute("Group", "Arn")}, Group=resource("IAM::Group"))
    name = stack.physical("Group")
    assert stack.update(Group=resource("IAM::Group", Path="/staff/")) == "UPDATE_COMPLETE"
    assert stack.physical("Group") == name
    assert stack.output("Arn") == f"arn:aws:iam::123456789012:group/staff/{name}"
    assert stack.update(Group=resource("IAM::Group")) == "UPDATE_COMPLETE"
    assert stack.output("Arn") == f"arn:aws:iam::123456789012:group/{name}"
    stack.delete()
    assert name not in [group["GroupName"] for group in cloud.client("iam").list_groups()["Groups"]]


def test_a_user_has_a_password_for_as_long_as_the_template_says_so(cloud: LocalCloud) -> None:
    def user(**profile: Any) -> Json:
        return resource("IAM::User", LoginProfile={"Password": "Abcdefg-12345", **profile})

    stack, iam = Stack(cloud, User=user(PasswordResetRequired=True)), cloud.client("iam")
    name = stack.physical("User")
    assert iam.get_login_profile(UserName=name)["LoginProfile"]["PasswordResetRequired"]
    assert stack.update(User=user()) == "UPDATE_COMPLETE"
    assert not iam.get_login_profile(UserName=name)["LoginProfile"]["PasswordResetRequired"]
    assert stack.update(User=resource("IAM::User")) == "UPDATE_COMPLETE"
    with pytest.raises(iam.exceptions.NoSuchEntityException):
        iam.get_login_profile(UserName=name)
    stack.delete()


def test_an_update_that_fails_leaves_users_in_their_group(cloud: LocalCloud) -> None:
    people = {"Group": resource("IAM::Group"), "User": resource("IAM::User")}
    addition = resource("IAM::UserToGroupAddition", GroupName=ref("Group"), Users=[ref("User")])
    stack, iam = Stack(cloud, **people, Addition=addition), cloud.client("iam")
    wrong = resource("IAM::UserToGroupAddition", GroupName=ref("Group"), Users=["nobody"])
    assert stack.update(**people, Addition=wrong) == "UPDATE_ROLLBACK_COMPLETE"
    users = iam.get_group(GroupName=stack.physical("Group"))["Users"]
    assert [user["UserName"] for user in users] == [stack.physical("User")]
    stack.delete()


def test_a_policy_belongs_to_somebody(cloud: LocalCloud) -> None:
    body = {"Resources": {"Nobody": resource("IAM::Policy", PolicyName="own", PolicyDocument=MAY, Users=[])}}
    cloudformation, name = cloud.client("cloudformation"), f"people-{uuid.uuid4().hex[:10]}"
    cloudformation.create_stack(StackName=name, TemplateBody=json.dumps(body), Capabilities=["CAPABILITY_IAM"])
    events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
    assert any("At least one of [Groups,Roles,Users]" in event.get("ResourceStatusReason", "") for event in events)


def test_a_group_with_a_user_or_a_policy_is_not_deleted(cloud: LocalCloud) -> None:
    iam, name = cloud.client("iam"), f"group-{uuid.uuid4().hex[:10]}"
    iam.create_group(GroupName=name)
    iam.create_user(UserName=name)
    iam.add_user_to_group(GroupName=name, UserName=name)
    with pytest.raises(iam.exceptions.DeleteConflictException, match="remove users"):
        iam.delete_group(GroupName=name)
    iam.remove_user_from_group(GroupName=name, UserName=name)
    iam.put_group_policy(GroupName=name, PolicyName="own", PolicyDocument=json.dumps(MAY))
    with pytest.raises(iam.exceptions.DeleteConflictException, match="delete policies"):
        iam.delete_group(GroupName=name)
    iam.delete_group_policy(GroupName=name, PolicyName="own")
    iam.delete_group(GroupName=name)
    iam.delete_user(UserName=name)


@pytest.mark.parametrize(
    ("body", "capability"),
    [
        (resource("IAM::Group"), "CAPABILITY_IAM"),
        (resource("IAM::Group", GroupName="people"), "CAPABILITY_NAMED_IAM"),
        (resource("IAM::UserToGroupAddition", GroupName="g", Users=["u"]), "CAPABILITY_IAM"),
        (resource("IAM::GroupPolicy", GroupName="g", PolicyName="p", PolicyDocument=MAY), "CAPABILITY_IAM"),
        (resource("IAM::RolePolicy", RoleName="r", PolicyName="p", PolicyDocument=MAY), "CAPABILITY_IAM"),
        (resource("IAM::UserPolicy", UserName="u", PolicyName="p", PolicyDocument=MAY), "CAPABILITY_IAM"),
    ],
    ids=lambda value: value["Type"] if isinstance(value, dict) else value,
)
def test_what_permits_something_has_to_be_acknowledged(cloud: LocalCloud, body: Json, capability: str) -> None:
    cloudformation = cloud.client("cloudformation")
    template = json.dumps({"Resources": {"One": body}})
    with pytest.raises(ClientError, match=rf"Requires capabilities : \[{capability}\]"):
        cloudformation.create_stack(StackName=f"people-{uuid.uuid4().hex[:10]}", TemplateBody=template)
