"""parliament: whether IAM policies mean something: actions that exist, on resources of their kind, no needless `*`."""

import json
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from infra.check.findings import Finding
from infra.check.tools import run

Json = dict[str, Any]
ACCOUNT, REGION = "123456789012", "us-east-1"
_PLACE = f"{REGION}:{ACCOUNT}"
#: What the ARN of a resource looks like where it is not simply its service's.
ARNS = {
    "AWS::Batch::JobDefinition": f"arn:aws:batch:{_PLACE}:job-definition/name:1",
    "AWS::Batch::JobQueue": f"arn:aws:batch:{_PLACE}:job-queue/name",
    "AWS::DynamoDB::GlobalTable": f"arn:aws:dynamodb:{_PLACE}:table/name",
    "AWS::DynamoDB::Table": f"arn:aws:dynamodb:{_PLACE}:table/name",
    "AWS::EC2::LaunchTemplate": f"arn:aws:ec2:{_PLACE}:launch-template/name",
    "AWS::IAM::Role": f"arn:aws:iam::{ACCOUNT}:role/name",
    "AWS::KMS::Key": f"arn:aws:kms:{_PLACE}:key/name",
    "AWS::Lambda::Function": f"arn:aws:lambda:{_PLACE}:function:name",
    "AWS::Logs::LogGroup": f"arn:aws:logs:{_PLACE}:log-group:name:*",
    "AWS::OpenSearchService::Domain": f"arn:aws:es:{_PLACE}:domain/name",
    "AWS::S3::Bucket": "arn:aws:s3:::name",
    "AWS::SecretsManager::Secret": f"arn:aws:secretsmanager:{_PLACE}:secret:name-abcdef",
    "AWS::Timestream::Database": f"arn:aws:timestream:{_PLACE}:database/name",
    "AWS::Timestream::Table": f"arn:aws:timestream:{_PLACE}:database/name/table/name",
}
#: Types whose `Ref` is their ARN.
NAMED_BY_ARN = {
    "AWS::Batch::JobDefinition",
    "AWS::Batch::JobQueue",
    "AWS::SNS::Topic",
    "AWS::SecretsManager::Secret",
    "AWS::SecretsManager::SecretTargetAttachment",
}
_PSEUDO_PARAMETERS = {
    "AWS::AccountId": ACCOUNT,
    "AWS::Partition": "aws",
    "AWS::Region": REGION,
    "AWS::StackName": "stack",
    "AWS::StackId": f"arn:aws:cloudformation:{_PLACE}:stack/stack/id",
    "AWS::URLSuffix": "amazonaws.com",
}


def policies(template: Json) -> Iterator[tuple[str, Json]]:
    """Every policy of a principal, with the logical id that holds it; intrinsic functions are replaced by examples."""
    for name, body in template["Resources"].items():
        properties = body.get("Properties", {})
        documents = []
        if body["Type"] in ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"):
            documents = [properties["PolicyDocument"]]
        elif body["Type"] == "AWS::IAM::Role":
            documents = [policy["PolicyDocument"] for policy in properties.get("Policies", [])]
        for document in documents:
            yield name, example(document, template)


def example(value: Any, template: Json) -> Any:
    """A value with its intrinsic functions replaced by what they might give."""
    if isinstance(value, list):
        return [example(item, template) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        [(function, argument)] = value.items()
        if function == "Ref" or function.startswith("Fn::"):
            return _example_of(function, argument, template)
    return {key: example(item, template) for key, item in value.items()}


def _example_of(function: str, argument: Any, template: Json) -> str:
    match function, argument:
        case "Ref", name:
            found = _reference(name, template)
        case "Fn::GetAtt", [name, attribute]:
            found = _arn(template["Resources"][name]["Type"]) if attribute.endswith("Arn") else "name"
        case "Fn::Join", [separator, parts]:
            found = separator.join(str(example(part, template)) for part in parts)
        case "Fn::Sub", str(text):
            found = re.sub(r"\$\{([\w:]+)\}", lambda match: _reference(match[1], template), text)
        case "Fn::If", [_, chosen, _]:
            found = str(example(chosen, template))
        case "Fn::Select", [index, {"Fn::Split": [separator, source]}]:
            found = [*str(example(source, template)).split(separator), "name", "name"][int(index)]
        case _:
            found = "name"
    return found


def _reference(name: str, template: Json) -> str:
    if name in _PSEUDO_PARAMETERS:
        return _PSEUDO_PARAMETERS[name]
    if name in template["Resources"]:
        kind = template["Resources"][name]["Type"]
        return _arn(kind) if kind in NAMED_BY_ARN else "name"
    return str(template["Parameters"][name].get("Default") or "name")


def _arn(kind: str) -> str:
    return ARNS.get(kind, f"arn:aws:{kind.split('::')[1].lower()}:{_PLACE}:name")


def parliament(templates: dict[str, Json]) -> list[Finding]:
    """What parliament finds in the policies of templates, by the name of each.

    Raises:
        RuntimeError: It is not installed, or there was no policy to look at.
    """
    origins: dict[str, tuple[str, str]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for template, content in templates.items():
            for name, document in policies(content):
                path = Path(folder, f"{len(origins)}.json")
                path.write_text(json.dumps(document), encoding="utf-8")
                origins[str(path)] = template, name
        if not origins:
            raise RuntimeError("there is no policy for parliament to look at")
        found = run("parliament", "--directory", folder, "--json")
    return [_finding(issue, *origins[issue["location"]["filepath"]]) for issue in found]


def _finding(issue: Json, template: str, resource: str) -> Finding:
    return Finding(template, resource, f"IAM_{issue['issue']}", f"{issue['title']}: {json.dumps(issue['detail'])}")
