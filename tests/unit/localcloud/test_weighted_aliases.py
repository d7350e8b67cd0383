"""Which version a call of an alias runs, by the number that is drawn for it."""

from __future__ import annotations

from typing import Any

import pytest
from moto.awslambda.models import LambdaAlias

from localcloud.services.awslambda import aliases


@pytest.mark.parametrize(
    ("weights", "draw", "version"),
    [
        ({}, 0.0, "1"),
        ({"2": 0.0}, 0.0, "1"),
        ({"2": 0.25}, 0.0, "2"),
        ({"2": 0.25}, 0.2499, "2"),
        ({"2": 0.25}, 0.25, "1"),
        ({"2": 1.0}, 0.9999, "2"),
    ],
)
def test_the_additional_version_runs_below_its_weight(weights: dict[str, float], draw: float, version: str) -> None:
    routing: Any = {"AdditionalVersionWeights": weights}
    alias = LambdaAlias("123456789012", "us-east-1", "live", "orders", "1", "", routing)
    assert aliases.version(alias, draw) == version
