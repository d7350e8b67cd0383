"""Macros: functions that change a template before it is deployed, and AWS's own, such as AWS::Include.

moto gap: it has none, and deploys a template with a macro as it is.

Sources: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-macros.html,
template-macros-author.html there, and
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/transform-aws-include.html
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from moto.cloudformation.exceptions import ValidationError
from moto.core.common_models import CloudFormationModel

from localcloud.cloud.account import ACCOUNT, REGION
from localcloud.cloud.context import Cloud
from localcloud.cloudformation import language_extensions, serverless, templates

log = logging.getLogger(__name__)

PLACEHOLDER = re.compile(r"\$\{([^!}][^}]*)\}")
INCLUDE, TRANSFORM = "AWS::Include", "Fn::Transform"


class TransformError(ValidationError):
    """A macro has failed, or is not there: what is being created or changed is rolled back."""


@dataclass
class Macros:
    """The macros of the account: the function of each, by name."""

    functions: dict[str, str] = field(default_factory=dict)


class Macro(CloudFormationModel):
    """A macro of a stack's."""

    cloud: Cloud

    def __init__(self, properties: dict[str, Any]) -> None:
        self.physical_resource_id = str(properties["Name"])
        self.cloud.state(Macros).functions[self.physical_resource_id] = str(properties["FunctionName"])

    @classmethod
    def cloudformation_type(cls) -> str:
        """Return the type's name."""
        return "AWS::CloudFormation::Macro"

    @classmethod
    def cloudformation_name_type(cls) -> str:
        """Return the property that names it."""
        return "Name"

    @classmethod
    def create_from_cloudformation_json(  # type: ignore[override]  # moto gives them by place
        cls, name: str, body: dict[str, Any], _account: str, _region: str, **_context: Any
    ) -> Macro:
        """Make the macro known.

        Raises:
            ValueError: There is one of this name.
        """
        properties = {"Name": name, **body["Properties"]}
        if properties["Name"] in cls.cloud.state(Macros).functions:
            raise ValueError(f"{properties['Name']} already exists")
        return cls(properties)

    @classmethod
    def update_from_cloudformation_json(
        cls, original: Macro, _name: str, body: dict[str, Any], _account: str, _region: str
    ) -> Macro:
        """Give the macro another function."""
        return cls({"Name": original.physical_resource_id, **body["Properties"]})

    def delete(self, _account: str = "", _region: str = "") -> None:
        """Forget the macro; what it has changed stays as it is."""
        self.cloud.state(Macros).functions.pop(self.physical_resource_id, None)


def install(cloud: Cloud) -> None:
    """Give macros the cloud whose functions they call."""
    Macro.cloud = cloud


