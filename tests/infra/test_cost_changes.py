"""What a change of stacks costs, and the prices as AWS's Price List API has them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from typer.testing import CliRunner

from contract.errors import InputError
from contract.prices import DATE, FILE, PRICES, REGION, Price
from groundwork.__main__ import app
from groundwork.cost import refresh
from groundwork.cost.comparison import estimates, resolved
from groundwork.cost.refresh import Refreshed, refreshed, write
from infra.console.templates import FOLDER
from tests.documents import document

Json = dict[str, Any]
DATABASE = {"DBInstanceClass": "db.t4g.micro", "AllocatedStorage": "20"}


def template(folder: Path, name: str, **database: Any) -> Path:
    body = {"Resources": {"Database": {"Type": "AWS::RDS::DBInstance", "Properties": DATABASE | database}}}
    path = folder / f"{name}.json"
    path.write_text(json.dumps(body))
    return path


def compared(*words: object) -> Json:
    done = CliRunner().invoke(app, ["cost", *map(str, words), "--json"], catch_exceptions=False)
    return document(done.stdout, "cost --compare OLD NEW")


def test_two_templates_differ_by_the_price_of_their_resources(tmp_path: Path) -> None:
    old, new = template(tmp_path, "old"), template(tmp_path, "new", MultiAZ=True)
    found = compared("--compare", old, new)
    # each is a stack of its own name, since a file says no other
    assert {row["stack"] for row in found["differences"]} == {"old", "new"}
    assert found["usd_idle_per_month"] == pytest.approx(2 * found["usd_idle_per_month_before"])


def test_two_settings_differ_in_the_resources_that_they_size() -> None:
    found = compared("WebApp", "--compare", "defaults", "web_app.instance_type=t3.large web_app.volume_gib=20")
    [row] = found["differences"]
    assert (row["stack"], row["resource"]) == ("WebApp", "Instance")
    more = (PRICES["ec2.t3.large"].usd - PRICES["ec2.t3.small"].usd) * 730 + 10 * PRICES["ebs.gp3"].usd
    assert row["usd_per_month"] - row["usd_per_month_before"] == pytest.approx(more)
    assert found["usd_idle_per_month"] - found["usd_idle_per_month_before"] == pytest.approx(more)


def test_the_console_s_templates_cost_what_the_cdk_s_cost() -> None:
    assert compared("--compare", FOLDER, "defaults")["differences"] == []


def test_two_commits_differ_by_what_lies_between_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    git = ("git", "-c", "user.name=n", "-c", "user.email=n@example.com")
    (tmp_path / "cloudformation").mkdir()
    subprocess.run([*git, "init", "-q"], check=True)
    for properties in ({}, {"AllocatedStorage": "120"}):
        template(tmp_path / "cloudformation", "shop", **properties)
        subprocess.run([*git, "add", "."], check=True)
        subprocess.run([*git, "commit", "-qm", "Change"], check=True)
    [row] = compared("--compare", "HEAD~1", "HEAD")["differences"]
    assert (row["stack"], row["resource"]) == ("shop", "Database")
    assert row["usd_per_month"] - row["usd_per_month_before"] == pytest.approx(100 * PRICES["rds.gp3"].usd)


@pytest.mark.parametrize(
    ("name", "context", "message"),
    [
        ("nowhere", [], "nowhere: There is no such file or folder, and no revision of git"),
        ("web_app.instance_typ=t3.large", [], "There is no setting"),
        ("HEAD", ["web_app.volume_gib=20"], "Settings are compared with settings"),
    ],
)
def test_what_cannot_be_compared_is_named(name: str, context: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        estimates(name, "cloudformation", context, [])


def test_conditions_leave_out_what_the_defaults_do_not_ask_for() -> None:
    is_large = {"Fn::And": [{"Fn::Not": [{"Fn::Equals": [{"Ref": "Size"}, "small"]}]}, {"Condition": "Always"}]}
    body = {
        "Parameters": {"Size": {"Type": "String", "Default": "small"}, "Zones": {"Type": "List<String>"}},
        "Conditions": {"Large": is_large, "Always": {"Fn::Equals": ["a", "a"]}},
        "Resources": {
            "Left": {"Type": "A", "Condition": "Large"},
            "Kept": {
                "Type": "B",
                "Properties": {"Size": {"Fn::If": ["Large", "x", {"Ref": "AWS::NoValue"}]}, "In": {"Ref": "Zones"}},
            },
        },
    }
    assert resolved(body)["Resources"] == {"Kept": {"Type": "B", "Properties": {"In": ["Zones"]}}}


def product(usage: str, *usd: str, family: str = "Compute Instance") -> str:
    """A product as GetProducts returns it: a document in a string. Source: the Price List API's reference."""
    tiers = {
        f"SKU.JRTCKXETXF.{number}": {
            "unit": "Hrs",
            "beginRange": str(number * 10),
            "endRange": "Inf",
            "description": "on demand",
            "appliesTo": [],
            "rateCode": f"SKU.JRTCKXETXF.{number}",
            "pricePerUnit": {"USD": price},
        }
        for number, price in enumerate(usd)
    }
    term = {"priceDimensions": tiers, "sku": "SKU", "offerTermCode": "JRTCKXETXF", "termAttributes": {}}
    return json.dumps(
        {
            "product": {"productFamily": family, "attributes": {"usagetype": usage}, "sku": "SKU"},
            "serviceCode": "AmazonEC2",
            "terms": {"OnDemand": {"SKU.JRTCKXETXF": term}},
            "version": "20261129000000",
        }
    )


