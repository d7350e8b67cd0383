"""The condition keys that a request itself tells: its tags, and what services document for their operations.

Source: https://docs.aws.amazon.com/service-authorization/latest/reference/reference.html, by service.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from localcloud.access.policies.patterns import Context

Json = Mapping[str, Any]
Keys = dict[str, str | tuple[str, ...]]

#: Parameters that are condition keys as they stand, by service.
PLAIN: dict[str, dict[str, str]] = {
    "cloudwatch": {"Namespace": "cloudwatch:namespace"},
    "ec2": {"InstanceType": "ec2:InstanceType"},
    "iam": {"PolicyArn": "iam:PolicyARN", "PermissionsBoundary": "iam:PermissionsBoundary"},
    "lambda": {"Principal": "lambda:Principal"},
    "s3": {
        "Prefix": "s3:prefix",
        "Delimiter": "s3:delimiter",
        "MaxKeys": "s3:max-keys",
        "ACL": "s3:x-amz-acl",
        "ServerSideEncryption": "s3:x-amz-server-side-encryption",
        "SSEKMSKeyId": "s3:x-amz-server-side-encryption-aws-kms-key-id",
        "StorageClass": "s3:x-amz-storage-class",
        "VersionId": "s3:VersionId",
        "IfNoneMatch": "s3:if-none-match",
    },
    "secretsmanager": {"SecretId": "secretsmanager:SecretId", "VersionStage": "secretsmanager:VersionStage"},
    "sns": {"Protocol": "sns:Protocol", "Endpoint": "sns:Endpoint"},
    "sts": {"ExternalId": "sts:ExternalId", "RoleSessionName": "sts:RoleSessionName"},
}


def request_keys(service: str, operation: str, parameters: Json) -> Keys:
    """Return the condition keys of a request, in lower case.

    Args:
        service: botocore's name of the service.
        operation: The operation's name.
        parameters: As botocore takes them.
    """
    keys: Keys = {}
    for parameter, key in PLAIN.get(service, {}).items():
        value = parameters.get(parameter)
        if isinstance(value, str | int):
            keys[key.lower()] = str(value)
    if service == "lambda" and "FunctionName" in parameters and "EventSourceMapping" in operation:
        keys["lambda:functionarn"] = str(parameters["FunctionName"])
    tags = _tags(parameters)
    place, of_keys = (
        ("s3:requestobjecttag", "s3:requestobjecttagkeys") if service == "s3" else ("aws:requesttag", "aws:tagkeys")
    )
    keys |= {f"{place}/{name.lower()}": value for name, value in tags.items()}
    untagged = [name for parameter in _UNTAGGED for name in parameters.get(parameter) or () if isinstance(name, str)]
    if names := dict.fromkeys([*tags, *untagged]):
        keys[of_keys] = tuple(names)
    return keys | OF_SERVICES.get(service, _nothing)(parameters)


def _tags(parameters: Json) -> dict[str, str]:
    """Return the tags of a request, in whichever form its service writes them."""
    tags: dict[str, str] = {}
    for name in ("Tags", "tags", "TagList", "Tagging"):
        tag_set = parameters.get(name)
        if isinstance(tag_set, str):  # S3's header
            tags |= dict(parse_qsl(tag_set, keep_blank_values=True))
            continue
        if isinstance(tag_set, Mapping):
            if name != "Tagging":
                tags |= {str(key): str(value) for key, value in tag_set.items()}
                continue
            tag_set = tag_set.get("TagSet")
        lowered = [
            {key.lower().removeprefix("tag"): value for key, value in tag.items()}
            for tag in tag_set or []
            if isinstance(tag, Mapping)
        ]
        tags |= {str(tag["key"]): str(tag.get("value") or "") for tag in lowered if "key" in tag}
    for specification in parameters.get("TagSpecifications") or []:
        tags |= {str(tag["Key"]): str(tag.get("Value", "")) for tag in specification.get("Tags") or []}
    return tags


#: Parameters that name tags to be removed.
_UNTAGGED = ("TagKeys", "tagKeys", "tags")


def _nothing(_: Json) -> Keys:
    return {}


def _encryption(parameters: Json) -> Keys:
    context = parameters.get("EncryptionContext") or {}
    keys: Keys = {f"kms:encryptioncontext:{name.lower()}": str(value) for name, value in context.items()}
    return keys | ({"kms:encryptioncontextkeys": tuple(context)} if context else {})


def _items(parameters: Json) -> Keys:
    """Return what a request to DynamoDB asks for: the attributes, and how much of them comes back."""
    keys: Keys = {}
    for parameter, key in (("Select", "dynamodb:select"), ("ReturnValues", "dynamodb:returnvalues")):
        if parameter in parameters:
            keys[key] = str(parameters[parameter])
    names = parameters.get("ExpressionAttributeNames") or {}
    item = {**(parameters.get("Key") or {}), **(parameters.get("Item") or {})}
    if attributes := dict.fromkeys([*item, *names.values()]):
        keys["dynamodb:attributes"] = tuple(str(name) for name in attributes)
    return keys


OF_SERVICES: dict[str, Callable[[Json], Keys]] = {"dynamodb": _items, "kms": _encryption}


def merged(*contexts: Context) -> Context:
    """Several contexts as one; what comes later counts."""
    return {key: value for context in contexts for key, value in context.items()}
