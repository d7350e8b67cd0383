"""What a job costs: list prices of one region at one day, so that a person knows the order of magnitude."""

from __future__ import annotations

from typing import TYPE_CHECKING

from contract.prices import DATE, PRICES, REGION

if TYPE_CHECKING:
    from collections.abc import Sequence

TYPICAL = {"cpu": "m7i.xlarge", "gpu": "g4dn.xlarge"}
"""What a job of the stack's default size gets, on demand; spot is cheaper."""


def price(queue: str, instance_type: str | None = None, per_hour: float | None = None) -> float:
    """USD an hour of one instance.

    Args:
        queue: `cpu` or `gpu`.
        instance_type: The instance, where it is known.
        per_hour: A person's own price, which wins.
    """
    if per_hour is not None:
        return per_hour
    return PRICES.get(f"ec2.{instance_type}", PRICES[f"ec2.{TYPICAL[queue]}"]).usd


def estimate(usd_per_hour: float, instances: int, limit_seconds: int, *, spot: bool) -> str:
    """Return what a job costs an hour, and at most for an attempt; less if it may get spot instances."""
    hourly, limit = usd_per_hour * instances, limit_seconds / 3600
    less = "; spot costs a third to two thirds" if spot else ""
    return (
        f"about {hourly:.2f} USD an hour on demand, at most {hourly * limit:.2f} USD an attempt (limit {limit:.1f} h)"
        f"{less} ({REGION}, prices of {DATE}; --price-per-hour for yours)"
    )


def cost(usd_per_hour: float, seconds: Sequence[float]) -> str:
    """Return the most that a job can have cost which ran for some seconds on each of its instances."""
    total, count = sum(seconds), len(seconds)
    instances = "1 instance" if count == 1 else f"{count} instances together"
    return f"{total:,.0f} s on {instances}: at most {usd_per_hour * total / 3600:.4f} USD"
