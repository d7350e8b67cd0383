"""What CloudFormation replaces a resource for: its type, and the values that cannot change while it lives."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import cfnlint  # type: ignore[import-untyped]

Json = dict[str, Any]
#: The resource types that hold data, addresses or passwords that nothing else holds.
STATEFUL = frozenset(
    {
        "AWS::DynamoDB::GlobalTable",
        "AWS::DynamoDB::Table",
        "AWS::EC2::EIP",
        "AWS::KMS::Key",
        "AWS::Neptune::DBCluster",
        "AWS::OpenSearchService::Domain",
        "AWS::RDS::DBInstance",
        "AWS::S3::Bucket",
        "AWS::SecretsManager::Secret",
        "AWS::Timestream::Database",
        "AWS::Timestream::InfluxDBCluster",
        "AWS::Timestream::InfluxDBInstance",
        "AWS::Timestream::Table",
    }
)
#: Properties that the schemas call create-only under some condition, and that change in place on the engines here.
#: Source: the "Update requires" lines of the types in the CloudFormation template reference.
IN_PLACE = {
    "AWS::AutoScaling::AutoScalingGroup": {"LaunchTemplate", "MixedInstancesPolicy"},
    "AWS::Batch::ComputeEnvironment": {"ComputeResources"},  # with ReplaceComputeEnvironment: false
    "AWS::RDS::DBInstance": {
        "AutoMinorVersionUpgrade",
        "BackupRetentionPeriod",
        "DBParameterGroupName",
        "MultiAZ",
        "PerformanceInsightsKMSKeyId",
        "PreferredMaintenanceWindow",
    },
}
#: Properties that CloudFormation changes in place, and that change what clients hold: another password, another engine.
ALSO = {
    "AWS::SecretsManager::Secret": {"GenerateSecretString"},
    "AWS::RDS::DBInstance": {"EngineVersion"},
    "AWS::Neptune::DBCluster": {"EngineVersion"},
    "AWS::OpenSearchService::Domain": {"EngineVersion"},
}
#: Attributes that change whenever their resource does: whatever holds one is replaced with every update of the other.
VERSIONS = {"LatestVersionNumber", "DefaultVersionNumber"}
_SCHEMAS = Path(cfnlint.__file__).parent / "data" / "schemas"


@cache
def _files() -> dict[str, str]:
    files: dict[str, str] = json.loads((_SCHEMAS / "providers" / "us-east-1.json").read_text(encoding="utf-8"))
    return files


@cache
def create_only(kind: str) -> frozenset[tuple[str, ...]]:
    """Return the paths of the properties of a type whose change replaces the resource.

    Raises:
        KeyError: CloudFormation has no such type.
    """
    schema = json.loads((_SCHEMAS / "resources" / f"{_files()[kind]}.json").read_text(encoding="utf-8"))
    listed = [*schema.get("createOnlyProperties", []), *schema.get("conditionalCreateOnlyProperties", [])]
    paths = {tuple(path.split("/")[2:]) for path in listed}
    return frozenset(path for path in paths if path[0] not in IN_PLACE.get(kind, set()))


def with_defaults(template: Json) -> Json:
    """Return a template in which the default of each parameter stands wherever the parameter is referred to."""
    defaults = {name: body["Default"] for name, body in template.get("Parameters", {}).items() if "Default" in body}

    def replaced(node: Any) -> Any:
        match node:
            case {"Ref": str() as name} if name in defaults:
                return defaults[name]
            case dict():
                return {key: replaced(value) for key, value in node.items()}
            case list():
                return [replaced(item) for item in node]
            case _:
                return node

    return {**template, "Resources": replaced(template["Resources"])}


def identity(template: Json, name: str) -> dict[str, Any]:
    """Return the values for which CloudFormation would replace a resource, by their path.

    A reference stands for the identity of the resource that it names: another description of a security group is
    another security group, and with it another database.

    Args:
        template: A synthesised template, its parameters replaced by their defaults (`with_defaults`).
        name: The resource's logical id.
    """
    return dict(sorted(_identity(template, name, ())))


def _identity(template: Json, name: str, above: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    body = template["Resources"][name]
    kind, properties = body["Type"], body.get("Properties", {})
    yield "Type", kind
    if kind.startswith("Custom::") or kind == "AWS::CloudFormation::CustomResource":
        return
    for path in [*create_only(kind), *((name,) for name in sorted(ALSO.get(kind, set())))]:
        value = _at(properties, path)
        if value is not None:
            yield ".".join(path), value
            for resource in sorted(versions(value) & template["Resources"].keys()):
                yield f"{'.'.join(path)} > {resource}", template["Resources"][resource]["Properties"]
            for resource in sorted(_references(value) & template["Resources"].keys() - {*above, name}):
                for inner, deeper in _identity(template, resource, (*above, name)):
                    yield f"{'.'.join(path)} > {resource}.{inner}", deeper


def _at(properties: Any, path: tuple[str, ...]) -> Any:
    """Return the value at a path, in which `*` means every item; None where there is none."""
    if not path:
        return properties
    first, *rest = path
    if first == "*" and isinstance(properties, list):
        return [_at(item, tuple(rest)) for item in properties]
    return _at(properties[first], tuple(rest)) if isinstance(properties, dict) and first in properties else None


def versions(value: Any) -> set[str]:
    """Return the names of the resources on whose latest version a value depends."""
    match value:
        case {"Fn::GetAtt": [str() as name, str() as attribute]}:
            return {name} if attribute in VERSIONS else set()
        case dict():
            return {name for item in value.values() for name in versions(item)}
        case list():
            return {name for item in value for name in versions(item)}
        case _:
            return set()


def _references(value: Any) -> set[str]:
    """Return the names to which intrinsic functions in a value refer."""
    match value:
        case {"Ref": str() as name} | {"Fn::GetAtt": [str() as name, _]}:
            return {name}
        case dict():
            return {name for item in value.values() for name in _references(item)}
        case list():
            return {name for item in value for name in _references(item)}
        case _:
            return set()
