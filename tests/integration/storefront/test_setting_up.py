"""Tables, catalogue and files: made once, the same again, all or nothing; and the commands that do it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import func, select, text
from typer.testing import CliRunner

from contract.errors import InputError, UnavailableError
from tests.documents import document
from workloads.commands import app
from workloads.rental_company.generated import GeneratedCompany
from workloads.storefront import migrations
from workloads.storefront.load import load_database
from workloads.storefront.schema import Base, Film, Member, Rental
from workloads.storefront.settings import Settings

from .conftest import COMPANY, Shop

TEMPLATE = {
    "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
    "Outputs": {
        "DatabaseSecretArn": {"Value": "database"},
        "SessionSecretArn": {"Value": "session"},
        "AssetsBucketName": {"Value": "assets"},
        "LogGroupName": {"Value": "storefront"},
    },
}


@pytest.fixture(scope="module", autouse=True)
def _environment(empty_shop: Shop) -> Iterator[None]:
    """The commands find the shop by the environment, and no other data set."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in empty_shop.settings.environment().items():
            patch.setenv(name, value)
        patch.delenv("GROUNDWORK_DATA", raising=False)
        yield


def command(*arguments: str) -> str:
    done = CliRunner().invoke(app, ["storefront", *arguments])
    if done.exception:
        raise done.exception
    return done.stdout


def rows(shop: Shop, table: Any) -> int:
    with shop.sessions() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def test_before_init_the_commands_say_what_to_do(empty_shop: Shop) -> None:
    with pytest.raises(InputError, match=r"no tables yet\. Run `groundwork storefront init`"):
        command("load", "--scale", "0.02", "--only", "database")


def test_before_init_the_command_that_is_said_has_the_options_that_were_given(
    empty_shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Settings, "from_stack", lambda _stack, _database_ca: empty_shop.settings)
    expected = f"Run `groundwork storefront init --stack Mine --database-ca {empty_shop.settings.database_ca}` first"
    with pytest.raises(InputError, match=re.escape(expected)):
        command("cards", "--stack", "Mine", "--database-ca", empty_shop.settings.database_ca)


def test_init_makes_the_tables_that_the_code_describes_and_again_nothing(empty_shop: Shop) -> None:
    assert "tables of version 0001 (before: none)" in command("init")
    assert "0001 already" in command("init")
    with empty_shop.engine.connect() as connection:
        assert migrations.version(connection) == migrations.newest() == "0001"
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_init_goes_on_where_an_interruption_left_it(empty_shop: Shop) -> None:
    with empty_shop.engine.begin() as connection:
        connection.execute(text("DROP TABLE rental"))
        connection.execute(text("DELETE FROM alembic_version"))
    assert "tables of version 0001 (before: none)" in command("init")
    assert rows(empty_shop, Rental) == 0


def test_load_fills_database_and_bucket_and_again_changes_nothing(empty_shop: Shop) -> None:
    said = command("load", "--scale", "0.05")
    assert "50 films" in said
    assert "52 posters and static files are in the bucket assets" in said
    with empty_shop.sessions() as session:
        before = [
            session.execute(select(table)).all() for table in Base.metadata.sorted_tables if table.name != "catalogue"
        ]
    assert "759 rentals" in command("load", "--scale", "0.05", "--only", "database")
    with empty_shop.sessions() as session:
        after = [
            session.execute(select(table)).all() for table in Base.metadata.sorted_tables if table.name != "catalogue"
        ]
    assert before == after
    assert len({card for (card,) in _cards(empty_shop)}) == COMPANY.count("customer")


def _cards(shop: Shop) -> Any:
    with shop.sessions() as session:
        return session.execute(select(Member.card_number)).all()


def test_load_names_what_it_loaded_and_another_company_needs_leave(empty_shop: Shop) -> None:
    with pytest.raises(InputError, match=r"holds another company \(generated company \(scale 0.05, seed 0\)\)"):
        command("load", "--scale", "0.02", "--only", "database")
    assert rows(empty_shop, Film) == 50
    assert "20 films" in command("load", "--scale", "0.02", "--only", "database", "--replace")
    assert rows(empty_shop, Film) == 20
    command("load", "--scale", "0.05", "--only", "database", "--replace")


class Breaking(GeneratedCompany):
    """A source that fails, or gives too little, after most has been read."""

    def __init__(self, *, fails: bool) -> None:
        super().__init__(scale=0.05)
        self._fails = fails

    def rows(self, table: str) -> Iterator[dict[str, Any]]:
        for number, row in enumerate(super().rows(table)):
            if table == "rental" and number == 700 and self._fails:
                raise InputError("line 700 is wrong")
            yield row | ({"title": f"NEW {number}"} if table == "film" else {})

    def count(self, table: str) -> int:
        return super().count(table)


