"""The password of MySQL changes while the site runs: nobody is turned away, wherever the rotation is interrupted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pymysql
import pytest
from flask import Flask
from sqlalchemy import select, text
from sqlalchemy.orm import Session, sessionmaker

from tests.rotation import Rotation
from workloads.storefront import database
from workloads.storefront.database import transact
from workloads.storefront.schema import Member

from .conftest import PASSWORD, Shop, Visitor

STEPS = ["nothing", "createSecret", "setSecret", "testSecret", "finishSecret"]


@pytest.fixture
def rotation(shop: Shop) -> Iterator[Rotation]:
    secrets = shop.cloud.client("secretsmanager")
    before = secrets.get_secret_value(SecretId="database")["SecretString"]

    def log_in(access: dict[str, Any]) -> None:
        pymysql.connect(
            host=access["host"],
            port=access["port"],
            user=access["username"],
            password=access["password"],
            ssl_ca=str(shop.server.authority),
        ).close()

    yield Rotation(secrets, "database", shop.server.change_password, log_in)
    shop.server.change_password(PASSWORD)
    secrets.put_secret_value(SecretId="database", SecretString=before)


@pytest.fixture
def sites(shop: Shop) -> Iterator[list[Flask]]:
    """Sites to end when the test ends; the first has a connection open."""
    opened = [shop.app()]
    assert Visitor(opened[0]).get("/readyz").status_code == 200
    yield opened
    for site in opened:
        site.extensions["storefront"].engine.dispose()


def rents(shop: Shop, site: Flask) -> bool:
    """Whether a member who signs in at a site can rent and return a film."""
    shop.return_all()
    copy, visitor = shop.free_copy(), Visitor(site)
    visitor.sign_in(shop.member())
    answer = visitor.post(f"/films/{copy.film_id}/rentals", {"store": str(copy.store_id)})
    return visitor.get("/readyz").status_code == 200 and answer.headers.get("Location") == "/rentals"


@pytest.mark.parametrize("taken", range(5), ids=STEPS)
def test_members_rent_wherever_a_rotation_is_interrupted_and_when_it_is_done(
    shop: Shop, rotation: Rotation, sites: list[Flask], taken: int
) -> None:
    rotation.take(taken)
    sites.append(shop.app())
    assert [rents(shop, site) for site in sites] == [True, True]
    rotation.take()  # Secrets Manager begins again with the first step
    sites.append(shop.app())
    assert [rents(shop, site) for site in sites] == [True, True, True]


def test_a_site_that_loses_its_connections_before_a_rotation_is_finished_opens_new_ones(
    shop: Shop, rotation: Rotation, sites: list[Flask]
) -> None:
    rotation.take(2)
    shop.server.restart({"require_secure_transport": "1"})
    assert rents(shop, sites[0])
    shop.server.change_password(PASSWORD)  # somebody gives the rotation up
    shop.server.restart({"require_secure_transport": "1"})
    assert rents(shop, sites[0])


def test_a_transaction_that_is_open_during_a_rotation_is_committed(shop: Shop, rotation: Rotation) -> None:
    engine, member = database.connect(shop.settings), shop.member().member_id
    connections = []

    def work(session: Session) -> None:
        session.execute(
            text("UPDATE member SET last_name = CONCAT(last_name, '!') WHERE member_id = :id"), {"id": member}
        )
        rotation.take()
        connections.append(session.scalar(text("SELECT CONNECTION_ID()")))

    transact(sessionmaker(engine), work)
    assert len(connections) == 1
    engine.dispose()
    after = database.connect(shop.settings)
    with after.begin() as connection:
        name = connection.scalar(select(Member.last_name).where(Member.member_id == member))
        connection.execute(text("UPDATE member SET last_name = TRIM('!' FROM last_name)"))
    after.dispose()
    assert str(name).endswith("!")


def test_a_password_that_no_version_of_the_secret_has_is_told_as_one_that_is_refused(
    shop: Shop, rotation: Rotation
) -> None:
    shop.server.change_password("another")
    site = shop.app()
    for taken in (0, 1):  # without and with a pending version
        rotation.take(taken)
        ready = Visitor(site).get("/readyz")
        assert (ready.status_code, ready.json["database"]) == (503, "unavailable")  # type: ignore[index]
    site.extensions["storefront"].engine.dispose()
