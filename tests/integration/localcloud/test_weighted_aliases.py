"""Aliases that share their calls between two versions, and the versions that aliases keep from being deleted."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from localcloud import LocalCloud
from tests.integration.localcloud.test_event_invoke_configs import refusal
from tests.integration.localcloud.test_events import queue, receive
from tests.integration.localcloud.test_function_aliases import ARN, CODE, Published, get, resource
from tests.policies import allow, trust

INVALID, CONFLICT = "InvalidParameterValueException", "ResourceConflictException"
IN_USE = "Unable to delete version because the following aliases reference it: [{}]"
OUT_OF_RANGE = (
    "1 validation error detected: Value '{}' at 'routingConfig.additionalVersionWeights' failed to satisfy constraint: "
    "Map value must satisfy constraint: [Member must have value less than or equal to 1.0, Member must have value "
    "greater than or equal to 0.0, Member must not be null]"
)
NO_VERSION = (
    "1 validation error detected: Value '{}' at 'routingConfig.additionalVersionWeights' failed to satisfy constraint: "
    "Map keys must satisfy constraint: [Member must have length less than or equal to 1024, Member must have length "
    "greater than or equal to 1, Member must satisfy regular expression pattern: [0-9]+]"
)


def weights(**shares: float) -> dict[str, Any]:
    """A routing configuration; the names of versions begin with a letter."""
    return {
        "AdditionalVersionWeights": {name[1:].replace("LATEST", "$LATEST"): share for name, share in shares.items()}
    }


class Twice(Published):
    """A stack with versions 1 and 2 of a function, whose code says which one it is."""

    def __init__(self, cloud: LocalCloud, **more: dict[str, Any]) -> None:
        super().__init__(cloud, **more)
        self.publish(2)
        self.client = cloud.client("lambda")
        self.alias = {"FunctionName": self.name, "Name": "live"}

    def executed(self, qualifier: str = "live") -> tuple[str, int]:
        """The version that a call says to have executed, and the one whose code has answered."""
        answer = self.client.invoke(FunctionName=self.name, Qualifier=qualifier)
        content = json.loads(answer["Payload"].read())
        assert content["arn"] == f"{self.arn}:{qualifier}"
        assert answer["ResponseMetadata"]["HTTPHeaders"]["x-amz-executed-version"] == answer["ExecutedVersion"]
        return answer["ExecutedVersion"], content["code"]


@pytest.fixture(scope="module")
def twice(cloud: LocalCloud) -> Twice:
    return Twice(cloud)


# Weights


def test_the_weight_of_the_additional_version_decides_which_one_is_executed(cloud: LocalCloud) -> None:
    function = Twice(cloud)
    assert function.executed() == ("1", 1)
    for weight, executed in ((1, ("2", 2)), (0, ("1", 1)), (1.0, ("2", 2))):
        updated = function.client.update_alias(**function.alias, RoutingConfig=weights(v2=weight))
        assert updated["RoutingConfig"] == weights(v2=float(weight))
        assert [function.executed() for _ in range(5)] == [executed] * 5
    function.client.update_alias(**function.alias, RoutingConfig={})
    assert "RoutingConfig" not in function.client.get_alias(**function.alias)
    assert function.executed() == ("1", 1)


def test_calls_of_every_kind_follow_the_weights(cloud: LocalCloud, eventually: Any) -> None:
    function, (url, destination) = Twice(cloud), queue(cloud)
    function.client.update_alias(**function.alias, RoutingConfig=weights(v2=1))
    function.permit(":live")
    assert get(function.url(Qualifier="live")) == (200, {"code": 2, "arn": f"{function.arn}:live"})
    function.client.put_function_event_invoke_config(
        FunctionName=function.name, Qualifier="live", DestinationConfig={"OnSuccess": {"Destination": destination}}
    )
    function.client.invoke(FunctionName=f"{function.arn}:live", InvocationType="Event")
    (record,) = eventually(lambda: receive(cloud, url))
    assert (record["responseContext"]["executedVersion"], record["responsePayload"]["code"]) == ("2", 2)


def test_an_update_changes_the_revision_and_only_what_it_mentions(cloud: LocalCloud) -> None:
    function = Twice(cloud)
    first = function.client.update_alias(**function.alias, RoutingConfig=weights(v2=0.25), Description="canary")
    second = function.client.update_alias(**function.alias, Description="wider", RevisionId=first["RevisionId"])
    assert {**second, "Description": "canary", "RevisionId": first["RevisionId"], "ResponseMetadata": None} == {
        **first,
        "ResponseMetadata": None,
    }
    assert second["RevisionId"] != first["RevisionId"]
    stale = {**function.alias, "RevisionId": first["RevisionId"], "Description": "late"}
    code, message = refusal(function.client.update_alias, **stale)
    assert code == "PreconditionFailedException"
    assert message.startswith("The Revision Id provided does not match the latest Revision Id. Call the GetFunction/")
    assert refusal(function.client.update_alias, **function.alias, FunctionVersion="2") == (
        INVALID,
        "Invalid function version 2. Function version 2 is already included in routing configuration.",
    )
    promoted = function.client.update_alias(**function.alias, FunctionVersion="2", RoutingConfig=weights())
    assert (promoted["FunctionVersion"], "RoutingConfig" in promoted) == ("2", False)


@pytest.mark.parametrize(
    ("parameters", "code", "message"),
    [
        (
            {"RoutingConfig": weights(v1=0.8, v2=0.2)},
            INVALID,
            "Number of items in AdditionalVersionWeights cannot be greater than 1",
        ),
        ({"RoutingConfig": weights(v2=2)}, "ValidationException", OUT_OF_RANGE.format("{2=2.0}")),
        ({"RoutingConfig": weights(v2=-1)}, "ValidationException", OUT_OF_RANGE.format("{2=-1.0}")),
        ({"RoutingConfig": weights(vLATEST=0.5)}, "ValidationException", NO_VERSION.format("{$LATEST=0.5}")),
        (
            {"RoutingConfig": weights(v1=0.5)},
            INVALID,
            "Invalid function version 1. Function version 1 is already included in routing configuration.",
        ),
        (
            {"FunctionVersion": "$LATEST", "RoutingConfig": weights(v1=0.5)},
            INVALID,
            "$LATEST is not supported for an alias pointing to more than 1 version",
        ),
        ({"FunctionVersion": "10"}, "ResourceNotFoundException", f"Function not found: {ARN}:NAME:10"),
        (
            {"RoutingConfig": weights(v10=0.5)},
            "ResourceNotFoundException",
            f"Function not found: {ARN}:NAME:10",
        ),
    ],
    ids=["two", "more-than-1", "less-than-0", "latest", "same", "of-latest", "version", "additional"],
)
@pytest.mark.parametrize("operation", ["create", "update"])
def test_an_alias_for_versions_that_cannot_share_its_calls_is_refused(
    twice: Twice, operation: str, parameters: dict[str, Any], code: str, message: str
) -> None:
    client = twice.cloud.client("lambda")
    client = client if "ValidationException" not in code else unchecked(twice.cloud)
    named = {"FunctionName": twice.name, "Name": "live" if operation == "update" else "other", "FunctionVersion": "1"}
    call = getattr(client, f"{operation}_alias")
    assert refusal(call, **{**named, **parameters}) == (code, message.replace("NAME", twice.name))


def unchecked(cloud: LocalCloud) -> Any:
    """A client that sends what it would refuse itself."""
    import boto3

    session = boto3.Session(
        cloud.environment()["AWS_ACCESS_KEY_ID"], cloud.environment()["AWS_SECRET_ACCESS_KEY"], region_name="us-east-1"
    )
    return session.client("lambda", endpoint_url=cloud.endpoint, config=Config(parameter_validation=False))


def test_two_versions_have_the_same_role_and_the_same_dead_letter_queue(cloud: LocalCloud) -> None:
    function, iam = Twice(cloud), cloud.client("iam")
    dead_letters = {"TargetArn": queue(cloud)[1]}
    function.client.update_function_configuration(FunctionName=function.name, DeadLetterConfig=dead_letters)
    function.client.publish_version(FunctionName=function.name)
    other = iam.create_role(RoleName=f"{function.name}-2", AssumeRolePolicyDocument=trust("lambda"))["Role"]
    iam.put_role_policy(RoleName=other["RoleName"], PolicyName="everything", PolicyDocument=allow("*"))
    function.client.update_function_configuration(FunctionName=function.name, Role=other["Arn"])
    function.client.publish_version(FunctionName=function.name)
    for additional, reason in (("v3", "dead-letter queue configuration"), ("v4", "execution role")):
        code, message = refusal(
            function.client.update_alias, **function.alias, RoutingConfig=weights(**{additional: 1})
        )
        assert (code, reason in message) == (INVALID, True)
    assert refusal(function.client.update_alias, **function.alias, RoutingConfig=weights(v4=1))[1] == (
        "Specified versions must be associated with the same execution role"
    )


def test_an_alias_that_is_there_is_not_made_and_one_that_is_absent_not_changed(twice: Twice) -> None:
    absent = {"FunctionName": twice.name, "Name": "absent"}
    assert refusal(twice.client.create_alias, **twice.alias, FunctionVersion="1") == (
        CONFLICT,
        f"Alias already exists: {twice.arn}:live",
    )
    assert refusal(twice.client.update_alias, **absent, Description="late") == (
        "ResourceNotFoundException",
        f"Alias not found: {twice.arn}:absent",
    )
    assert refusal(twice.client.get_alias, **absent)[1] == f"Cannot find alias arn: {twice.arn}:absent"
    assert twice.client.delete_alias(**absent)["ResponseMetadata"]["HTTPStatusCode"] == 204


def test_aliases_are_listed_in_pages_and_by_version(cloud: LocalCloud) -> None:
    function = Twice(cloud)
    for name, version in (("first", "1"), ("second", "2")):
        function.client.create_alias(FunctionName=function.name, Name=name, FunctionVersion=version)
    function.client.update_alias(**function.alias, RoutingConfig=weights(v2=0.5))
    for version, names in (("1", ["first", "live"]), ("2", ["live", "second"]), ("$LATEST", [])):
        listed = function.client.list_aliases(FunctionName=function.name, FunctionVersion=version)["Aliases"]
        assert [alias["Name"] for alias in listed] == names
    pages = function.client.get_paginator("list_aliases").paginate(
        FunctionName=function.name, PaginationConfig={"PageSize": 2}
    )
    assert [[alias["Name"] for alias in page["Aliases"]] for page in pages] == [["first", "live"], ["second"]]


def test_provisioned_concurrency_of_an_alias_is_refused_by_name(twice: Twice) -> None:
    with pytest.raises(ClientError, match="PutProvisionedConcurrencyConfig is not there in the local cloud"):
        twice.client.put_provisioned_concurrency_config(
            FunctionName=twice.name, Qualifier="live", ProvisionedConcurrentExecutions=1
        )


# Versions in use


def test_a_version_that_aliases_name_is_not_deleted(cloud: LocalCloud) -> None:
    function = Twice(cloud)
    function.client.create_alias(
        FunctionName=function.name, Name="canary", FunctionVersion="1", RoutingConfig=weights(v2=0)
    )
    delete = function.client.delete_function
    assert refusal(delete, FunctionName=function.name, Qualifier="1") == (CONFLICT, IN_USE.format("canary, live"))
    assert refusal(delete, FunctionName=f"{function.arn}:2") == (CONFLICT, IN_USE.format("canary"))
    function.client.delete_alias(FunctionName=function.name, Name="canary")
    delete(FunctionName=function.name, Qualifier="2")
    assert function.executed() == ("1", 1)
    delete(FunctionName=function.name)
    with pytest.raises(ClientError, match="Function not found"):
        function.client.get_function(FunctionName=function.name, Qualifier="1")


@pytest.mark.parametrize(
    ("qualifier", "message"),
    [
        ("live", "Deletion of aliases is not currently supported."),
        ("$LATEST", "$LATEST version cannot be deleted without deleting the function."),
    ],
)
def test_neither_an_alias_nor_latest_is_deleted_as_a_version(twice: Twice, qualifier: str, message: str) -> None:
    assert refusal(twice.client.delete_function, FunctionName=twice.name, Qualifier=qualifier) == (INVALID, message)
    assert twice.executed() == ("1", 1)


# Stacks


def routed(weight: float | None) -> dict[str, Any]:
    """The alias of a stack, which gives its second version a share of the calls."""
    additional = {"FunctionVersion": {"Fn::GetAtt": ["Second", "Version"]}, "FunctionWeight": weight}
    return resource(
        "Lambda::Alias",
        FunctionName={"Ref": "Function"},
        FunctionVersion={"Fn::GetAtt": ["Version", "Version"]},
        Name="live",
        **({} if weight is None else {"RoutingConfig": {"AdditionalVersionWeights": [additional]}}),
    )


def test_a_stack_shifts_the_calls_of_an_alias_from_one_version_to_another(cloud: LocalCloud) -> None:
    stack = Published(cloud)
    stack.resources["Function"]["Properties"]["Code"] = {"ZipFile": CODE % 2}
    stack.resources["Second"] = resource("Lambda::Version", FunctionName={"Ref": "Function"})
    stack.resources["Alias"] = routed(1)
    stack.deploy()
    client = cloud.client("lambda")
    for weight, executed in ((None, "1"), (1, "2"), (0, "1")):
        stack.resources["Alias"] = routed(weight)
        stack.deploy()
        assert client.invoke(FunctionName=stack.name, Qualifier="live")["ExecutedVersion"] == executed
    assert client.get_alias(FunctionName=stack.name, Name="live")["RoutingConfig"] == weights(v2=0.0)
    cloud.client("cloudformation").delete_stack(StackName=stack.name)
    with pytest.raises(ClientError, match="Function not found"):
        client.get_function(FunctionName=stack.name)


def test_a_stack_keeps_a_version_that_an_alias_outside_of_it_names(cloud: LocalCloud) -> None:
    stack, client, cloudformation = Published(cloud), cloud.client("lambda"), cloud.client("cloudformation")
    stack.resources["Function"]["DeletionPolicy"] = "Retain"
    del stack.resources["Alias"]
    stack.deploy()
    client.create_alias(FunctionName=stack.name, Name="outside", FunctionVersion="1")
    cloudformation.delete_stack(StackName=stack.name)
    described = cloudformation.describe_stacks(StackName=stack.name)["Stacks"][0]
    assert described["StackStatus"] == "DELETE_FAILED"
    events = cloudformation.describe_stack_events(StackName=stack.name)["StackEvents"]
    reasons = [event["ResourceStatusReason"] for event in events if event["ResourceStatus"] == "DELETE_FAILED"]
    assert any(IN_USE.format("outside") in reason for reason in reasons)
    client.delete_alias(FunctionName=stack.name, Name="outside")
    cloudformation.delete_stack(StackName=stack.name)
    assert [one["Version"] for one in client.list_versions_by_function(FunctionName=stack.name)["Versions"]] == [
        "$LATEST"
    ]
