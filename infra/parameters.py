"""Settings that may be parameters: in a console template, a setting is a token for what the person will choose."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from aws_cdk import Aws, CfnCondition, CfnOutput, CfnResource, Fn, Stack, Token
from constructs import IConstruct


def text(value: object) -> str:
    """Return a setting as text for CloudFormation: `3` is "3", `True` is "true", a parameter stays a reference."""
    if Token.is_unresolved(value):
        return Token.as_string(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def only_if_set(resource: CfnResource, value: str) -> None:
    """In a console template, create a resource only if the parameter behind `value` is not left empty."""
    if Token.is_unresolved(value):
        name = f"Has{resource.node.id}"
        condition = CfnCondition(Stack.of(resource), name, expression=Fn.condition_not(Fn.condition_equals(value, "")))
        resource.cfn_options.condition = condition


def value_or(scope: IConstruct, name: str, value: str, default: str) -> str:
    """Return a setting, or another value where the setting is empty; in a console template, the template's choice.

    Args:
        scope: A construct of the stack.
        name: What the condition calls the setting.
        value: The setting.
        default: The value that holds where the setting is empty.
    """
    if not Token.is_unresolved(value):
        return value or default
    return Fn.condition_if(_is_set(scope, name, value).logical_id, value, default).to_string()


def unless_set(scope: IConstruct, name: str, value: str, usual: Any) -> Any:
    """Return a property that a resource has only where a setting is empty, and None or AWS::NoValue otherwise.

    Args:
        scope: A construct of the stack.
        name: What the condition calls the setting.
        value: The setting.
        usual: The value of the property where the setting is empty.
    """
    if not Token.is_unresolved(value):
        return None if value else usual
    choice = Fn.condition_if(_is_set(scope, name, value).logical_id, Aws.NO_VALUE, usual)
    return choice.to_string() if isinstance(usual, str) else choice


def _is_set(scope: IConstruct, name: str, value: str) -> CfnCondition:
    """Return the condition that a parameter is not left empty; a stack has it once."""
    stack = Stack.of(scope)
    condition = stack.node.try_find_child(f"Has{name}") or CfnCondition(
        stack, f"Has{name}", expression=Fn.condition_not(Fn.condition_equals(value, ""))
    )
    assert isinstance(condition, CfnCondition)  # noqa: S101 - for the type checker
    return condition


def is_chosen(
    stack: Stack, value: str, option: str, *, name: str = ""
) -> tuple[bool | CfnCondition, bool | CfnCondition]:
    """Return whether a setting has a value, and whether it has another; in a console template, two conditions.

    Args:
        stack: The stack.
        value: The setting.
        option: The value in question.
        name: Its name in the conditions; by default, the option's.
    """
    name = name or option.title()
    if not Token.is_unresolved(value):
        return value == option, value != option
    expression = Fn.condition_equals(value, option)
    chosen = CfnCondition(stack, f"Is{name}", expression=expression)
    return chosen, CfnCondition(stack, f"IsNot{name}", expression=Fn.condition_not(expression))


def only_if(condition: CfnCondition, constructs: Iterable[IConstruct]) -> None:
    """Create resources and outputs only if the condition holds."""
    for construct in constructs:
        for child in construct.node.find_all():
            if isinstance(child, CfnOutput):
                child.condition = condition
            elif isinstance(child, CfnResource):
                child.cfn_options.condition = condition
