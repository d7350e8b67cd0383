"""What CloudWatch Logs says about groups and events, and refuses.

moto gaps: groups cannot be listed by a pattern and have no class, responses have no content type, and parameters that
exclude each other are taken.
"""

from __future__ import annotations

import json
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.logs.exceptions import InvalidParameterException, ResourceNotFoundException
from moto.logs.models import LogGroup, LogsBackend
from moto.logs.responses import LogsResponse

from localcloud.hooks import add, after, wrap
from localcloud.services.logs.filter_patterns import PatternError, compile_pattern

Json = dict[str, Any]

CONTENT_TYPE = "application/x-amz-json-1.1"
CLASS = "STANDARD"


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


def _named(backend: LogsBackend, pattern: str) -> list[LogGroup]:
    """The groups whose names contain a pattern, in the order of their names."""
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