def process(cloud: Cloud, template: dict[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a template as its macros leave it: the innermost first, then those of the whole in the order declared.

    Args:
        cloud: The cloud whose macros are known.
        template: As it was written.
        values: Of its parameters.

    Raises:
        TransformError: A macro is not there, or failed.
        ValidationError: The template does not name a macro as it must.
    """
    declared = template.get("Transform") or []
    body = _inner(cloud, {key: value for key, value in template.items() if key != "Transform"}, values)
    for macro in declared if isinstance(declared, list) else [declared]:
        if macro == templates.LANGUAGE_EXTENSIONS:
            body = language_extensions.processed(body, values)
        else:
            body = _transformed(cloud, macro, body, values)
        if not isinstance(body, dict):
            raise TransformError(message="Template format error: unsupported structure.")
    result: dict[str, Any] = body
    return result


def _inner(cloud: Cloud, node: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(node, list):
        return [_inner(cloud, item, values) for item in node]
    if not isinstance(node, dict):
        return node
    siblings = {key: _inner(cloud, value, values) for key, value in node.items() if key != TRANSFORM}
    if TRANSFORM not in node:
        return siblings
    macros = node[TRANSFORM]
    result: Any = siblings
    for macro in macros if isinstance(macros, list) else [macros]:
        result = _transformed(cloud, macro, result, values)
    return result


def _transformed(cloud: Cloud, macro: Any, fragment: Any, values: Mapping[str, Any]) -> Any:
    """Return what a macro makes of a fragment."""
    if isinstance(macro, str):
        macro = {"Name": macro}
    if not isinstance(macro, dict) or not isinstance(macro.get("Name"), str):
        raise ValidationError(message="Key Name of transform definition must be a string.")
    here = {"AWS::AccountId": ACCOUNT, "AWS::Region": REGION, "AWS::Partition": "aws"}
    name, parameters = macro["Name"], _resolved(macro.get("Parameters") or {}, {**here, **values})
    if name == INCLUDE:
        return _included(cloud, fragment, parameters.get("Location"))
    if name == serverless.TRANSFORM:
        return _translated(fragment, values)
    if name.startswith("AWS::"):
        raise ValidationError(message=f"The transform {name} is not supported by the local cloud")
    identity = f"{ACCOUNT}::{name.removeprefix(f'{ACCOUNT}::')}"
    function = cloud.state(Macros).functions.get(identity.partition("::")[2])
    if function is None:
        raise TransformError(message=f"No transform named {identity} found.")
    event = {
        "region": REGION,
        "accountId": ACCOUNT,
        "fragment": fragment,
        "transformId": identity,
        "params": parameters,
        "requestId": str(uuid4()),
        "templateParameterValues": dict(values),
    }
    answer = cloud.client("lambda").invoke(FunctionName=function, Payload=json.dumps(event))
    payload = json.loads(answer["Payload"].read() or "null")
    start = f"Transform {identity} failed"
    if "FunctionError" in answer or not isinstance(payload, dict) or payload.get("requestId") != event["requestId"]:
        log.warning("the function %s of the macro %s answered %s", function, name, payload)
        raise TransformError(message=f"Received malformed response from transform {identity}")
    if str(payload.get("status")).lower() != "success":
        reason = payload.get("errorMessage")
        raise TransformError(message=f"{start} with: {reason}" if reason else f"{start} without an error message.")
    return payload.get("fragment")


def _translated(template: dict[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what SAM makes of a template."""
    try:
        return serverless.translated(template, values)
    except ValueError as error:
        raise TransformError(message=f"Transform {serverless.TRANSFORM} failed with: {error}") from error


def _included(cloud: Cloud, fragment: Any, location: Any) -> Any:
    """Return a fragment with what a file of S3 has."""
    if not isinstance(location, str) or not location.startswith("s3://"):
        raise ValidationError(message=f"{INCLUDE}: Location must be the address of an object, s3://BUCKET/KEY")
    bucket, _, key = location.removeprefix("s3://").partition("/")
    s3 = cloud.client("s3")
    failed = f"Transform {INCLUDE} failed with:"
    try:
        text = s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode()
    except s3.exceptions.NoSuchBucket as error:
        raise TransformError(message=f"{failed} S3 bucket [{bucket}] does not exist.") from error
    except s3.exceptions.ClientError as error:
        raise TransformError(message=f"{failed} {location} cannot be read: {error}") from error
    return {**fragment, **templates.load(text)}


def _resolved(node: Any, values: Mapping[str, Any]) -> Any:
    """Return a macro's parameters with the values of the template's to which they refer."""
    if isinstance(node, list):
        return [_resolved(item, values) for item in node]
    if not isinstance(node, dict):
        return node
    if [*node] == ["Ref"] and node["Ref"] in values:
        return values[node["Ref"]]
    if [*node] == ["Fn::Sub"] and isinstance(node["Fn::Sub"], str):
        return PLACEHOLDER.sub(lambda match: str(values.get(match[1], match[0])), node["Fn::Sub"])
    return {key: _resolved(value, values) for key, value in node.items()}


def names(node: dict[str, Any]) -> set[str]:
    """Return the names of the macros that a template uses."""
    return {*templates.transforms(node), *_inner_names(node)}


def _inner_names(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        for item in node:
            yield from _inner_names(item)
    elif isinstance(node, dict):
        if TRANSFORM in node:
            yield TRANSFORM
        for value in node.values():
            yield from _inner_names(value)


def without(node: Any) -> Any:
    """Return a copy without inner macros."""
    if isinstance(node, list):
        return [without(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {key: without(value) for key, value in node.items() if key != TRANSFORM}
