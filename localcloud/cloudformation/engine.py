"""Where moto's CloudFormation API meets our deployments; a stack has one operation at a time."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from moto.cloudformation.exceptions import AlreadyExistsException, CloudFormationError, ValidationError
from moto.cloudformation.models import ChangeSet, CloudFormationBackend, Stack
from moto.cloudformation.parsing import ResourceMap
from moto.cloudformation.responses import CloudFormationResponse
from moto.core.responses import ActionResult, EmptyResult
from moto.ssm.models import ssm_backends

from localcloud.cloud.account import ACCOUNT, REGION
from localcloud.cloudformation import templates
from localcloud.cloudformation.deployment import Deployment, delete_all, live, validate
from localcloud.hooks import instead

Original = Any
SSM_TYPE = "AWS::SSM::Parameter::Value<"

#: What can only be deleted.
DEAD = {"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "UPDATE_ROLLBACK_FAILED", "DELETE_FAILED"}

_operations = threading.Condition()
_busy: set[str] = set()  # ids of the stacks that have an operation in progress
_names: set[str] = set()  # of stacks that are being created


@contextmanager
def _operation(stack: Stack, *, deleting: bool = False) -> Iterator[None]:
    """Let nobody else change the stack meanwhile.

    Raises:
        ValidationError: Somebody else is changing it, or it can only be deleted.
    """
    with _operations:
        if stack.stack_id in _busy or (stack.status in DEAD and not deleting):
            raise ValidationError(message=f"Stack:{stack.stack_id} is in {stack.status} state and can not be updated.")
        _busy.add(stack.stack_id)
    try:
        yield
    finally:
        with _operations:
            _busy.remove(stack.stack_id)
            _operations.notify_all()


@instead(ResourceMap, "load_parameters")
def _load_parameters(_: Original, self: ResourceMap) -> None:
    self.no_echo_parameter_keys = []
    if self._template:  # a stack whose first change set is under review has none
        self.resolved_parameters |= _parameters(self._template, self.input_parameters)
    self._parsed_resources.update(self.resolved_parameters)


def _parameters(template: dict[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a template's parameters: the given ones, or else the defaults; SSM's where the type says so.

    Raises:
        ValidationError: A value is missing or breaks a constraint, or the template has no such parameter.
    """
    resolved = {}
    for name, declared in (template.get("Parameters") or {}).items():
        value = templates.parameter(name, declared, values.get(name))
        if declared["Type"].startswith(SSM_TYPE):
            key = value[0] if isinstance(value, list) else value
            found = ssm_backends[ACCOUNT][REGION].get_parameter(key)
            if found is None:
                raise ValidationError(message=f"Parameter {name}: SSM has no parameter {key}")
            value = found.value.split(",") if "List<" in declared["Type"] else found.value
        resolved[name] = value
    if unknown := set(values) - set(resolved):
        raise ValidationError(message=f"Parameters: [{', '.join(sorted(unknown))}] do not exist in the template")
    return resolved


@instead(ResourceMap, "validate_outputs")
def _validate_outputs(_: Original, _self: ResourceMap) -> None:
    """Outputs fail when they are resolved, by name."""


@instead(ChangeSet, "_parse_template")
def _parse_change_set(_: Original, self: ChangeSet) -> None:
    self.template_dict = templates.parse(self.template)


@instead(Stack, "_create_output_map")
def _create_output_map(_: Original, _self: Stack) -> None:
    """Resources must not be created by whoever asks for the outputs, as moto's map does."""


@instead(Stack, "create_resources")
def _create_resources(_: Original, self: Stack) -> None:
    with _operation(self):
        Deployment(self, self.template_dict, self.parameters).run()


@instead(Stack, "update")
def _update(
    _: Original,
    self: Stack,
    template: str,
    role_arn: str | None = None,
    parameters: dict[str, Any] | None = None,
    tags: dict[str, str] | None = None,
) -> None:
    body = templates.parse(template)
    parameters = parameters or {}
    if body == self.template_dict and parameters == self.parameters and tags in (None, self.tags):
        raise ValidationError(self.name, message="No updates are to be performed.")
    with _operation(self):
        self.tags = self.tags if tags is None else tags
        self._add_stack_event("UPDATE_IN_PROGRESS", resource_status_reason="User Initiated")
        _deploy(self, template, body, parameters)
        self.role_arn = role_arn


def _deploy(stack: Stack, template: str, body: dict[str, Any], parameters: dict[str, Any]) -> None:
    deployment = Deployment(stack, body, parameters)
    deployment.run()
    if not stack.status.startswith("UPDATE_ROLLBACK"):
        stack.template, stack.template_dict, stack.parameters = template, body, parameters
        stack.resource_map, stack.description = deployment.map, body.get("Description")