@pytest.fixture
def price_list(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Refreshed]]:
    """Prices as a list with some products has them, page by page."""
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)

    def ask(known: dict[str, Price], *pages: list[str]) -> Refreshed:
        client = boto3.client("pricing", region_name="us-east-1")

        def answer(params: Json, **_: Any) -> tuple[Any, Json]:
            token = json.loads(params["body"]).get("NextToken")
            number = int(token or 0)
            more = {"NextToken": str(number + 1)} if number + 1 < len(pages) else {}
            return SimpleNamespace(status_code=200), {"FormatVersion": "aws_v1", "PriceList": pages[number], **more}

        client.meta.events.register("before-call.pricing.GetProducts", answer)
        return refreshed(known, "us-east-1", "2026-11", client)

    return ask


def test_a_price_is_that_of_the_first_units_that_are_not_free(price_list: Callable[..., Refreshed]) -> None:
    known = {"dynamodb.storage": Price(1, "GB-month", "s"), "dynamodb.writes": Price(1, "million writes", "s")}
    pages = (
        [product("USE1-TimedStorage-ByteHrs", "0.0000000000", "0.2500000000")],
        [product("WriteRequestUnits", "0.000000625")],
    )
    read = price_list(known, *pages)
    assert {name: price.usd for name, price in read.prices.items()} == {
        "dynamodb.storage": 0.25,
        "dynamodb.writes": 0.625,
    }
    assert read.unread == {}


def test_what_the_list_has_not_or_has_twice_keeps_its_price_and_its_day(price_list: Callable[..., Refreshed]) -> None:
    known = {
        name: Price(1, "hour", "s") for name in ("ec2.t3.micro", "ec2.t3.small", "ec2.t3.medium", "neptune.capacity")
    }
    read = price_list(
        known,
        [product("BoxUsage:t3.micro", "0.0105"), product("BoxUsage:t3.small", "0.02")],
        [product("EUC1-BoxUsage:t3.small", "0.03"), product("SpotUsage:t3.medium", "0.01")],
    )
    assert read.prices["ec2.t3.micro"] == Price(0.0105, "hour", "s")
    assert {name: read.prices[name].date for name in read.unread} == dict.fromkeys(read.unread, "2026-11")
    assert read.unread == {
        "ec2.t3.small": "the list has 2 prices for it",
        "ec2.t3.medium": "the list has 0 prices for it",
        "neptune.capacity": "groundwork/cost/price_list.yaml does not say where the list has it",
    }


def test_the_local_cloud_is_not_asked_for_prices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://localhost:4566")
    done = CliRunner().invoke(app, ["cost", "--refresh"])
    assert isinstance(done.exception, InputError)
    assert "The local cloud has no price list" in str(done.exception)


def test_the_list_is_written_as_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / FILE
    path.write_text(refresh.LIST.read_text())
    write(PRICES, REGION, DATE, path)
    assert {name: Price(**row) for name, row in json.loads(path.read_text())["prices"].items()} == PRICES
    assert path.read_text() == refresh.LIST.read_text()


def test_every_row_of_the_price_list_is_a_price_s() -> None:
    for name in refresh.ROWS:
        assert any(known == name or (name.endswith(".*") and known.startswith(name[:-1])) for known in PRICES), name
