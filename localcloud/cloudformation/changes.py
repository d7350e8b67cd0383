"""What executing a change set would do to each resource.

moto gap: it compares the names of resources, so that no change set says what is modified, or what is replaced.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from moto.cloudformation.models import Stack

from localcloud.cloud.context import Cloud
from localcloud.cloudformation import schemas, templates
from localcloud.cloudformation.deployment import Deployment, Resource, is_same, live, log, must_replace
from localcloud.cloudformation.references import KNOWN_AFTER_APPLY

SNAPSHOT_POLICIES = {"Snapshot": "Snapshot", "Retain": "Retain", "RetainExceptOnCreate": "Retain"}


@dataclass(frozen=True)
class New:
    """What other resources can refer to of a resource that is not there yet."""

    physical_resource_id: str = KNOWN_AFTER_APPLY

    def get_cfn_attribute(self, _name: str) -> str:
        """What ``Fn::GetAtt`` will give."""
        return KNOWN_AFTER_APPLY


def changes(cloud: Cloud, stack: Stack, template: dict[str, Any], parameters: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the changes of a change set, as DescribeChangeSet shows them with the values of properties.

    Args:
        cloud: The stack's cloud.
        stack: The stack as it is.
        template: The new template.
        parameters: The new values of its parameters.
    """
    deployment = Deployment(cloud, stack, template, parameters)
    before, described = live(cloud, stack).resources, []
    order = [name for name in templates.order(template["Resources"]) if deployment.is_wanted(name)]
    for name in order:
        current = before.get(name)
        reference: Any
        desired, reference = _desired(deployment, name, current), current
        if current is None:
            described.append(_change("Add", desired, {}, after=_properties(desired)))
            reference = New()
        elif not is_same(current, desired):
            described.append(_modification(current, desired))
            reference = New() if must_replace(current, desired) else current
        deployment.refer(name, reference)
    for name in before.keys() - {*order}:
        resource = before[name]
        policy = SNAPSHOT_POLICIES.get(resource.policies.get("DeletionPolicy", ""), "Delete")
        about = {"PolicyAction": policy, **_id(resource)}
        described.append(_change("Remove", resource, about, before=_properties(resource)))
    return sorted(described, key=lambda change: str(change["ResourceChange"]["LogicalResourceId"]))


def _desired(deployment: Deployment, name: str, current: Resource | None) -> Resource:
    """Return the resource that the template asks for; unresolved if it depends on values that do not exist yet."""
    body = deployment.template["Resources"][name]
    try:
        return deployment.resolve(name, body, current)
    except Exception:  # noqa: BLE001 - moto's functions raise all kinds of errors for a placeholder
        log.info("%s is not known before it is deployed", name, exc_info=True)
        if current and deployment.stack.template_dict.get("Resources", {}).get(name) == body:
            return current
        return Resource(name, body["Type"], name, body.get("Properties") or {}, {})


def without_values(described: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the changes as DescribeChangeSet shows them without the values of properties."""
    hidden = {"BeforeContext", "AfterContext"}
    return [
        {
            **change,
            "ResourceChange": {key: value for key, value in change["ResourceChange"].items() if key not in hidden},
        }
        for change in described
    ]


def _modification(current: Resource, desired: Resource) -> dict[str, Any]:
    names = {*current.declared, *desired.declared}
    changed = sorted(name for name in names if current.declared.get(name) != desired.declared.get(name))
    replaces = must_replace(current, desired)
    create_only = schemas.create_only(desired.cf_resource_type)
    deciding = [desired.declared.get(name) for name in changed if name in create_only]
    is_known = not deciding or any(KNOWN_AFTER_APPLY not in json.dumps(value, default=str) for value in deciding)
    replacement = "False" if not replaces else "True" if is_known else "Conditional"
    policy = {}
    if replaces:
        removal = SNAPSHOT_POLICIES.get(desired.policies.get("UpdateReplacePolicy", ""), "Delete")
        policy = {"PolicyAction": f"ReplaceAnd{removal}"}
    return _change(
        "Modify",
        desired,
        {"Replacement": replacement, **policy, **_id(current)},
        before=_properties(current),
        after=_properties(desired),
        details=[_detail(name, desired.declared.get(name), in_place=name not in create_only) for name in changed],
    )


def _detail(name: str, value: Any, *, in_place: bool) -> dict[str, Any]:
    is_known = KNOWN_AFTER_APPLY not in json.dumps(value, default=str)
    recreation = "Never" if in_place else "Always" if is_known else "Conditionally"
    return {
        "Target": {"Attribute": "Properties", "Name": name, "RequiresRecreation": recreation},
        "Evaluation": "Static" if is_known else "Dynamic",
        "ChangeSource": "DirectModification" if is_known else "ResourceReference",
    }


def _change(
    action: str,
    resource: Resource,
    about: dict[str, str],
    *,
    before: str | None = None,
    after: str | None = None,
    details: list[dict[str, Any]] | None = None,
) -> dict[str, Any]:
    contexts = {key: value for key, value in (("BeforeContext", before), ("AfterContext", after)) if value is not None}
    return {
        "Type": "Resource",
        "ResourceChange": {
            "Action": action,
            "LogicalResourceId": resource.logical_resource_id,
            "ResourceType": resource.cf_resource_type,
            "Scope": ["Properties"] if details else [],
            "Details": details or [],
            **contexts,
            **about,
        },
    }


def _id(resource: Resource) -> dict[str, str]:
    return {"PhysicalResourceId": resource.physical_resource_id}


def _properties(resource: Resource) -> str:
    return json.dumps({"Properties": resource.declared} if resource.declared else {}, default=str)
