"""Rooms: which there are, and what their tables may say."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from localcloud import services
from localcloud.cloud.account import ACCOUNT, REGION
from localcloud.cloudformation import api
from localcloud.services import Room, page

FOLDER = Path(services.__path__[0])
TABLES = ["types.yaml", "inventory.yaml", "rules.yaml", "requests.yaml"]
PAGE = FOLDER.parents[1] / "docs" / "local-cloud.md"
#: Account ids and regions, as AWS writes them.
LITERAL = re.compile(r"\b\d{12}\b|\b[a-z]{2}(-gov)?-(north|south|east|west|central)+-\d\b")


def test_every_package_of_a_service_is_a_room() -> None:
    assert {path.parent.name for path in FOLDER.glob("*/README.md")} == set(services.ROOMS)


def test_every_room_says_what_moto_lacks_what_it_adds_and_what_differs() -> None:
    for name in services.ROOMS:
        text = (FOLDER / name / "README.md").read_text()
        headings = re.findall(r"^## (.*)$", text, re.MULTILINE)
        assert headings[:3] == ["What moto lacks", "What this room adds", "What differs from AWS"], name
        assert [file for file in re.findall(r"`(\w+\.(?:py|yaml))`", text) if not (FOLDER / name / file).exists()] == []


def test_tables_name_neither_account_nor_region() -> None:
    tables = [path for name in TABLES for path in FOLDER.glob(f"*/{name}")]
    assert tables
    assert [path for path in tables if LITERAL.search(path.read_text())] == []


def test_a_table_may_refer_to_the_clouds_account_and_region() -> None:
    budgets = Room("localcloud.services.budgets").table("types.yaml")
    assert budgets["AWS::Budgets::Budget"]["defaults"] == {"AccountId": ACCOUNT}
    queues = Room("localcloud.services.sqs").table("types.yaml")
    assert f"arn:aws:sqs:{REGION}:{ACCOUNT}:" in queues["AWS::SQS::Queue"]["attributes"]["Arn"]


def test_a_room_without_a_table_has_no_rows() -> None:
    assert Room("localcloud.services.cloudtrail").table("types.yaml") == {}


def test_the_documentation_lists_what_is_there_of_each_service() -> None:
    text = PAGE.read_text()
    assert page.documented(text) == text, "run python -m localcloud.services.page docs/local-cloud.md"
    kinds = {kind.removeprefix("AWS::") for room in services.rooms() for kind in room.table("types.yaml")}
    assert [kind for kind in kinds if f"`{kind}`" not in text] == []


@pytest.mark.parametrize("name", TABLES)
def test_no_two_rooms_have_a_row_of_one_name(name: str) -> None:
    rows = [row for room in services.rooms() for row in room.table(name)]
    assert len(rows) == len({*rows})


def test_every_function_of_adapters_is_named_by_a_row() -> None:
    for room in services.rooms():
        functions = inspect.getmembers(room.module("adapters"), inspect.isfunction)
        defined = {
            name
            for name, function in functions
            if function.__module__.startswith(room.package) and not name.startswith("_")
        }
        rows = room.table("types.yaml").values()
        assert defined == {row[column] for row in rows for column in api.FUNCTIONS & row.keys()}, room
