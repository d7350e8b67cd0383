"""A storefront on real MariaDB, with TLS, and a small generated company."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from html import unescape

import pytest
from flask import Flask
from sqlalchemy import Engine, select, text
from sqlalchemy.orm import Session, sessionmaker
from werkzeug.test import TestResponse

from localcloud import LocalCloud
from localcloud.engines import mariadb
from workloads.rental_company.generated import GeneratedCompany
from workloads.storefront import application, migrations
from workloads.storefront.assets import Assets
from workloads.storefront.database import connect
from workloads.storefront.load import files, load_database
from workloads.storefront.schema import Copy, Member, Rental
from workloads.storefront.settings import Settings

PASSWORD = "it's \\ \" secret"  # noqa: S105 - of a database that lives for seconds
COMPANY = GeneratedCompany(scale=0.05)


@dataclass
class Shop:
    """A running storefront's parts, and how tests use them."""

    cloud: LocalCloud
    server: mariadb.Server
    settings: Settings
    engine: Engine

    @property
    def sessions(self) -> sessionmaker[Session]:
        return sessionmaker(self.engine, expire_on_commit=False)

    def app(self, **changed: object) -> Flask:
        made = application.create_app(replace(self.settings, **{"writes_per_minute": 100_000, **changed}))  # type: ignore[arg-type]
        made.testing = False  # errors become pages, as for visitors
        return made

    def member(self, number: int = 0) -> Member:
        with self.sessions() as session:
            return session.scalars(
                select(Member).where(Member.active).order_by(Member.member_id).offset(number)
            ).first()  # type: ignore[return-value]

    def free_copy(self) -> Copy:
        """A copy that is in, of a film that nobody has out."""
        out = select(Copy.film_id).join(Rental, Rental.open_copy_id == Copy.copy_id)
        with self.sessions() as session:
            return session.scalars(select(Copy).where(Copy.film_id.not_in(out)).order_by(Copy.copy_id)).first()  # type: ignore[return-value]

    def return_all(self) -> None:
        with self.engine.begin() as connection:
            connection.execute(text("UPDATE rental SET returned_at = UTC_TIMESTAMP() WHERE returned_at IS NULL"))


class Visitor:
    """A browser without a screen."""

    def __init__(self, app: Flask) -> None:
        self.client = app.test_client()

    def get(self, address: str) -> TestResponse:
        return self.client.get(address)

    def post(self, address: str, form: dict[str, str], page: str = "/sign-in") -> TestResponse:
        """Send a form, with the token that a page has."""
        return self.client.post(address, data={"csrf_token": self.token(page), **form})

    def token(self, page: str = "/sign-in") -> str:
        found = re.search(r'name="csrf_token" value="([^"]+)"', self.get(page).text)
        assert found
        return unescape(found[1])

    def sign_in(self, member: Member) -> None:
        answer = self.post("/sign-in", {"card_number": member.card_number, "last_name": member.last_name})
        assert answer.status_code == 303


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """One for all modules here: each shop takes what it made in it away."""
    with LocalCloud(tmp_path_factory.mktemp("cloud"), iam="enforce") as running:
        yield running


@pytest.fixture(scope="module")
def empty_shop(cloud: LocalCloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Database and bucket, with nothing in them."""
    folder = tmp_path_factory.mktemp("shop")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in cloud.environment().items():
            patch.setenv(name, value)
        server = mariadb.start(
            folder / "mariadb",
            username="storefront",
            password=PASSWORD,
            database="storefront",
            parameters={"require_secure_transport": "1"},
        )
        secrets = cloud.client("secretsmanager")
        access = {"username": "storefront", "password": PASSWORD, "host": "localhost", "port": server.port}
        access |= {"dbname": "storefront", "engine": "mysql"}
        secrets.create_secret(Name="database", SecretString=json.dumps(access))
        secrets.create_secret(Name="session", SecretString="s" * 64)
        cloud.client("s3").create_bucket(Bucket="assets")
        settings = Settings("database", str(server.authority), "session", "assets")
        engine = connect(settings, connections=30)
        yield Shop(cloud, server, settings, engine)
        engine.dispose()
        server.stop()
        for name in ("database", "session"):
            secrets.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
        empty_bucket(cloud)
        cloud.client("s3").delete_bucket(Bucket="assets")


def empty_bucket(cloud: LocalCloud) -> None:
    """Remove all files from the bucket."""
    s3 = cloud.client("s3")
    listed = s3.list_objects_v2(Bucket="assets").get("Contents", [])
    if listed:
        s3.delete_objects(Bucket="assets", Delete={"Objects": [{"Key": item["Key"]} for item in listed]})


@pytest.fixture(scope="module")
def shop(empty_shop: Shop) -> Shop:
    """A shop with a catalogue."""
    migrations.upgrade(empty_shop.engine)
    load_database(empty_shop.engine, COMPANY, lambda *_: None)
    assert len(list(Assets("assets").write(files(COMPANY)))) == COMPANY.count("film") + 2
    return empty_shop


@pytest.fixture(scope="module")
def app(shop: Shop) -> Iterator[Flask]:
    """A site that lets everybody try to sign in as often as the tests do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(application, "SIGN_INS_BY_ADDRESS", "100000/second")
        patch.setattr(application, "SIGN_INS_BY_CARD", "100000/second")
        made = shop.app()
    yield made
    made.extensions["storefront"].engine.dispose()


@pytest.fixture
def visitor(app: Flask) -> Visitor:
    return Visitor(app)


@pytest.fixture
def new_visitor(app: Flask) -> Callable[[], Visitor]:
    return lambda: Visitor(app)
