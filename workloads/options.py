"""Pydantic models as options of a command: every field is an option, its description the help."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticUndefined

from contract.errors import InputError, phrase

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pydantic.fields import FieldInfo

Model = TypeVar("Model", bound=BaseModel)
Returned = TypeVar("Returned")


def add_options(
    command: Callable[..., Returned], *models: type[BaseModel], presets: Mapping[str, Mapping[str, Any]] | None = None
) -> Callable[..., Returned]:
    """A command with the fields of some models as options, after its own.

    Args:
        command: Called with its own options and `given`: the fields that the person gave, by name.
        models: Models with different field names.
        presets: Where there are some, the option `--preset` chooses one; what the person gave besides wins.
    """
    parameters = inspect.signature(command, eval_str=True).parameters
    own = [parameter for name, parameter in parameters.items() if name != "given"]
    fields = {name: field for model in models for name, field in model.model_fields.items()}
    added = [_parameter(name, _annotation(field)) for name, field in fields.items()]
    if presets:
        help_text = "Settings that go together: " + ", ".join(presets) + ". Other options win over it."
        added.append(_parameter("preset", Annotated[str | None, typer.Option(help=help_text, show_default=False)]))

    def with_options(**values: Any) -> Returned:
        given = {name: values.pop(name) for name in fields}
        chosen = values.pop("preset", None)
        if chosen and presets and chosen not in presets:
            raise InputError(f"--preset {chosen}: There is no such preset. Choose from {', '.join(presets)}.")
        settings = dict(presets[chosen]) if chosen and presets else {}
        settings |= {name: value for name, value in given.items() if value is not None}
        return command(**values, given=settings)

    with_options.__signature__ = inspect.Signature([*own, *added])  # type: ignore[attr-defined]
    with_options.__annotations__ = {parameter.name: parameter.annotation for parameter in (*own, *added)}
    return with_options


def validated(model: type[Model], given: Mapping[str, Any]) -> Model:
    """The model with the given fields that are its own.

    Raises:
        InputError: A value is not allowed; the message names the option.
    """
    try:
        return model(**{name: value for name, value in given.items() if name in model.model_fields})
    except ValidationError as error:
        first = error.errors()[0]
        option = "--" + "-".join(str(part) for part in first["loc"]).replace("_", "-")
        raise InputError(f"{option} {first['input']}: {phrase(first['msg'].removeprefix('Value error, '))}.") from error


def _parameter(name: str, annotation: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def _annotation(field: FieldInfo) -> Any:
    """None stands for an option that was not given, so that a preset can tell."""
    default = "" if field.default in {None, PydanticUndefined} else f" (default: {_shown(field.default)})"
    option = typer.Option(help=f"{field.description}{default}", show_default=False)
    return Annotated[field.annotation | None, option]  # type: ignore[operator]


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.3g}" if isinstance(value, float) else str(value)
