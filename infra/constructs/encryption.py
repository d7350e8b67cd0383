"""A key of the account in place of AWS's own keys, for everything in a stack that holds data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jsii
from aws_cdk import (
    Aws,
    IAspect,
    Stack,
    aws_dynamodb,
    aws_iam,
    aws_logs,
    aws_neptune,
    aws_opensearchservice,
    aws_rds,
    aws_s3,
    aws_secretsmanager,
    aws_sqs,
    aws_timestream,
)
from constructs import IConstruct

_READ = frozenset({"kms:Decrypt"})
_WRITE = _READ | {"kms:GenerateDataKey"}
_TABLE = _WRITE | {"kms:DescribeKey", "kms:Encrypt", "kms:ReEncryptFrom", "kms:ReEncryptTo"}
#: What a caller needs of the key that encrypts what an action acts on: by service, and by the beginning of the action's
#: name. Sources: https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html,
#: https://docs.aws.amazon.com/secretsmanager/latest/userguide/security-encryption.html,
#: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html,
#: https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html,
#: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.usagenotes.html.
_NEEDS: dict[str, dict[str, frozenset[str]]] = {
    "dynamodb": {"": _TABLE},
    "s3": {"GetObject": _READ, "PutObject": _WRITE},
    "secretsmanager": {"GetSecretValue": _READ, "PutSecretValue": _WRITE},
    "sns": {"Publish": _WRITE},
    "sqs": {"ReceiveMessage": _READ, "SendMessage": _WRITE},
    "timestream": {"": _WRITE | {"kms:DescribeKey"}},
}


@jsii.implements(IAspect)
class EncryptedUnder:
    """Encrypts buckets, tables, databases, queues, secrets and logs under one key, and lets roles use it.

        Aspects.of(self).add(EncryptedUnder(settings.kms_key_arn))

    A role may use the key only through the services that its own policies let it call (`kms:ViaService`). What services
    need for themselves stands in the policy of the key, which is not the stack's: docs/encryption.md has it. Topics are
    made with their key (`AlertTopic`); Timestream for InfluxDB takes none.
    """

    def __init__(self, key_arn: str) -> None:
        """Take the ARN of a key in the stack's region and account."""
        self._key = key_arn

    def visit(self, node: IConstruct) -> None:
        """Encrypt a construct of the tree, or add the permission to its policy."""
        if isinstance(node, aws_iam.Policy | aws_iam.ManagedPolicy):
            statements = self._use((node.document.to_json() or {}).get("Statement", []))
            node.add_statements(*map(aws_iam.PolicyStatement.from_json, statements))
        elif isinstance(node, aws_iam.CfnRole):
            self._extend(node)
        else:
            for kind, encrypt in _ENCRYPT.items():
                if isinstance(node, kind):
                    encrypt(node, self._key)

    def _extend(self, role: aws_iam.CfnRole) -> None:
        """Add a policy to a role whose policies stand in the role itself."""
        policies: list[dict[str, Any]] = Stack.of(role).resolve(role.policies) or []
        documents = [policy.get("policyDocument") or policy["PolicyDocument"] for policy in policies]
        statements = self._use([statement for document in documents for statement in document["Statement"]])
        if statements:
            document = {"Version": "2012-10-17", "Statement": statements}
            policy = {"PolicyName": "UseTheKey", "PolicyDocument": document}
            role.add_property_override(f"Policies.{len(policies)}", policy)

    def _use(self, statements: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the statements that a policy lacks for the key: one for each service that it lets a role call."""
        needed: dict[str, set[str]] = {}
        for statement in statements:
            actions = statement.get("Action", ())
            for action in [actions] if isinstance(actions, str) else actions:
                service, _, name = action.partition(":")
                for beginning, use in _NEEDS.get(service, {}).items():
                    if statement["Effect"] == "Allow" and name.startswith(beginning):
                        needed.setdefault(service, set()).update(use)
        return [
            {
                "Effect": "Allow",
                "Action": sorted(use),
                "Resource": self._key,
                "Condition": {"StringEquals": {"kms:ViaService": f"{service}.{Aws.REGION}.{Aws.URL_SUFFIX}"}},
            }
            for service, use in sorted(needed.items())
        ]


def _bucket(bucket: aws_s3.CfnBucket, key: str) -> None:
    bucket.bucket_encryption = aws_s3.CfnBucket.BucketEncryptionProperty(
        server_side_encryption_configuration=[
            aws_s3.CfnBucket.ServerSideEncryptionRuleProperty(
                bucket_key_enabled=True,
                server_side_encryption_by_default=aws_s3.CfnBucket.ServerSideEncryptionByDefaultProperty(
                    sse_algorithm="aws:kms", kms_master_key_id=key
                ),
            )
        ]
    )


def _queue(queue: aws_sqs.CfnQueue, key: str) -> None:
    queue.kms_master_key_id, queue.sqs_managed_sse_enabled = key, None


def _table(table: aws_dynamodb.CfnTable, key: str) -> None:
    table.sse_specification = aws_dynamodb.CfnTable.SSESpecificationProperty(
        sse_enabled=True, sse_type="KMS", kms_master_key_id=key
    )


def _domain(domain: aws_opensearchservice.CfnDomain, key: str) -> None:
    domain.encryption_at_rest_options = aws_opensearchservice.CfnDomain.EncryptionAtRestOptionsProperty(
        enabled=True, kms_key_id=key
    )


def _time_series(table: aws_timestream.CfnTable, key: str) -> None:
    """Encrypt what Timestream reports late in the name of its writer."""
    where = "MagneticStoreWriteProperties.MagneticStoreRejectedDataLocation.S3Configuration"
    table.add_property_override(f"{where}.EncryptionOption", "SSE_KMS")
    table.add_property_override(f"{where}.KmsKeyId", key)


def _by_id(resource: Any, key: str) -> None:
    resource.kms_key_id = key


def _instance(instance: aws_rds.CfnDBInstance, key: str) -> None:
    """Leave out what is restored: it inherits its key, and AWS refuses another one."""
    if not (instance.db_snapshot_identifier or instance.source_dbi_resource_id):
        instance.kms_key_id = key


def _cluster(cluster: aws_neptune.CfnDBCluster, key: str) -> None:
    if not cluster.snapshot_identifier:
        cluster.kms_key_id = key


def _rotation(schedule: aws_secretsmanager.CfnRotationSchedule, key: str) -> None:
    """Let the function that AWS adds use the key of the secret that it changes."""
    schedule.add_property_override("HostedRotationLambda.KmsKeyArn", key)


_ENCRYPT: dict[type, Callable[[Any, str], None]] = {
    aws_dynamodb.CfnTable: _table,
    aws_logs.CfnLogGroup: _by_id,
    aws_neptune.CfnDBCluster: _cluster,
    aws_opensearchservice.CfnDomain: _domain,
    aws_rds.CfnDBInstance: _instance,
    aws_s3.CfnBucket: _bucket,
    aws_secretsmanager.CfnRotationSchedule: _rotation,
    aws_secretsmanager.CfnSecret: _by_id,
    aws_sqs.CfnQueue: _queue,
    aws_timestream.CfnDatabase: _by_id,
    aws_timestream.CfnTable: _time_series,
}
