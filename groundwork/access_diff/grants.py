"""Policies in templates, by the resource that holds them, and what one set of templates allows beyond another."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from moto.core.exceptions import ServiceException

from contract.errors import InputError, phrase
from localcloud.access.actions import reference
from localcloud.access.policies import documents
from localcloud.access.policies.comparison import Access, Holder, added
from localcloud.access.policies.documents import Policy, PolicyError, as_list
from localcloud.cloudformation import templates

Json = dict[str, Any]
#: Where a resource has policies of its own, and what each is about: a property, or the resource itself.
RESOURCE_POLICIES = {
    "AWS::ECR::Repository": ("RepositoryPolicyText", None),
    "AWS::IAM::Role": ("AssumeRolePolicyDocument", None),
    "AWS::KMS::Key": ("KeyPolicy", None),
    "AWS::Logs::ResourcePolicy": ("PolicyDocument", None),
    "AWS::OpenSearchService::Domain": ("AccessPolicies", None),
    "AWS::S3::BucketPolicy": ("PolicyDocument", "Bucket"),
    "AWS::SecretsManager::ResourcePolicy": ("ResourcePolicy", "SecretId"),
    "AWS::SNS::TopicPolicy": ("PolicyDocument", "Topics"),
    "AWS::SQS::QueuePolicy": ("PolicyDocument", "Queues"),
}
_NOTHING = {"Ref": "AWS::NoValue"}


def added_grants(old: Path, new: Path) -> list[Access]:
    """Return what the new templates allow and the old ones did not.

    Raises:
        InputError: There is no such place, a file is not a template, or a policy in it is not a policy.
    """
    return added(holders(old), holders(new), reference.matching)


def holders(place: Path) -> list[Holder]:
    """Return the policies of a template or of all templates in a folder, by holder.

    Raises:
        InputError: There is no such place, a file is not a template, or a policy in it is not a policy.
    """
    if not place.exists():
        raise InputError(f"{place}: There is no such file or folder. Name a template, or a folder of templates.")
    paths = sorted(path for path in place.iterdir() if _is_template(path)) if place.is_dir() else [place]
    if not paths:
        raise InputError(f"{place}: There is no template here. Name a folder with templates in JSON or YAML.")
    policies: dict[str, list[Policy]] = defaultdict(list)
    for path in paths:
        try:
            template = templates.parse(path.read_text(encoding="utf-8"))
            prefix = f"{path.name.partition('.')[0]}/" if place.is_dir() else ""
            for holder, document in _documents(template):
                policies[prefix + holder].append(documents.read(json.dumps(document), f"{path.name} {holder}"))
        except (ServiceException, PolicyError, UnicodeDecodeError) as error:
            raise InputError(f"{path}: This is not a template with policies: {phrase(error)}.") from error
    return [Holder(name, tuple(statements)) for name, statements in policies.items()]


def _is_template(path: Path) -> bool:
    return path.name.endswith((".template.json", ".yaml", ".yml")) or (
        path.suffix == ".json" and '"Resources"' in path.read_text(encoding="utf-8")
    )


def _documents(template: Json) -> Iterator[tuple[str, Json]]:
    """Yield each policy with the name of its holder; a reference becomes the name of what it refers to."""
    for name, body in template["Resources"].items():
        kind, properties = body["Type"], resolved(body.get("Properties", {}))
        for policy in properties.get("Policies", []) if kind.startswith("AWS::IAM::") else []:
            yield name, policy["PolicyDocument"]
        for arn in properties.get("ManagedPolicyArns", []) if kind.startswith("AWS::IAM::") else []:
            yield name, _attached(arn)
        if kind in {"AWS::IAM::Policy", "AWS::IAM::ManagedPolicy", "AWS::IAM::RolePolicy"}:
            takers = [taker for key in ("Roles", "Users", "Groups") for taker in properties.get(key, [])]
            for taker in [*takers, *as_list(properties.get("RoleName"))] or [name]:
                yield taker.strip("{}"), properties["PolicyDocument"]
        if kind == "AWS::Lambda::Permission":
            yield f"policy of {properties['FunctionName']}", {"Statement": [_permission(properties)]}
        elif kind in RESOURCE_POLICIES:
            document, about = RESOURCE_POLICIES[kind]
            for owner in as_list(properties.get(about)) if about else [name]:
                if document in properties:
                    yield f"policy of {owner}", _object(properties[document])


def _object(document: Any) -> Any:
    return json.loads(document) if isinstance(document, str) else document


def _attached(arn: str) -> Json:
    """Return a statement that stands for a managed policy, whose content is not in the template."""
    statement = {"Effect": "Allow", "Action": f"everything in {arn.rpartition('/')[2]}", "Resource": "*"}
    return {"Statement": [statement] if ":policy/" in arn else []}


def _permission(properties: Json) -> Json:
    """Return the policy statement that a Lambda permission amounts to."""
    principal = properties["Principal"]
    condition: Json = {}
    if "SourceArn" in properties:
        condition["ArnLike"] = {"aws:SourceArn": properties["SourceArn"]}
    if "SourceAccount" in properties:
        condition["StringEquals"] = {"aws:SourceAccount": properties["SourceAccount"]}
    kind = "Service" if principal.endswith(".amazonaws.com") else "AWS"
    return {
        "Effect": "Allow",
        "Principal": {kind: principal},
        "Action": properties["Action"],
        "Resource": properties["FunctionName"],
        "Condition": condition,
    }


def resolved(value: Any) -> Any:
    """Return a value with its intrinsic functions as text: ``{Name}`` or ``{Name.Arn}`` for what they refer to."""
    if isinstance(value, list):
        items = [resolved(item) for item in value if item != _NOTHING]
        return [item for item in items if item is not None]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        [(function, argument)] = value.items()
        if function == "Ref" or function.startswith("Fn::"):
            return _text(function, argument)
    return {key: resolved(item) for key, item in value.items() if item != _NOTHING}


def _text(function: str, argument: Any) -> Any:  # noqa: PLR0911 - one for each function
    match function, argument:
        case "Ref", name:
            return f"{{{name}}}"
        case "Fn::GetAtt", [name, attribute]:
            return f"{{{name}.{attribute}}}"
        case "Fn::GetAtt", str(path):
            return f"{{{path}}}"
        case "Fn::Join", [separator, list(values)]:
            return str(separator).join(str(resolved(value)) for value in values)
        case "Fn::Sub", str(text):
            return text.replace("${", "{")
        case "Fn::Sub", [str(text), dict(values)]:
            for name, value in values.items():
                text = text.replace(f"${{{name}}}", str(resolved(value)))
            return text.replace("${", "{")
        case "Fn::If", [condition, if_true, if_false]:
            true_text, false_text = (None if branch == _NOTHING else resolved(branch) for branch in (if_true, if_false))
            if (
                true_text is None or false_text is None or true_text == false_text
            ):  # what one of them makes possible is possible
                return false_text if true_text is None else true_text
            is_text = isinstance(true_text, str) and isinstance(false_text, str)
            return f"{{{true_text} if {condition}, else {false_text}}}" if is_text else true_text
        case _:
            return f"{{{function.removeprefix('Fn::')} {json.dumps(resolved(argument))}}}"
