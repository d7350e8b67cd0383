"""What AWS charges: one list of prices for stacks and jobs, with the day on which it was read.

The list, ``prices.json``, holds the prices of one region on demand, without taxes, data transfer and discounts. Its
first version was written down by hand from AWS's public pages; ``groundwork cost --refresh`` reads it from AWS's
Price List API.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import resources
from typing import Any

HOURS_IN_MONTH = 730


@dataclass(frozen=True)
class Price:
    """What AWS charges.

    Attributes:
        usd: For one unit.
        unit: Of what.
        source: Which line of AWS's price list.
        free: How many units AWS gives to every account for nothing.
        date: The day of this price, where it is older than the list.
    """

    usd: float
    unit: str
    source: str
    free: int = 0
    date: str = ""

    @property
    def month(self) -> float:
        """USD for one that is there all month."""
        return self.usd * HOURS_IN_MONTH if self.unit in ("hour", "NCU-hour") else self.usd


#: The file, in the folder of this package.
FILE = "prices.json"
_LIST: dict[str, Any] = json.loads(resources.files("contract").joinpath(FILE).read_text(encoding="utf-8"))
REGION, DATE = str(_LIST["region"]), str(_LIST["date"])
PRICES = {name: Price(**row) for name, row in _LIST["prices"].items()}
