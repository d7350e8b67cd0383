"""Aliases: which versions they stand for, and how calls are shared between two of them.

moto gaps: it takes any routing configuration and calls only the first version, deletes versions that aliases name,
deletes the version behind an alias instead of refusing to, and knows neither revisions of aliases nor lists of those of
a version.

Sources: https://docs.aws.amazon.com/lambda/latest/dg/configuring-alias-routing.html,
https://docs.aws.amazon.com/lambda/latest/api/API_UpdateAlias.html, for the words of the errors
https://github.com/localstack/localstack/blob/main/tests/aws/services/lambda_/test_lambda_api.snapshot.json,
https://github.com/zappa/Zappa/issues/960 (a version that an alias names) and
https://github.com/serverless-heaven/serverless-aws-alias/issues/64 (two execution roles).
"""

from __future__ import annotations

import json
import random
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote
from uuid import uuid4

from moto.awslambda.exceptions import InvalidParameterValueException, LambdaClientError
from moto.awslambda.models import LambdaAlias, LambdaBackend, LambdaFunction
from moto.awslambda.responses import LambdaResponse

from localcloud.access.function_names import FunctionName
from localcloud.cloud.context import Cloud
from localcloud.hooks import replace, wrap
from localcloud.services.awslambda import pages, qualifiers
from localcloud.services.awslambda.function_state import FunctionState

Json = dict[str, Any]
Response = tuple[int, Json, str]


class ConflictError(LambdaClientError):
    """An alias exists already, or names a version that shall be deleted."""

    code = 409

    def __init__(self, message: str) -> None:
        super().__init__("ResourceConflictException", message)


class NoAliasError(LambdaClientError):
    """An update is for an alias that is not there."""

    code = 404

    def __init__(self, arn: str) -> None:
        super().__init__("ResourceNotFoundException", f"Alias not found: {arn}")


class RevisionError(LambdaClientError):
    """Somebody else has changed an alias since it was read."""

    code = 412

    def __init__(self) -> None:
        super().__init__(
            "PreconditionFailedException",
            "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to "
            "retrieve the latest Revision Id",
        )


def called(backend: LambdaBackend, target: FunctionName) -> LambdaFunction:
    """Return the version that a call of a function, a version or an alias runs, by the alias's weights if it has any.

    Raises:
        UnknownFunctionException: There is no such function, version or alias.
    """
    fn = backend.get_function(target.name, target.qualifier or None)
    alias = _aliases(backend, target.name).get(target.qualifier)
    if alias is None:
        return fn
    return backend.get_function(target.name, version(alias, random.random()))  # noqa: S311 - shares calls


def version(alias: LambdaAlias, draw: float) -> str:
    """Return the version that a call of an alias runs.

    Args:
        alias: The alias.
        draw: A number that is drawn for the call, from 0 to 1 without 1.
    """
    for additional, weight in _weights(alias.routing_config).items():
        if draw < weight:
            return additional
    return str(alias.function_version)


@replace(LambdaResponse, "create_alias")
def _create(cloud: Cloud, self: LambdaResponse) -> Response:
    target, body = self.path.rsplit("/", 2)[-2], json.loads(self.body)
    function = qualifiers.named(unquote(target)).name
    wanted, weights = str(body["FunctionVersion"]), _weights(body.get("RoutingConfig"))
    _check_versions(cloud, self.backend, function, wanted, weights)
    name = str(body["Name"])
    if name in _aliases(self.backend, function):
        raise ConflictError(f"Alias already exists: {FunctionName(function, name).arn}")
    routing: Any = _routing(weights)
    alias = self.backend.create_alias(name, function, wanted, str(body.get("Description") or ""), routing)
    return HTTPStatus.CREATED, {"status": HTTPStatus.CREATED}, json.dumps(_described(alias))


@replace(LambdaResponse, "update_alias")
def _update(cloud: Cloud, self: LambdaResponse) -> str:
    function, name = _named(self)
    self.backend.get_function(function)
    alias, body = _aliases(self.backend, function).get(name), json.loads(self.body)
    if alias is None:
        raise NoAliasError(FunctionName(function, name).arn)
    if body.get("RevisionId") not in {None, alias.revision_id}:
        raise RevisionError
    wanted = str(body.get("FunctionVersion") or alias.function_version)
    weights = _weights(alias.routing_config if body.get("RoutingConfig") is None else body["RoutingConfig"])
    _check_versions(cloud, self.backend, function, wanted, weights)
    routing: Any = _routing(weights)
    alias.update(body.get("Description"), wanted, routing)
    alias.revision_id = str(uuid4())
    return json.dumps(_described(alias))


