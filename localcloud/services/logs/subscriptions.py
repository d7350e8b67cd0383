"""Subscription filters: the events of a log group that match a pattern reach a function.

moto gaps: it sends every event, whatever the pattern says, needs no permission, and runs the function before the
request is answered.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html
"""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

from moto.logs.exceptions import InvalidParameterException
from moto.logs.models import LogsBackend, LogStream

from localcloud.access import service_calls
from localcloud.cloud.account import ACCOUNT
from localcloud.cloud.context import Cloud
from localcloud.hooks import replace, wrap
from localcloud.services.events.behaviour import deliver
from localcloud.services.logs.filter_patterns import PatternError, compile_pattern

SERVICE = "logs.amazonaws.com"
NO_PERMISSION = (
    "Could not execute the lambda function. Make sure you have given CloudWatch Logs permission to execute your "
    "function."
)


@wrap(LogsBackend, "put_subscription_filter")
def _put_subscription_filter(  # noqa: PLR0917 - moto's parameters
    cloud: Cloud,
    original: Any,
    self: LogsBackend,
    log_group_name: str,
    filter_name: str,
    filter_pattern: str,
    destination_arn: str,
    role_arn: str,
) -> None:
    """Keep a subscription filter whose function lets the log group call it.

    Raises:
        InvalidParameterException: The pattern cannot be read, the destination is not a function, or it may not be
            called.
    """
    if ":lambda:" not in destination_arn:
        raise InvalidParameterException(msg=f"The local cloud sends log events only to functions: {destination_arn}")
    try:
        compile_pattern(filter_pattern)
    except PatternError as error:
        raise InvalidParameterException(msg=f"Invalid filter pattern: {error}") from error
    if group := self.groups.get(log_group_name):
        try:
            _check(cloud, destination_arn, group.arn)
        except Exception as error:  # the function is not there, or its policy keeps the group out
            raise InvalidParameterException(msg=NO_PERMISSION) from error
        if filter_name in group.subscription_filters:  # moto counts one that is only changed as a third
            group.subscription_filters[filter_name].update(filter_pattern, destination_arn, role_arn)
            return
    original(self, log_group_name, filter_name, filter_pattern, destination_arn, role_arn)


def _check(cloud: Cloud, function: str, group: str) -> None:
    service_calls.check(cloud, SERVICE, function, f"{group.removesuffix(':*')}:*")


@replace(LogStream, "_send_log_events")
def _send_log_events(  # noqa: PLR0917 - moto's parameters
    cloud: Cloud,
    self: LogStream,
    service: str,  # noqa: ARG001
    destination_arn: str,
    filter_name: str,
    log_events: list[dict[str, Any]],
) -> None:
    match = compile_pattern(self.log_group.subscription_filters[filter_name].filter_pattern)
    if events := [event for event in log_events if match(event["message"]) is not None]:
        message = {
            "messageType": "DATA_MESSAGE",
            "owner": ACCOUNT,
            "logGroup": self.log_group.name,
            "logStream": self.log_stream_name,
            "subscriptionFilters": [filter_name],
            "logEvents": events,
        }
        data = base64.b64encode(gzip.compress(json.dumps(message).encode())).decode()
        payload = json.dumps({"awslogs": {"data": data}})
        cloud.background(_deliver, cloud, destination_arn, self.log_group.arn, payload)


def _deliver(cloud: Cloud, function: str, group: str, payload: str) -> None:
    _check(cloud, function, group)
    deliver(cloud, function, payload)
