"""OpenAPI documents of HTTP APIs: what API Gateway makes of one, and what it refuses.

moto gap: it reads parts of a document, checks nothing, and removes the API's stages.

Sources: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-open-api.html, and
api-gateway-swagger-extensions.html, api-gateway-import-api-basePath.html and import-api-aws-variables.html there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import yaml
from moto.apigatewayv2.exceptions import BadRequestException

from localcloud.cloudformation.rules import PSEUDO_PARAMETERS
from localcloud.services import rules
from localcloud.services.apigatewayv2 import routes

Json = dict[str, Any]
EXTENSION = "x-amazon-apigateway-"
ANY, AUTH, INTEGRATION, TAG = (f"{EXTENSION}{name}" for name in ("any-method", "auth", "integration", "tag-value"))
#: How base paths may be read; the first is the default.
BASE_PATHS = ("ignore", "prepend", "split")
#: What stands for the account, the partition and the region in a document.
VARIABLES = {f"${{{name}}}": PSEUDO_PARAMETERS[name] for name in ("AWS::AccountId", "AWS::Partition", "AWS::Region")}
#: The methods of OpenAPI, each with a route's. ``TRACE`` is none of a route's, so API Gateway makes no route of it.
METHODS = {
    **{name: name.upper() for name in ("delete", "get", "head", "options", "patch", "post", "put", "trace")},
    ANY: "ANY",
}
#: What else a path may have.
BESIDE_METHODS = {"description", "parameters", "servers", "summary"}
#: Members of an integration that an HTTP API has, with the names of the API's parameters. API Gateway ignores others,
#: which are for REST APIs.
PARAMETERS = {
    "connectionId": "ConnectionId",
    "connectionType": "ConnectionType",
    "credentials": "CredentialsArn",
    "httpMethod": "IntegrationMethod",
    "integrationSubtype": "IntegrationSubtype",
    "payloadFormatVersion": "PayloadFormatVersion",
    "requestParameters": "RequestParameters",
    "responseParameters": "ResponseParameters",
    "timeoutInMillis": "TimeoutInMillis",
    "tlsConfig": "TlsConfig",
    "type": "IntegrationType",
    "uri": "IntegrationUri",
}
#: Settings of CORS, with what each holds.
CORS: dict[str, type] = {
    "allowCredentials": bool,
    "allowHeaders": list,
    "allowMethods": list,
    "allowOrigins": list,
    "exposeHeaders": list,
    "maxAge": int,
}


@dataclass(frozen=True)
class Route:
    """A route that a document describes.

    Attributes:
        key: The route's key.
        integration: Parameters of `CreateIntegration`; None if the document says nothing of one.
        authorization: Who may call it: ``NONE`` or ``AWS_IAM``.
        operation: The operation's name.
    """

    key: str
    integration: Json | None
    authorization: str
    operation: str | None


@dataclass(frozen=True)
class Document:
    """What a document says of an API.

    Attributes:
        name: The API's name.
        description: The API's description.
        version: The version of what is described.
        cors: Settings for pages of other origins.
        tags: The API's tags.
        is_disabled: The API does not answer at its endpoint.
        routes: The API's routes.
        warnings: What API Gateway leaves out, or what is not as OpenAPI wants it.
    """

    name: str
    description: str | None
    version: str | None
    cors: Json | None
    tags: dict[str, str]
    is_disabled: bool
    routes: list[Route] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def parsed(text: str) -> Any:
    """Read JSON or YAML.

    Raises:
        BadRequestException: It is neither.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        return yaml.load(text, yaml.CSafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError):
        raise invalid("It is neither JSON nor YAML") from None


def read(text: str, base_path: str = BASE_PATHS[0]) -> Document:
    """Read the document of an HTTP API.

    Args:
        text: The document, in JSON or YAML.
        base_path: What the path of the document's server means: one of `BASE_PATHS`.

    Raises:
        BadRequestException: It is not a document of OpenAPI 3.0, or API Gateway cannot make an API of it.
        RuleError: It asks for what the local cloud does not have.
    """
    if base_path not in BASE_PATHS:
        raise BadRequestException(f"Invalid basepath {base_path}. It is one of {', '.join(BASE_PATHS)}")
    for variable, value in VARIABLES.items():
        text = text.replace(variable, value)
    document = parsed(text)
    if not isinstance(document, dict):
        raise invalid("It is not an object")
    if not re.fullmatch(r"3\.0(\.\d+)?", str(document.get("openapi", ""))):
        named = [f"{name}: {document[name]}" for name in ("openapi", "swagger") if name in document]
        raise invalid(f"HTTP APIs take documents of OpenAPI 3.0, and this one has {(named or ['no version'])[0]}")
    version = document.get(f"{EXTENSION}importexport-version", "1.0")
    if str(version) != "1.0":
        raise invalid(f"The only {EXTENSION}importexport-version is 1.0, and this one is {version}")
    return _Reader(document, base_path).read()


