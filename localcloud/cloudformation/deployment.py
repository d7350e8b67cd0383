"""Deployments: bring a stack's resources from what is there to what its template says, or back.

A resource whose resolved properties did not change stays as it is; one that changed is updated in place,
or replaced where the schema says so; the old ones go last. When anything fails, everything is undone, and what a
deletion policy retains stays. A resource that cannot be deleted fails the roll-back of a creation.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from moto.cloudformation import parsing
from moto.cloudformation.exceptions import ValidationError
from moto.cloudformation.models import CloudFormationBackend, Event, Stack, cloudformation_backends
from moto.cloudformation.parsing import Export, Output, ResourceMap

from localcloud.cloud.account import ACCOUNT, REGION
from localcloud.cloud.context import Cloud
from localcloud.cloudformation import custom, functions, limits, references, schemas, stack_tags, templates
from localcloud.services import rules

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger("localcloud.cloudformation")

RETENTION = ("DeletionPolicy", "UpdateReplacePolicy")
SNAPSHOT = "Snapshot"
#: The type whose data CloudFormation keeps in a snapshot unless its template says otherwise, outside of clusters.
SNAPSHOT_BY_DEFAULT = "AWS::RDS::DBInstance"

#: What a stack is before its first deployment.
NEW = {"CREATE_PENDING", "REVIEW_IN_PROGRESS"}

# They mean nothing outside the CDK and CloudFormation's own machinery.
WITHOUT_EFFECT = {"AWS::CDK::Metadata", "AWS::CloudFormation::WaitConditionHandle"}


@dataclass
class Resource:
    """A live resource: what was declared, and moto's model of what there is."""

    logical_resource_id: str
    cf_resource_type: str
    generated_name: str
    declared: dict[str, Any]
    policies: dict[str, str]
    tags: dict[str, str] = field(default_factory=dict)
    model: Any = None

    @property
    def physical_resource_id(self) -> str:
        """What ``Ref`` gives."""
        return str(getattr(self.model, "physical_resource_id", self.logical_resource_id))

    def get_cfn_attribute(self, name: str) -> Any:
        """Return what ``Fn::GetAtt`` gives."""
        try:
            return self.model.get_cfn_attribute(name)
        except Exception as error:
            if name in self.declared:  # AWS gives the properties that are declared, too
                return self.declared[name]
            message = f"{self.logical_resource_id} ({self.cf_resource_type}) has no attribute {name}"
            raise ValidationError(message=message) from error


@dataclass
class Live:
    """What a stack owns at present."""

    resources: dict[str, Resource] = field(default_factory=dict)
    outputs: list[Output] = field(default_factory=list)
    exports: list[Export] = field(default_factory=list)
    imports: set[str] = field(default_factory=set)


def live(cloud: Cloud, stack: Stack) -> Live:
    """Return what ``stack`` owns."""
    return cloud.state(Live, stack)


def provider(kind: str) -> Any:
    """Return the model of a resource type.

    moto gap: its own models ignore properties, cannot be updated or deleted, or create what nothing here acts on. So
    only types that a row of a room describes are known, and those of CloudFormation itself.

    Raises:
        ValidationError: CloudFormation does not have the type, or the local cloud does not have it.
    """
    if kind.startswith(custom.PREFIX) or kind == custom.KIND:
        return custom.CustomResource
    model = parsing.get_model_map().get(kind)
    if model and model.__module__.startswith("localcloud."):
        return model
    if model or schemas.schema(kind):
        raise ValidationError(message=f"Template error: the local cloud does not have {kind}")
    raise ValidationError(message=f"Template format error: Unrecognized resource types: [{kind}]")


def validate(template: dict[str, Any]) -> None:
    """Refuse what CloudFormation refuses of a template before anything is created.

    Raises:
        ValidationError: Names the resource, its type and the property, or the section and what is wrong there.
    """
    functions.check(template)
    limits.check(template)
    for name, body in template.get("Resources", {}).items():
        if body["Type"] in WITHOUT_EFFECT:
            continue
        provider(body["Type"])
        try:
            _check(body["Type"], body.get("Properties", {}))
        except schemas.PropertyError as error:
            raise ValidationError(message=f"Template error: resource {name} ({body['Type']}): {error}") from None


