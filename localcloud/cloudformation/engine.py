"""Where moto's CloudFormation API meets our deployments; a stack has one operation at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from moto.cloudformation.exceptions import (
    AlreadyExistsException,
    CloudFormationError,
    StackInstanceNotFound,
    ValidationError,
)
from moto.cloudformation.models import ChangeSet, CloudFormationBackend, Stack
from moto.cloudformation.parsing import ResourceMap
from moto.cloudformation.responses import CloudFormationResponse
from moto.cloudformation.utils import generate_changeset_id, generate_stack_id, validate_create_change_set
from moto.core.responses import ActionResult, EmptyResult
from moto.core.utils import utcnow
from moto.ssm.models import ssm_backends

from localcloud.cloud.account import ACCOUNT, REGION
from localcloud.cloud.context import Cloud
from localcloud.cloudformation import changes, descriptions, rules, templates
from localcloud.cloudformation.deployment import Deployment, delete_all, live, set_status, validate
from localcloud.cloudformation.stack_resources import ChangeSetNotFoundError, existing, find_change_set
from localcloud.hooks import replace, wrap

Original = Any
SSM_TYPE = "AWS::SSM::Parameter::Value<"

#: What can only be deleted.
DEAD = {"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "UPDATE_ROLLBACK_FAILED", "DELETE_FAILED"}


@dataclass
class Operations:
    """What is in progress.

    Attributes:
        changed: Notified when an operation ends; its lock guards the rest.
        busy: The ids of the stacks that have an operation in progress.
        names: The names of the stacks that are being created.
    """

    changed: threading.Condition = field(default_factory=threading.Condition)
    busy: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set)


@contextmanager
def operation(cloud: Cloud, stack: Stack, *, deleting: bool = False) -> Iterator[None]:
    """Let nobody else change the stack meanwhile.

    Raises:
        ValidationError: Somebody else is changing it, or it can only be deleted.
    """
    operations = cloud.state(Operations)
    with operations.changed:
        busy = stack.stack_id in operations.busy
        if busy or (stack.status in DEAD and not deleting):
            # An operation that is just beginning or ending shows the status before or after it.
            shown = "UPDATE_IN_PROGRESS" if busy and not stack.status.endswith("_IN_PROGRESS") else stack.status
            raise ValidationError(message=f"Stack:{stack.stack_id} is in {shown} state and can not be updated.")
        operations.busy.add(stack.stack_id)
    try:
        yield
    finally:
        with operations.changed:
            operations.busy.remove(stack.stack_id)
            operations.changed.notify_all()


@replace(ResourceMap, "load_parameters")
def _load_parameters(self: ResourceMap) -> None:
    self.no_echo_parameter_keys = []
    if self._template:  # a stack whose first change set is under review has none
        self.resolved_parameters |= _parameters(self._template, self.input_parameters)
    self._parsed_resources.update(self.resolved_parameters)


def _parameters(template: dict[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a template's parameters: the given ones, or else the defaults; SSM's where the type says so.

    Raises:
        ValidationError: A value is missing or breaks a constraint, or the template has no such parameter.
    """
    resolved = {}
    for name, declared in (template.get("Parameters") or {}).items():
        value = templates.parameter(name, declared, values.get(name))
        if declared["Type"].startswith(SSM_TYPE):
            key = value[0] if isinstance(value, list) else value
            stored = ssm_backends[ACCOUNT][REGION].get_parameter(key)
            if stored is None:
                raise ValidationError(message=f"Parameter {name}: SSM has no parameter {key}")
            value = stored.value.split(",") if "List<" in declared["Type"] else stored.value
        resolved[name] = value
    if unknown := set(values) - set(resolved):
        raise ValidationError(message=f"Parameters: [{', '.join(sorted(unknown))}] do not exist in the template")
    rules.check(template.get("Rules") or {}, resolved)
    return resolved


@replace(ResourceMap, "validate_outputs")
def _validate_outputs(_self: ResourceMap) -> None:
    """Outputs fail when they are resolved, by name."""


@replace(ChangeSet, "_parse_template")
def _parse_change_set(self: ChangeSet) -> None:
    self.template_dict = templates.parse(self.template) if self.template else {"Resources": {}}


