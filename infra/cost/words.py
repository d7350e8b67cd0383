"""The words in which costs are told: on the page, and by `groundwork cost`."""

from __future__ import annotations

from contract.prices import Price
from infra.cost.estimate import ALWAYS_ON, Charge, Estimate
from infra.environments import split


def amount(charge: Charge) -> str:
    """What a charge is for, with its number where that is not one."""
    return charge.price.source if charge.quantity == 1 else f"{charge.quantity:g} × {charge.price.source}"


def why(estimate: Estimate, charge: Charge) -> str:
    """Why a resource may bill while idle."""
    return ALWAYS_ON.get(split(estimate.stack)[0], {}).get(charge.kind, "")


def figure(price: Price) -> str:
    """A price as people write it."""
    return f"{price.usd:.10f}".rstrip("0").rstrip(".")
