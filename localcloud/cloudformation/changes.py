"""What executing a change set would do to each resource.

moto gap: it compares the names of resources, so that no change set says what is modified, or what is replaced.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from moto.cloudformation.models import Stack
from moto.s3.models import s3_backends

from localcloud.cloud.context import Cloud
from localcloud.cloudformation import schemas, templates
from localcloud.cloudformation.deployment import Deployment, Resource, is_same, live, log, must_replace
from localcloud.cloudformation.functions import NoValueError
from localcloud.cloudformation.references import KNOWN_AFTER_APPLY

#: What a text of ``Fn::Sub`` refers to.
PLACEHOLDER = re.compile(r"\$\{([^!}][^}]*)\}")
SNAPSHOT_POLICIES = {"Snapshot": "Snapshot", "Retain": "Retain", "RetainExceptOnCreate": "Retain"}


@dataclass(frozen=True)
class New:
    """What other resources can refer to of a resource that is not there yet."""

    physical_resource_id: str = KNOWN_AFTER_APPLY

    def get_cfn_attribute(self, _name: str) -> str:
        """Return what ``Fn::GetAtt`` will give."""
        return KNOWN_AFTER_APPLY


@dataclass(frozen=True)
class Cause:
    """Why a property may change although its template does not say so.

    Attributes:
        entity: The resource that changes, or its attribute.
        source: In CloudFormation's words, how the property depends on it.
        is_certain: Whether the property will change, and not only may: what it refers to is replaced.
    """

    entity: str
    source: str
    is_certain: bool


@dataclass(frozen=True)
class Change:
    """What a change set does to a resource.

    Attributes:
        with_values: As DescribeChangeSet shows it with the values of properties; None if the values stay the same.
        without_values: As it shows it otherwise.
    """

    with_values: dict[str, Any] | None
    without_values: dict[str, Any]


def changes(cloud: Cloud, stack: Stack, template: dict[str, Any], parameters: dict[str, Any]) -> list[Change]:
    """Return the changes of a change set.

    Args:
        cloud: The stack's cloud.
        stack: The stack as it is.
        template: The new template.
        parameters: The new values of its parameters.
    """
    deployment = Deployment(cloud, stack, template, parameters)
    before, described = live(cloud, stack).resources, list[Change]()
    replaced: dict[str, bool] = {}  # what changes, and whether it is replaced
    order = [name for name in templates.order(template["Resources"]) if deployment.is_wanted(name)]
    for name in order:
        current = before.get(name)
        reference: Any
        desired, reference = _desired(deployment, name, current), current
        if current is None:
            described.append(_change("Add", desired, {}, after=_properties(desired)))
            reference = New()
        else:
            causes = _causes(template["Resources"][name].get("Properties") or {}, replaced)
            if not is_same(current, desired):
                replaced[name] = must_replace(current, desired)
                described.append(_modification(current, desired, causes))
                reference = New() if replaced[name] else current
            elif causes:
                replaced[name] = False
                described.append(Change(None, _modification(current, desired, causes).without_values))
        deployment.refer(name, reference)
    for name in before.keys() - {*order}:
        resource = before[name]
        policy = SNAPSHOT_POLICIES.get(resource.policies.get("DeletionPolicy", ""), "Delete")
        about = {"PolicyAction": policy, **_id(resource)}
        described.append(_change("Remove", resource, about, before=_properties(resource)))
    return sorted(described, key=lambda change: str(change.without_values["ResourceChange"]["LogicalResourceId"]))


def existing_buckets(described: Sequence[Change]) -> list[str]:
    """Return the names of buckets that exist and that a change set would create; what else exists, its service says."""
    added = [change.with_values["ResourceChange"] for change in described if change.with_values]
    names = [
        json.loads(change["AfterContext"]).get("Properties", {}).get("BucketName")
        for change in added
        if (change["Action"], change["ResourceType"]) == ("Add", "AWS::S3::Bucket")
    ]
    return [name for name in names if name in s3_backends.bucket_accounts]


def _causes(properties: dict[str, Any], replaced: Mapping[str, bool]) -> dict[str, list[Cause]]:
    """Return why properties change that refer to resources which change.

    Args:
        properties: As the template has them.
        replaced: The resources that change, and whether they are replaced.
    """
    causes_of = {name: list(dict.fromkeys(_references(value, replaced))) for name, value in properties.items()}
    return {name: causes for name, causes in causes_of.items() if causes}


def _references(node: Any, replaced: Mapping[str, bool]) -> Iterator[Cause]:
    if isinstance(node, list):
        for item in node:
            yield from _references(item, replaced)
    elif isinstance(node, dict):
        for name, argument in node.items():
            if name == "Ref":
                places = [str(argument)]
            elif name == "Fn::GetAtt":
                places = [".".join(map(str, argument)) if isinstance(argument, list) else str(argument)]
            elif name == "Fn::Sub":
                text = argument[0] if isinstance(argument, list) else argument
                places = PLACEHOLDER.findall(str(text))
            else:
                places = []
            for place in places:
                resource, dot, _ = place.partition(".")
                if resource in replaced and (dot or replaced[resource]):
                    source = "ResourceAttribute" if dot else "ResourceReference"
                    yield Cause(place, source, replaced[resource])
            yield from _references(argument, replaced)


def _desired(deployment: Deployment, name: str, current: Resource | None) -> Resource:
    """Return the resource that the template asks for; unresolved if it depends on values that do not exist yet."""
    body = deployment.template["Resources"][name]
    try:
        return deployment.resolve(name, body, current)
    except NoValueError as error:
        if KNOWN_AFTER_APPLY not in error.message:
            raise
        return Resource(name, body["Type"], name, body.get("Properties") or {}, {})
    except Exception:  # noqa: BLE001 - moto's functions raise all kinds of errors for a placeholder
        log.info("%s is not known before it is deployed", name, exc_info=True)
        if current and deployment.stack.template_dict.get("Resources", {}).get(name) == body:
            return current
        return Resource(name, body["Type"], name, body.get("Properties") or {}, {})


def _modification(current: Resource, desired: Resource, causes: Mapping[str, list[Cause]]) -> Change:
    names = {*current.declared, *desired.declared}
    changed = sorted(name for name in names if current.declared.get(name) != desired.declared.get(name))
    replaces = bool(changed) and must_replace(current, desired)
    create_only = schemas.create_only(desired.cf_resource_type)
    deciding = [name for name in changed if name in create_only]
    uncertain = [name for name in causes if name in create_only and name not in changed]
    is_known = not deciding or any(_is_known(desired.declared.get(name)) for name in deciding)
    replacement = "Conditional" if uncertain else "False"
    if replaces:
        replacement = "True" if is_known else "Conditional"
    policy = {}
    if replaces:
        removal = SNAPSHOT_POLICIES.get(desired.policies.get("UpdateReplacePolicy", ""), "Delete")
        policy = {"PolicyAction": f"ReplaceAnd{removal}"}
    details = _Details(current, desired, causes, create_only)
    return _change(
        "Modify",
        desired,
        {"Replacement": replacement, **policy, **_id(current)},
        before=_properties(current),
        after=_properties(desired),
        details=[detail for name in changed for detail in details.with_values(name)],
        hidden=[detail for name in sorted({*changed, *causes}) for detail in details.without_values(name)],
    )


@dataclass(frozen=True)
class _Details:
    """What is said of the properties of a resource that change.

    Attributes:
        current: The resource as it is.
        desired: As the template asks for it.
        causes: Why properties change that refer to others.
        create_only: The properties that cannot be updated.
    """

    current: Resource
    desired: Resource
    causes: Mapping[str, list[Cause]]
    create_only: Collection[str]

    def with_values(self, name: str) -> Iterator[dict[str, Any]]:
        """Yield the details of a property with its values before and after."""
        before, after = (resource.declared.get(name) for resource in (self.current, self.desired))
        target = {
            **self._target(name),
            "Path": f"/Properties/{name}",
            "AttributeChangeType": "Add" if before is None else "Remove" if after is None else "Modify",
            **({} if before is None else {"BeforeValue": _text(before)}),
            **({} if after is None else {"AfterValue": _text(_known(after))}),
        }
        evaluation = "Static" if _is_known(after) else "Dynamic"
        yield {"Target": target, "Evaluation": evaluation, "ChangeSource": "DirectModification"}
        for cause in self.causes.get(name, []):
            if cause.is_certain:
                yield _caused(target, cause)

    def without_values(self, name: str) -> Iterator[dict[str, Any]]:
        """Yield the details of a property without its values."""
        target, causes = self._target(name), self.causes.get(name, [])
        before, after = (resource.declared.get(name) for resource in (self.current, self.desired))
        if before != after and (_is_known(after) or not causes):
            known = _is_known(after)
            source = "DirectModification" if known else "ResourceReference"
            yield {"Target": target, "Evaluation": "Static" if known else "Dynamic", "ChangeSource": source}
        for cause in causes:
            yield _caused(target, cause)

    def _target(self, name: str) -> dict[str, Any]:
        is_known = _is_known(self.desired.declared.get(name)) and self._differs(name)
        recreation = "Never" if name not in self.create_only else "Always" if is_known else "Conditionally"
        return {"Attribute": "Properties", "Name": name, "RequiresRecreation": recreation}

    def _differs(self, name: str) -> bool:
        return bool(self.current.declared.get(name) != self.desired.declared.get(name))


def _caused(target: dict[str, Any], cause: Cause) -> dict[str, Any]:
    evaluation = "Static" if cause.is_certain else "Dynamic"
    return {
        "Target": target,
        "Evaluation": evaluation,
        "ChangeSource": cause.source,
        "CausingEntity": cause.entity,
    }


def _is_known(value: Any) -> bool:
    return KNOWN_AFTER_APPLY not in json.dumps(value, default=str)


def _text(value: Any) -> str:
    return json.dumps(value, default=str) if isinstance(value, dict | list) else templates.text(value)


def _change(
    action: str,
    resource: Resource,
    about: dict[str, str],
    *,
    before: str | None = None,
    after: str | None = None,
    details: Sequence[dict[str, Any]] = (),
    hidden: Sequence[dict[str, Any]] = (),
) -> Change:
    contexts = {key: value for key, value in (("BeforeContext", before), ("AfterContext", after)) if value is not None}

    def shown(details: Sequence[dict[str, Any]], contexts: Mapping[str, str]) -> dict[str, Any]:
        body = {
            "Action": action,
            "LogicalResourceId": resource.logical_resource_id,
            "ResourceType": resource.cf_resource_type,
            "Scope": ["Properties"] if details else [],
            "Details": [*details],
        }
        return {"Type": "Resource", "ResourceChange": {**body, **contexts, **about}}

    return Change(shown(details, contexts), shown(hidden, {}))


def _id(resource: Resource) -> dict[str, str]:
    return {"PhysicalResourceId": resource.physical_resource_id}


def _properties(resource: Resource) -> str:
    return json.dumps({"Properties": _known(resource.declared)} if resource.declared else {}, default=str)


def _known(value: Any) -> Any:
    """Return a value in which a text that is only partly known is not known at all, as CloudFormation shows it."""
    if isinstance(value, list):
        return [_known(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _known(item) for key, item in value.items()}
    return KNOWN_AFTER_APPLY if isinstance(value, str) and KNOWN_AFTER_APPLY in value else value
