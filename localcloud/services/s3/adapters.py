"""How properties of CloudFormation become parameters of Amazon S3, where more than a name differs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from localcloud.cloudformation.translation import Properties, without_empty


def bucket(values: Properties) -> Properties:
    """Rename the aspects of a bucket, each of which the API sets by a call of its own."""
    if encryption := values.pop("BucketEncryption", None):
        renamed = {"ServerSideEncryptionByDefault": "ApplyServerSideEncryptionByDefault"}
        rules = encryption["ServerSideEncryptionConfiguration"]
        renamed_rules = [{renamed.get(name, name): item for name, item in rule.items()} for rule in rules]
        values["ServerSideEncryptionConfiguration"] = {"Rules": renamed_rules}
    if lifecycle := values.pop("LifecycleConfiguration", None):
        values["LifecycleConfiguration"] = {"Rules": [_lifecycle(rule) for rule in lifecycle["Rules"]]}
    if tags := values.pop("Tags", None):
        values["Tagging"] = {"TagSet": tags}
    if logging := values.pop("LoggingConfiguration", None):
        target = {"TargetBucket": logging.get("DestinationBucketName", values["Bucket"])}
        prefix = {"TargetPrefix": logging.get("LogFilePrefix", "")}
        values["BucketLoggingStatus"] = {"LoggingEnabled": target | prefix}
    if cors := values.pop("CorsConfiguration", None):
        rules = [{CORS.get(name, name): item for name, item in rule.items()} for rule in cors["CorsRules"]]
        values["CORSConfiguration"] = {"CORSRules": rules}
    if accelerate := values.pop("AccelerateConfiguration", None):
        values["AccelerateConfiguration"] = {"Status": accelerate["AccelerationStatus"]}
    if "NotificationConfiguration" in values:
        values["NotificationConfiguration"] = _notifications(values["NotificationConfiguration"])
    return values


#: What the API calls the members of a rule for other origins, where it differs.
CORS = {"ExposedHeaders": "ExposeHeaders", "Id": "ID", "MaxAge": "MaxAgeSeconds"}
#: The members of a notification configuration, and what each of them calls its destination, as the API names them.
DESTINATIONS = {
    "LambdaConfigurations": ("LambdaFunctionConfigurations", "Function", "LambdaFunctionArn"),
    "QueueConfigurations": ("QueueConfigurations", "Queue", "QueueArn"),
    "TopicConfigurations": ("TopicConfigurations", "Topic", "TopicArn"),
}


def _notifications(configuration: Properties) -> Properties:
    """Rename the destinations, give each notification its one event as a list, and rename the rules of its filter."""
    renamed: Properties = {}
    for name, (list_name, before, after) in DESTINATIONS.items():
        for item in configuration.get(name, []):
            notification = {after: item[before], "Events": [item["Event"]]}
            if key := item.get("Filter", {}).get("S3Key"):
                notification["Filter"] = {"Key": {"FilterRules": key["Rules"]}}
            renamed.setdefault(list_name, []).append(notification)
    bridge = configuration.get("EventBridgeConfiguration")
    if bridge is not None and bridge.get("EventBridgeEnabled", True) in (True, "true"):
        renamed["EventBridgeConfiguration"] = {}
    return renamed


LIFECYCLE: dict[str, Callable[[Any], Properties]] = {
    "ExpirationInDays": lambda days: {"Expiration": {"Days": days}},
    "Transitions": lambda items: {
        "Transitions": [{"StorageClass": i["StorageClass"], "Days": i["TransitionInDays"]} for i in items]
    },
    "NoncurrentVersionExpiration": lambda rule: {"NoncurrentVersionExpiration": rule},
    "AbortIncompleteMultipartUpload": lambda rule: {"AbortIncompleteMultipartUpload": rule},
}


def _lifecycle(rule: Properties) -> Properties:
    lifecycle_rule = {"Status": rule["Status"], "Filter": {"Prefix": rule.get("Prefix", "")}} | without_empty(
        ID=rule.get("Id")
    )
    for name, item in rule.items():
        if name in LIFECYCLE:
            lifecycle_rule |= LIFECYCLE[name](item)
        elif name not in ("Status", "Prefix", "Id"):
            raise ValueError(f"property LifecycleConfiguration.Rules.{name} is not supported by the local cloud")
    return lifecycle_rule
