"""Event invoke configurations: each holds for what is called by one name, and says what Lambda refuses."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localcloud import LocalCloud
from tests.integration.localcloud.test_asynchronous_functions import FAILS_IF_TOLD
from tests.integration.localcloud.test_events import function, logged, queue, receive
from tests.integration.localcloud.test_function_aliases import ARN, Published, resource

MISSING = "The function doesn't exist."
NO_CONFIG = "The function {} doesn't have an EventInvokeConfig"


@pytest.fixture(scope="module")
def name(cloud: LocalCloud) -> str:
    """A function with version 1 and the alias "live" for it."""
    return published(cloud)


def published(cloud: LocalCloud) -> str:
    """A new function's name: it has version 1 and the alias "live" for it."""
    client, name = cloud.client("lambda"), function(cloud, FAILS_IF_TOLD)
    client.publish_version(FunctionName=name)
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    return name


def refusal(call: Any, **parameters: Any) -> tuple[str, str]:
    """The code and the message with which a call is refused."""
    with pytest.raises(ClientError) as refused:
        call(**parameters)
    error = refused.value.response["Error"]
    return error["Code"], error["Message"]


def configs(cloud: LocalCloud, name: str) -> dict[str, int]:
    """The attempts after the first one of each configuration of a function, by the end of its ARN."""
    listed = cloud.client("lambda").list_function_event_invoke_configs(FunctionName=name)["FunctionEventInvokeConfigs"]
    return {config["FunctionArn"].rpartition(":")[2]: config["MaximumRetryAttempts"] for config in listed}


# What is called


def test_a_configuration_holds_only_for_what_is_called_by_its_qualifier(cloud: LocalCloud, eventually: Any) -> None:
    client, name, arns = cloud.client("lambda"), published(cloud), dict[str, str]()
    for qualifier, attempts in (("live", 0), ("1", 1), ("$LATEST", 2)):
        arns[qualifier], destination = queue(cloud)
        client.put_function_event_invoke_config(
            FunctionName=name,
            Qualifier=qualifier,
            MaximumRetryAttempts=attempts,
            DestinationConfig={"OnFailure": {"Destination": destination}},
        )
    for called in ("live", "1", ""):
        qualified = {"Qualifier": called} if called else {}
        client.invoke(FunctionName=name, InvocationType="Event", Payload=b'{"fail": true}', **qualified)
    for qualifier, attempts, version in (("live", 1, "1"), ("1", 2, "1"), ("$LATEST", 3, "$LATEST")):
        (record,) = eventually(lambda url=arns[qualifier]: receive(cloud, url))
        assert record["requestContext"]["approximateInvokeCount"] == attempts
        assert record["responseContext"]["executedVersion"] == version
    assert logged(cloud, f"/aws/lambda/{name}").count("called") == 1 + 2 + 3


def test_an_alias_without_a_configuration_has_the_defaults(cloud: LocalCloud, eventually: Any) -> None:
    client, name, (url, destination) = cloud.client("lambda"), published(cloud), queue(cloud)
    places = {"OnFailure": {"Destination": destination}, "OnSuccess": {"Destination": destination}}
    for qualifier in ("1", "$LATEST"):
        client.put_function_event_invoke_config(
            FunctionName=name, Qualifier=qualifier, MaximumRetryAttempts=0, DestinationConfig=places
        )
    client.invoke(FunctionName=name, Qualifier="live", InvocationType="Event", Payload=b'{"fail": true}')
    assert eventually(lambda: logged(cloud, f"/aws/lambda/{name}").count("called") == 3)
    assert receive(cloud, url) == []


def test_an_event_of_an_alias_is_dropped_when_it_is_too_old(cloud: LocalCloud, eventually: Any) -> None:
    client, name, (url, destination) = cloud.client("lambda"), published(cloud), queue(cloud)
    client.put_function_event_invoke_config(
        FunctionName=f"{ARN}:{name}:live",
        MaximumEventAgeInSeconds=60,
        DestinationConfig={"OnFailure": {"Destination": destination}},
    )
    client.invoke(FunctionName=f"{name}:live", InvocationType="Event", Payload=b'{"fail": true}')
    (record,) = eventually(lambda: receive(cloud, url))
    assert record["requestContext"]["condition"] == "EventAgeExceeded"