@instead(CloudFormationBackend, "create_stack")
def _create_stack(
    original: Original, self: CloudFormationBackend, name: str, template: str, *args: Any, **kw: Any
) -> Any:
    validate(templates.parse(template))  # before moto registers the stack
    with _operations:
        if name in _names:
            raise AlreadyExistsException(f"Stack [{name}] already exists")
        _names.add(name)
    try:
        return original(self, name, template, *args, **kw)
    finally:
        with _operations:
            _names.remove(name)


@instead(CloudFormationBackend, "create_change_set")
def _create_change_set(original: Original, self: CloudFormationBackend, **change: Any) -> Any:
    body = templates.parse(change["template"])
    validate(body)
    _parameters(body, change["parameters"])
    return original(self, **change)


@instead(CloudFormationBackend, "_resolve_update_parameters")
def _update_parameters(original: Original, self: CloudFormationBackend, instance: Stack, incoming_params: Any) -> Any:
    """The previous value of a parameter that nobody gave is its default, which moto does not find."""
    given = [one for one in incoming_params if "ParameterValue" in one or one["ParameterKey"] in instance.parameters]
    return original(self, instance, given)


@instead(CloudFormationBackend, "delete_stack")
def _delete_stack(_: Original, self: CloudFormationBackend, name_or_stack_id: str) -> None:
    for stack in [s for s in list(self.stacks.values()) if name_or_stack_id in (s.name, s.stack_id)]:
        if stack.status == "DELETE_IN_PROGRESS":
            continue
        _wait_for_creation(stack)
        with _operation(stack, deleting=True):
            delete_all(stack)
        if stack.status == "DELETE_COMPLETE":
            self.change_sets = {key: found for key, found in self.change_sets.items() if found.stack is not stack}
            self.deleted_stacks[stack.stack_id] = self.stacks.pop(stack.stack_id)


def _wait_for_creation(stack: Stack) -> None:
    """CloudFormation ends a creation when its stack is deleted; here the deletion waits for it.

    Raises:
        ValidationError: The stack is being updated.
    """
    with _operations:
        while stack.stack_id in _busy:
            if stack.status.startswith("UPDATE"):
                message = f"Stack [{stack.stack_id}] cannot be deleted while in status {stack.status}"
                raise ValidationError(message=message)
            _operations.wait()


# Change sets: moto looks for the name alone, but the CDK gives the change sets of all stacks one name.


class ChangeSetNotFoundError(CloudFormationError):
    """What the CDK expects when it cleans up before it starts."""

    code = "ChangeSetNotFound"


def _change_set(self: CloudFormationResponse) -> ChangeSet:
    name, stack = self._get_param("ChangeSetName"), self._get_param("StackName")
    for found in reversed(self.cloudformation_backend.change_sets.values()):
        of_stack = stack in (None, found.stack_name, found.stack_id)
        if name == found.change_set_id or (name == found.change_set_name and of_stack):
            return found
    raise ChangeSetNotFoundError(f"ChangeSet [{name}] does not exist")


@instead(CloudFormationResponse, "describe_change_set")
def _describe_change_set(_: Original, self: CloudFormationResponse) -> ActionResult:
    return ActionResult(_change_set(self))


@instead(CloudFormationResponse, "delete_change_set")
def _delete_change_set(_: Original, self: CloudFormationResponse) -> EmptyResult:
    self.cloudformation_backend.change_sets.pop(_change_set(self).change_set_id)
    return EmptyResult()


@instead(CloudFormationResponse, "execute_change_set")
def _execute_change_set(_: Original, self: CloudFormationResponse) -> EmptyResult:
    chosen = _change_set(self)
    with _operation(chosen.stack):
        chosen.stack.tags = chosen.tags or {}
        _deploy(chosen.stack, chosen.template, chosen.template_dict, chosen.parameters)
    chosen.execution_status = "EXECUTE_COMPLETE"
    return EmptyResult()


def _outputs(self: Stack) -> list[dict[str, Any]]:
    names = {export.value: export.name for export in live(self).exports}
    return [
        {"OutputKey": o.key, "OutputValue": o.value, "Description": o.description, "ExportName": names.get(o.value)}
        for o in live(self).outputs
    ]


def _parameter_list(self: Stack) -> list[dict[str, Any]]:
    values = self.resource_map.resolved_parameters
    return [
        {"ParameterKey": key, "ParameterValue": ",".join(value) if isinstance(value, list) else value}
        for key, value in values.items()
    ]


# They must never create anything: the CDK describes stacks while they are being deployed.
for name, getter in {
    "outputs": _outputs,
    "exports": lambda self: live(self).exports,
    "stack_resources": lambda self: list(live(self).resources.values()),
    "parameter_list": _parameter_list,
}.items():
    setattr(Stack, name, property(getter))
setattr(Stack, "parse_template", staticmethod(templates.parse))  # noqa: B010 (mypy takes no such assignment)
