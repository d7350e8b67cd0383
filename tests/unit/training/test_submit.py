"""What a submission gives to Batch: a command in which nothing is left to fill in."""

from __future__ import annotations

from typing import Any

import pytest

from contract.errors import InputError
from workloads.training.jobs.submit import command_of

COMMAND = ["python", "-c", "loader", "Ref::task", "digits", "--data", "Ref::data", "--output=Ref::output"]
CONTAINER = {"containerProperties": {"command": COMMAND}}
NODES = {"nodeProperties": {"nodeRangeProperties": [{"targetNodes": "0:", "container": {"command": COMMAND}}]}}


def definition(kind: dict[str, Any], **parameters: str) -> dict[str, Any]:
    return {"jobDefinitionName": "DigitsJob", "parameters": parameters, **kind}


@pytest.mark.parametrize("kind", [CONTAINER, NODES], ids=["one container", "several nodes"])
def test_placeholders_get_the_submissions_values_or_else_the_definitions(kind: dict[str, Any]) -> None:
    words = command_of(
        definition(kind, task="train", data="s3://in", output="s3://out"), {"task": "tune"}, ["--name", "data"]
    )
    assert words[3:] == ["tune", "digits", "--data", "s3://in", "--output=s3://out", "--name", "data"]


def test_a_placeholder_without_a_value_is_refused_by_name() -> None:
    with pytest.raises(InputError, match="DigitsJob: Its command needs data, output, and there is no value"):
        command_of(definition(CONTAINER, task="train"), {}, [])