# The API


@pytest.mark.parametrize(
    ("named", "end"),
    [
        ({}, "$LATEST"),
        ({"Qualifier": "$LATEST"}, "$LATEST"),
        ({"Qualifier": "1"}, "1"),
        ({"Qualifier": "live"}, "live"),
        ({"FunctionName": "NAME:live"}, "live"),
        ({"FunctionName": f"{ARN}:NAME:live", "Qualifier": "live"}, "live"),
    ],
    ids=["function", "latest", "version", "alias", "name", "arn"],
)
def test_a_request_names_a_function_a_version_or_an_alias(
    cloud: LocalCloud, name: str, named: dict[str, str], end: str
) -> None:
    client, parameters = cloud.client("lambda"), {"FunctionName": name, **named}
    parameters["FunctionName"] = parameters["FunctionName"].replace("NAME", name)
    answer = client.put_function_event_invoke_config(**parameters, MaximumRetryAttempts=1)
    assert answer["FunctionArn"] == f"{ARN}:{name}:{end}"
    assert answer["DestinationConfig"] == {"OnSuccess": {}, "OnFailure": {}}
    assert datetime.now(UTC) - answer["LastModified"] < timedelta(minutes=5)
    described = client.get_function_event_invoke_config(**parameters)
    assert (described["FunctionArn"], described["MaximumRetryAttempts"]) == (answer["FunctionArn"], 1)
    client.delete_function_event_invoke_config(**parameters)
    missing = ("ResourceNotFoundException", NO_CONFIG.format(answer["FunctionArn"]))
    assert refusal(client.get_function_event_invoke_config, **parameters) == missing
    assert refusal(client.delete_function_event_invoke_config, **parameters) == missing
    assert refusal(client.update_function_event_invoke_config, **parameters, MaximumRetryAttempts=1) == missing


def test_an_update_keeps_what_it_does_not_mention_and_a_put_drops_it(cloud: LocalCloud, name: str) -> None:
    client, alias = cloud.client("lambda"), {"FunctionName": name, "Qualifier": "live"}
    client.put_function_event_invoke_config(**alias, MaximumRetryAttempts=2, MaximumEventAgeInSeconds=60)
    updated = client.update_function_event_invoke_config(**alias, MaximumRetryAttempts=0)
    assert (updated["MaximumRetryAttempts"], updated["MaximumEventAgeInSeconds"]) == (0, 60)
    client.put_function_event_invoke_config(**alias, MaximumRetryAttempts=0)
    assert "MaximumEventAgeInSeconds" not in client.get_function_event_invoke_config(**alias)


def test_configurations_are_listed_in_pages_and_end_with_what_they_are_for(cloud: LocalCloud) -> None:
    client, name = cloud.client("lambda"), published(cloud)
    client.create_alias(FunctionName=name, Name="next", FunctionVersion="$LATEST")
    for attempts, qualifier in enumerate(("$LATEST", "1", "live")):
        client.put_function_event_invoke_config(FunctionName=name, Qualifier=qualifier, MaximumRetryAttempts=attempts)
    client.put_function_event_invoke_config(FunctionName=name, Qualifier="next", MaximumRetryAttempts=0)
    pages = client.get_paginator("list_function_event_invoke_configs").paginate(
        FunctionName=name, PaginationConfig={"PageSize": 3}
    )
    assert [len(page["FunctionEventInvokeConfigs"]) for page in pages] == [3, 1]
    client.delete_alias(FunctionName=name, Name="live")
    assert configs(cloud, name) == {"$LATEST": 0, "1": 1, "next": 0}
    client.delete_function(FunctionName=name, Qualifier="1")
    assert configs(cloud, name) == {"$LATEST": 0, "next": 0}
    role = client.get_function_configuration(FunctionName=name)["Role"]
    client.delete_function(FunctionName=name)
    assert refusal(client.list_function_event_invoke_configs, FunctionName=name)[1] == MISSING
    client.create_function(FunctionName=name, Role=role, Handler="a.b", Runtime="python3.14", Code={"ZipFile": b"PK"})
    assert configs(cloud, name) == {}


