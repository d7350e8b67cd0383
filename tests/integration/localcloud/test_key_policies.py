"""A customer's key is used only by whom its policy lets in: people, roles, and services that act for themselves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from localcloud import LocalCloud
from tests.integration.localcloud.test_permissions import ACCOUNT, Json, allow, document, role, session

ROOT = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
LOGS = {"Service": "logs.us-east-1.amazonaws.com"}
USE = ("kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey")
MANAGE = ("kms:PutKeyPolicy", "kms:GetKeyPolicy", "kms:DescribeKey", "kms:ScheduleKeyDeletion")


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    with LocalCloud(tmp_path_factory.mktemp("cloud"), iam="enforce") as running:
        yield running


def new(word: str) -> str:
    return f"{word}-{uuid4().hex[:8]}"


def key(cloud: LocalCloud, *statements: Json) -> str:
    """The ARN of a new key with a policy of these statements, which the account may manage in any case."""
    policy = document(allow(*MANAGE, Principal=ROOT), *statements)
    return str(cloud.client("kms").create_key(Policy=policy)["KeyMetadata"]["Arn"])


def table(name: str, arn: str) -> Json:
    return {
        "TableName": name,
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "BillingMode": "PAY_PER_REQUEST",
        "SSESpecification": {"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": arn},
    }


@pytest.mark.parametrize(
    ("conditions", "lets_in"),
    [
        ({}, True),
        ({"ArnLike": {"kms:EncryptionContext:aws:logs:arn": f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:*"}}, True),
        ({"ArnLike": {"kms:EncryptionContext:aws:logs:arn": f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:x"}}, False),
        ({"StringEquals": {"aws:SourceAccount": ACCOUNT}}, False),
        (None, False),
    ],
)
def test_a_log_group_takes_only_a_key_that_lets_cloudwatch_logs_in(
    cloud: LocalCloud, conditions: Json | None, lets_in: bool
) -> None:
    let_in = [] if conditions is None else [allow(*USE, Principal=LOGS, Condition=conditions)]
    arn, name, logs = key(cloud, *let_in), new("group"), cloud.client("logs")
    refused = f"not allowed to be used with Arn 'arn:aws:logs:us-east-1:{ACCOUNT}:log-group:{name}"
    with nullcontext() if lets_in else pytest.raises(ClientError, match=refused):
        logs.create_log_group(logGroupName=name, kmsKeyId=arn)
    logs.create_log_group(logGroupName=f"{name}-later")
    with nullcontext() if lets_in else pytest.raises(ClientError, match=refused):
        logs.associate_kms_key(logGroupName=f"{name}-later", kmsKeyId=arn)
    [later] = logs.describe_log_groups(logGroupNamePrefix=f"{name}-later")["logGroups"]
    assert later.get("kmsKeyId") == (arn if lets_in else None)
    logs.disassociate_kms_key(logGroupName=f"{name}-later")
    [later] = logs.describe_log_groups(logGroupNamePrefix=f"{name}-later")["logGroups"]
    assert "kmsKeyId" not in later


def test_a_log_group_takes_no_key_that_is_not_there(cloud: LocalCloud) -> None:
    absent = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/{uuid4()}"
    with pytest.raises(ClientError, match="The specified KMS key does not exist"):
        cloud.client("logs").create_log_group(logGroupName=new("group"), kmsKeyId=absent)


def given(arn: str) -> list[tuple[str, str, Json, str]]:
    """Requests that give a service a key, with the first action that each needs."""
    instance = {"Engine": "postgres", "DBInstanceClass": "db.t4g.micro", "MasterUsername": "u", "AllocatedStorage": 20}
    instance |= {"DBInstanceIdentifier": new("db"), "MasterUserPassword": "long-enough", "StorageEncrypted": True}
    encryption = {"Enabled": True, "KmsKeyId": arn}
    return [
        ("dynamodb", "create_table", table(new("table"), arn), "kms:DescribeKey"),
        ("ec2", "create_volume", {"AvailabilityZone": "us-east-1a", "Size": 1, "KmsKeyId": arn}, "kms:DescribeKey"),
        ("rds", "create_db_instance", instance | {"KmsKeyId": arn}, "kms:DescribeKey"),
        (
            "opensearch",
            "create_domain",
            {"DomainName": "d-1", "EncryptionAtRestOptions": encryption},
            "kms:DescribeKey",
        ),
        ("timestream-write", "create_database", {"DatabaseName": new("d"), "KmsKeyId": arn}, "kms:DescribeKey"),
        ("secretsmanager", "create_secret", {"Name": new("s"), "KmsKeyId": arn}, "kms:GenerateDataKey"),
    ]


@pytest.mark.parametrize("number", range(6))
def test_a_role_gives_a_service_only_a_key_that_it_may_use(cloud: LocalCloud, number: int) -> None:
    service, operation, parameters, action = given(key(cloud, allow("kms:*", Principal=ROOT)))[number]
    everything_else = role(cloud, allow("*"), {"Effect": "Deny", "Action": action, "Resource": "*"})
    with pytest.raises(ClientError, match=f"{action} on resource"):
        getattr(session(cloud, everything_else)(service), operation)(**parameters)


def test_not_even_the_administrator_gives_a_service_a_key_that_leaves_the_account_out(cloud: LocalCloud) -> None:
    closed = key(cloud, allow("kms:CreateGrant", Principal=LOGS))
    for service, operation, parameters, _ in given(closed):
        with pytest.raises(ClientError, match="because no resource-based policy allows the kms:"):
            getattr(cloud.client(service), operation)(**parameters)


def test_a_role_makes_a_table_only_by_a_grant_for_dynamodb(cloud: LocalCloud) -> None:
    of_aws = {"Bool": {"kms:GrantIsForAWSResource": "true"}}
    through = {"StringEquals": {"kms:ViaService": "dynamodb.us-east-1.amazonaws.com"}}
    arn = key(cloud, allow("kms:*", Principal=ROOT))
    use = allow("kms:Decrypt", "kms:DescribeKey", Condition=through)
    maker = session(cloud, role(cloud, allow("dynamodb:*"), use, allow("kms:CreateGrant", Condition=of_aws)))
    name = new("table")
    maker("dynamodb").create_table(**table(name, arn))
    maker("dynamodb").put_item(TableName=name, Item={"id": {"S": "1"}})
    with pytest.raises(ClientError, match="kms:CreateGrant"):
        maker("kms").create_grant(KeyId=arn, GranteePrincipal=f"arn:aws:iam::{ACCOUNT}:root", Operations=["Decrypt"])
    reader = session(cloud, role(cloud, allow("dynamodb:*")))("dynamodb")
    with pytest.raises(ClientError, match="kms:Decrypt"):
        reader.get_item(TableName=name, Key={"id": {"S": "1"}})
    context = {"StringEquals": {"kms:EncryptionContext:aws:dynamodb:tableName": name}}
    named = session(cloud, role(cloud, allow("dynamodb:*"), allow("kms:Decrypt", Condition=context)))("dynamodb")
    assert named.get_item(TableName=name, Key={"id": {"S": "1"}})["Item"]["id"] == {"S": "1"}


def test_services_tell_kms_what_they_encrypt(cloud: LocalCloud) -> None:
    arn, name, s3 = key(cloud, allow("kms:*", Principal=ROOT)), new("bucket"), cloud.client("s3")
    s3.create_bucket(Bucket=name)
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": arn}
    for has_bucket_key, resource in ((True, f"arn:aws:s3:::{name}"), (False, f"arn:aws:s3:::{name}/k")):
        rule = {"ApplyServerSideEncryptionByDefault": default, "BucketKeyEnabled": has_bucket_key}
        s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration={"Rules": [rule]})
        context = {"StringEquals": {"kms:EncryptionContext:aws:s3:arn": resource}}
        writer = session(cloud, role(cloud, allow("s3:PutObject"), allow("kms:GenerateDataKey", Condition=context)))
        writer("s3").put_object(Bucket=name, Key="k", Body=b"1")


def test_an_object_needs_the_key_that_it_was_written_with(cloud: LocalCloud) -> None:
    own, name, s3 = key(cloud, allow("kms:*", Principal=ROOT)), new("bucket"), cloud.client("s3")
    s3.create_bucket(Bucket=name)
    writing = allow("s3:PutObject", "s3:GetObject", "s3:ListBucket")
    writer = session(cloud, role(cloud, writing))("s3")
    with pytest.raises(ClientError, match="kms:GenerateDataKey"):
        writer.put_object(Bucket=name, Key="k", Body=b"1", ServerSideEncryption="aws:kms", SSEKMSKeyId=own)
    with pytest.raises(ClientError, match="kms:"):
        writer.create_multipart_upload(Bucket=name, Key="k", ServerSideEncryption="aws:kms", SSEKMSKeyId=own)
    s3.put_object(Bucket=name, Key="k", Body=b"1", ServerSideEncryption="aws:kms", SSEKMSKeyId=own)
    s3.put_object(Bucket=name, Key="plain", Body=b"1")
    assert writer.get_object(Bucket=name, Key="plain")["Body"].read() == b"1"
    with pytest.raises(ClientError, match="kms:Decrypt"):
        writer.get_object(Bucket=name, Key="k")
    reader = session(cloud, role(cloud, writing, allow("kms:Decrypt", on=own)))("s3")
    assert reader.get_object(Bucket=name, Key="k")["Body"].read() == b"1"


@pytest.mark.parametrize("principal", [LOGS, {"AWS": "arn:aws:iam::999999999999:root"}])
def test_a_key_keeps_somebody_who_may_change_its_policy(cloud: LocalCloud, principal: Any) -> None:
    kms, policy = cloud.client("kms"), document(allow("kms:*", Principal=principal))
    with pytest.raises(ClientError, match="will not allow you to update the key policy in the future"):
        kms.create_key(Policy=policy)
    with pytest.raises(ClientError, match="will not allow you to update the key policy in the future"):
        kms.put_key_policy(KeyId=key(cloud), PolicyName="default", Policy=policy)
    kms.create_key(Policy=policy, BypassPolicyLockoutSafetyCheck=True)
