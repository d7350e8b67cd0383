"""Templates with macros: what is deployed is what the macros leave, and what is shown first is what was written.

moto gap: it knows one template of a stack.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from moto.cloudformation.exceptions import AlreadyExistsException
from moto.cloudformation.models import ChangeSet, Stack
from moto.cloudformation.responses import CloudFormationResponse
from moto.core.responses import ActionResult

from localcloud.cloud.context import Cloud
from localcloud.cloudformation import descriptions, engine, language_extensions, macros, templates
from localcloud.cloudformation.stack_resources import existing, find_change_set
from localcloud.hooks import wrap


@dataclass
class Written:
    """The template of a stack or change set as its author wrote it; empty if it is the one that is deployed."""

    text: str = ""


@wrap(CloudFormationResponse, "create_stack", "update_stack", "create_change_set")
def _expanded(cloud: Cloud, original: Any, self: CloudFormationResponse) -> Any:
    """Deploy a template as its macros leave it."""
    stack = existing(self.cloudformation_backend, self._get_param("StackName") or "")
    text = _text(cloud, self, stack)
    template = templates.load(text) if text else {}
    is_direct = self._get_action() != "CreateChangeSet"
    if not macros.names(template):
        answer = original(self)
        if is_direct and stack:
            cloud.state(Written, stack).text = ""
        return answer
    if is_direct and descriptions.AUTO_EXPAND not in (self._get_param("Capabilities") or []):
        raise descriptions.InsufficientCapabilitiesError(f"Requires capabilities : [{descriptions.AUTO_EXPAND}]")
    try:
        body = macros.process(cloud, template, _values(self, template, stack))
    except macros.TransformError as error:
        return _failed(cloud, self, stack, text, str(error.message))
    self.params["TemplateBody"] = json.dumps(body)
    for name in ("TemplateURL", "UsePreviousTemplate"):
        self.params.pop(name, None)
    answer = original(self)
    made: Stack | ChangeSet = (
        self.cloudformation_backend.get_stack(self._get_param("StackName"))
        if is_direct
        else self.cloudformation_backend.change_sets[answer.result["Id"]]
    )
    cloud.state(Written, made).text = text
    return answer


def _failed(cloud: Cloud, self: CloudFormationResponse, stack: Stack | None, text: str, reason: str) -> Any:
    """Answer a request whose template a macro has not transformed: what it asks for is made, and has failed."""
    made: Stack | ChangeSet
    if self._get_action() == "CreateChangeSet":
        answer: Any = engine.fail_change_set(self, reason)
        made = self.cloudformation_backend.change_sets[answer.result["Id"]]
    else:
        if stack and self._get_action() == "CreateStack":
            raise AlreadyExistsException(f"Stack [{stack.name}] already exists")
        made = engine.roll_back(cloud, self, stack, reason)
        answer = ActionResult({"StackId": made.stack_id})
        if stack:
            return answer
    cloud.state(Written, made).text = text
    return answer


@wrap(CloudFormationResponse, "execute_change_set")
def _executed(cloud: Cloud, original: Any, self: CloudFormationResponse) -> Any:
    change_set = find_change_set(self)
    answer = original(self)
    if change_set.execution_status == "EXECUTE_COMPLETE":
        cloud.state(Written, change_set.stack).text = cloud.state(Written, change_set).text
    return answer


@wrap(CloudFormationResponse, "get_template")
def _get_template(cloud: Cloud, original: Any, self: CloudFormationResponse) -> Any:
    """Give a template as it was written, unless it is asked for as it is deployed."""
    answer = original(self)
    backend, name = self.cloudformation_backend, self._get_param("StackName")
    source = find_change_set(self) if self._get_param("ChangeSetName") else backend.get_stack(name)
    written = cloud.state(Written, source).text
    if written and self._get_param("TemplateStage") != "Processed":
        answer.result["TemplateBody"] = written
    return answer


@wrap(CloudFormationResponse, "validate_template", "get_template_summary")
def _described(cloud: Cloud, original: Any, self: CloudFormationResponse) -> Any:
    """Say what a template with macros declares, without calling them."""
    body, url = self._get_param("TemplateBody"), self._get_param("TemplateURL")
    template = templates.load(body or templates.read(cloud, url)) if body or url else {}
    if not macros.names(template):
        return original(self)
    declared, plain = templates.transforms(template), macros.without(template)
    if templates.LANGUAGE_EXTENSIONS in declared:
        plain = language_extensions.processed(plain, _examples(template) | _values(self, template, None))
    plain.pop("Transform", None)
    self.params["TemplateBody"] = json.dumps(plain)
    self.params.pop("TemplateURL", None)
    answer = original(self)
    answer.result["DeclaredTransforms"] = declared or None
    return answer


def _examples(template: dict[str, Any]) -> dict[str, Any]:
    """Return a list of one item for each parameter that is a list: enough to see what a loop makes."""
    declared = template.get("Parameters") or {}
    return {name: [name] for name, body in declared.items() if "List" in str(body.get("Type"))}


def _text(cloud: Cloud, self: CloudFormationResponse, stack: Stack | None) -> str:
    """Return the template of a request as it was written: its own, or the one that the stack has; empty without one."""
    body, url = self._get_param("TemplateBody"), self._get_param("TemplateURL")
    if body or url:
        return str(body or templates.read(cloud, url))
    return cloud.state(Written, stack).text if stack and self._get_param("UsePreviousTemplate") else ""


def _values(self: CloudFormationResponse, template: dict[str, Any], stack: Stack | None) -> dict[str, Any]:
    """Return the values of a template's parameters, with those that it had and its defaults."""
    values: dict[str, Any] = {}
    for parameter in self._get_param("Parameters") or []:
        name = parameter["ParameterKey"]
        if not parameter.get("UsePreviousValue"):
            values[name] = parameter.get("ParameterValue")
        elif stack and name in stack.parameters:
            values[name] = stack.parameters[name]
    return typed(template, values)


def typed(template: dict[str, Any], parameter_values: dict[str, Any]) -> dict[str, Any]:
    """Return the values of a template's parameters as macros get them: with its defaults, and lists as lists."""
    declared = template.get("Parameters") or {}
    values = {name: body["Default"] for name, body in declared.items() if "Default" in body} | parameter_values
    kinds = {name: str(body.get("Type", "String")) for name, body in declared.items()}
    return {
        name: templates.text(value).split(",") if "List" in kinds.get(name, "") else templates.text(value)
        for name, value in values.items()
    }