@replace(Stack, "_create_output_map")
def _create_output_map(_self: Stack) -> None:
    """Resources must not be created by whoever asks for the outputs, as moto's map does."""


@replace(Stack, "create_resources")
def _create_resources(cloud: Cloud, self: Stack) -> None:
    self.events.clear()  # moto has already said that the creation begins, and so does the deployment
    with operation(cloud, self):
        Deployment(cloud, self, self.template_dict, self.parameters).run()


@replace(Stack, "update")
def _update(  # noqa: PLR0917 - moto's parameters
    cloud: Cloud,
    self: Stack,
    template: str,
    role_arn: str | None = None,
    parameters: dict[str, Any] | None = None,
    tags: dict[str, str] | None = None,
) -> None:
    body = templates.parse(template)
    parameters = parameters or {}
    validate(body)
    if is_unchanged(self, body, parameters, tags):
        raise ValidationError(self.name, message="No updates are to be performed.")
    with operation(cloud, self):
        self.tags = self.tags if tags is None else tags
        descriptions.changed(cloud, self)
        _deploy(cloud, self, template, body, parameters)
        self.role_arn = role_arn


@replace(CloudFormationResponse, "_validate_different_update")
def _validate_different_update(*_args: Any) -> None:
    """Leave it to the stack: moto's check looks at neither tags nor default values."""


def is_unchanged(stack: Stack, body: dict[str, Any], parameters: dict[str, Any], tags: dict[str, str] | None) -> bool:
    """Return whether an update would change neither template, nor a parameter's value, nor tags."""
    values = _parameters(body, parameters)
    same = body == stack.template_dict and values == stack.resource_map.resolved_parameters
    return same and tags in (None, stack.tags)


def _deploy(cloud: Cloud, stack: Stack, template: str, body: dict[str, Any], parameters: dict[str, Any]) -> None:
    deployment = Deployment(cloud, stack, body, parameters)
    deployment.run()
    if not stack.status.startswith("UPDATE_ROLLBACK"):
        stack.template, stack.template_dict, stack.parameters = template, body, parameters
        stack.resource_map, stack.description = deployment.map, body.get("Description")


@replace(CloudFormationResponse, "_get_stack_from_s3_url")
def _get_stack_from_s3_url(cloud: Cloud, _self: CloudFormationResponse, template_url: str) -> str:
    return templates.read(cloud, template_url)


@wrap(CloudFormationBackend, "describe_stack_instance")
def _describe_stack_instance(
    original: Original, self: CloudFormationBackend, stack_set_name: str, account_id: str, region: str
) -> Any:
    stack_set = self.describe_stack_set(stack_set_name)
    if stack_set.instances.get_instance(account_id, region) is None:
        raise StackInstanceNotFound
    return original(self, stack_set_name, account_id, region)


@wrap(CloudFormationBackend, "create_stack")
def _create_stack(
    cloud: Cloud, original: Original, self: CloudFormationBackend, name: str, template: str, *args: Any, **kw: Any
) -> Any:
    validate(templates.parse(template))  # before moto registers the stack
    if existing(self, name):
        raise AlreadyExistsException(f"Stack [{name}] already exists")
    operations = cloud.state(Operations)
    with operations.changed:
        if name in operations.names:
            raise AlreadyExistsException(f"Stack [{name}] already exists")
        operations.names.add(name)
    try:
        return original(self, name, template, *args, **kw)
    finally:
        with operations.changed:
            operations.names.remove(name)


@replace(CloudFormationBackend, "_resolve_update_parameters")
def _update_parameters(
    _self: CloudFormationBackend, instance: Any, incoming_params: list[dict[str, Any]]
) -> dict[str, Any]:
    """Take the previous value where it is asked for: the one given then or, which moto does not find, the default."""
    declared = getattr(instance, "template_dict", {}).get("Parameters") or {}
    previous = {name: body["Default"] for name, body in declared.items() if "Default" in body} | instance.parameters
    values = {parameter["ParameterKey"]: parameter.get("ParameterValue") for parameter in incoming_params}
    values |= {
        parameter["ParameterKey"]: previous.get(parameter["ParameterKey"])
        for parameter in incoming_params
        if parameter.get("UsePreviousValue")
    }
    return {name: value for name, value in values.items() if value is not None}


