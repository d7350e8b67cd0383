"""What CloudFormation says about stacks, change sets and templates.

moto gaps: stacks do not say which change set made them, when they were updated and what they may do; change sets say
neither what they modify nor what they replace; GetTemplateSummary and ValidateTemplate know no capabilities.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from moto.cloudformation.exceptions import CloudFormationError, ValidationError
from moto.cloudformation.models import ChangeSet, CloudFormationBackend, Stack
from moto.cloudformation.responses import CloudFormationResponse
from moto.core.responses import ActionResult
from moto.core.utils import utcnow

from localcloud.cloud.context import Cloud
from localcloud.cloudformation import changes, templates
from localcloud.hooks import add, after, replace, wrap

IAM, NAMED_IAM, AUTO_EXPAND = "CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"
NO_STACK_POLICIES = "stack policies are not supported by the local cloud"
#: The types that need a capability, with the property that names them, if they have names.
IDENTITIES = {
    "AWS::IAM::AccessKey": "",
    "AWS::IAM::Group": "GroupName",
    "AWS::IAM::GroupPolicy": "",
    "AWS::IAM::InstanceProfile": "",
    "AWS::IAM::ManagedPolicy": "ManagedPolicyName",
    "AWS::IAM::Policy": "",
    "AWS::IAM::Role": "RoleName",
    "AWS::IAM::RolePolicy": "",
    "AWS::IAM::User": "UserName",
    "AWS::IAM::UserPolicy": "",
    "AWS::IAM::UserToGroupAddition": "",
}


class InsufficientCapabilitiesError(CloudFormationError):
    """A template needs a capability that the request does not acknowledge."""

    code = "InsufficientCapabilitiesException"


@dataclass
class ChangeSetState:
    """What moto does not know of a change set.

    Attributes:
        capabilities: What the request acknowledges.
        changes: What executing it would do.
    """

    capabilities: list[str] = field(default_factory=list)
    changes: list[changes.Change] = field(default_factory=list)


@after(Stack, "__init__")
def _created(_: None, stack: Stack, *_args: Any, **_kwargs: Any) -> None:
    vars(stack).update(  # moto answers with them
        capabilities=None,
        change_set_id=None,
        deletion_time=None,
        drift_information={"StackDriftStatus": "NOT_CHECKED"},
        last_updated_time=None,
        rollback_configuration={},
    )


def changed(cloud: Cloud, stack: Stack, change_set: ChangeSet | None = None) -> None:
    """Record that a stack is being changed, and by which change set."""
    vars(stack)["last_updated_time"] = utcnow()
    if change_set:
        acknowledgements = cloud.state(ChangeSetState, change_set).capabilities
        vars(stack).update(change_set_id=change_set.change_set_id, capabilities=acknowledgements or None)


def capabilities(template: dict[str, Any]) -> list[str]:
    """Return the capability that a template needs, or none."""
    bodies = [body for body in template.get("Resources", {}).values() if body.get("Type") in IDENTITIES]
    named = [body for body in bodies if IDENTITIES[body["Type"]] in (body.get("Properties") or {})]
    return [NAMED_IAM] if named else [IAM] if bodies else []


def acknowledged(self: CloudFormationResponse, template: dict[str, Any]) -> list[str]:
    """Return the capabilities that a request acknowledges.

    Raises:
        InsufficientCapabilitiesError: The template needs a capability that the request does not acknowledge.
    """
    acknowledgements: list[str] = self._get_param("Capabilities") or []
    needed = capabilities(template)
    if (
        needed
        and NAMED_IAM not in acknowledgements
        and needed != [capability for capability in acknowledgements if capability == IAM]
    ):
        raise InsufficientCapabilitiesError(f"Requires capabilities : [{needed[0]}]")
    return acknowledgements


@wrap(CloudFormationResponse, "create_stack")
def _create_stack(cloud: Cloud, original: Any, self: CloudFormationResponse) -> ActionResult:
    _refuse_stack_policy(self)
    body, url = self._get_param("TemplateBody"), self._get_param("TemplateURL")
    acknowledgements = []
    if body or url:
        template = templates.parse(body or templates.read(cloud, url))
        acknowledgements = acknowledged(self, template)
    result: ActionResult = original(self)
    _described(self).__dict__["capabilities"] = acknowledgements or None
    return result


@wrap(CloudFormationResponse, "update_stack")
def _update_stack(cloud: Cloud, original: Any, self: CloudFormationResponse) -> ActionResult:
    _refuse_stack_policy(self)
    body, url = self._get_param("TemplateBody"), self._get_param("TemplateURL")
    stack = _described(self)
    template = templates.parse(body or (templates.read(cloud, url) if url else str(stack.template)))
    acknowledgements = acknowledged(self, template)
    result: ActionResult = original(self)
    stack.__dict__["capabilities"] = acknowledgements or None
    return result


def _refuse_stack_policy(self: CloudFormationResponse) -> None:
    for suffix in ("Body", "URL", "DuringUpdateBody", "DuringUpdateURL"):
        if self._get_param(f"StackPolicy{suffix}"):
            raise ValidationError(message=f"StackPolicy{suffix}: {NO_STACK_POLICIES}")


def _described(self: CloudFormationResponse) -> Stack:
    stack: Stack = self.cloudformation_backend.get_stack(self._get_param("StackName"))
    return stack


def change_set(cloud: Cloud, described: ChangeSet, *, values: bool) -> ActionResult:
    """Return a change set as DescribeChangeSet gives it.

    Args:
        cloud: The change set's cloud.
        described: The change set.
        values: Whether the values of properties are asked for.
    """
    state = cloud.state(ChangeSetState, described)
    shown_changes = [change.with_values if values else change.without_values for change in state.changes]
    declared = described.template_dict.get("Parameters") or {}
    parameters = [
        {"ParameterKey": key, "ParameterValue": "****" if _is_secret(declared.get(key, {})) else value}
        for key, value in described.parameters.items()
    ]
    tags = [{"Key": key, "Value": value} for key, value in (described.tags or {}).items()]
    return ActionResult(
        {
            "ChangeSetName": described.change_set_name,
            "ChangeSetId": described.change_set_id,
            "StackId": described.stack_id,
            "StackName": described.stack_name,
            "Description": described.description,
            "CreationTime": described.creation_time,
            "ExecutionStatus": described.execution_status,
            "Status": described.status,
            "StatusReason": described.status_reason,
            "NotificationARNs": described.notification_arns or [],
            "RollbackConfiguration": {},
            "Capabilities": state.capabilities,
            "IncludeNestedStacks": False,
            "Changes": [shown for shown in shown_changes if shown],
            "Parameters": parameters or None,
            "Tags": tags or None,
        }
    )


def install(_cloud: Cloud) -> None:
    """Let responses describe changes and parameters as `change_set` gives them, without moto's way to AWS's form."""
    for member in ("Changes", "Parameters"):
        CloudFormationResponse.RESPONSE_KEY_PATH_TO_TRANSFORMER.pop(f"DescribeChangeSetOutput.{member}")


@replace(CloudFormationResponse, "get_template_summary")
def _get_template_summary(cloud: Cloud, self: CloudFormationResponse) -> ActionResult:
    if name := self._get_param("StackName"):
        stack = self.cloudformation_backend.get_stack(name)
        if stack.status == "REVIEW_IN_PROGRESS":
            raise ValidationError(message="GetTemplateSummary cannot be called on REVIEW_IN_PROGRESS stacks.")
        text = str(stack.template)
    else:
        text = _given_template(cloud, self)
    template = templates.parse(text)
    needed = capabilities(template)
    identities = sorted({body["Type"] for body in template["Resources"].values() if body["Type"] in IDENTITIES})
    kinds = dict.fromkeys(body["Type"] for body in template["Resources"].values())
    return ActionResult(
        {
            "Parameters": [_parameter(name, declared) for name, declared in (template.get("Parameters") or {}).items()],
            "Description": template.get("Description"),
            "ResourceTypes": [*kinds],
            "Version": template.get("AWSTemplateFormatVersion"),
            "Metadata": _text(template.get("Metadata")),
            "DeclaredTransforms": templates.transforms(template) or None,
            **_reasons(needed, identities),
        }
    )


def _reasons(needed: list[str], identities: list[str]) -> dict[str, Any]:
    if not needed:
        return {}
    reason = f"The following resource(s) require capabilities: [{', '.join(identities)}]"
    return {"Capabilities": needed, "CapabilitiesReason": reason}


def _is_secret(declared: dict[str, Any]) -> bool:
    return declared.get("NoEcho") in (True, "true")


def _parameter(name: str, declared: dict[str, Any]) -> dict[str, Any]:
    allowed = declared.get("AllowedValues")
    described: dict[str, Any] = {
        "ParameterKey": name,
        "ParameterType": declared.get("Type", "String"),
        "NoEcho": _is_secret(declared),
        "ParameterConstraints": {"AllowedValues": [templates.text(value) for value in allowed]} if allowed else {},
    }
    if "Default" in declared:
        described["DefaultValue"] = templates.text(declared["Default"])
    if "Description" in declared:
        described["Description"] = declared["Description"]
    return described


@replace(CloudFormationResponse, "validate_template")
def _validate_template(cloud: Cloud, self: CloudFormationResponse) -> ActionResult:
    template = templates.parse(_given_template(cloud, self))
    needed = capabilities(template)
    identities = sorted({body["Type"] for body in template["Resources"].values() if body["Type"] in IDENTITIES})
    parameters = [
        {
            "ParameterKey": name,
            "NoEcho": _is_secret(declared),
            **({"DefaultValue": templates.text(declared["Default"])} if "Default" in declared else {}),
            **({"Description": declared["Description"]} if "Description" in declared else {}),
        }
        for name, declared in (template.get("Parameters") or {}).items()
    ]
    return ActionResult(
        {
            "Parameters": parameters,
            "Description": template.get("Description"),
            "DeclaredTransforms": templates.transforms(template) or None,
            **_reasons(needed, identities),
        }
    )


def _given_template(cloud: Cloud, self: CloudFormationResponse) -> str:
    body, url = self._get_param("TemplateBody"), self._get_param("TemplateURL")
    if not body and not url:
        raise ValidationError(message="Either Template URL or Template Body must be specified.")
    return str(body or templates.read(cloud, url))


def _text(metadata: Any) -> str | None:
    return None if metadata is None else str(metadata)


@add(CloudFormationResponse, "update_termination_protection")
def _update_termination_protection(self: CloudFormationResponse) -> ActionResult:
    """Answer UpdateTerminationProtection."""
    stack = _described(self)
    stack.enable_termination_protection = bool(self._get_param("EnableTerminationProtection"))
    return ActionResult({"StackId": stack.stack_id})


def check_protection(stack: Stack) -> None:
    """Refuse to delete a stack that is protected.

    Raises:
        ValidationError: Names the stack.
    """
    if stack.enable_termination_protection and "parent_id" not in stack.__dict__:
        message = f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled"
        raise ValidationError(message=message)


@replace(CloudFormationBackend, "set_stack_policy")
def _set_stack_policy(_self: CloudFormationBackend, stack_name: str, policy_body: str) -> None:  # noqa: ARG001
    raise ValidationError(message=f"Stack {stack_name}: {NO_STACK_POLICIES}")
