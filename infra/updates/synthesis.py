"""Templates of stacks under chosen settings, each synthesised once: several comparisons look at the same ones."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from aws_cdk import App

from infra.config import Config
from infra.stack import GroundworkStack
from infra.updates.identity import with_defaults

Json = dict[str, Any]


def template(stack: type[GroundworkStack], context: Mapping[str, Any]) -> Json:
    """Return the template of a stack, with its parameters' defaults in place. Nobody may change it.

    Args:
        stack: The stack's class.
        context: Settings as `-c key=value` gives them; those of other stacks change nothing.
    """
    config = Config.from_context(context)
    own: dict[str, Any] = {stack.SECTION: getattr(config, stack.SECTION)}
    return _synthesised(stack, Config(allow_data_deletion=config.allow_data_deletion, **own).model_dump_json())


@cache
def _synthesised(stack: type[GroundworkStack], settings: str) -> Json:
    app = App(builtin_cloud_formation_validation=False)
    stack(app, stack.__name__, Config.model_validate_json(settings))
    return with_defaults(app.synth().get_stack_by_name(stack.__name__).template)
