"""Reading templates: JSON or YAML with short forms, parameters, and the order of resources.

moto gaps: its YAML reader turns policy versions into dates, splits ``!GetAtt A.B.C`` and ``${A.B.C}`` in three and
knows no ``!Condition``; its parameters ignore constraints and do not split default lists.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from typing import Any
from urllib.parse import unquote, urlsplit

import yaml
from botocore.exceptions import ParamValidationError
from moto.cloudformation.exceptions import ValidationError

from localcloud.cloud.context import Cloud

#: Bytes of a template in S3; a request takes less (`localcloud.cloudformation.limits`).
LARGEST = 1_000_000
PLACEHOLDER = re.compile(r"\$\{([^!}][^}]*)\}")
FUNCTIONS = {
    "And", "Base64", "Cidr", "Equals", "FindInMap", "GetAZs", "GetAtt", "If", "ImportValue", "Join", "Length", "Not",
    "Or", "Select", "Split", "Sub", "ToJsonString",
}  # fmt: skip

#: A host that names a bucket: of AWS, or of the local cloud.
VIRTUAL_HOST = re.compile(r"(?P<bucket>.+?)\.(?:s3[.-].+|localhost)")
#: Every host at which S3 answers: AWS's, or one of this machine.
ADDRESS = re.compile(r"(?:.+\.)?(?:s3[.-].+|localhost|127(?:\.\d+){3}|::1)")
LANGUAGE_EXTENSIONS = "AWS::LanguageExtensions"


class _Loader(yaml.CSafeLoader):
    """YAML as CloudFormation reads it: dates stay text, short forms become functions."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def _short_form(loader: _Loader, tag: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    elif isinstance(node, yaml.MappingNode):
        value = loader.construct_mapping(node, deep=True)
    else:
        value = node.value
    return {tag if tag in ("Ref", "Condition") else f"Fn::{tag}": value}


_Loader.add_multi_constructor("!", _short_form)


SUBSTITUTION = (
    "Template error: One or more Fn::Sub intrinsic functions don't specify expected arguments. Specify a string as "
    "first argument, and an optional second argument to specify a mapping of values to replace in the string"
)


def load(text: str | None) -> dict[str, Any]:
    """Return a template as it was written, from JSON or YAML with short forms.

    Raises:
        ValidationError: It is neither, or there is none.
    """
    if not text:
        raise ValidationError(message="Either Template URL or Template Body must be specified.")
    body: Any
    try:
        body = json.loads(text)
    except ValueError:
        try:
            body = yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader
        except yaml.YAMLError as error:
            message = "Template format error: YAML not well-formed."
            if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
                message += f" (line {error.problem_mark.line + 1}, column {error.problem_mark.column + 1})"
            raise ValidationError(message=message) from error
    if not isinstance(body, dict):
        raise ValidationError(message="Template format error: unsupported structure.")
    return body


def parse(text: str | None) -> dict[str, Any]:
    """Return a template as moto's engine wants it.

    Raises:
        ValidationError: It is not a template, or uses an unknown function, or there is none.
    """
    body = load(text)
    if not isinstance(body.get("Resources"), dict) or not body["Resources"]:
        raise ValidationError(message="Template format error: At least one Resources member must be defined.")
    if unknown := [*transforms(body)]:
        raise ValidationError(message=f"The transform {unknown[0]} is not supported by the local cloud")
    for name, resource in body["Resources"].items():
        if not isinstance(resource, dict) or "Type" not in resource:
            message = f"Template format error: [/Resources/{name}] Every Resources object must contain a Type member."
            raise ValidationError(message=message)
    body["Conditions"] = _texts(body.get("Conditions") or {})
    rules = body.pop("Rules", None)  # they have functions of their own
    normalised: dict[str, Any] = _normalised(body)
    return normalised | ({"Rules": rules} if rules else {})


def transforms(template: dict[str, Any]) -> list[str]:
    """Return the names of the macros that a template declares for the whole of it."""
    declared = template.get("Transform") or []
    names = declared if isinstance(declared, list) else [declared]
    return [str(name["Name"]) if isinstance(name, dict) and "Name" in name else str(name) for name in names]


def read(cloud: Cloud, url: str) -> str:
    """Return the template that an S3 URL gives, with the bucket in its path or in its host name.

    Raises:
        ValidationError: The object does not exist.
    """
    place = urlsplit(url)
    host, key = place.hostname or "", unquote(place.path.lstrip("/"))
    if place.scheme == "s3":
        raise ValidationError(message=f"S3 error: Domain name specified in {host} is not a valid S3 domain")
    if not ADDRESS.fullmatch(host):
        raise ValidationError(message="TemplateURL must be a supported URL.")
    if virtual := VIRTUAL_HOST.fullmatch(host):
        bucket = virtual["bucket"]
    else:
        bucket, _, key = key.partition("/")
    s3 = cloud.client("s3")
    try:
        body: bytes = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    except (s3.exceptions.ClientError, ParamValidationError) as error:
        raise ValidationError(message=f"TemplateURL {url} cannot be read: {error}") from error
    if len(body) > LARGEST:
        message = f"Template may not exceed {LARGEST} bytes in size; {url} has {len(body)}."
        raise ValidationError(message=f"{message} Split the stack, or move a part of it into a nested one.")
    return body.decode()


