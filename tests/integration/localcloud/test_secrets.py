"""Secrets Manager: versions and their labels, rotation, and what is refused."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localcloud import LocalCloud
from tests.integration.localcloud.test_events import function

ROTATION = """
import boto3

def handler(event, context):
    secrets, version = boto3.client('secretsmanager'), event['ClientRequestToken']
    stages = secrets.describe_secret(SecretId=event['SecretId'])['VersionIdsToStages']
    if event['Step'] == 'createSecret':
        secrets.put_secret_value(
            SecretId=event['SecretId'], ClientRequestToken=version, SecretString='new', VersionStages=['AWSPENDING'])
    elif event['Step'] == 'finishSecret':
        (current,) = [name for name, labels in stages.items() if 'AWSCURRENT' in labels]
        secrets.update_secret_version_stage(
            SecretId=event['SecretId'], VersionStage='AWSCURRENT', MoveToVersionId=version, RemoveFromVersionId=current)
"""


@pytest.fixture
def secret(cloud: LocalCloud) -> str:
    name = f"shop/{uuid.uuid4().hex}"
    cloud.client("secretsmanager").create_secret(Name=name, SecretString="first", Description="of the till")
    return name


def labels(cloud: LocalCloud, secret: str, **options: Any) -> list[list[str]]:
    """The labels of each version, the oldest first."""
    versions = cloud.client("secretsmanager").list_secret_version_ids(SecretId=secret, **options)["Versions"]
    return [version.get("VersionStages", []) for version in versions]


def refusal(operation: Any, **parameters: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as error:
        operation(**parameters)
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    return error.value.response["Error"]["Code"], error.value.response["Error"]["Message"]


def rotating(cloud: LocalCloud, code: str) -> str:
    """The ARN of a function that Secrets Manager may call."""
    name = function(cloud, code)
    cloud.client("lambda").add_permission(
        FunctionName=name,
        StatementId="rotation",
        Action="lambda:InvokeFunction",
        Principal="secretsmanager.amazonaws.com",
    )
    return str(cloud.client("lambda").get_function(FunctionName=name)["Configuration"]["FunctionArn"])


def test_moving_the_current_label_changes_the_value_that_is_read(cloud: LocalCloud, secret: str) -> None:
    secrets = cloud.client("secretsmanager")
    first = secrets.get_secret_value(SecretId=secret)["VersionId"]
    second = secrets.put_secret_value(SecretId=secret, SecretString="second", VersionStages=["AWSPENDING", "blue"])
    secrets.update_secret_version_stage(
        SecretId=secret, VersionStage="AWSCURRENT", MoveToVersionId=second["VersionId"], RemoveFromVersionId=first
    )
    assert secrets.get_secret_value(SecretId=secret)["SecretString"] == "second"
    assert secrets.get_secret_value(SecretId=secret, VersionStage="AWSPREVIOUS")["SecretString"] == "first"
    assert labels(cloud, secret) == [["AWSPREVIOUS"], ["AWSCURRENT", "AWSPENDING", "blue"]]


def test_a_new_value_leaves_the_labels_of_ones_own_where_they_are(cloud: LocalCloud, secret: str) -> None:
    secrets = cloud.client("secretsmanager")
    secrets.put_secret_value(SecretId=secret, SecretString="second", VersionStages=["AWSCURRENT", "blue"])
    secrets.put_secret_value(SecretId=secret, SecretString="third")
    assert labels(cloud, secret) == [["AWSPREVIOUS", "blue"], ["AWSCURRENT"]]
    assert labels(cloud, secret, IncludeDeprecated=True) == [[], ["AWSPREVIOUS", "blue"], ["AWSCURRENT"]]
    assert len(secrets.describe_secret(SecretId=secret)["VersionIdsToStages"]) == 2


def test_a_secret_says_on_which_day_it_was_read(cloud: LocalCloud, secret: str) -> None:
    secrets = cloud.client("secretsmanager")
    assert "LastAccessedDate" not in secrets.describe_secret(SecretId=secret)
    secrets.get_secret_value(SecretId=secret)
    day = secrets.describe_secret(SecretId=secret)["LastAccessedDate"].astimezone(UTC)
    assert day == datetime(day.year, day.month, day.day, tzinfo=UTC)


def test_an_empty_description_takes_the_former_one_away(cloud: LocalCloud, secret: str) -> None:
    secrets = cloud.client("secretsmanager")
    secrets.update_secret(SecretId=secret, Description="")
    assert "Description" not in secrets.describe_secret(SecretId=secret)


def test_a_rotation_makes_a_new_current_version(cloud: LocalCloud, secret: str, eventually: Any) -> None:
    secrets, arn = cloud.client("secretsmanager"), rotating(cloud, ROTATION)
    rules = {"AutomaticallyAfterDays": 7}
    version = secrets.rotate_secret(SecretId=secret, RotationLambdaARN=arn, RotationRules=rules)["VersionId"]
    assert eventually(lambda: secrets.describe_secret(SecretId=secret).get("LastRotatedDate"))
    value = secrets.get_secret_value(SecretId=secret)
    assert (value["VersionId"], value["SecretString"], value["VersionStages"]) == (version, "new", ["AWSCURRENT"])
    again = secrets.rotate_secret(SecretId=secret)["VersionId"]
    assert eventually(lambda: secrets.get_secret_value(SecretId=secret)["VersionId"] == again)


def test_a_step_that_fails_ends_the_rotation(cloud: LocalCloud, secret: str, eventually: Any) -> None:
    secrets, arn = cloud.client("secretsmanager"), rotating(cloud, "def handler(event, context): print(1 / 0)")
    secrets.rotate_secret(SecretId=secret, RotationLambdaARN=arn)
    assert eventually(lambda: labels(cloud, secret) == [["AWSCURRENT"], ["AWSPENDING"]])
    assert secrets.get_secret_value(SecretId=secret)["SecretString"] == "first"
    assert refusal(secrets.rotate_secret, SecretId=secret) == (
        "InvalidRequestException",
        "A previous rotation isn't complete. That rotation will be reattempted.",
    )


def test_rotation_needs_a_function_that_may_be_called(cloud: LocalCloud, secret: str) -> None:
    rotate = cloud.client("secretsmanager").rotate_secret
    assert refusal(rotate, SecretId=secret)[0] == "InvalidRequestException"
    closed = f"arn:aws:lambda:us-east-1:123456789012:function:{function(cloud, 'def handler(*_): pass')}"
    code, message = refusal(rotate, SecretId=secret, RotationLambdaARN=closed)
    assert (code, "cannot invoke the specified Lambda function" in message) == ("AccessDeniedException", True)
    assert "RotationEnabled" not in cloud.client("secretsmanager").describe_secret(SecretId=secret)


@pytest.mark.parametrize(
    ("version", "words"),
    [
        ({"VersionStage": "AWSPREVIOUS"}, "for staging label: AWSPREVIOUS"),
        ({"VersionId": "0" * 32}, f"for VersionId: {'0' * 32}"),
    ],
)
def test_a_version_that_is_not_there_is_named(
    cloud: LocalCloud, secret: str, version: dict[str, str], words: str
) -> None:
    code, message = refusal(cloud.client("secretsmanager").get_secret_value, SecretId=secret, **version)
    assert code == "ResourceNotFoundException"
    assert message == f"Secrets Manager can't find the specified secret value {words}"


def test_a_secret_that_is_not_there_is_refused(cloud: LocalCloud) -> None:
    secrets = cloud.client("secretsmanager")
    for operation in (secrets.list_secret_version_ids, secrets.describe_secret, secrets.get_secret_value):
        assert refusal(operation, SecretId="never-made")[0] == "ResourceNotFoundException"


def test_a_secret_that_is_marked_for_deletion_only_takes_its_restoration(cloud: LocalCloud, secret: str) -> None:
    secrets = cloud.client("secretsmanager")
    secrets.delete_secret(SecretId=secret)
    assert secrets.describe_secret(SecretId=secret)["DeletedDate"]
    for operation, parameters in (
        (secrets.get_secret_value, {}),
        (secrets.tag_resource, {"Tags": [{"Key": "a", "Value": "b"}]}),
        (secrets.update_secret, {"SecretString": "x"}),
        (secrets.put_secret_value, {"SecretString": "x"}),
        (secrets.delete_secret, {}),
    ):
        code, message = refusal(operation, SecretId=secret, **parameters)
        assert (code, "for deletion" in message) == ("InvalidRequestException", True)
    code, message = refusal(secrets.create_secret, Name=secret, SecretString="x")
    assert (code, "already scheduled for deletion" in message) == ("InvalidRequestException", True)
    secrets.restore_secret(SecretId=secret)
    assert secrets.get_secret_value(SecretId=secret)["SecretString"] == "first"


def test_a_name_that_no_secret_can_have_is_refused(cloud: LocalCloud) -> None:
    secrets = cloud.client("secretsmanager")
    for operation, parameters in (
        (secrets.create_secret, {"Name": "of the till", "SecretString": "x"}),
        (secrets.describe_secret, {"SecretId": "of the till"}),
        (secrets.get_secret_value, {"SecretId": "till?"}),
    ):
        assert refusal(operation, **parameters)[0] == "ValidationException"


def test_a_second_secret_of_the_same_name_is_refused(cloud: LocalCloud, secret: str) -> None:
    code, message = refusal(cloud.client("secretsmanager").create_secret, Name=secret, SecretString="x")
    assert code == "ResourceExistsException"
    assert message == f"The operation failed because the secret {secret} already exists."


def test_a_policy_that_cannot_be_read_is_refused(cloud: LocalCloud, secret: str) -> None:
    secrets = cloud.client("secretsmanager")
    for operation in (secrets.put_resource_policy, secrets.validate_resource_policy):
        code, _ = refusal(operation, SecretId=secret, ResourcePolicy="not a policy")
        assert code == "MalformedPolicyDocumentException"
