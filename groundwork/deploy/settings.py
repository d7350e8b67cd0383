"""The settings of a deployed stack, which its next deployment takes over.

At synthesis each stack writes the settings that differ from their defaults into the metadata of its template
(`infra.stack.SETTINGS`), and CloudFormation keeps the template with the stack.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from contract.errors import InputError
from infra.config import TAGS, Config
from infra.settings.setting import Settings
from infra.stack import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

Json = dict[str, Any]


def taken_over(
    deployed: Json | None, context: Mapping[str, Any], accepted: Collection[str] = (), stack: str = "the stack"
) -> dict[str, str]:
    """Return the settings of a deployed stack that hold on, as a CDK context.

    Args:
        deployed: The template that is deployed; None where there is none.
        context: What cdk.json and the command line give, which holds instead.
        accepted: Settings that may fall back to their defaults.
        stack: The stack's name.

    Raises:
        InputError: A deployed setting does not exist any more and would fall back to its default, or a setting that
            may fall back is not deployed at another value.
    """
    remembered: dict[str, str] = (deployed or {}).get("Metadata", {}).get(SETTINGS, {})
    for key in accepted:
        if key not in remembered:
            others = (
                f"Those that differ are {', '.join(remembered)}" if remembered else "All settings have their defaults"
            )
            raise InputError(
                f"--accept-default {key}: {stack} is not deployed with another value of this setting. {others}."
            )
    given_names = Config.names(context)
    kept = {key: value for key, value in remembered.items() if key not in given_names and key not in accepted}
    for key, value in kept.items():
        if not _is_setting(key):
            raise InputError(
                f"Setting {key}: {stack} is deployed with the value {value}, and this version has no such setting, so "
                f"the deployment would fall back to a default. Accept that with --accept-default {key}."
            )
    return kept


def _is_setting(key: str) -> bool:
    section, _, name = key.rpartition(".")
    if key.startswith(TAGS):
        return True
    settings = getattr(Config(), section, None) if section else Config()
    return isinstance(settings, Settings) and name in type(settings).model_fields