@replace(CloudFormationBackend, "delete_stack")
def _delete_stack(cloud: Cloud, self: CloudFormationBackend, name_or_stack_id: str) -> None:
    for stack in [s for s in list(self.stacks.values()) if name_or_stack_id in (s.name, s.stack_id)]:
        if stack.status == "DELETE_IN_PROGRESS":
            continue
        descriptions.check_protection(stack)
        _wait_for_creation(cloud, stack)
        with operation(cloud, stack, deleting=True):
            delete_all(cloud, stack)
        if stack.status == "DELETE_COMPLETE":
            vars(stack)["deletion_time"] = utcnow()
            self.change_sets = {key: change for key, change in self.change_sets.items() if change.stack is not stack}
            self.deleted_stacks[stack.stack_id] = self.stacks.pop(stack.stack_id)


def _wait_for_creation(cloud: Cloud, stack: Stack) -> None:
    """CloudFormation ends a creation when its stack is deleted; here the deletion waits for it.

    Raises:
        ValidationError: The stack is being updated.
    """
    operations = cloud.state(Operations)
    with operations.changed:
        while stack.stack_id in operations.busy:
            if stack.status.startswith("UPDATE"):
                message = f"Stack [{stack.stack_id}] cannot be deleted while in status {stack.status}"
                raise ValidationError(message=message)
            operations.changed.wait()


# moto looks change sets up by name only, but the CDK gives the change sets of all stacks the same name.

NO_IMPORT = "The local cloud does not import existing resources into a stack: let the stack create its own"
NO_CHANGES = "The submitted information didn't contain changes. Submit different information to create a change set."


class InvalidChangeSetStatusError(CloudFormationError):
    """A change set that has no changes, or was executed before."""

    code = "InvalidChangeSetStatus"


@replace(CloudFormationResponse, "create_change_set")
def _create_change_set(cloud: Cloud, self: CloudFormationResponse) -> ActionResult:
    backend, request = self.cloudformation_backend, self._get_param
    name, kind = request("ChangeSetName"), request("ChangeSetType", "UPDATE")
    validate_create_change_set(name)
    self.validate_template_and_stack_body()
    if not request("StackName"):
        raise ValidationError(
            message="1 validation error detected: Value '' at 'stackName' failed to satisfy constraint: "
            "Member must have length greater than or equal to 1"
        )
    stack = _stack_to_change(backend, request("StackName"), name, kind)
    url = request("TemplateURL")
    template = request("TemplateBody") or (self._get_stack_from_s3_url(url) if url else str(stack.template))
    body = templates.parse(template)
    acknowledgements = descriptions.acknowledged(self, body)
    validate(body)
    parameters = backend._resolve_update_parameters(stack, request("Parameters", []))  # noqa: SLF001
    tags = {tag["Key"]: tag["Value"] for tag in request("Tags", [])} or None
    _parameters(body, parameters)
    change_set = _new_change_set(self, stack, template, parameters, stack.tags if tags is None else tags)
    cloud.state(descriptions.ChangeSetState, change_set).capabilities = acknowledgements
    described = changes.changes(cloud, stack, body, parameters)
    if request("ImportExistingResources") and changes.existing_buckets(described):
        raise ValidationError(message=NO_IMPORT)
    cloud.state(descriptions.ChangeSetState, change_set).changes = described
    if kind == "UPDATE" and is_unchanged(stack, body, parameters, tags):
        change_set.status, change_set.execution_status, change_set.status_reason = "FAILED", "UNAVAILABLE", NO_CHANGES
    else:
        change_set.status, change_set.execution_status = "CREATE_COMPLETE", "AVAILABLE"
    return _registered(backend, change_set)


def fail_change_set(self: CloudFormationResponse, reason: str) -> ActionResult:
    """Make a change set that cannot be executed, because there is no template that it could deploy.

    Args:
        self: The request for it.
        reason: Why, as its status says.

    Raises:
        ValidationError: The stack is there and should not be, or is not and should, or can only be deleted.
        AlreadyExistsException: The stack has a change set of this name.
    """
    backend, request = self.cloudformation_backend, self._get_param
    kind = request("ChangeSetType", "UPDATE")
    stack = _stack_to_change(backend, request("StackName"), request("ChangeSetName"), kind)
    change_set = _new_change_set(self, stack, "", {}, stack.tags)
    change_set.status, change_set.execution_status, change_set.status_reason = "FAILED", "UNAVAILABLE", reason
    return _registered(backend, change_set)


