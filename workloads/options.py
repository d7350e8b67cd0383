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
    """Return a command with the fields of some models as options, after its own.

    Args:
        command: Called with its own options and `option_values`: the fields that the person set, by name.
        models: Models with different field names.
        presets: If there are any, the option `--preset` chooses one; options that the person sets as well win.
    """
    parameters = inspect.signature(command, eval_str=True).parameters
    own_parameters = [parameter for name, parameter in parameters.items() if name != "option_values"]
    fields = {name: field for model in models for name, field in model.model_fields.items()}
    added = [_parameter(name, _annotation(field)) for name, field in fields.items()]
    if presets:
        help_text = "Settings that go together: " + ", ".join(presets) + ". Other options win over it."
        added.append(_parameter("preset", Annotated[str | None, typer.Option(help=help_text, show_default=False)]))

    def with_options(**values: Any) -> Returned:
        option_values = {name: values.pop(name) for name in fields}
        chosen = values.pop("preset", None)
        if chosen and presets and chosen not in presets:
            raise InputError(f"--preset {chosen}: There is no such preset. Choose from {', '.join(presets)}.")
        settings = dict(presets[chosen]) if chosen and presets else {}
        settings |= {name: value for name, value in option_values.items() if value is not None}
        return command(**values, option_values=settings)

    with_options.__signature__ = inspect.Signature([*own_parameters, *added])  # type: ignore[attr-defined]
    with_options.__annotations__ = {parameter.name: parameter.annotation for parameter in (*own_parameters, *added)}
    return with_options


def validated(model: type[Model], option_values: Mapping[str, Any]) -> Model:
    """Return the model with those option values that are its fields.

    Raises:
        InputError: A value is not allowed; the message names the option.
    """
    try:
        return model(**{name: value for name, value in option_values.items() if name in model.model_fields})
    except ValidationError as error:
        first = error.errors()[0]
        option = "--" + "-".join(str(key) for key in first["loc"]).replace("_", "-")
        raise InputError(f"{option} {first['input']}: {phrase(first['msg'].removeprefix('Value error, '))}.") from error


def words(options: Mapping[str, Any]) -> list[str]:
    """Return options as words of a command line, by their names as fields; None is left out."""
    line = []
    for name, value in options.items():
        option = name.replace("_", "-")
        if isinstance(value, bool):
            line.append(f"--{option}" if value else f"--no-{option}")
        elif value is not None:
            line += [f"--{option}", str(value)]
    return line


def _parameter(name: str, annotation: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def _annotation(field: FieldInfo) -> Any:
    """Return the annotation of an option whose default is None, so that a preset sees that it was not set."""
    default = "" if field.default in {None, PydanticUndefined} else f" (default: {_shown(field.default)})"
    option = typer.Option(help=f"{field.description}{default}", show_default=False)
    return Annotated[field.annotation | None, option]  # type: ignore[operator]


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.3g}" if isinstance(value, float) else str(value)