def _check(kind: str, properties: dict[str, Any]) -> None:
    """Refuse what CloudFormation's schema of a type, or a rule of its service, does not allow, as far as it is known.

    Raises:
        PropertyError: Names the property, its value, and what is allowed.
    """
    if problem := _problem(kind, json.dumps(properties, sort_keys=True, default=str)):
        raise schemas.PropertyError(problem)


@lru_cache(maxsize=4096)
def _problem(kind: str, properties: str) -> str:
    """Return what is wrong with the properties of a resource, as JSON: an update has most of them unchanged."""
    try:
        schemas.check(kind, json.loads(properties))
        rules.check(kind, json.loads(properties))
    except schemas.PropertyError as error:
        return str(error)
    return ""


class Deployment:
    """One change of one stack."""

    def __init__(self, cloud: Cloud, stack: Stack, template: dict[str, Any], parameters: dict[str, Any]) -> None:
        validate(template)
        self.cloud = cloud
        self.stack = stack
        self.backend: CloudFormationBackend = cloudformation_backends[ACCOUNT][REGION]
        self.before = live(cloud, stack)
        self.resources = dict(self.before.resources)
        self.template = template
        self.map = ResourceMap(
            stack.stack_id,
            stack.name,
            parameters,
            stack.tags,
            region_name=REGION,
            account_id=ACCOUNT,
            template=template,
            cross_stack_resources=self.backend.exports,
        )
        self.map.load()
        self.undo: list[tuple[Resource, Callable[[], object]]] = []
        self.created: list[Resource] = []
        self.obsolete: list[Resource] = []

    def run(self) -> None:
        """Deploy; the stack's status and events tell how it went."""
        verb = "CREATE" if self.stack.status in NEW else "UPDATE"
        set_status(self.stack, f"{verb}_IN_PROGRESS", "User Initiated")
        try:
            order = [name for name in templates.order(self.template["Resources"]) if self.is_wanted(name)]
            for name in order:
                self._converge(name)
            outputs, exports = self._outputs()
        except Exception as error:  # whatever a service's model raises fails this deployment, not the server
            log.info("deployment of %s failed", self.stack.name, exc_info=True)
            self._roll_back("ROLLBACK" if verb == "CREATE" else "UPDATE_ROLLBACK", str(error))
            return
        if verb == "UPDATE":
            set_status(self.stack, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
        removed = [resource for name, resource in self.resources.items() if name not in order]
        for resource in [*reversed(removed), *reversed(self.obsolete)]:
            delete(self.stack, resource, "UpdateReplacePolicy" if resource in self.obsolete else "DeletionPolicy")
        for export in self.before.exports:
            self.backend.exports.pop(export.name, None)
        self.backend.exports.update({export.name: export for export in exports})
        kept = {name: self.resources[name] for name in order}
        self.cloud.set_state(self.stack, Live(kept, outputs, exports, _imports(self.template, self.map)))
        set_status(self.stack, f"{verb}_COMPLETE")

    def is_wanted(self, name: str) -> bool:
        """Return whether the template makes the resource: its condition holds, and its type means something here."""
        body = self.template["Resources"][name]
        condition = body.get("Condition")
        return body["Type"] not in WITHOUT_EFFECT and (not condition or self.map.lazy_condition_map[condition])

    def _converge(self, name: str) -> None:
        current = self.resources.get(name)
        body = self.template["Resources"][name]
        try:
            desired = self.resolve(name, body, current)
            _check(desired.cf_resource_type, desired.declared)
            _check_policies(desired)
            if current and is_same(current, desired):
                desired.model = current.model
            else:
                self._change(current, desired)
        except Exception as error:
            problem = str(getattr(error, "message", None) or error)
            add_event(self.stack, name, body["Type"], current, f"{'UPDATE' if current else 'CREATE'}_FAILED", problem)
            raise ValueError(f"{name} ({body['Type']}): {problem}") from error
        self.resources[name] = desired
        self.refer(name, desired)

    def refer(self, name: str, resource: Any) -> None:
        """Let others refer to a resource."""
        self.map._parsed_resources[name] = resource  # noqa: SLF001 - where moto's functions look references up

    def resolve(self, name: str, body: dict[str, Any], current: Resource | None) -> Resource:
        """Return the resource that the template wants, with the values of its properties."""
        _, resolved, _ = parsing.parse_resource(body, self.map)
        declared = references.resolved(self.cloud, _without_nothing(resolved["Properties"]))
        if _is_explicit(body["Type"], declared):
            generated = str(declared[name_property(body["Type"])])
        elif current:
            generated = current.generated_name
        else:
            generated = parsing.generate_resource_name(body["Type"], self.stack.name, name)
        policies = {str(key): str(parsing.clean_json(item, self.map)) for key, item in body.items() if key in RETENTION}
        return Resource(name, body["Type"], generated, declared, policies, stack_tags.of_stack(self.stack, name))

    def _change(self, current: Resource | None, desired: Resource) -> None:
        verb = "UPDATE" if current else "CREATE"
        event = (self.stack, desired.logical_resource_id, desired.cf_resource_type)
        add_event(*event, current, f"{verb}_IN_PROGRESS")
        if current and not must_replace(current, desired):
            update(current, desired)
            restore = getattr(current.model, "restore", lambda: update(desired, current))
            self.undo.append((desired, restore))
        else:
            if current and not _is_explicit(desired.cf_resource_type, desired.declared):
                desired.generated_name = parsing.generate_resource_name(
                    desired.cf_resource_type, self.stack.name, desired.logical_resource_id
                )
            try:
                create(self.stack, desired)
            finally:
                if desired.model is not None:
                    self.created.append(desired)
            if current:
                self.obsolete.append(current)
        add_event(*event, desired, f"{verb}_COMPLETE")

    def _outputs(self) -> tuple[list[Output], list[Export]]:
        outputs, exports = [], []
        for key, declared in (self.template.get("Outputs") or {}).items():
            output = parsing.parse_output(key, declared, self.map)
            if output is None:
                continue
            output.value = str(output.value)
            outputs.append(output)
            if "Export" in declared:
                name = str(parsing.clean_json(declared["Export"]["Name"], self.map))
                output.__dict__["export_name"] = name
                exports.append(Export(self.stack.stack_id, name, output.value))
        _check_exports(self.cloud, self.backend, self.stack, exports)
        return outputs, exports

    def _roll_back(self, verb: str, reason: str) -> None:
        """Undo the changes, then delete new resources; an update leaves behind those that it cannot delete."""
        set_status(self.stack, f"{verb}_IN_PROGRESS", reason)
        failed = []
        for resource, step in reversed(self.undo):
            try:
                step()
            except Exception as error:  # whatever a service's model raises
                log.info("roll-back of %s failed", resource.logical_resource_id, exc_info=True)
                event = (self.stack, resource.logical_resource_id, resource.cf_resource_type, resource)
                add_event(*event, "UPDATE_FAILED", str(error))
                failed.append(resource.logical_resource_id)
        remaining = delete_each(self.stack, self.created, self.template, undoing=True)
        if verb == "ROLLBACK":
            self.cloud.set_state(self.stack, Live({resource.logical_resource_id: resource for resource in remaining}))
            failed = [resource.logical_resource_id for resource in remaining]
        if failed:
            action = "delete" if verb == "ROLLBACK" else "update"
            reason = f"The following resource(s) failed to {action}: [{', '.join(failed)}]. "
        set_status(self.stack, f"{verb}_{'FAILED' if failed else 'COMPLETE'}", reason)


def _check_policies(desired: Resource) -> None:
    """Refuse a snapshot of what has none.

    Raises:
        ValueError: The type does not support the policy.
    """
    row = getattr(provider(desired.cf_resource_type), "row", None)
    for name, policy in desired.policies.items():
        if policy == SNAPSHOT and not (row and row.snapshot):
            raise ValueError(f"resource type {desired.cf_resource_type} does not support {name} {SNAPSHOT}")


def create(stack: Stack, desired: Resource) -> None:
    """Create a resource with its type's model.

    A custom resource keeps its model if its creation fails, because its function is then asked to delete it.
    """
    context = {
        "LogicalId": desired.logical_resource_id,
        "StackId": stack.stack_id,
        "ResourceType": desired.cf_resource_type,
    }
    try:
        desired.model = provider(desired.cf_resource_type).create_from_cloudformation_json(
            desired.generated_name, _json(desired), ACCOUNT, REGION, **context
        )
    except custom.FailedFunctionError as error:
        desired.model = error.resource
        raise


def must_replace(current: Resource, desired: Resource) -> bool:
    """Return whether the change needs a new resource, by CloudFormation's schema of the type."""
    if current.cf_resource_type != desired.cf_resource_type:
        return True
    model = provider(desired.cf_resource_type)
    before, after = current.declared, desired.declared
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    return bool(
        changed & schemas.create_only(desired.cf_resource_type)
        or getattr(model, "always_replaced", False)
        or hasattr(model.update_from_cloudformation_json, "__isabstractmethod__")
    )


def is_same(current: Resource, desired: Resource) -> bool:
    """Return whether a resource needs no update; a nested stack always does, since its template may have changed."""
    return _json(current) == _json(desired) and not hasattr(current.model, "always_updated")


def update(current: Resource, desired: Resource) -> None:
    """Update a resource in place."""
    desired.model = provider(desired.cf_resource_type).update_from_cloudformation_json(
        current.model, desired.generated_name, _json(desired), ACCOUNT, REGION
    )


def delete_each(
    stack: Stack, resources: list[Resource], template: dict[str, Any], *, undoing: bool = False
) -> list[Resource]:
    """Delete resources, newest first; return those that could not be deleted, and those that they depend on.

    Args:
        stack: The stack of the resources.
        resources: The resources, in the order of their creation.
        template: The template, which says what depends on what.
        undoing: Whether the operation that created them is being rolled back.
    """
    needs, needed, remaining = templates.needs(template.get("Resources", {})), set[str](), list[Resource]()
    for resource in reversed(resources):
        name = resource.logical_resource_id
        if name in needed or not delete(stack, resource, "DeletionPolicy", undoing=undoing):
            needed |= needs.get(name, set())
            remaining.insert(0, resource)
    return remaining


def delete(stack: Stack, resource: Resource, policy: str, *, undoing: bool = False) -> bool:
    """Delete a resource unless its policy retains it; return whether it no longer belongs to the stack."""
    event = (stack, resource.logical_resource_id, resource.cf_resource_type, resource)
    chosen = resource.policies.get(policy, _default_policy(resource, policy))
    if chosen == "Retain" or (chosen == "RetainExceptOnCreate" and not undoing):
        add_event(*event, "DELETE_SKIPPED")
        return True
    add_event(*event, "DELETE_IN_PROGRESS")
    model = provider(resource.cf_resource_type)
    try:
        if chosen == SNAPSHOT:
            name = parsing.generate_resource_name(resource.cf_resource_type, f"{stack.name}-snapshot", event[1])
            resource.model.delete(ACCOUNT, REGION, snapshot=name.lower())
        elif hasattr(resource.model, "delete"):
            resource.model.delete(ACCOUNT, REGION)
        elif not hasattr(model.delete_from_cloudformation_json, "__isabstractmethod__"):
            model.delete_from_cloudformation_json(resource.physical_resource_id, _json(resource), ACCOUNT, REGION)
    except Exception as error:  # what cannot be deleted is reported, as CloudFormation does
        log.info("deletion of %s failed", resource.logical_resource_id, exc_info=True)
        add_event(*event, "DELETE_FAILED", str(error))
        return False
    add_event(*event, "DELETE_COMPLETE")
    return True


def _default_policy(resource: Resource, policy: str) -> str:
    """Return the policy that holds where the template has none."""
    is_kept = policy == "DeletionPolicy" and resource.cf_resource_type == SNAPSHOT_BY_DEFAULT
    return SNAPSHOT if is_kept and "DBClusterIdentifier" not in resource.declared else "Delete"


def delete_all(cloud: Cloud, stack: Stack) -> None:
    """Delete a stack's resources, newest first; those whose deletion fails stay in the stack."""
    backend: CloudFormationBackend = cloudformation_backends[ACCOUNT][REGION]
    state = live(cloud, stack)
    _check_exports(cloud, backend, stack, [])
    set_status(stack, "DELETE_IN_PROGRESS", "User Initiated")
    remaining = delete_each(stack, [*state.resources.values()], stack.template_dict)
    state.resources = {resource.logical_resource_id: resource for resource in remaining}
    if remaining:
        names = ", ".join(state.resources)
        set_status(stack, "DELETE_FAILED", f"The following resource(s) failed to delete: [{names}]. ")
        return
    for export in state.exports:
        backend.exports.pop(export.name, None)
    set_status(stack, "DELETE_COMPLETE")


def set_status(stack: Stack, status: str, reason: str | None = None) -> None:
    """Set the stack's status, and say so in its events."""
    stack.status = status
    setattr(stack, "stack_status_reason", reason)  # noqa: B010 - moto answers with it, and has no such attribute
    stack._add_stack_event(status, reason)  # noqa: SLF001


def add_event(  # noqa: PLR0917 - what an event says
    stack: Stack, name: str, kind: str, resource: Resource | None, status: str, reason: str | None = None
) -> None:
    """Record what happens to one resource."""
    identifier = resource.physical_resource_id if resource and resource.model else ""
    stack.events.append(Event(stack.stack_id, stack.name, name, identifier, kind, status, reason, "{}"))


def _check_exports(cloud: Cloud, backend: CloudFormationBackend, stack: Stack, exports: list[Export]) -> None:
    """Refuse exports that another stack already has, and changes of exports that another stack imports."""
    for export in exports:
        existing = backend.exports.get(export.name)
        if existing and existing.exporting_stack_id != stack.stack_id:
            raise ValidationError(message=f"Export {export.name} is already exported by another stack")
    values = {export.name: export.value for export in exports}
    for old in live(cloud, stack).exports:
        users = [importer.name for importer in backend.stacks.values() if old.name in live(cloud, importer).imports]
        if users and values.get(old.name) != old.value:
            message = f"Export {old.name} cannot be changed or deleted as it is in use by {', '.join(users)}"
            raise ValidationError(message=message)


def _imports(node: Any, resources: ResourceMap) -> set[str]:
    if isinstance(node, list):
        return {name for item in node for name in _imports(item, resources)}
    if not isinstance(node, dict):
        return set()
    if "Fn::ImportValue" in node:
        return {str(parsing.clean_json(node["Fn::ImportValue"], resources))}
    return {name for item in node.values() for name in _imports(item, resources)}


def name_property(kind: str) -> str:
    """Return the property that holds the name of a resource of a type; empty if no property does.

    moto gap: it asks the first model that it finds for the type, which is its own and may not know.
    """
    return str(provider(kind).cloudformation_name_type())


def _is_explicit(kind: str, properties: dict[str, Any]) -> bool:
    return name_property(kind) in properties


def _json(resource: Resource) -> dict[str, Any]:
    properties = _without_nothing(resource.declared)  # a copy: moto's models change what they get
    row, tags = getattr(provider(resource.cf_resource_type), "row", None), stack_tags.member(resource.cf_resource_type)
    if tags and row and row.takes(tags):  # there are types of which moto keeps no tags
        properties = stack_tags.tagged(resource.cf_resource_type, properties, resource.tags)
    return {"Type": resource.cf_resource_type, "Properties": properties}


def _without_nothing(node: Any) -> Any:
    """Return a copy without ``AWS::NoValue``, which moto leaves in lists as None."""
    if isinstance(node, dict):
        return {key: _without_nothing(value) for key, value in node.items() if value is not None}
    if isinstance(node, list):
        return [_without_nothing(item) for item in node if item is not None]
    return node
