"""What a setting is."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


def setting(
    default: Any,
    description: str,
    *,
    group: str,
    kind: str = "",
    hint: str = "",
    empty: str = "",
    console: bool | Literal["required"] = True,
    **limits: Any,
) -> Any:
    """Describe a setting.

    Args:
        default: What holds when nobody chooses.
        description: What it does, for people; the one place where that is said.
        group: The heading under which the console shows it.
        kind: The type of its CloudFormation parameter, where text or number will not do.
        hint: What is allowed, in words, where a pattern decides; by default what its type says.
        empty: What an empty value means.
        console: Whether the console's template has it as a parameter, and whether one must be chosen there. What
            decides which resources there are cannot be a parameter.
        limits: Pydantic's constraints (`ge`, `le`, `pattern`, ...).
    """
    extra: dict[str, Any] = {"group": group, "kind": kind, "empty": empty, "console": console}
    extra |= {"hint": hint} if hint else {}  # or the type says it
    return Field(default, description=description, json_schema_extra=extra, **limits)


class Settings(BaseModel):
    """Settings that stand together: unknown names are refused, and nothing changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)
