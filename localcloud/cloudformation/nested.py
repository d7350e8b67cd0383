"""Nested stacks: a stack that is a resource of another.

moto gap: ``Ref`` gives the name, outputs cannot be read, an update deletes the stack and creates another, and a stack
that could not be created counts as created.
"""

from __future__ import annotations

import json
from typing import Any

from moto.cloudformation.models import CloudFormationBackend, Stack, cloudformation_backends
from moto.core.common_models import CloudFormationModel

from localcloud.cloud.account import ACCOUNT, REGION
from localcloud.cloud.context import Cloud
from localcloud.cloudformation import macros, templates, transforms
from localcloud.cloudformation.deployment import live
from localcloud.cloudformation.engine import is_unchanged


class NestedStack:
    """What a parent's deployment knows of its child: the stack, and what it was deployed from."""

    cloud: Cloud
    always_updated = True  # what the URL of the template gives may have changed

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.template, self.parameters, self.tags = str(stack.template), stack.parameters, stack.tags

    @property
    def physical_resource_id(self) -> str:
        """The child's ARN."""
        return self.stack.stack_id

    @classmethod
    def cloudformation_type(cls) -> str:
        """Return the type's name."""
        return "AWS::CloudFormation::Stack"

    @classmethod
    def cloudformation_name_type(cls) -> str:
        """No property names a nested stack."""
        return ""

    @classmethod
    def create_from_cloudformation_json(
        cls, name: str, body: dict[str, Any], _account: str, _region: str, **context: Any
    ) -> NestedStack:
        """Create the child.

        Raises:
            ValueError: The creation was rolled back; the child is deleted.
        """
        backend, options = _backend(), _stack_options(cls.cloud, body["Properties"])
        parent = backend.get_stack(context["StackId"])
        arns = body["Properties"].get("NotificationARNs")
        stack = backend.create_stack(name=name, notification_arns=arns, **options)
        root = getattr(parent, "root_id", parent.stack_id)
        vars(stack).update(parent_id=parent.stack_id, root_id=root)  # moto answers with them
        if stack.status != "CREATE_COMPLETE":
            reason = _reason(stack)
            backend.delete_stack(stack.stack_id)
            raise ValueError(f"Embedded stack {stack.stack_id} was not successfully created: {reason}")
        return cls(stack)

    @classmethod
    def update_from_cloudformation_json(
        cls, original: NestedStack, _name: str, body: dict[str, Any], _account: str, _region: str
    ) -> NestedStack:
        """Update the child, if anything about it changed."""
        _update(original.stack, **_stack_options(cls.cloud, body["Properties"]))
        return cls(original.stack)

    def restore(self) -> None:
        """Bring the child back to what it was."""
        _update(self.stack, self.template, self.parameters, self.tags)

    def delete(self, _account: str = "", _region: str = "") -> None:
        """Delete the child.

        Raises:
            ValueError: Something in it cannot be deleted.
        """
        _backend().delete_stack(self.stack.stack_id)
        if self.stack.status != "DELETE_COMPLETE":
            reason = _reason(self.stack)
            raise ValueError(f"Embedded stack {self.stack.stack_id} was not successfully deleted: {reason}")

    def get_cfn_attribute(self, name: str) -> str:
        """Return the child's output that ``Outputs.Name`` names.

        Raises:
            ValueError: It has no such output.
        """
        for output in live(self.cloud, self.stack).outputs:
            if name == f"Outputs.{output.key}":
                return str(output.value)
        raise ValueError(f"{self.stack.name} has no {name}")


def install(cloud: Cloud) -> None:
    """Make the model where moto looks for its own, in place of moto's."""
    namespace = {"__module__": __name__, "cloud": cloud}  # or moto's metaclass makes the model one of moto's module
    cloud.keep(type("NestedCloudFormationStack", (NestedStack, CloudFormationModel), namespace))


def _update(stack: Stack, template: str, parameters: dict[str, Any], tags: dict[str, str]) -> None:
    """Update a child, if anything changed.

    Raises:
        ValueError: It was rolled back.
    """
    if not is_unchanged(stack, templates.parse(template), parameters, tags):
        stack.update(template, parameters=parameters, tags=tags)
        if stack.status != "UPDATE_COMPLETE":
            raise ValueError(f"Embedded stack {stack.stack_id} was not successfully updated: {_reason(stack)}")


def _stack_options(cloud: Cloud, properties: dict[str, Any]) -> dict[str, Any]:
    values = {key: templates.text(value) for key, value in properties.get("Parameters", {}).items()}
    tags = {tag["Key"]: tag["Value"] for tag in properties.get("Tags", [])}
    text = templates.read(cloud, properties["TemplateURL"])
    template = templates.load(text)
    if macros.names(template):
        text = json.dumps(macros.process(cloud, template, transforms.typed(template, values)))
    return {"template": text, "parameters": values, "tags": tags}


def _reason(stack: Stack) -> str:
    return getattr(stack, "stack_status_reason", None) or stack.status


def _backend() -> CloudFormationBackend:
    backend: CloudFormationBackend = cloudformation_backends[ACCOUNT][REGION]
    return backend