def test_a_load_that_fails_leaves_everything_as_it_was(empty_shop: Shop) -> None:
    with pytest.raises(InputError, match="line 700 is wrong"):
        load_database(empty_shop.engine, Breaking(fails=True), lambda *_: None)
    with empty_shop.sessions() as session:
        assert session.scalar(select(func.count()).where(Film.title.startswith("NEW"))) == 0
    load_database(empty_shop.engine, Breaking(fails=False), lambda *_: None)
    with empty_shop.sessions() as session:
        assert session.scalar(select(func.count()).where(Film.title.startswith("NEW"))) == 50
    load_database(empty_shop.engine, COMPANY, lambda *_: None)


def test_rows_that_should_not_be_there_are_told_and_nothing_changes(empty_shop: Shop) -> None:
    with empty_shop.engine.begin() as connection:
        connection.execute(text("INSERT INTO store (store_id, name) VALUES (99, 'somewhere')"))
    with pytest.raises(InputError, match=r"Nothing was changed, because .* 3 stores instead of 2"):
        command("load", "--scale", "0.05", "--only", "database")
    with empty_shop.engine.begin() as connection:
        connection.execute(text("DELETE FROM store WHERE store_id = 99"))


def test_cards_shows_whom_to_sign_in_as(empty_shop: Shop) -> None:
    member = empty_shop.member()
    _, first, *_ = command("cards", "--limit", "3").splitlines()
    assert first.replace(" ", "").startswith(member.card_number)
    assert first.upper().endswith(f"{member.first_name} {member.last_name}")


def test_the_commands_find_everything_by_a_stacks_outputs(empty_shop: Shop) -> None:
    cloudformation = empty_shop.cloud.client("cloudformation")
    cloudformation.create_stack(StackName="WebApp", TemplateBody=json.dumps(TEMPLATE))
    authority = empty_shop.settings.database_ca
    assert "0001 already" in command("init", "--stack", "WebApp", "--database-ca", authority)
    assert Settings.from_stack("WebApp", authority) == Settings(
        "database", authority, "session", "assets", "storefront", stack="WebApp"
    )
    with pytest.raises(InputError, match=r"Stack Nothing: .*Deploy it"):
        command("init", "--stack", "Nothing", "--database-ca", authority)
    cloudformation.create_stack(StackName="Other", TemplateBody=json.dumps({"Resources": TEMPLATE["Resources"]}))
    with pytest.raises(InputError, match=r"no output DatabaseSecretArn.*is a WebApp"):
        command("init", "--stack", "Other", "--database-ca", authority)


def test_the_commands_alone_end_with_a_line_when_something_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STOREFRONT_BUCKET")
    done = subprocess.run(
        [sys.executable, "-m", "workloads.storefront", "init"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "Error: The environment does not set STOREFRONT_BUCKET. Set it, or name a stack (--stack).\n"


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"STOREFRONT_DATABASE_CA": "/nowhere.pem"}, "/nowhere.pem: There is no such file"),
        ({"STOREFRONT_DATABASE_SECRET": "nothing"}, "Secret nothing: .*find the specified secret"),
        ({"STOREFRONT_DATABASE_SECRET": "session"}, "not a JSON object with username, password, host, port and dbname"),
        ({"STOREFRONT_BUCKET": ""}, "The environment does not set STOREFRONT_BUCKET"),
        ({"STOREFRONT_PROXIES": "one"}, "STOREFRONT_PROXIES=one: This is not a whole number"),
    ],
)
def test_settings_that_lead_nowhere_are_told(
    monkeypatch: pytest.MonkeyPatch, changed: dict[str, str], told: str
) -> None:
    for name, value in changed.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match=told):
        command("init")


def test_a_cloud_that_is_away_is_an_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://localhost:9")
    with pytest.raises(UnavailableError, match="Secrets Manager cannot be reached: Could not connect"):
        command("init")


def test_a_database_that_is_away_is_an_outage(empty_shop: Shop) -> None:
    empty_shop.server.stop()
    with pytest.raises(UnavailableError, match="MySQL cannot be reached: Can't connect"):
        command("init")
    empty_shop.server.restart({"require_secure_transport": "1"})
    assert "already" in command("init")


def test_a_bucket_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOREFRONT_BUCKET", "nothing-here")
    with pytest.raises(InputError, match="Bucket nothing-here: S3 refuses the request"):
        command("load", "--scale", "0.02", "--only", "files")


def test_a_server_that_is_not_the_databases_gets_no_password(
    empty_shop: Shop, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The certificate of another authority: the connection ends before any password travels."""
    from localcloud.cloud.certificates import issue

    monkeypatch.setenv("STOREFRONT_DATABASE_CA", str(issue(tmp_path, tmp_path).authority))
    with pytest.raises(InputError, match=r"The certificate of MySQL is not trusted: .*certificate verify failed"):
        command("init")


def test_documents_say_what_the_page_promises(empty_shop: Shop) -> None:
    made = document(command("init", "--json"), "storefront init")
    assert made["version"] == document(command("init", "--json"), "storefront init")["version_before"]
    loaded = document(command("load", "--scale", "0.02", "--json", "--replace"), "storefront load")
    assert loaded["rows"]["films"] == rows(empty_shop, Film)
    [card] = document(command("cards", "--limit", "1", "--json"), "storefront cards")["cards"]
    assert len(card["card"]) == 16
