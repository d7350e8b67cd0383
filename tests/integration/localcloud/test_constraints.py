"""What the API's own description excludes is refused, whatever the SDK lets through."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from localcloud import LocalCloud

Json = dict[str, Any]
#: Requests, and where the service says that what is wrong is.
REFUSED: list[tuple[str, str, Json, str, str]] = [
    ("iam", "create_user", {"UserName": "u" * 65}, "ValidationError", "userName"),
    ("iam", "list_users", {"MaxItems": 1001}, "ValidationError", "maxItems"),
    ("kms", "create_key", {"KeyUsage": "EAT"}, "ValidationException", "keyUsage"),
    ("events", "list_rules", {"Limit": 101}, "ValidationException", "limit"),
    ("cloudwatch", "describe_alarms", {"MaxRecords": 101}, "ValidationError", "maxRecords"),
    ("ssm", "describe_parameters", {"MaxResults": 51}, "ValidationException", "maxResults"),
    ("ssm", "put_parameter", {"Name": "/a", "Value": "b", "Type": "Text"}, "ValidationException", "type"),
    ("logs", "describe_log_groups", {"limit": 51}, "InvalidParameterException", "limit"),
    ("lambda", "list_functions", {"MaxItems": 10_001}, "ValidationException", "maxItems"),
    ("dynamodb", "list_tables", {"Limit": 101}, "ValidationException", "limit"),
    ("secretsmanager", "list_secrets", {"MaxResults": 101}, "ValidationException", "maxResults"),
    ("sts", "get_session_token", {"DurationSeconds": 129_601}, "ValidationError", "durationSeconds"),
    ("opensearch", "describe_domain", {"DomainName": "Films"}, "ValidationException", "domainName"),
    ("elbv2", "describe_load_balancers", {"PageSize": 401}, "ValidationError", "pageSize"),
    (
        "autoscaling",
        "describe_policies",
        {"AutoScalingGroupName": "g" * 256},
        "ValidationError",
        "autoScalingGroupName",
    ),
    ("cloudformation", "describe_stacks", {"NextToken": "t" * 1025}, "ValidationError", "nextToken"),
]


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "code", "place"), REFUSED, ids=[f"{row[0]}-{row[4]}" for row in REFUSED]
)
def test_a_value_that_the_description_excludes_is_refused_with_the_services_code(
    cloud: LocalCloud, service: str, operation: str, parameters: Json, code: str, place: str
) -> None:
    with pytest.raises(ClientError) as refusal:
        getattr(cloud.client(service), operation)(**parameters)
    error = refusal.value.response["Error"]
    assert error["Code"] == code
    assert error["Message"].startswith("1 validation error detected: Value '")
    assert f"' at '{place}' failed to satisfy constraint: Member must " in error["Message"]


def test_every_value_that_is_excluded_is_named(cloud: LocalCloud) -> None:
    with pytest.raises(ClientError, match=r"2 validation errors detected: .*'keyUsage'.*; Value 'Y' at 'keySpec'"):
        cloud.client("kms").create_key(KeyUsage="X", KeySpec="Y")


def test_nothing_is_left_of_a_request_that_is_refused(cloud: LocalCloud) -> None:
    iam = cloud.client("iam")
    with pytest.raises(ClientError):
        iam.create_user(UserName="refused", Path="no slashes")
    assert "refused" not in {user["UserName"] for user in iam.list_users()["Users"]}
