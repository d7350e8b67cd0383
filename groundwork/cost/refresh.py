"""Read the prices of contract/prices.json from AWS's Price List API."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from contract import prices
from contract.errors import InputError
from contract.prices import Price
from terminal.files import replacing
from workloads.aws import asking_aws

Json = dict[str, Any]
#: One of the few regions in which the API answers; it has the prices of all.
API_REGION = "us-east-1"
#: What stands before a usage type for its region: `USE1-`, `EUC1-`, `EU-`; nothing for some of us-east-1.
_REGION_PREFIX = re.compile(r"^(?:[A-Z]{2,4}\d|EU)-")
_MULTIPLES = {"million": 1_000_000, "thousand": 1_000}
#: Digits of a price that are more than the noise of a multiplication.
_DIGITS = 10
ROWS: dict[str, Json] = yaml.safe_load(Path(__file__).with_name("price_list.yaml").read_text(encoding="utf-8"))
LIST = Path(prices.__file__).with_name(prices.FILE)


@dataclass(frozen=True)
class Refreshed:
    """The prices as the Price List API has them.

    Attributes:
        prices: Every price by its name; one that was not found keeps its value and its day.
        unread: Why a price was not read, by its name.
    """

    prices: dict[str, Price]
    unread: dict[str, str]


def refreshed(known: Mapping[str, Price], region: str, date: str, client: Any) -> Refreshed:
    """Ask for every price that `price_list.yaml` has a row for.

    Args:
        known: The prices so far, by name.
        region: The region whose prices are read.
        date: The day of the prices so far.
        client: boto3's client for `pricing`.

    Raises:
        InputError: The client talks to a local cloud, or the credentials may not read prices.
        OutageError: AWS does not answer.
    """
    if not str(urlsplit(client.meta.endpoint_url).hostname).endswith(".amazonaws.com"):
        raise InputError(
            f"{client.meta.endpoint_url}: The local cloud has no price list. Ask AWS: run "
            "`unset AWS_ENDPOINT_URL`, sign in to an account, and repeat the command."
        )
    read, unread = dict(known), {}
    with asking_aws("AWS's price list", service="Price List"):
        for name, price in known.items():
            usd_or_reason = _in_list(name, price, region, client)
            if isinstance(usd_or_reason, float):
                read[name] = replace(price, usd=usd_or_reason, date="")
            else:
                unread[name] = usd_or_reason
                read[name] = replace(price, date=price.date or date)
    return Refreshed(read, unread)


def _in_list(name: str, price: Price, region: str, client: Any) -> float | str:
    """Return USD for one of the price's units, or why there is no such figure."""
    row = ROWS.get(name) or ROWS.get(f"{name.partition('.')[0]}.*")
    if row is None:
        return "groundwork/cost/price_list.yaml does not say where the list has it"
    kind = name.partition(".")[2]
    attributes = {key: value.replace("{type}", kind) for key, value in row.get("attributes", {}).items()}
    if not row.get("everywhere"):
        attributes["regionCode"] = region
    usage = row.get("usage", "").replace("{type}", kind)
    filters = [{"Type": "TERM_MATCH", "Field": field, "Value": value} for field, value in attributes.items()]
    if usage:
        filters.append({"Type": "CONTAINS", "Field": "usagetype", "Value": usage})
    pages = client.get_paginator("get_products").paginate(ServiceCode=row["service"], Filters=filters)
    products = [json.loads(document) for page in pages for document in page["PriceList"]]
    figures = {
        usd for product in products if _is_for(product, usage) for term in _on_demand(product) for usd in _first(term)
    }
    if len(figures) != 1:
        return f"the list has {len(figures)} prices for it"
    units = row.get("times", 1) * _MULTIPLES.get(price.unit.partition(" ")[0], 1)
    return float(f"{figures.pop() * units:.{_DIGITS}g}")


def _is_for(product: Json, usage: str) -> bool:
    """Return whether a product has a usage type, whatever its region."""
    own = product["product"]["attributes"].get("usagetype", "")
    return not usage or _REGION_PREFIX.sub("", own) == usage


def _on_demand(product: Json) -> Iterator[Json]:
    yield from product["terms"].get("OnDemand", {}).values()


def _first(term: Json) -> Iterator[float]:
    """Yield the price of the first units that are not free."""
    tiers = sorted(term["priceDimensions"].values(), key=lambda tier: float(tier.get("beginRange", 0)))
    paid = [float(tier["pricePerUnit"]["USD"]) for tier in tiers if float(tier["pricePerUnit"].get("USD", 0))]
    yield from paid[:1]


def write(of: Mapping[str, Price], region: str, date: str, path: Path = LIST) -> None:
    """Write the list of prices, a line for each."""
    what = json.loads(path.read_text(encoding="utf-8"))["what"]
    rows = (f"    {json.dumps(name)}: {json.dumps(_row(price), ensure_ascii=False)}" for name, price in of.items())
    lines = ["{", f'  "what": {json.dumps(what)},', f'  "region": "{region}",', f'  "date": "{date}",', '  "prices": {']
    text = "\n".join([*lines, ",\n".join(rows), "  }", "}"]) + "\n"
    with replacing(path) as place:
        place.write(text.encode())


def _row(price: Price) -> Json:
    """Return a price as the file has it: what is usual is left out."""
    row: Json = {"usd": price.usd, "unit": price.unit}
    if price.free:
        row["free"] = price.free
    if price.date:
        row["date"] = price.date
    return row | {"source": price.source}