def _normalised(node: Any) -> Any:
    if isinstance(node, list):
        return [_normalised(item) for item in node]
    if not isinstance(node, dict):
        return node
    if len(node) == 1:
        ((name, value),) = node.items()
        if name == "Fn::GetAtt" and isinstance(value, str):
            return {name: value.split(".", 1)}
        if name == "Fn::Sub":
            return {name: _substitution(value)}
        if isinstance(name, str) and name.startswith("Fn::") and name[4:] not in FUNCTIONS:
            raise ValidationError(message=f"Template error: {name} is not supported by the local cloud")
    return {key: _normalised(value) for key, value in node.items()}


def _substitution(value: Any) -> Any:
    """Attributes with a dot in their names become names of the substitution's own."""
    match value:
        case str() as text:
            names: Any = {}
        case [str() as text, dict() as declared]:
            names = _normalised(declared)
        case _:
            raise ValidationError(message=SUBSTITUTION)
    for place in PLACEHOLDER.findall(text):
        if place.count(".") > 1:
            alias = place.replace(".", "")
            text = text.replace(f"${{{place}}}", f"${{{alias}}}")
            names[alias] = {"Fn::GetAtt": place.split(".", 1)}
    return [text, names] if names else text


def _texts(node: Any) -> Any:
    """Conditions compare texts, whatever the template's spelling of numbers and booleans."""
    if isinstance(node, list):
        return [_texts(item) for item in node]
    if isinstance(node, dict):
        return {key: _texts(value) for key, value in node.items()}
    return str(node).lower() if isinstance(node, bool) else str(node)


def references(node: Any) -> Iterator[str]:
    """Logical names that ``node`` mentions, in any function."""
    if isinstance(node, list):
        for item in node:
            yield from references(item)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key == "Ref":
                yield value
            elif key == "Fn::GetAtt":
                yield value[0]
            elif key == "Fn::Sub":
                text, names = (value, {}) if isinstance(value, str) else value
                yield from (name.split(".")[0] for name in PLACEHOLDER.findall(text) if name not in names)
                yield from references(names)
            else:
                yield from references(value)


def needs(resources: dict[str, Any]) -> dict[str, set[str]]:
    """Return what each resource depends on, by logical name."""
    graph = {}
    for name, body in resources.items():
        depends = body.get("DependsOn", [])
        explicit = {depends} if isinstance(depends, str) else set(depends)
        graph[name] = ({*references(body.get("Properties", {}))} | explicit) & resources.keys()
    return graph


def order(resources: dict[str, Any]) -> list[str]:
    """Logical names, each after everything it depends on.

    Raises:
        ValidationError: Resources depend on each other in a circle.
    """
    try:
        return list(TopologicalSorter(needs(resources)).static_order())
    except CycleError as error:
        circle = ", ".join(dict.fromkeys(error.args[1]))
        raise ValidationError(message=f"Circular dependency between resources: [{circle}]") from error


def parameter(name: str, declared: dict[str, Any], argument: Any) -> Any:
    """Return the value of a parameter, checked against its constraints; lists are split.

    Raises:
        ValidationError: The parameter has no value, or its value breaks a constraint.
    """
    value = declared.get("Default") if argument is None else argument
    if value is None:
        raise ValidationError(message=f"Parameters: [{name}] must have values")
    words = text(value)
    kind = declared.get("Type", "String")
    is_list = kind == "CommaDelimitedList" or "List<" in kind
    items = [item.strip() for item in words.split(",") if item.strip()] if is_list else [words]
    for item in items:
        if "Number" in kind and not _is_number(item):
            raise ValidationError(message=f"Parameter '{name}' must be a number.")
        if problem := _broken(declared, kind, item):
            hint = declared.get("ConstraintDescription", problem)
            raise ValidationError(message=f"Parameter {name} failed to satisfy constraint: {hint}")
    return items if is_list else words


def text(value: Any) -> str:
    """Return a parameter's value as its template takes it."""
    if isinstance(value, list):
        return ",".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _is_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True


def _broken(declared: dict[str, Any], kind: str, value: str) -> str | None:
    allowed = [str(item).lower() if isinstance(item, bool) else str(item) for item in declared.get("AllowedValues", [])]
    if allowed and value not in allowed:
        return f"must be one of {', '.join(allowed)}"
    if "AllowedPattern" in declared and not re.fullmatch(declared["AllowedPattern"], value):
        return f"must match {declared['AllowedPattern']}"
    if len(value) < int(declared.get("MinLength", 0)) or len(value) > int(declared.get("MaxLength", len(value))):
        return f"length between {declared.get('MinLength', 0)} and {declared.get('MaxLength', 'any')}"
    if "Number" in kind:
        number = float(value)
        if not float(declared.get("MinValue", number)) <= number <= float(declared.get("MaxValue", number)):
            return f"between {declared.get('MinValue', 'any')} and {declared.get('MaxValue', 'any')}"
    return None
