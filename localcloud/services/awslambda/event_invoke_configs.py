"""Event invoke configurations: how often an asynchronous event is tried, for how long, and where its result goes.

A function, each of its versions and each of its aliases has a configuration of its own, which holds for what is called
by that name. The one of a function is that of ``$LATEST``; a version or an alias without one has Lambda's defaults.

moto gaps: it ignores the qualifier, keeps the first configuration for ever, and does nothing with it.

Sources: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-configuring.html,
https://docs.aws.amazon.com/lambda/latest/api/API_PutFunctionEventInvokeConfig.html, and for the words of the errors
https://github.com/localstack/localstack/blob/main/tests/aws/services/lambda_/test_lambda_api.snapshot.json
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

from moto.awslambda.exceptions import InvalidParameterValueException, LambdaClientError, UnknownEventConfig
from moto.awslambda.models import LambdaBackend
from moto.awslambda.responses import LambdaResponse

from localcloud.access import function_names
from localcloud.access.function_names import FunctionName
from localcloud.cloud.context import Cloud
from localcloud.hooks import after, replace, wrap
from localcloud.services.awslambda import pages, qualifiers

Json = dict[str, Any]
Response = tuple[int, Json, str]

SETTINGS = ("MaximumRetryAttempts", "MaximumEventAgeInSeconds", "DestinationConfig")
#: The services whose resources may be destinations, by what the result is.
SERVICES = {"OnSuccess": {"events", "lambda", "sns", "sqs"}, "OnFailure": {"events", "lambda", "s3", "sns", "sqs"}}


class NoFunctionError(LambdaClientError):
    """A configuration is for a function, a version or an alias that is not there."""

    code = 404

    def __init__(self) -> None:
        super().__init__("ResourceNotFoundException", "The function doesn't exist.")


@dataclass
class EventInvokeConfig:
    """The configuration of a version or an alias.

    Attributes:
        target: The version or the alias; ``$LATEST`` for the function itself.
        settings: As the API has them.
        modified: When they were changed the last time, in seconds since 1970.
    """

    target: FunctionName
    settings: Json
    modified: float = field(default_factory=time.time)

    def described(self) -> Json:
        """Return what the API says of it."""
        destinations = {"OnSuccess": {}, "OnFailure": {}, **(self.settings.get("DestinationConfig") or {})}
        described = {"FunctionArn": self.target.arn, "LastModified": self.modified}
        return {**described, **self.settings, "DestinationConfig": destinations}


@dataclass
class EventInvokeConfigs:
    """The configurations of a cloud, by the ARNs of versions and aliases."""

    by_arn: dict[str, EventInvokeConfig] = field(default_factory=dict)

    def of(self, function: str) -> list[EventInvokeConfig]:
        """Return the configurations of a function, by its name."""
        configs = [config for config in self.by_arn.values() if config.target.name == function]
        return sorted(configs, key=lambda config: config.target.qualifier)


def settings(cloud: Cloud, arn: str) -> Json:
    """Return the settings for asynchronous calls of a function, a version or an alias; empty where it has none.

    Args:
        cloud: The function's cloud.
        arn: What is called.
    """
    config = cloud.state(EventInvokeConfigs).by_arn.get(_qualified(function_names.read(arn)).arn)
    return config.settings if config else {}


@replace(LambdaResponse, "put_function_event_invoke_config")
def _put(cloud: Cloud, self: LambdaResponse) -> str:
    target = _target(self)
    return _keep(cloud, self.backend, target, _checked(self.backend, target, self.json_body))


@replace(LambdaResponse, "update_function_event_invoke_config")
def _update(cloud: Cloud, self: LambdaResponse) -> str:
    target = _target(self)
    changed = _checked(self.backend, target, self.json_body)
    return _keep(cloud, self.backend, target, {**_existing(cloud, target).settings, **changed})


@replace(LambdaResponse, "get_function_event_invoke_config")
def _get(cloud: Cloud, self: LambdaResponse) -> str:
    return json.dumps(_existing(cloud, _target(self)).described())


@replace(LambdaResponse, "delete_function_event_invoke_config")
def _delete(cloud: Cloud, self: LambdaResponse) -> Response:
    target = _target(self)
    _existing(cloud, target)
    del cloud.state(EventInvokeConfigs).by_arn[target.arn]
    return HTTPStatus.NO_CONTENT, {"status": HTTPStatus.NO_CONTENT}, ""


@replace(LambdaResponse, "list_function_event_invoke_configs")
def _list(cloud: Cloud, self: LambdaResponse) -> str:
    target = qualifiers.named(unquote(self.path.rsplit("/", 3)[1]))
    _check_exists(self.backend, FunctionName(target.name))
    described = [config.described() for config in cloud.state(EventInvokeConfigs).of(target.name)]
    return pages.page(self, "FunctionEventInvokeConfigs", described)


@wrap(LambdaBackend, "delete_function")
def _function_deleted(
    cloud: Cloud, original: Any, self: LambdaBackend, function_name: str, qualifier: str | None = None
) -> None:
    target = qualifiers.named(function_name, qualifier)
    original(self, function_name, qualifier)
    for config in cloud.state(EventInvokeConfigs).of(target.name):
        if target.qualifier in {"", config.target.qualifier}:
            del cloud.state(EventInvokeConfigs).by_arn[config.target.arn]


@after(LambdaBackend, "delete_alias")
def _alias_deleted(cloud: Cloud, _: None, __: LambdaBackend, name: str, function_name: str) -> None:
    cloud.state(EventInvokeConfigs).by_arn.pop(qualifiers.named(function_name, name).arn, None)


def _target(request: LambdaResponse) -> FunctionName:
    """Return the version or the alias that a request is about."""
    name = unquote(request.path.rsplit("/", 2)[1])
    return _qualified(qualifiers.named(name, request._get_param("Qualifier")))  # noqa: SLF001


def _qualified(target: FunctionName) -> FunctionName:
    return FunctionName(target.name, target.qualifier or qualifiers.LATEST)


def _keep(cloud: Cloud, backend: LambdaBackend, target: FunctionName, values: Json) -> str:
    _check_destinations(backend, target, values.get("DestinationConfig") or {})
    config = cloud.state(EventInvokeConfigs).by_arn[target.arn] = EventInvokeConfig(target, values)
    return json.dumps(config.described())


def _existing(cloud: Cloud, target: FunctionName) -> EventInvokeConfig:
    """Return the configuration of a version or an alias.

    Raises:
        UnknownEventConfig: It has none.
    """
    config = cloud.state(EventInvokeConfigs).by_arn.get(target.arn)
    if config is None:
        raise UnknownEventConfig(target.arn)
    return config


def _checked(backend: LambdaBackend, target: FunctionName, body: Json) -> Json:
    """Return the settings of a request.

    Raises:
        InvalidParameterValueException: There are none.
        NoFunctionError: The function, the version or the alias does not exist.
    """
    values = {name: body[name] for name in SETTINGS if body.get(name) is not None}
    if not values:
        raise InvalidParameterValueException("You must specify at least one of error handling or destination setting.")
    _check_exists(backend, target)
    return values


def _check_exists(backend: LambdaBackend, target: FunctionName) -> None:
    try:
        qualifiers.find(backend, target)
    except LambdaClientError as error:
        raise NoFunctionError from error


def _check_destinations(backend: LambdaBackend, target: FunctionName, destinations: Json) -> None:
    """Refuse destinations that Lambda does not deliver to.

    Raises:
        InvalidParameterValueException: A destination is of another service, a function that is not there, or the
            function itself.
    """
    arns = {kind: str((destinations.get(kind) or {}).get("Destination") or "") for kind in SERVICES}
    for kind, arn in arns.items():
        service = arn.split(":")[2] if arn else ""
        if arn and service not in SERVICES[kind]:
            places = ", ".join(f"on{name[2:]}={_shown(name, arns[name])}" for name in arns)
            raise InvalidParameterValueException(
                f"The provided destination config DestinationConfig({places}) is invalid."
            )
        if service != "lambda":
            continue
        function = function_names.read(arn)
        try:
            qualifiers.find(backend, function)
        except LambdaClientError as error:
            raise InvalidParameterValueException(f"The destination ARN {arn} is invalid.") from error
        if function.name == target.name:
            raise InvalidParameterValueException("You can't specify the function as a destination for itself.")


def _shown(kind: str, arn: str) -> str:
    return f"{kind}(destination={arn})" if arn else "null"