def _new_change_set(
    self: CloudFormationResponse, stack: Stack, template: str, parameters: dict[str, Any], tags: dict[str, str]
) -> ChangeSet:
    request = self._get_param
    return ChangeSet(
        change_set_type=request("ChangeSetType", "UPDATE"),
        change_set_id=generate_changeset_id(request("ChangeSetName"), REGION, ACCOUNT),
        change_set_name=request("ChangeSetName"),
        stack=stack,
        template=template,
        parameters=parameters,
        description=request("Description"),
        notification_arns=request("NotificationARNs", []),
        tags=tags,
        role_arn=request("RoleARN"),
    )


def _registered(backend: CloudFormationBackend, change_set: ChangeSet) -> ActionResult:
    stack = change_set.stack
    if stack.stack_id not in backend.stacks:
        backend.stacks[stack.stack_id] = stack
        set_status(stack, "REVIEW_IN_PROGRESS", "User Initiated")
    backend.change_sets[change_set.change_set_id] = change_set
    return ActionResult({"Id": change_set.change_set_id, "StackId": stack.stack_id})


def _stack_to_change(backend: CloudFormationBackend, stack_name: str, name: str, kind: str) -> Stack:
    """Return the stack that a new change set is for; one that a change set creates is under review until then.

    Raises:
        ValidationError: The stack is there and should not be, or is not and should, or can only be deleted.
        AlreadyExistsException: It has a change set of this name.
    """
    if kind == "IMPORT":
        raise ValidationError(message=NO_IMPORT)
    if kind not in ("CREATE", "UPDATE"):
        raise ValidationError(message=f"Change sets of the type {kind} are not supported by the local cloud")
    stack = existing(backend, stack_name)
    if kind == "CREATE" and stack is None and stack_name.startswith("arn:"):  # a stack does not come back
        message = f"Stack [{stack_name}] already exists and cannot be created again with the changeSet [{name}]."
        raise ValidationError(message=message)
    under_review = stack is not None and stack.status == "REVIEW_IN_PROGRESS"
    if stack and kind == "CREATE" and not under_review:
        message = f"Stack [{stack_name}] already exists and cannot be created again with the changeSet [{name}]."
        raise ValidationError(message=message)
    if kind == "UPDATE" and stack is None:
        raise ValidationError(message=f"Stack [{stack_name}] does not exist")
    if stack and ((kind == "UPDATE" and under_review) or stack.status in DEAD):
        raise ValidationError(message=f"Stack:{stack.stack_id} is in {stack.status} state and can not be updated.")
    for change_set in list(backend.change_sets.values()):
        if change_set.stack is stack and change_set.change_set_name == name:
            if change_set.execution_status == "AVAILABLE":
                raise AlreadyExistsException(f"ChangeSet {name} already exists")
            # The AWS CLI names a change set by the second, and deploys here twice in one.
            backend.change_sets.pop(change_set.change_set_id)
    return stack or _empty_stack(stack_name)


def _empty_stack(name: str) -> Stack:
    identifier = generate_stack_id(name, REGION, ACCOUNT)
    return Stack(identifier, name, {}, {}, account_id=ACCOUNT, region_name=REGION)  # type: ignore[abstract]


def roll_back(cloud: Cloud, self: CloudFormationResponse, stack: Stack | None, reason: str) -> Stack:
    """Roll a creation or an update back before it has begun, as CloudFormation does when a macro fails.

    Args:
        cloud: The stack's cloud.
        self: The request.
        stack: The stack to update; None for a new one.
        reason: Why, as the stack's events say.

    Returns:
        The stack.

    Raises:
        ValidationError: Somebody else is changing the stack, or it can only be deleted.
    """
    verb, undoing = ("UPDATE", "UPDATE_ROLLBACK") if stack else ("CREATE", "ROLLBACK")
    if stack is None:
        stack = _empty_stack(self._get_param("StackName"))
        self.cloudformation_backend.stacks[stack.stack_id] = stack
    with operation(cloud, stack):
        set_status(stack, f"{verb}_IN_PROGRESS", "User Initiated")
        set_status(stack, f"{undoing}_IN_PROGRESS", f"{reason}. Rollback requested by user.")
        set_status(stack, f"{undoing}_COMPLETE")
    return stack


