"""How properties of CloudFormation become parameters of Amazon S3, where more than a name differs."""

from collections.abc import Callable
from typing import Any

from localcloud.cloudformation.translation import Properties, without_empty


def bucket(values: Properties) -> Properties:
    """Rename the aspects of a bucket, each of which the API sets by a call of its own."""
    if encryption := values.pop("BucketEncryption", None):
        renamed = {"ServerSideEncryptionByDefault": "ApplyServerSideEncryptionByDefault"}
        rules = encryption["ServerSideEncryptionConfiguration"]
        fitted = [{renamed.get(name, name): item for name, item in rule.items()} for rule in rules]
        values["ServerSideEncryptionConfiguration"] = {"Rules": fitted}
    if lifecycle := values.pop("LifecycleConfiguration", None):
        values["LifecycleConfiguration"] = {"Rules": [_lifecycle(rule) for rule in lifecycle["Rules"]]}
    if tags := values.pop("Tags", None):
        values["Tagging"] = {"TagSet": tags}
    if logging := values.pop("LoggingConfiguration", None):
        target = {"TargetBucket": logging.get("DestinationBucketName", values["Bucket"])}
        prefix = {"TargetPrefix": logging.get("LogFilePrefix", "")}
        values["BucketLoggingStatus"] = {"LoggingEnabled": target | prefix}
    return values


LIFECYCLE: dict[str, Callable[[Any], Properties]] = {
    "ExpirationInDays": lambda days: {"Expiration": {"Days": days}},
    "Transitions": lambda items: {
        "Transitions": [{"StorageClass": i["StorageClass"], "Days": i["TransitionInDays"]} for i in items]
    },
    "NoncurrentVersionExpiration": lambda rule: {"NoncurrentVersionExpiration": rule},
    "AbortIncompleteMultipartUpload": lambda rule: {"AbortIncompleteMultipartUpload": rule},
}


def _lifecycle(rule: Properties) -> Properties:
    fitted = {"Status": rule["Status"], "Filter": {"Prefix": rule.get("Prefix", "")}} | without_empty(ID=rule.get("Id"))
    for name, item in rule.items():
        if name in LIFECYCLE:
            fitted |= LIFECYCLE[name](item)
        elif name not in ("Status", "Prefix", "Id"):
            raise ValueError(f"property LifecycleConfiguration.Rules.{name} is not supported by the local cloud")
    return fitted
