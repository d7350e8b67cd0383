"""Settings as options of a command."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import pytest
import typer
from pydantic import BaseModel, Field
from typer.testing import CliRunner, Result

from contract.errors import InputError
from workloads.options import add_options, validated


class Oven(BaseModel):
    presets: ClassVar[dict[str, dict[str, Any]]] = {"hot": {"degrees": 250, "mode": "fan"}}

    degrees: int = Field(180, ge=30, le=300, description="How hot it is.")
    mode: Literal["top", "fan"] = Field("top", description="Where the heat comes from.")
    timer: float | None = Field(None, description="Minutes until it stops.")
    light: bool = Field(default=True, description="Whether the light is on.")


baked: list[Oven] = []


def bake(option_values: dict[str, Any], dish: str = "cake") -> None:
    baked.append(validated(Oven, option_values))


def invoke(*arguments: str) -> Result:
    """The outcome of a command line."""
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command()(add_options(bake, Oven, presets=Oven.presets))
    return CliRunner().invoke(app, arguments, catch_exceptions=False, env={"COLUMNS": "200"})


def run(*arguments: str) -> Oven:
    """The oven that a command line sets."""
    invoke(*arguments)
    return baked.pop()


def test_what_is_not_given_has_its_default() -> None:
    assert run() == Oven()


def test_options_set_fields() -> None:
    assert run("--degrees", "200", "--no-light", "--timer", "2.5", "--dish", "pie") == Oven(
        degrees=200, light=False, timer=2.5
    )


def test_a_preset_sets_several_and_what_is_given_besides_wins() -> None:
    assert run("--preset", "hot") == Oven(degrees=250, mode="fan")
    assert run("--degrees", "180", "--preset", "hot") == Oven(degrees=180, mode="fan")


def test_a_value_out_of_range_is_refused_by_its_option() -> None:
    with pytest.raises(InputError, match="--degrees 500: Input should be less than or equal to 300"):
        run("--degrees", "500")


def test_an_unknown_preset_is_refused_with_the_choices() -> None:
    with pytest.raises(InputError, match=r"--preset cold: There is no such preset\. Choose from hot"):
        run("--preset", "cold")


def test_help_tells_description_and_default_of_every_field() -> None:
    text = " ".join(invoke("--help").output.split())
    for shown in (
        "How hot it is. (default: 180)",
        "<top|fan>",
        "light is on. (default: yes)",
        "--no-light",
        "hot. Other",
    ):
        assert shown in text