@replace(CloudFormationResponse, "describe_change_set")
def _describe_change_set(cloud: Cloud, self: CloudFormationResponse) -> ActionResult:
    return descriptions.change_set(cloud, find_change_set(self), values=bool(self._get_param("IncludePropertyValues")))


@replace(CloudFormationResponse, "delete_change_set")
def _delete_change_set(self: CloudFormationResponse) -> EmptyResult:
    """Delete it; as AWS, succeed where the stack is there and the change set is not."""
    with suppress(ChangeSetNotFoundError):
        self.cloudformation_backend.change_sets.pop(find_change_set(self).change_set_id)
    return EmptyResult()


@replace(CloudFormationResponse, "execute_change_set")
def _execute_change_set(cloud: Cloud, self: CloudFormationResponse) -> EmptyResult:
    chosen = find_change_set(self)
    with operation(cloud, chosen.stack):
        if chosen.execution_status != "AVAILABLE":
            message = f"ChangeSet [{chosen.change_set_id}] cannot be executed in its current status of "
            status = chosen.status if chosen.status == "FAILED" else chosen.execution_status
            raise InvalidChangeSetStatusError(f"{message}[{status}]")
        chosen.stack.tags = chosen.tags or {}
        descriptions.changed(cloud, chosen.stack, chosen)
        _deploy(cloud, chosen.stack, chosen.template, chosen.template_dict, chosen.parameters)
        failed = "ROLLBACK" in chosen.stack.status
        chosen.execution_status = "EXECUTE_FAILED" if failed else "EXECUTE_COMPLETE"
        sets = self.cloudformation_backend.change_sets  # the stack's other change sets are now outdated
        for stale in [
            change_set for change_set in sets.values() if change_set.stack is chosen.stack and change_set is not chosen
        ]:
            sets.pop(stale.change_set_id)
    return EmptyResult()


# They must never create anything: the CDK describes stacks while they are being deployed.


@replace(Stack, "outputs")
def _outputs(cloud: Cloud, self: Stack) -> list[dict[str, Any]] | None:
    outputs = [
        {
            "OutputKey": output.key,
            "OutputValue": output.value,
            "Description": output.description,
            "ExportName": vars(output).get("export_name"),
        }
        for output in live(cloud, self).outputs
    ]
    return outputs or None


@replace(Stack, "exports")
def _exports(cloud: Cloud, self: Stack) -> list[Any]:
    return live(cloud, self).exports


@replace(Stack, "stack_resources")
def _stack_resources(cloud: Cloud, self: Stack) -> list[Any]:
    return list(live(cloud, self).resources.values())


@replace(Stack, "parameter_list")
def _parameter_list(self: Stack) -> list[dict[str, Any]] | None:
    declared = self.template_dict.get("Parameters") or {}
    parameters = [
        _parameter(declared.get(key, {}), key, templates.text(value), self.parameters.get(key))
        for key, value in self.resource_map.resolved_parameters.items()
    ]
    return parameters or None


def _parameter(declared: dict[str, Any], key: str, value: str, argument: Any) -> dict[str, Any]:
    """Return a parameter as DescribeStacks shows it: masked if secret, with name and value if it is from SSM."""
    if declared.get("NoEcho") in (True, "true"):
        return {"ParameterKey": key, "ParameterValue": "****"}
    if str(declared.get("Type")).startswith(SSM_TYPE):
        name = templates.text(declared.get("Default", "") if argument is None else argument)
        return {"ParameterKey": key, "ParameterValue": name, "ResolvedValue": value}
    return {"ParameterKey": key, "ParameterValue": value}


@replace(Stack, "parse_template")
def _parse_template(template: str) -> dict[str, Any]:
    return templates.parse(template)