@pytest.mark.parametrize(
    ("parameters", "code", "message"),
    [
        ({"FunctionName": "absent", "MaximumRetryAttempts": 1}, "ResourceNotFoundException", MISSING),
        ({"Qualifier": "absent", "MaximumRetryAttempts": 1}, "ResourceNotFoundException", MISSING),
        ({"Qualifier": "7", "MaximumRetryAttempts": 1}, "ResourceNotFoundException", MISSING),
        (
            {"FunctionName": "absent"},
            "InvalidParameterValueException",
            "You must specify at least one of error handling or destination setting.",
        ),
        (
            {"FunctionName": "NAME:live", "Qualifier": "1", "MaximumRetryAttempts": 1},
            "InvalidParameterValueException",
            "The derived qualifier from the function name does not match the specified qualifier.",
        ),
        (
            {"DestinationConfig": {"OnSuccess": {"Destination": f"{ARN}:absent"}}},
            "InvalidParameterValueException",
            f"The destination ARN {ARN}:absent is invalid.",
        ),
        (
            {"Qualifier": "live", "DestinationConfig": {"OnFailure": {"Destination": f"{ARN}:NAME"}}},
            "InvalidParameterValueException",
            "You can't specify the function as a destination for itself.",
        ),
        (
            {"DestinationConfig": {"OnSuccess": {"Destination": "arn:aws:s3:::results"}}},
            "InvalidParameterValueException",
            (
                "The provided destination config DestinationConfig("
                "onSuccess=OnSuccess(destination=arn:aws:s3:::results), onFailure=null) is invalid."
            ),
        ),
        (
            {"MaximumRetryAttempts": 3},
            "ValidationException",
            (
                "1 validation error detected: Value '3' at 'maximumRetryAttempts' failed to satisfy constraint: "
                "Member must have value less than or equal to 2"
            ),
        ),
    ],
    ids=["function", "alias", "version", "nothing", "two-qualifiers", "destination", "itself", "bucket", "attempts"],
)
@pytest.mark.parametrize("operation", ["put", "update"])
def test_a_configuration_that_lambda_refuses_is_refused_in_its_words(
    cloud: LocalCloud, name: str, operation: str, parameters: dict[str, Any], code: str, message: str
) -> None:
    given = json.loads(json.dumps({"FunctionName": name, **parameters}).replace("NAME", name))
    cloud.client("lambda").put_function_event_invoke_config(FunctionName=name, MaximumRetryAttempts=1)
    cloud.client("lambda").put_function_event_invoke_config(FunctionName=name, Qualifier="live", MaximumRetryAttempts=1)
    call = getattr(cloud.client("lambda"), f"{operation}_function_event_invoke_config")
    assert refusal(call, **given) == (code, message.replace("NAME", name))


# Stacks


def test_a_stack_has_a_configuration_of_an_alias_that_moves_to_another(cloud: LocalCloud) -> None:
    tries = {
        **resource(
            "Lambda::EventInvokeConfig", FunctionName={"Ref": "Function"}, Qualifier="live", MaximumRetryAttempts=0
        ),
        "DependsOn": "Alias",
    }
    stack = Published(cloud, Tries=tries)
    assert configs(cloud, stack.name) == {"live": 0}
    resources = cloud.client("cloudformation").describe_stack_resources(StackName=stack.name)["StackResources"]
    assert f"{stack.name}|live" in {one["PhysicalResourceId"] for one in resources}
    tries["Properties"]["MaximumRetryAttempts"] = 1
    stack.deploy()
    assert configs(cloud, stack.name) == {"live": 1}
    tries["Properties"]["Qualifier"] = "$LATEST"
    stack.deploy()
    assert configs(cloud, stack.name) == {"$LATEST": 1}
    del stack.resources["Tries"]
    stack.deploy()
    assert configs(cloud, stack.name) == {}


def test_a_stack_without_the_alias_of_its_configuration_is_rolled_back(cloud: LocalCloud) -> None:
    tries = resource(
        "Lambda::EventInvokeConfig", FunctionName={"Ref": "Function"}, Qualifier="absent", MaximumRetryAttempts=0
    )
    with pytest.raises(AssertionError, match=re.escape(MISSING)):
        Published(cloud, Tries=tries)
