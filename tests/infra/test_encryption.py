"""A key of the account encrypts everything that a stack stores, and each role may use it for what it does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from infra.config import Config, ConfigError
from infra.console.templates import TEMPLATES

from .conftest import Json, as_list, of_type, statements

KEY = "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-0000-0000-000000000000"
#: Where a resource names its key.
PATHS: dict[str, tuple[str | int, ...]] = {
    "AWS::DynamoDB::Table": ("SSESpecification", "KMSMasterKeyId"),
    "AWS::Logs::LogGroup": ("KmsKeyId",),
    "AWS::Neptune::DBCluster": ("KmsKeyId",),
    "AWS::OpenSearchService::Domain": ("EncryptionAtRestOptions", "KmsKeyId"),
    "AWS::RDS::DBInstance": ("KmsKeyId",),
    "AWS::S3::Bucket": (
        "BucketEncryption",
        "ServerSideEncryptionConfiguration",
        0,
        "ServerSideEncryptionByDefault",
        "KMSMasterKeyID",
    ),
    "AWS::SNS::Topic": ("KmsMasterKeyId",),
    "AWS::SQS::Queue": ("KmsMasterKeyId",),
    "AWS::SecretsManager::Secret": ("KmsKeyId",),
    "AWS::Timestream::Database": ("KmsKeyId",),
}
#: Actions of roles on what is encrypted, and what each needs of the key.
NEEDS = {
    "dynamodb:PutItem": {"kms:Decrypt", "kms:GenerateDataKey"},
    "dynamodb:Query": {"kms:Decrypt"},
    "s3:GetObject": {"kms:Decrypt"},
    "s3:PutObject": {"kms:Decrypt", "kms:GenerateDataKey"},
    "secretsmanager:GetSecretValue": {"kms:Decrypt"},
    "secretsmanager:PutSecretValue": {"kms:Decrypt", "kms:GenerateDataKey"},
    "sns:Publish": {"kms:Decrypt", "kms:GenerateDataKey"},
    "sqs:ReceiveMessage": {"kms:Decrypt"},
    "sqs:SendMessage": {"kms:Decrypt", "kms:GenerateDataKey"},
}
ENGINES = {"data-ecosystem.yaml", "devops-metrics.yaml"}


@pytest.fixture(
    params=[
        (file, engine) for file in TEMPLATES for engine in (("influxdb", "liveanalytics") if file in ENGINES else ("",))
    ],
    ids=lambda param: " ".join(param).strip(),
)
def template(request: pytest.FixtureRequest, synthesise: Callable[..., Json]) -> Json:
    file, engine = request.param
    section = TEMPLATES[file].SECTION
    return synthesise(file, {f"{section}.kms_key_arn": KEY} | ({f"{section}.engine": engine} if engine else {}))


def at(properties: Any, path: tuple[str | int, ...]) -> Any:
    for step in path:
        properties = properties[step]
    return properties


def documents(template: Json) -> Iterator[tuple[str, list[Json]]]:
    """The statements of each role's permissions, by the resource that has them; those of one role together."""
    for name, body in template["Resources"].items():
        properties = body.get("Properties", {})
        if body["Type"] in {"AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"}:
            yield name, properties["PolicyDocument"]["Statement"]
        elif body["Type"] == "AWS::IAM::Role":
            yield (
                name,
                [one for policy in properties.get("Policies", ()) for one in policy["PolicyDocument"]["Statement"]],
            )


def test_everything_that_stores_is_encrypted_under_the_key(template: Json) -> None:
    for kind, path in PATHS.items():
        for name, body in of_type(template, kind):
            assert at(body["Properties"], path) == KEY, name
    assert [name for name, _ in of_type(template, "AWS::KMS::Key")] == []


def test_sqs_has_one_kind_of_encryption(template: Json) -> None:
    assert all("SqsManagedSseEnabled" not in body["Properties"] for _, body in of_type(template, "AWS::SQS::Queue"))


def test_each_policy_has_what_its_actions_need_of_the_key_through_their_service(template: Json) -> None:
    checked = 0
    for name, of_role in documents(template):
        key_statements = [one for one in of_role if one["Resource"] == KEY and "Condition" in one]
        use = {
            one["Condition"]["StringEquals"]["kms:ViaService"]["Fn::Join"][1][0].rstrip("."): set(
                as_list(one["Action"])
            )
            for one in key_statements
        }
        actions = {action for one in of_role if one["Effect"] == "Allow" for action in as_list(one["Action"])}
        for action in actions & NEEDS.keys():
            service = action.partition(":")[0]
            assert NEEDS[action] <= use.get(service, set()), (name, action)
            checked += 1
        assert use.keys() <= {action.partition(":")[0] for action in actions}, name
    assert checked


def test_nobody_else_may_use_the_key(template: Json) -> None:
    for name, statement in statements(template):
        if any(action.startswith("kms:") for action in as_list(statement["Action"])):
            assert statement["Resource"] == KEY, name
            assert "kms:*" not in as_list(statement["Action"]), name


@pytest.mark.parametrize("wrong", ["alias/mine", "arn:aws:kms:us-east-1:123456789012:alias/mine", "1234abcd"])
def test_a_key_is_named_by_its_arn(wrong: str) -> None:
    with pytest.raises(ConfigError, match="the ARN of a symmetric key"):
        Config.from_context({"web_app.kms_key_arn": wrong})
