"""What CloudWatch Logs says about groups and events, and refuses.

moto gaps: groups cannot be listed by a pattern and have no class, responses have no content type, parameters that
exclude each other are taken, and a metric filter that is put again is there twice.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.logs.exceptions import InvalidParameterException, ResourceNotFoundException
from moto.logs.models import LogGroup, LogsBackend
from moto.logs.responses import LogsResponse
from moto.logs.utils import EventMessageFilter, FilterPattern

from localcloud.access import resources, service_calls
from localcloud.access.policies.patterns import Context
from localcloud.cloud.account import REGION
from localcloud.cloud.context import Cloud
from localcloud.hooks import add, after, replace, wrap
from localcloud.services.logs.filter_patterns import PatternError, compile_pattern

Json = dict[str, Any]

CONTENT_TYPE = "application/x-amz-json-1.1"
CLASS = "STANDARD"
#: What CloudWatch Logs does with the key of a group.
KEY_ACTIONS = ("kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey", "kms:Decrypt")


@after(LogsResponse, "setup_class")
def _set_content_type(_: None, response: LogsResponse, *_args: Any, **_kwargs: Any) -> None:
    response.response_headers["Content-Type"] = CONTENT_TYPE


@after(LogGroup, "to_describe_dict")
def _described(group: Json, *_: Any) -> None:
    group.setdefault("logGroupClass", CLASS)


@wrap(LogsResponse, "describe_log_groups")
def _describe_log_groups(original: Any, self: LogsResponse) -> str:
    if not (pattern := self._get_param("logGroupNamePattern")):
        return str(original(self))
    if self._get_param("logGroupNamePrefix"):
        _refuse("LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.")
    groups = [group.to_describe_dict() for group in _named(self.logs_backend, pattern)]
    return json.dumps({"logGroups": groups})


@add(LogsResponse, "list_log_groups")
def _list_log_groups(self: LogsResponse) -> str:
    pattern, group_class = self._get_param("logGroupNamePattern") or "", self._get_param("logGroupClass") or CLASS
    groups = [
        {"logGroupName": group.name, "logGroupArn": group.arn.removesuffix(":*"), "logGroupClass": CLASS}
        for group in _named(self.logs_backend, pattern)
        if group_class == CLASS
    ]
    return json.dumps({"logGroups": groups})


@wrap(LogsBackend, "create_log_group")
def _create_log_group(cloud: Cloud, original: Any, self: LogsBackend, name: str, tags: Any, **settings: Any) -> Any:
    if key := settings.get("kmsKeyId"):
        _check_key(cloud, self, name, key)
    return original(self, name, tags, **settings)


@add(LogsResponse, "associate_kms_key")
def _associate_kms_key(cloud: Cloud, self: LogsResponse) -> str:
    """moto gap: the key of a group can only be given when it is made."""  # noqa: D403
    group, key = _group_with_key(self), str(json.loads(self.body)["kmsKeyId"])
    _check_key(cloud, self.logs_backend, group.name, key)
    group.kms_key_id = key
    return "{}"


@add(LogsResponse, "disassociate_kms_key")
def _disassociate_kms_key(self: LogsResponse) -> str:
    _group_with_key(self).kms_key_id = None
    return "{}"


def _group_with_key(response: LogsResponse) -> Any:
    name = str(json.loads(response.body)["logGroupName"])
    if name not in response.logs_backend.groups:
        raise ResourceNotFoundException
    return response.logs_backend.groups[name]


def _check_key(cloud: Cloud, backend: LogsBackend, name: str, key: str) -> None:
    """Refuse a key that CloudWatch Logs may not use for a group: the policy of the key must let it in.

    Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html
    """
    group, arn = (
        f"arn:aws:logs:{backend.region_name}:{backend.account_id}:log-group:{name}",
        resources.find("kms/key", key),
    )
    context: Context = {"kms:encryptioncontext:aws:logs:arn": group, "kms:encryptioncontextkeys": ("aws:logs:arn",)}
    message = f"The specified KMS key does not exist or is not allowed to be used with Arn '{group}'"
    if arn is None:
        raise JsonRESTError("AccessDeniedException", message)
    try:
        service_calls.check_key(cloud, f"logs.{REGION}.amazonaws.com", arn, context, *KEY_ACTIONS)
    except PermissionError as error:
        raise JsonRESTError("AccessDeniedException", message) from error


def _named(backend: LogsBackend, pattern: str) -> list[LogGroup]:
    """Return the groups whose names contain a pattern, in the order of their names."""
    return sorted((group for name, group in backend.groups.items() if pattern in name), key=lambda group: group.name)


@wrap(LogsResponse, "describe_log_streams")
def _describe_log_streams(original: Any, self: LogsResponse) -> str:
    if self._get_param("logGroupName") and self._get_param("logGroupIdentifier"):
        _refuse("LogGroup name and LogGroup ARN are mutually exclusive parameters.", "ValidationException")
    return str(original(self))


@wrap(LogGroup, "get_log_events")
def _get_log_events(original: Any, self: LogGroup, log_stream_name: str, *args: Any, **kwargs: Any) -> Any:
    if log_stream_name not in self.streams:
        raise ResourceNotFoundException("The specified log stream does not exist.")
    return original(self, log_stream_name, *args, **kwargs)


@wrap(LogsBackend, "put_metric_filter")
def _put_metric_filter(
    original: Any, self: LogsBackend, filter_name: str, filter_pattern: str, log_group_name: str, *args: Any
) -> None:
    self.filters.delete_filter(filter_name, log_group_name)
    original(self, filter_name, filter_pattern, log_group_name, *args)


class Pattern(FilterPattern):
    """A filter pattern of CloudWatch Logs, as moto asks for what matches it."""

    def __init__(self, match: Callable[[str], Any]) -> None:
        self._match = match

    def matches(self, message: str) -> bool:
        """Return whether a message matches."""
        return self._match(message) is not None


@replace(EventMessageFilter, "__init__")
def _read_pattern(self: EventMessageFilter, pattern: str | None) -> None:
    """Read the pattern of FilterLogEvents; moto gap: it takes a pattern with braces for one that all events match.

    Raises:
        InvalidParameterException: The pattern is malformed.
    """
    try:
        match = compile_pattern(pattern or "")
    except PatternError as error:
        raise InvalidParameterException(msg=f"Invalid filter pattern: {error}") from error
    self.filter_type = Pattern(match if pattern else lambda _: {})


@add(LogsResponse, "test_metric_filter")
def _test_metric_filter(self: LogsResponse) -> str:
    try:
        match = compile_pattern(self._get_param("filterPattern"))
    except PatternError as error:
        raise InvalidParameterException(msg=f"Invalid metric filter: {error}") from error
    pattern = self._get_param("filterPattern").strip()
    matches = []
    for number, message in enumerate(self._get_param("logEventMessages"), start=1):
        fields = match(message)
        if fields is not None:
            values = {f"${name}": value for name, value in fields.items()} if pattern.startswith("[") else {}
            matches.append({"eventNumber": number, "eventMessage": message, "extractedValues": values})
    return json.dumps({"matches": matches})


def _refuse(message: str, code: str = "InvalidParameterException") -> None:
    raise JsonRESTError(code, message)
