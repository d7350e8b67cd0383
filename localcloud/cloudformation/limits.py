"""What CloudFormation refuses of a template as a whole: what exceeds its limits, and names that mean nothing.

See https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html.

moto gap: it checks none of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from moto.cloudformation.exceptions import ValidationError
from moto.cloudformation.responses import CloudFormationResponse

from localcloud.cloudformation import templates
from localcloud.hooks import wrap

#: How many items each section of a template may have.
MOST = {"Resources": 500, "Parameters": 200, "Outputs": 200, "Mappings": 200}
#: How a message calls an item of a section whose items have logical names.
ITEMS = {"Parameters": "Parameter name ", "Resources": "Resource name ", "Outputs": "Outputs name "}
#: Bytes of a template in a request.
BODY = 51_200
LOGICAL_NAME = re.compile(r"[A-Za-z0-9]{1,255}")


def check(template: dict[str, Any]) -> None:
    """Refuse a template that has too much of something, or that refers to what it does not have.

    Raises:
        ValidationError: Names the section, and what is wrong there.
    """
    for section, limit in MOST.items():
        count = len(template.get(section) or {})
        if count > limit:
            message = f"Number of {section.lower()}, {count}, is greater than maximum allowed, {limit}"
            raise ValidationError(message=f"Template format error: {message}")
    for section, item in ITEMS.items():
        for name in template.get(section) or {}:
            if not LOGICAL_NAME.fullmatch(name):
                raise ValidationError(message=f"Template format error: {item}{name} is non alphanumeric.")
    _check_resources(template)
    _check_outputs(template)
    _check_conditions(template)
    templates.order(template["Resources"])


def _check_resources(template: dict[str, Any]) -> None:
    resources = template["Resources"]
    for body in resources.values():
        depends = body.get("DependsOn", [])
        explicit = {depends} if isinstance(depends, str) else {*depends}
        if missing := (explicit - resources.keys()) | _unknown(body.get("Properties", {}), template, "Resources"):
            raise ValidationError(message=_unresolved("resource ", missing, " in the Resources"))


def _check_outputs(template: dict[str, Any]) -> None:
    if missing := _unknown([*(template.get("Outputs") or {}).values()], template, "Resources"):
        raise ValidationError(message=_unresolved("resource ", missing, " in the Outputs"))


def _unknown(node: Any, template: dict[str, Any], section: str = "Parameters") -> set[str]:
    """Return the names that a node refers to and that neither the parameters nor the section defines."""
    defined = (template.get("Parameters") or {}).keys() | (template.get(section) or {}).keys()
    return {name for name in templates.references(node) if not name.startswith("AWS::")} - defined


def _unresolved(kind: str, names: set[str], section: str) -> str:
    listed = ", ".join(sorted(names))
    return f"Template format error: Unresolved {kind}dependencies [{listed}]{section} block of the template"


def _check_conditions(template: dict[str, Any]) -> None:
    conditions = template.get("Conditions") or {}
    if missing := _unknown([*conditions.values()], template):
        raise ValidationError(message=_unresolved("", missing, ". Cannot reference resources in the Conditions"))
    for section in ("Resources", "Outputs", "Conditions"):
        for name in _conditions(template.get(section) or {}, named=section != "Conditions"):
            if name not in conditions:
                message = f"Unresolved condition dependency {name} in the {section} block of the template"
                raise ValidationError(message=f"Template format error: {message}")


def _conditions(section: dict[str, Any], *, named: bool) -> Iterator[str]:
    """Yield the conditions that a section uses, in functions and as ``Condition`` of a resource or an output."""
    for body in section.values():
        if named and isinstance(body, dict) and isinstance(body.get("Condition"), str):
            yield body["Condition"]
        node = body.get("Properties", body.get("Value")) if named and isinstance(body, dict) else body
        yield from _conditions_in(node, anywhere=not named)


def _conditions_in(node: Any, *, anywhere: bool) -> Iterator[str]:
    if isinstance(node, list):
        for item in node:
            yield from _conditions_in(item, anywhere=anywhere)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key == "Fn::If" and isinstance(value, list) and value and isinstance(value[0], str):
                yield value[0]
            elif anywhere and key == "Condition" and len(node) == 1 and isinstance(value, str):
                yield value
            yield from _conditions_in(value, anywhere=anywhere)


@wrap(
    CloudFormationResponse,
    "create_stack",
    "update_stack",
    "create_change_set",
    "validate_template",
    "get_template_summary",
)
def _limited(original: Any, self: CloudFormationResponse) -> Any:
    size = len((self._get_param("TemplateBody") or "").encode())
    if size > BODY:
        message = "1 validation error detected: Value at 'templateBody' failed to satisfy constraint: "
        message += f"Member must have length less than or equal to {BODY}; it has {size} bytes. "
        raise ValidationError(message=f"{message}Upload the template to S3, and give its address as TemplateURL.")
    return original(self)
