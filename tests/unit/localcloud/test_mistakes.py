"""A request that is wrong gets the service's own error, and a fault of the local cloud stays one."""

from __future__ import annotations

import json
from email.message import Message
from http import HTTPStatus
from xml.parsers.expat import ExpatError

import pytest

from localcloud.access.signatures import SignedRequest
from localcloud.cloud.mistakes import absent_name, invalid, missing_member, not_found, unreadable


def request(body: str = "", kind: str = "application/x-amz-json-1.1", path: str = "/") -> SignedRequest:
    headers = Message()
    headers["Content-Type"] = kind
    return SignedRequest("POST", path, headers, body.encode())


FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("asked", "parameter"),
    [
        (request("Action=ModifyDBCluster&DBClusterIdentifier=orders", FORM), "DBClusterIdentifier"),
        (request("InstanceIds.member.1=i-1&InstanceIds.member.2=orders", FORM), "InstanceIds"),
        (request("TransitGatewayId.3=orders", FORM), "TransitGatewayId"),
        (request(json.dumps({"Resource": {"Names": ["x", "orders"]}})), "Names"),
        (request(kind="application/json", path="/2015-03-31/functions/orders?Qualifier=1"), ""),
        (request(kind="application/json", path="/tags?Name=orders"), "Name"),
    ],
    ids=["form", "list of a form", "list of EC2", "JSON", "path", "query"],
)
def test_a_name_is_found_in_the_request_with_its_parameter(asked: SignedRequest, parameter: str) -> None:
    assert absent_name(asked, KeyError("orders")) == (parameter, "orders")


@pytest.mark.parametrize(
    "error",
    [KeyError("another"), KeyError(7), KeyError(), KeyError(""), ValueError("orders"), AttributeError("orders")],
    ids=repr,
)
def test_any_other_error_is_the_local_clouds_own(error: Exception) -> None:
    assert absent_name(request(json.dumps({"Name": "orders"})), error) is None


def test_a_body_that_is_not_json_names_nothing() -> None:
    assert absent_name(request("{orders"), KeyError("orders")) is None


@pytest.mark.parametrize(
    ("model", "operation", "parameter", "form", "code", "status"),
    [
        ("rds", "ModifyDBCluster", "DBClusterIdentifier", "query", "DBClusterNotFoundFault", 404),
        ("kms", "RevokeGrant", "KeyId", "json", "NotFoundException", 400),
        ("ec2", "DeleteTransitGateway", "TransitGatewayId", "ec2", "InvalidTransitGatewayID.NotFound", 400),
        ("ec2", "DescribeImageAttribute", "ImageId", "ec2", "InvalidAMIID.NotFound", 400),
        ("autoscaling", "SuspendProcesses", "AutoScalingGroupName", "query", "ValidationError", 400),
        ("rds", None, "DBClusterIdentifier", "query", "ValidationError", 400),
        ("rds", "NoSuchOperation", "DBClusterIdentifier", "query", "ValidationError", 400),
    ],
)
def test_the_code_is_the_one_that_the_services_model_has(
    model: str, operation: str | None, parameter: str, form: str, code: str, status: int
) -> None:
    assert not_found(model, operation, parameter, form) == (code, HTTPStatus(status))


@pytest.mark.parametrize(
    ("model", "operation", "error", "member"),
    [
        ("autoscaling", "DeleteTags", KeyError("ResourceId"), "ResourceId"),
        ("rds", "CreateDBProxy", KeyError("auth"), "Auth"),
        ("rds", "CreateDBInstanceReadReplica", KeyError("source_db_instance_identifier"), "SourceDBInstanceIdentifier"),
        ("autoscaling", "DeleteTags", KeyError("orders"), None),
        ("autoscaling", "DeleteTags", AttributeError("ResourceId"), None),
        ("autoscaling", "DeleteTags", KeyError(None), None),
        ("autoscaling", None, KeyError("ResourceId"), None),
        ("autoscaling", "NoSuchOperation", KeyError("ResourceId"), None),
    ],
)
def test_a_missing_member_is_named_as_the_model_names_it(
    model: str, operation: str | None, error: Exception, member: str | None
) -> None:
    assert missing_member(model, operation, error) == member


@pytest.mark.parametrize(
    ("model", "operation", "form", "code"),
    [
        ("ec2", "CreateFleet", "ec2", "MissingParameter"),
        ("secretsmanager", "TagResource", "json", "InvalidParameterException"),
        ("autoscaling", "DeleteTags", "query", "ValidationError"),
        ("dynamodb", "PutItem", "json", "ValidationException"),
        ("s3", None, "s3", "InvalidRequest"),
    ],
)
def test_a_request_that_is_not_valid_has_the_code_of_the_services_model(
    model: str, operation: str | None, form: str, code: str
) -> None:
    assert invalid(model, operation, form) == code


@pytest.mark.parametrize(
    ("body", "error", "form", "code"),
    [
        ("", ExpatError(), "s3", "MissingRequestBodyError"),
        ("<a>", ExpatError(), "s3", "MalformedXML"),
        ("{", ValueError(), "json", "SerializationException"),
        ("{}", ValueError(), "json", None),
        ("", ValueError(), "json", None),
        ("<a>", ExpatError(), "query", None),
    ],
)
def test_a_body_that_cannot_be_read_is_refused_as_such(
    body: str, error: Exception, form: str, code: str | None
) -> None:
    assert (unreadable(request(body), error, form) or (None,))[0] == code
