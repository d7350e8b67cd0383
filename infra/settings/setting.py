"""What a setting is, and the types that several stacks' settings have."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


def _split(value: object) -> object:
    """A list from the command line is `a,b`."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _whole(value: object) -> object:
    """A number from the command line is text, which `Literal` does not take."""
    return int(value) if isinstance(value, str) and value.isdecimal() else value


Items = Annotated[list[str], BeforeValidator(_split)]
#: The retentions that CloudWatch Logs offers, in days.
RetentionDays = Annotated[Literal[1, 3, 5, 7, 14, 30, 60, 90, 180, 365, 731, 1827, 3653], BeforeValidator(_whole)]


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
    """A setting.

    Args:
        default: what holds when nobody chooses.
        description: what it does, for people; the one place where that is said.
        group: heading under which the console shows it.
        kind: type of its CloudFormation parameter, where text or number will not do.
        hint: what is allowed, in words, where a pattern decides.
        empty: what an empty value means.
        console: whether the console's template has it as a parameter, and whether one must be chosen there. What
            decides which resources there are cannot be a parameter.
        limits: pydantic's constraints (`ge`, `le`, `pattern`, ...).
    """
    extra: dict[str, Any] = {"group": group, "kind": kind, "hint": hint, "empty": empty, "console": console}
    return Field(default, description=description, json_schema_extra=extra, **limits)


class Settings(BaseModel):
    """Settings that stand together: unknown names are refused, and nothing changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)
