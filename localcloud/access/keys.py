"""What a request needs of the customer's keys: those that encrypt what it acts on, and those that it gives a service.

Sources: https://docs.aws.amazon.com/kms/latest/developerguide/service-integration.html, by service, such as
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.usagenotes.html and
https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from localcloud.access import resources
from localcloud.access.actions.derivation import Call, Need
from localcloud.cloud.account import ACCOUNT, REGION

Keys = dict[str, str | tuple[str, ...]]
_READ, _WRITE = ("Decrypt",), ("GenerateDataKey", "Decrypt")
#: What a caller needs of the key that encrypts what an action acts on.
_USED = {
    "s3:GetObject": _READ,
    "s3:GetObjectVersion": _READ,
    "s3:PutObject": ("GenerateDataKey",),
    "secretsmanager:GetSecretValue": _READ,
    "secretsmanager:PutSecretValue": _WRITE,
    "sns:Publish": _WRITE,
    "sqs:ReceiveMessage": _READ,
    "sqs:SendMessage": _WRITE,
    # DynamoDB decrypts the table's key in the caller's name, and keeps it for five minutes.
    **dict.fromkeys(
        (f"dynamodb:{verb}Item" for verb in ("Get", "Put", "Update", "Delete", "BatchGet", "BatchWrite")), _READ
    ),
    **dict.fromkeys(("dynamodb:Query", "dynamodb:Scan", "dynamodb:ConditionCheckItem"), _READ),
    **dict.fromkeys((f"dynamodb:PartiQL{verb}" for verb in ("Select", "Insert", "Update", "Delete")), _READ),
}
#: Operations of S3 that decrypt the parts of an object, to put them together.
_IN_PARTS = {"CompleteMultipartUpload", "CreateMultipartUpload", "UploadPart", "UploadPartCopy"}
_GRANTED = ("DescribeKey", "CreateGrant")
#: Requests that name a key for a service: the parameter, the service in `kms:ViaService`, and what the caller needs.
_NAMING: dict[tuple[str, str], tuple[str, str, tuple[str, ...]]] = {
    ("dynamodb", "CreateTable"): ("SSESpecification.KMSMasterKeyId", "dynamodb", (*_GRANTED, "Decrypt")),
    ("dynamodb", "ImportTable"): (
        "TableCreationParameters.SSESpecification.KMSMasterKeyId",
        "dynamodb",
        (*_GRANTED, "Decrypt"),
    ),
    ("dynamodb", "UpdateTable"): ("SSESpecification.KMSMasterKeyId", "dynamodb", (*_GRANTED, "Decrypt")),
    ("ec2", "CreateVolume"): ("KmsKeyId", "ec2", (*_GRANTED, "GenerateDataKeyWithoutPlaintext")),
    ("lambda", "CreateFunction"): ("KMSKeyArn", "lambda", ("CreateGrant", "Encrypt")),
    ("lambda", "UpdateFunctionConfiguration"): ("KMSKeyArn", "lambda", ("CreateGrant", "Encrypt")),
    ("opensearch", "CreateDomain"): ("EncryptionAtRestOptions.KmsKeyId", "es", _GRANTED),
    ("rds", "CreateDBCluster"): ("KmsKeyId", "rds", _GRANTED),
    ("rds", "CreateDBInstance"): ("KmsKeyId", "rds", _GRANTED),
    ("secretsmanager", "CreateSecret"): ("KmsKeyId", "secretsmanager", _WRITE),
    ("secretsmanager", "UpdateSecret"): ("KmsKeyId", "secretsmanager", _WRITE),
    ("timestream-write", "CreateDatabase"): ("KmsKeyId", "timestream", _GRANTED),
    ("timestream-write", "UpdateDatabase"): ("KmsKeyId", "timestream", _GRANTED),
}
#: The signing names of services that take a key, and how a request that gives one can be told from its body.
SERVICES = {"dynamodb", "ec2", "es", "lambda", "rds", "secretsmanager", "timestream"}
MARK = b"kms"


def used(call: Call, need: Need) -> Iterator[Need]:
    """Yield what an action needs of the customer's key that encrypts its resource; nothing without such a key."""
    arn, actions = str(need.resource), _USED.get(need.action)
    if call.operation in _IN_PARTS and need.action == "s3:PutObject":
        actions = _WRITE
    if actions and (key := _of_object(call, need) if arn.startswith("arn:aws:s3:") else resources.key(arn)):
        keys = {**_through(arn.split(":")[2]), **_context(arn)}
        yield from (Need(f"kms:{action}", key, keys) for action in actions)


def _of_object(call: Call, need: Need) -> str | None:
    """Return the key of an object that is read, or of one that is written: the request's, else the bucket's."""
    if need.action != "s3:PutObject":
        return resources.key_of_object(str(need.resource))
    if call.parameters.get("ServerSideEncryption") == "AES256":
        return None
    name = str(call.parameters.get("SSEKMSKeyId", ""))
    return resources.customer_key(name) if name else resources.key(str(need.resource))


def named(call: Call) -> Iterator[Need]:
    """Yield what a request needs of the key that it names for a service; nothing for one of AWS's keys, or for none."""
    if place := _NAMING.get((call.service, call.operation)):
        path, service, actions = place
        value: Any = call.parameters
        for name in path.split("."):
            value = value.get(name) if isinstance(value, dict) else None
        if value and "alias/aws/" not in str(value):
            key = resources.find("kms/key", str(value)) or str(value)
            for action in actions:
                of_grant: Keys = {"kms:grantisforawsresource": "true"} if action == "CreateGrant" else {}
                yield Need(f"kms:{action}", key, {**_through(service), **of_grant})


def _through(service: str) -> Keys:
    return {"kms:viaservice": f"{service}.{REGION}.amazonaws.com", "kms:calleraccount": ACCOUNT}


def _context(arn: str) -> Keys:
    """Return the encryption context that a service sends to KMS, as condition keys.

    Source: https://docs.aws.amazon.com/kms/latest/developerguide/encrypt_context.html and each service's page.
    """
    service, name = arn.split(":")[2], arn.split(":", 5)[5]
    match service:
        case "dynamodb":
            values = {"aws:dynamodb:tablename": name.split("/")[1], "aws:dynamodb:subscriberid": ACCOUNT}
        case "s3":
            bucket = name.partition("/")[0]
            values = {"aws:s3:arn": f"arn:aws:s3:::{bucket if resources.has_bucket_key(bucket) else name}"}
        case "secretsmanager":
            values = {"secretarn": arn}
        case "sns":
            values = {"aws:sns:topicarn": arn}
        case "sqs":
            values = {"aws:sqs:arn": arn}
        case _:
            return {}
    keys: Keys = {f"kms:encryptioncontext:{key}": value for key, value in values.items()}
    return keys
