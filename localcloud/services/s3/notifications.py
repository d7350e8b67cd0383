"""Notifications of buckets: what happens to objects reaches functions, queues, topics and EventBridge.

moto gaps: a destination needs no permission, a function runs before the request is answered and fails in silence, and
EventBridge receives nothing and is not described.

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from itertools import chain
from typing import Any
from uuid import uuid4

import flask
from moto.s3 import notifications
from moto.s3.exceptions import S3ClientError
from moto.s3.models import FakeBucket, NotificationConfiguration, S3Backend
from moto.s3.responses import S3Response

from localcloud.access import service_calls
from localcloud.cloud.account import ACCOUNT
from localcloud.cloud.context import Cloud
from localcloud.hooks import replace, wrap
from localcloud.services.events.behaviour import deliver, publish

SERVICE = "s3.amazonaws.com"
EVENT_BRIDGE = "<EventBridgeConfiguration/>"


class InvalidDestinationError(S3ClientError):
    """A destination that is not there, or does not let S3 in."""

    code = 400  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__("InvalidArgument", "Unable to validate the following destination configurations")


@wrap(S3Response, "get_bucket_notification")
def _get_configuration(original: Any, self: S3Response) -> Any:
    status, headers, body = original(self)
    configuration = self.backend.get_bucket_notification_configuration(self.bucket_name)
    if configuration and configuration.event_bridge is not None:
        before, closing, after = body.rpartition("</")
        body = f"{before}{EVENT_BRIDGE}{closing}{after}"
    return status, headers, body


@wrap(S3Backend, "put_bucket_notification_configuration")
def _put_configuration(
    cloud: Cloud, original: Any, self: S3Backend, bucket_name: str, notification_config: dict[str, Any]
) -> None:
    """Store a configuration if its destinations accept messages from S3, which S3 checks at this time.

    Raises:
        InvalidDestinationError: A destination does not exist, or its policy does not let the bucket send to it.
    """
    configurations = {
        key: notification_config.get(f"{name}Configuration")
        for key, name in {"topic": "Topic", "queue": "Queue", "cloud_function": "CloudFunction"}.items()
    }
    for notification in _destinations(NotificationConfiguration(**configurations)):
        try:
            _check(cloud, notification.arn, self.get_bucket(bucket_name))
        except Exception as error:  # whatever the destination's service raises
            raise InvalidDestinationError from error
    original(self, bucket_name, notification_config)


def _destinations(configuration: NotificationConfiguration) -> chain[Any]:
    return chain(configuration.cloud_function, configuration.queue, configuration.topic)


def _check(cloud: Cloud, arn: str, bucket: FakeBucket) -> None:
    service_calls.check(cloud, SERVICE, arn, bucket.arn)


@replace(notifications, "send_event")
def _send_event(cloud: Cloud, account_id: str, event_name: str, bucket: FakeBucket, key: Any) -> None:  # noqa: ARG001
    """Tell the destinations of the bucket what happened to an object, once the request has been answered."""
    configuration = bucket.notification_configuration
    name = str(getattr(event_name, "value", event_name))
    if configuration is None or _is_part_of_another(name):
        return
    for notification in _destinations(configuration):
        if notification.matches(name, key.name):
            record = notifications._get_s3_event(name, bucket, key, notification.id)  # noqa: SLF001
            _complete(record["Records"][0], bucket, key)
            cloud.background(_deliver, cloud, notification.arn, bucket, json.dumps(record))
    if configuration.event_bridge is not None:
        publish(cloud, "aws.s3", notifications._detail_type(name), _detail(name, bucket, key), [bucket.arn])  # noqa: SLF001


def _is_part_of_another(name: str) -> bool:
    """Return whether an event is about an ACL or tags that came with the object, which S3 does not report."""
    subresources = {"s3:ObjectAcl:Put": "acl", "s3:ObjectTagging:Put": "tagging"}
    return name in subresources and subresources[name] not in flask.request.args


def _deliver(cloud: Cloud, arn: str, bucket: FakeBucket, message: str) -> None:
    _check(cloud, arn, bucket)
    deliver(cloud, arn, message)


def _complete(record: dict[str, Any], bucket: FakeBucket, key: Any) -> None:
    """Add the members that moto's record lacks; a removed object has neither size nor ETag."""
    record["userIdentity"] = {"principalId": f"AWS:{ACCOUNT}"}
    record["requestParameters"] = {"sourceIPAddress": "127.0.0.1"}
    record["responseElements"] = {"x-amz-request-id": uuid4().hex[:16].upper(), "x-amz-id-2": uuid4().hex}
    record["s3"]["bucket"]["ownerIdentity"] = {"principalId": ACCOUNT}
    item = record["s3"]["object"] | {"sequencer": _sequencer()}
    if record["eventName"].startswith("ObjectRemoved"):
        del item["size"], item["eTag"]
    if bucket.versioning_status == "Enabled" and key.version_id:
        item["versionId"] = key.version_id
    record["s3"]["object"] = item


def _detail(name: str, bucket: FakeBucket, key: Any) -> dict[str, Any]:
    """Return what an event of EventBridge says about the object."""
    item: dict[str, Any] = {"key": key.name, "sequencer": _sequencer()}
    if not name.startswith("s3:ObjectRemoved"):
        item |= {"size": key.size, "etag": key.etag.replace('"', "")}
    if bucket.versioning_status == "Enabled" and key.version_id:
        item["version-id"] = key.version_id
    reasons = {"Put": "PutObject", "Post": "POST Object", "Copy": "CopyObject", "Delete": "DeleteObject"}
    operation = name.rpartition(":")[2]
    return {
        "version": "0",
        "bucket": {"name": bucket.name},
        "object": item,
        "request-id": uuid4().hex[:16].upper(),
        "requester": ACCOUNT,
        "source-ip-address": "127.0.0.1",
        "reason": reasons.get(operation, operation),
        **({"deletion-type": "Permanently Deleted"} if operation == "Delete" else {}),
    }


def _sequencer() -> str:
    """Digits that grow with time, by which the events of one object are put in order."""
    return f"{int(datetime.now(UTC).timestamp() * 1_000_000):018X}"