@replace(LambdaResponse, "get_alias")
def _get(self: LambdaResponse) -> str:
    function, name = _named(self)
    return json.dumps(_described(self.backend.get_alias(name, function)))


@replace(LambdaResponse, "delete_alias")
def _delete(self: LambdaResponse) -> Response:
    function, name = _named(self)
    self.backend.delete_alias(name, function)
    return HTTPStatus.NO_CONTENT, {"status": HTTPStatus.NO_CONTENT}, ""


@replace(LambdaResponse, "list_aliases")
def _list(self: LambdaResponse) -> str:
    function = qualifiers.named(unquote(self.path.rsplit("/", 2)[-2])).name
    wanted = self._get_param("FunctionVersion")
    aliases = [alias for alias in self.backend.list_aliases(function) if not wanted or wanted in _versions(alias)]
    return pages.page(self, "Aliases", [_described(alias) for alias in aliases])


@wrap(LambdaBackend, "delete_function")
def _function_deleted(original: Any, self: LambdaBackend, function_name: str, qualifier: str | None = None) -> None:
    """Refuse to delete a version that an alias names, or less than a function by another name."""
    target = qualifiers.named(function_name, qualifier)
    if target.qualifier == qualifiers.LATEST:
        raise InvalidParameterValueException("$LATEST version cannot be deleted without deleting the function.")
    if target.qualifier and not target.qualifier.isdecimal():
        raise InvalidParameterValueException("Deletion of aliases is not currently supported.")
    self.get_function(target.name, target.qualifier or None)
    naming = [name for name, alias in _aliases(self, target.name).items() if target.qualifier in _versions(alias)]
    if naming:
        names = ", ".join(sorted(naming))
        raise ConflictError(f"Unable to delete version because the following aliases reference it: [{names}]")
    original(self, function_name, qualifier)


def _named(request: LambdaResponse) -> tuple[str, str]:
    """Return the names of the function and the alias that a request is about."""
    function, _, name = request.path.rsplit("/", 3)[-3:]
    return qualifiers.named(unquote(function)).name, unquote(name)


def _aliases(backend: LambdaBackend, function: str) -> dict[str, LambdaAlias]:
    """Return the aliases of a function by their names."""
    return {alias.name: alias for alias in backend.list_aliases(function)}


def _weights(routing: Any) -> dict[str, float]:
    """Return the weights of additional versions that a routing configuration has."""
    weights = (routing or {}).get("AdditionalVersionWeights") or {}
    return {str(additional): float(weight) for additional, weight in weights.items()}


def _routing(weights: dict[str, float]) -> Json:
    """Return a routing configuration with these weights; empty without weights."""
    return {"AdditionalVersionWeights": weights} if weights else {}


def _versions(alias: LambdaAlias) -> set[str]:
    return {str(alias.function_version), *_weights(alias.routing_config)}


def _described(alias: LambdaAlias) -> Json:
    """Return what the API says of an alias."""
    return {name: value for name, value in alias.to_json().items() if value is not None}


def _check_versions(
    cloud: Cloud, backend: LambdaBackend, function: str, wanted: str, weights: dict[str, float]
) -> None:
    """Refuse versions that an alias cannot stand for.

    Args:
        cloud: The function's cloud.
        backend: moto's.
        function: The function's name.
        wanted: The version that the alias stands for.
        weights: The weights of additional versions.

    Raises:
        InvalidParameterValueException: The alias would share its calls between versions that cannot share them.
        UnknownFunctionException: There is no such function or version.
    """
    if len(weights) > 1:
        message = "Number of items in AdditionalVersionWeights cannot be greater than 1"
        raise InvalidParameterValueException(message)
    first = backend.get_function(function, wanted)
    for additional in weights:
        if additional == wanted:
            reason = f"Function version {wanted} is already included in routing configuration."
            raise InvalidParameterValueException(f"Invalid function version {wanted}. {reason}")
        if wanted == qualifiers.LATEST:
            message = "$LATEST is not supported for an alias pointing to more than 1 version"
            raise InvalidParameterValueException(message)
        second = backend.get_function(function, additional)
        if first.role != second.role:
            message = "Specified versions must be associated with the same execution role"
            raise InvalidParameterValueException(message)
        if cloud.state(FunctionState, first).dead_letter != cloud.state(FunctionState, second).dead_letter:
            message = "Specified versions must have the same dead-letter queue configuration"  # in our words
            raise InvalidParameterValueException(message)