@dataclass
class _Reader:
    """Reads one document."""

    document: Json
    base_path: str
    warnings: list[str] = field(default_factory=list)

    def read(self) -> Document:
        info = member(self.document, "info")
        if not info.get("title"):
            raise invalid("The API has no name, which is the title in its info")
        if info.get("version") is None:
            self.warn("attribute info.version is missing")
        described = [*self.routes()]
        return Document(
            name=str(info["title"]),
            description=_text(info.get("description")),
            version=_text(info.get("version")),
            cors=self.cors(),
            tags=self.tags(),
            is_disabled=self.is_disabled(),
            routes=described,
            warnings=self.warnings,
        )

    def warn(self, issue: str) -> None:
        self.warnings.append(f"Parse issue: {issue}")

    def routes(self) -> Iterator[Route]:
        """Yield the routes, and note what cannot be one."""
        if self.document.get("paths") is None:
            self.warn("attribute paths is missing")
        before = prefix(server_path(self.document), self.base_path)
        for path, item in member(self.document, "paths").items():
            if str(path).startswith("x-"):
                continue
            if not str(path).startswith("/"):
                self.warn(f"attribute paths. Resource {path} should start with /")
            if not isinstance(item, Mapping):
                self.warn(f"attribute paths.'{path}' is not of type `object`")
                continue
            for method, operation in self.operations(str(path), item):
                yield self.route(str(path), method, operation, before)

    def operations(self, path: str, item: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Yield the operations of a path by their methods, and note what is neither one nor belongs beside them."""
        if "$ref" in item:
            raise invalid(f"The local cloud takes no reference in the place of the path {path}")
        for method, operation in item.items():
            if method in METHODS and isinstance(operation, Mapping):
                yield method, operation
            elif method in METHODS:
                self.warn(f"attribute paths.'{path}'({method}) is not of type `object`")
            elif method not in BESIDE_METHODS and not str(method).startswith("x-"):
                self.warn(f"attribute paths.'{path}'.{method} is unexpected")

    def route(self, path: str, method: str, operation: Mapping[str, Any], before: str) -> Route:
        """Return the route of an operation.

        Args:
            path: As the document has it.
            method: As the document has it.
            operation: What the document says of it.
            before: What comes before every path.
        """
        if method != ANY and "responses" not in operation:
            self.warn(f"attribute paths.'{path}'({method}).responses is missing")
        is_default = method == ANY and path.removeprefix("/") == routes.DEFAULT
        whole = f"{before}{path}" if path != "/" else before or path
        return Route(
            key=routes.DEFAULT if is_default else f"{METHODS[method]} {whole}",
            integration=self.integration(operation, f"{method} {path}"),
            authorization=self.authorization(operation, f"{method} {path}"),
            operation=_text(operation.get("operationId")),
        )

    def integration(self, operation: Mapping[str, Any], place: str) -> Json | None:
        """Return the parameters that make the integration of an operation, as far as the local cloud takes them."""
        described = operation.get(INTEGRATION)
        if isinstance(described, Mapping) and "$ref" in described:
            described = self.referred(str(described["$ref"]))
        if described is None:
            return None
        if not isinstance(described, Mapping):
            raise invalid(f"The {INTEGRATION} of {place} is not an object")
        values = {name: described[key] for key, name in PARAMETERS.items() if described.get(key) is not None}
        # As texts, since the rules leave alone what looks like an intrinsic function, and nothing is unknown here.
        texts: Json = {name: str(value) for name, value in values.items() if name != "TimeoutInMillis"}
        kind = texts.get("IntegrationType", "").upper()
        parameters: Json = {"IntegrationMethod": "POST", **values, **texts, "IntegrationType": kind}
        if not str(values.get("TimeoutInMillis", 0)).isdigit():
            raise invalid(f"The timeoutInMillis of {place} is not a whole number")
        _check("AWS::ApiGatewayV2::Integration", "apigatewayv2.CreateIntegration", parameters, place)
        return parameters

    def referred(self, reference: str) -> Any:
        """Return the integration that a reference is about."""
        start, _, name = reference.rpartition("/")
        shared = member(member(self.document, "components"), f"{EXTENSION}integrations")
        if start != f"#/components/{EXTENSION}integrations" or name not in shared:
            raise invalid(f"There is no integration {reference}")
        return shared[name]

    def authorization(self, operation: Mapping[str, Any], place: str) -> str:
        """Return who may call an operation; never less than the document asks for."""
        kinds = [*self.required(operation, place)]
        if operation.get(AUTH) is not None:
            kinds.append(str(member(operation, AUTH).get("type", "NONE")).upper())
        for kind in kinds:
            _check("AWS::ApiGatewayV2::Route", "apigatewayv2.CreateRoute", {"AuthorizationType": kind}, place)
        return "NONE" if {*kinds} <= {"NONE"} else "AWS_IAM"

    def required(self, operation: Mapping[str, Any], place: str) -> Iterator[str]:
        """Yield what the security of an operation asks of callers, or else that of the document."""
        of_document, own = self.document.get("security") or [], operation.get("security")
        requirements = of_document if own is None else own
        if not isinstance(requirements, list) or not all(isinstance(item, Mapping) for item in requirements):
            raise invalid(f"The security of {place} is not a list of objects")
        names = [str(name) for requirement in requirements for name in requirement]
        if len(names) > 1:
            raise invalid(f"The operation {place} has several security requirements, and may have one")
        yield from (self.scheme(name, place) for name in names)

    def scheme(self, name: str, place: str) -> str:
        """Return what a security scheme asks of callers."""
        schemes = member(member(self.document, "components"), "securitySchemes")
        if name == "NONE" and name not in schemes:
            return name
        scheme = member(schemes, name)
        if str(scheme.get(f"{EXTENSION}authtype", "")).lower() == "awssigv4":
            return "AWS_IAM"
        if f"{EXTENSION}authorizer" in scheme:
            kind = member(scheme, f"{EXTENSION}authorizer").get("type")
            return "JWT" if kind == "jwt" else "CUSTOM"
        raise invalid(f"The local cloud does not know who may call {place}: its security scheme {name} names nobody")

    def cors(self) -> Json | None:
        """Return the settings for pages of other origins."""
        settings = member(self.document, f"{EXTENSION}cors")
        for name, value in settings.items():
            kind = CORS.get(name)
            if kind is None:
                raise invalid(f"{EXTENSION}cors has no {name}")
            if not isinstance(value, kind) or (isinstance(value, bool) and kind is int):
                raise invalid(f"The {name} of {EXTENSION}cors is not {_NAMES[kind]}")
            if isinstance(value, list) and not all(isinstance(item, str) for item in value):
                raise invalid(f"The {name} of {EXTENSION}cors are not texts")
        return settings or None

    def tags(self) -> dict[str, str]:
        """Return the API's tags: those of OpenAPI that have a value."""
        described = self.document.get("tags") or []
        if not isinstance(described, list):
            raise invalid("Its tags are not a list")
        return {
            str(tag["name"]): str(tag[TAG]) for tag in described if isinstance(tag, Mapping) and {"name", TAG} <= {*tag}
        }

    def is_disabled(self) -> bool:
        """Return whether the API does not answer at its endpoint."""
        settings = [
            member(server, f"{EXTENSION}endpoint-configuration") for server in members(self.document, "servers")
        ]
        if any(item.get("ipAddressType", "ipv4") != "ipv4" for item in settings):
            raise invalid("The local cloud has no IPv6, and takes an ipAddressType of ipv4")
        return any(item.get("disableExecuteApiEndpoint") in (True, "true") for item in settings)


_NAMES = {bool: "true or false", int: "a number", list: "a list"}


def _check(kind: str, operation: str, parameters: Json, place: str) -> None:
    """Refuse what the rules of the room forbid of a route or an integration.

    Raises:
        RuleError: Names the operation of the document.
    """
    try:
        rules.check_request(kind, operation, parameters)
    except rules.RuleError as error:
        raise rules.RuleError(error.code, f"{place}: {error.message}") from None


def server_path(document: Json) -> str:
    """Return the path of a document's servers: that of a variable ``basePath``, or else that of the first URL.

    Raises:
        BadRequestException: The URL is not one.
    """
    servers = members(document, "servers")
    variables = [member(member(server, "variables"), "basePath") for server in servers]
    for variable in variables:
        if variable:
            return str(variable.get("default", ""))
    url = str(servers[0].get("url") or "") if servers else ""
    try:
        return urlsplit(url).path
    except ValueError:
        raise invalid(f"The server {url} does not have a valid URL") from None


def prefix(base_path: str, treatment: str) -> str:
    """Return what comes before every path.

    Args:
        base_path: The document's.
        treatment: What it means: one of `BASE_PATHS`.
    """
    parts = [part for part in base_path.split("/") if part]
    kept = {"ignore": [], "prepend": parts, "split": parts[1:]}[treatment]
    return "".join(f"/{part}" for part in kept)


def member(parent: Mapping[str, Any], name: str) -> Json:
    """Return an object within another; empty if it is not there.

    Raises:
        BadRequestException: Something else is there.
    """
    value = parent.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise invalid(f"Its {name} is not an object")
    return value


def members(parent: Mapping[str, Any], name: str) -> list[Json]:
    """Return the objects of a list within an object; none if it is not there.

    Raises:
        BadRequestException: Something else is there.
    """
    values = parent.get(name) or []
    if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
        raise invalid(f"The value of {name} is not a list of objects")
    return values


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def invalid(reason: str) -> BadRequestException:
    """Return the error of a document that is not one."""
    return BadRequestException(f"Invalid OpenAPI input. {reason}.")
