"""Settings that may be parameters: in a console template, a setting is a token for what the person will choose."""

from aws_cdk import CfnCondition, CfnResource, Fn, Stack, Token


def text(value: object) -> str:
    """A setting as CloudFormation's text: `3` is "3", `True` is "true", a parameter stays a reference."""
    if Token.is_unresolved(value):
        return Token.as_string(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def only_if_given(resource: CfnResource, value: str) -> None:
    """In a console template, create a resource only if the parameter behind `value` is not left empty."""
    if Token.is_unresolved(value):
        name = f"Has{resource.node.id}"
        condition = CfnCondition(Stack.of(resource), name, expression=Fn.condition_not(Fn.condition_equals(value, "")))
        resource.cfn_options.condition = condition
