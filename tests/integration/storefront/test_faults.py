"""What is away is told clearly, what comes back is used again without a restart, and no rental is lost."""

from __future__ import annotations

import json
import logging
import os
import re
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from flask import Flask
from pymysql.connections import Connection
from pymysql.err import OperationalError
from sqlalchemy import func, select

from localcloud.engines import mariadb
from workloads.storefront import database, migrations
from workloads.storefront.assets import Assets, static
from workloads.storefront.errors import RETRY_SECONDS
from workloads.storefront.load import files, load_database
from workloads.storefront.schema import Rental
from workloads.storefront.telemetry import CloudWatchLogs, Metrics

from .conftest import COMPANY, PASSWORD, Shop, Visitor, empty_bucket

Eventually = Callable[[Callable[[], Any]], Any]
TLS = {"require_secure_transport": "1"}
PAUSE_SECONDS = 0.1


@pytest.fixture
def fresh(shop: Shop) -> Iterator[Flask]:
    """A site that has nothing in memory."""
    made = shop.app()
    yield made
    made.extensions["storefront"].engine.dispose()


def is_an_intermission(answer: Any) -> bool:
    return (
        answer.status_code == 503
        and "Short intermission" in answer.text
        and answer.headers["Retry-After"] == str(RETRY_SECONDS[503])
        and not re.search(r"pymysql|Traceback|localhost|secret", answer.text)
    )


def test_a_database_that_is_away_is_told_and_used_again_when_it_is_back(shop: Shop, fresh: Flask) -> None:
    visitor = Visitor(fresh)
    visitor.sign_in(shop.member())
    shop.server.stop()
    for address in ("/", "/films/1", "/rentals"):
        assert is_an_intermission(visitor.get(address))
    token = visitor.token("/sign-in")
    assert is_an_intermission(visitor.client.post("/films/1/rentals", data={"csrf_token": token, "store": "1"}))
    assert visitor.get("/healthz").status_code == 200
    ready = visitor.get("/readyz")
    assert (ready.status_code, ready.json) == (
        503,
        {"status": "unavailable", "database": "unavailable", "bucket": "ok"},
    )
    assert visitor.get(f"/assets/{static('site.css')}").status_code == 200
    shop.server.restart(TLS)
    assert [visitor.get(address).status_code for address in ("/", "/films/1", "/rentals", "/readyz")] == [200] * 4


def test_a_database_that_hangs_is_not_waited_for(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "ANSWER_SECONDS", 1)
    monkeypatch.setattr(database, "CONNECT_SECONDS", 1)
    app = shop.app()
    visitor = Visitor(app)
    assert visitor.get("/").status_code == 200
    assert shop.server._process
    os.killpg(shop.server._process.pid, signal.SIGSTOP)
    assert is_an_intermission(visitor.get("/"))
    os.killpg(shop.server._process.pid, signal.SIGCONT)
    assert visitor.get("/").status_code == 200
    app.extensions["storefront"].engine.dispose()


def test_a_restart_in_the_middle_of_traffic_loses_no_rental(shop: Shop, fresh: Flask, eventually: Eventually) -> None:
    shop.return_all()
    copy = shop.free_copy()
    page, stop = f"/films/{copy.film_id}", Event()

    def rent_and_return(number: int) -> Counter[str]:
        """What this member was told, as fast as the site answers."""
        visitor, told = Visitor(fresh), Counter[str]()
        visitor.sign_in(shop.member(number))
        token = visitor.token("/sign-in")
        while not stop.is_set():
            answer = visitor.client.post(f"{page}/rentals", data={"csrf_token": token, "store": str(copy.store_id)})
            assert answer.status_code in {303, 503}
            told[str(answer.status_code)] += 1
            told["rented"] += answer.status_code == 303 and answer.headers["Location"] == "/rentals"
            # Whoever was told 503 may have the film, too: the database committed, and its answer was lost.
            while not stop.is_set():
                mine = visitor.get("/rentals")
                assert mine.status_code in {200, 503}
                if mine.status_code == 503:
                    stop.wait(PAUSE_SECONDS)  # what is away does not come back sooner for being asked
                elif path := re.search(r'action="(/rentals/\d+/return)"', mine.text):
                    told[str(visitor.client.post(path[1], data={"csrf_token": token}).status_code)] += 1
                else:
                    break
        return told

    before = _rentals(shop)
    with ThreadPoolExecutor(4) as threads:
        running = [threads.submit(rent_and_return, number) for number in range(4)]
        try:
            assert eventually(lambda: _rentals(shop) > before + 5)
            shop.server.restart(TLS)
            after = _rentals(shop)
            assert eventually(lambda: _rentals(shop) > after + 5)
        finally:
            stop.set()
        told = sum((one.result() for one in running), Counter[str]())
    lost = told["rented"] - (_rentals(shop) - before)
    # Who was cut off between the database's word and ours was told 503, though the film is theirs; never the reverse.
    assert -4 <= lost <= 0


def _rentals(shop: Shop) -> int:
    with shop.sessions() as session:
        return session.scalar(select(func.count()).select_from(Rental)) or 0


def test_a_password_that_was_rotated_is_read_again(shop: Shop, fresh: Flask) -> None:
    visitor = Visitor(fresh)
    assert visitor.get("/").status_code == 200
    secrets = shop.cloud.client("secretsmanager")
    access = json.loads(secrets.get_secret_value(SecretId="database")["SecretString"])
    shop.server.change_password("another")
    shop.server.restart(TLS)  # who was connected is not any more
    assert is_an_intermission(visitor.get("/"))
    secrets.put_secret_value(SecretId="database", SecretString=json.dumps(access | {"password": "another"}))
    assert visitor.get("/").status_code == 200
    shop.server.change_password(PASSWORD)
    secrets.put_secret_value(SecretId="database", SecretString=json.dumps(access))
    shop.server.restart(TLS)
    assert visitor.get("/").status_code == 200


def test_a_database_that_failed_over_to_another_server_is_found_by_its_secret(
    shop: Shop, fresh: Flask, tmp_path: Path
) -> None:
    shop.return_all()
    copy, secrets = shop.free_copy(), shop.cloud.client("secretsmanager")
    access = json.loads(secrets.get_secret_value(SecretId="database")["SecretString"])
    other = mariadb.start(
        tmp_path / "other",
        authorities=shop.server.authority.parent,
        username="storefront",
        password=PASSWORD,
        database="storefront",
        parameters=TLS,
    )
    secrets.put_secret_value(SecretId="database", SecretString=json.dumps(access | {"port": other.port}))
    engine = database.connect(shop.settings)
    migrations.upgrade(engine)
    load_database(engine, COMPANY, lambda *_: None)

    def rentals() -> list[int]:
        """How many the former and the new server have."""
        with engine.connect() as connection:
            return [_rentals(shop), connection.scalar(select(func.count()).select_from(Rental)) or 0]

    secrets.put_secret_value(SecretId="database", SecretString=json.dumps(access))
    shop.server.restart(TLS | {"read_only": "1"})
    visitor = Visitor(fresh)
    visitor.sign_in(shop.member())
    form, before = {"csrf_token": visitor.token("/sign-in"), "store": str(copy.store_id)}, rentals()
    page = f"/films/{copy.film_id}/rentals"
    assert is_an_intermission(visitor.client.post(page, data=form))  # there is nobody who could take it
    secrets.put_secret_value(SecretId="database", SecretString=json.dumps(access | {"port": other.port}))
    assert visitor.get("/").status_code == 200  # from a connection that still reads
    if visitor.client.post(page, data=form).status_code == 503:
        assert visitor.client.post(page, data=form).headers["Location"] == "/rentals"
    assert rentals() == [before[0], before[1] + 1]
    other.stop()
    secrets.put_secret_value(SecretId="database", SecretString=json.dumps(access))
    shop.server.restart(TLS)
    assert visitor.get("/").status_code == 200
    engine.dispose()


class TestAnAnswerToACommitThatIsLost:
    @pytest.fixture(params=["before", "after"])
    def break_next_commit(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
        """Lets the next connection that commits break, before or after the database has committed."""
        original = Connection.commit

        def do() -> None:
            def commit(connection: Any) -> None:
                monkeypatch.setattr(Connection, "commit", original)
                if request.param == "after":
                    connection.commit()
                connection._force_close()
                raise OperationalError(2013, "Lost connection to MySQL server during query")

            monkeypatch.setattr(Connection, "commit", commit)

        return do

    def test_neither_rents_nor_returns_twice_when_the_member_tries_again(
        self, shop: Shop, fresh: Flask, break_next_commit: Callable[[], None]
    ) -> None:
        shop.return_all()
        copy, visitor, member = shop.free_copy(), Visitor(fresh), shop.member()
        visitor.sign_in(member)
        form, before = {"csrf_token": visitor.token("/sign-in"), "store": str(copy.store_id)}, _rentals(shop)
        break_next_commit()
        assert is_an_intermission(visitor.client.post(f"/films/{copy.film_id}/rentals", data=form))
        assert visitor.client.post(f"/films/{copy.film_id}/rentals", data=form).status_code == 303
        assert _rentals(shop) == before + 1
        returning = re.findall(r'action="(/rentals/\d+/return)"', visitor.get("/rentals").text)
        assert len(returning) == 1
        break_next_commit()
        assert is_an_intermission(visitor.client.post(returning[0], data=form))
        first = _returned(shop, member.member_id)
        assert visitor.client.post(returning[0], data=form).status_code == 303
        assert _rentals(shop) == before + 1
        returned = _returned(shop, member.member_id)
        assert returned
        assert returned == (first or returned)
        assert not re.findall(r'action="(/rentals/\d+/return)"', visitor.get("/rentals").text)


def _returned(shop: Shop, member: int) -> Any:
    """When a member returned their latest rental, and what the fee was."""
    latest = select(Rental.returned_at, Rental.late_fee).where(Rental.member_id == member)
    with shop.sessions() as session:
        row = session.execute(latest.order_by(Rental.rental_id.desc()).limit(1)).one()
    return tuple(row) if row.returned_at else None


def test_a_restored_database_in_another_place_is_found_by_the_secret(shop: Shop, fresh: Flask, tmp_path: Path) -> None:
    visitor = Visitor(fresh)
    assert visitor.get("/").status_code == 200
    saved = shop.server.save(tmp_path / "saved")
    restored = mariadb.restore(tmp_path / "restored", saved, authorities=shop.server.folder, parameters=TLS)
    shop.server.stop()
    assert is_an_intermission(visitor.get("/"))
    secrets = shop.cloud.client("secretsmanager")
    access = json.loads(secrets.get_secret_value(SecretId="database")["SecretString"])
    secrets.put_secret_value(SecretId="database", SecretString=json.dumps(access | {"port": restored.port}))
    assert visitor.get("/films/1").status_code == 200
    restored.remove()
    shop.server.restart(TLS)
    secrets.put_secret_value(SecretId="database", SecretString=json.dumps(access))
    assert visitor.get("/films/1").status_code == 200


def test_a_bucket_that_is_away_costs_posters_alone_and_is_used_again_when_it_is_back(shop: Shop, fresh: Flask) -> None:
    visitor, s3 = Visitor(fresh), shop.cloud.client("s3")
    posters = re.findall(r'src="(/assets/posters/[^"]+)"', visitor.get("/").text)
    assert visitor.get(posters[0]).status_code == 200
    empty_bucket(shop.cloud)
    s3.delete_bucket(Bucket="assets")
    assert is_an_intermission(visitor.get(posters[1]))
    assert visitor.get(posters[0]).status_code == 200  # from memory
    style = visitor.get(f"/assets/{static('site.css')}")
    assert (style.status_code, style.mimetype) == (200, "text/css")
    assert [visitor.get(address).status_code for address in ("/", "/films/1", "/sign-in")] == [200] * 3
    ready = visitor.get("/readyz")
    assert (ready.status_code, ready.json) == (
        503,
        {"status": "unavailable", "database": "ok", "bucket": "unavailable"},
    )
    s3.create_bucket(Bucket="assets")
    assert visitor.get("/readyz").status_code == 503  # nothing is in it yet
    list(Assets("assets").write(files(COMPANY)))
    assert visitor.get(posters[1]).status_code == 200
    assert visitor.get("/readyz").status_code == 200


def test_a_poster_that_is_loaded_after_somebody_asked_for_it_is_shown(shop: Shop, fresh: Flask) -> None:
    visitor, s3 = Visitor(fresh), shop.cloud.client("s3")
    assert visitor.get("/assets/posters/late.svg").status_code == 404
    s3.put_object(Bucket="assets", Key="posters/late.svg", Body=b"<svg/>")
    assert visitor.get("/assets/posters/late.svg").text == "<svg/>"
    s3.delete_object(Bucket="assets", Key="posters/late.svg")


def test_a_site_whose_bucket_does_not_answer_still_serves_pages(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://localhost:9")
    app = shop.app()
    visitor = Visitor(app)
    assert visitor.get("/").status_code == 200
    assert is_an_intermission(visitor.get("/assets/posters/1-0.svg"))
    assert visitor.get(f"/assets/{static('site.css')}").status_code == 200
    app.extensions["storefront"].engine.dispose()


def record(number: int) -> logging.LogRecord:
    return logging.makeLogRecord({"msg": "line %d", "args": (number,), "levelname": "INFO", "status": 200})


def test_lines_reach_cloudwatch_in_order_and_those_of_an_outage_later(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    client = shop.cloud.client("logs")
    lines = CloudWatchLogs("storefront", client)
    for number in range(3):
        lines.emit(record(number))
        lines.flush()
    assert capsys.readouterr().err.count("CloudWatch Logs takes no lines, and the site goes on") == 1
    client.create_log_group(logGroupName="storefront")
    for number in range(3, 2500):
        lines.emit(record(number))
    lines.flush()
    [stream] = client.describe_log_streams(logGroupName="storefront")["logStreams"]
    found, token = list[str](), ""
    while True:
        more = {"nextToken": token} if token else {}
        page = client.get_log_events(
            logGroupName="storefront", logStreamName=stream["logStreamName"], startFromHead=True, **more
        )
        if not page["events"]:
            break
        found += [json.loads(event["message"])["message"] for event in page["events"]]
        token = page["nextForwardToken"]
    assert found == [f"line {number}" for number in range(2500)]


def test_while_cloudwatch_is_away_lines_do_not_pile_up_for_ever(shop: Shop) -> None:
    lines = CloudWatchLogs("nowhere", shop.cloud.client("logs"))
    for number in range(30_000):
        lines.emit(record(number))
    assert len(lines._lines) == 10_000
    assert json.loads(lines._lines[-1][1])["message"] == "line 29999"


def test_requests_errors_and_latency_are_counted_for_the_dashboard(shop: Shop) -> None:
    client = shop.cloud.client("cloudwatch")
    metrics = Metrics("Shop", client)
    for milliseconds in range(1, 1001):
        metrics.count(milliseconds / 1000, failed=milliseconds % 100 == 0)
    metrics.flush()
    metrics.flush()  # a minute without requests counts zero
    listed = client.list_metrics(Namespace="Groundwork/Storefront")["Metrics"]
    assert {metric["MetricName"] for metric in listed} == {"Requests", "Errors", "Latency"}
    assert all(metric["Dimensions"] == [{"Name": "Stack", "Value": "Shop"}] for metric in listed)
    assert _sum(client, "Requests") == (1000, 2)
    assert _sum(client, "Errors") == (10, 2)


def _sum(client: Any, name: str) -> tuple[float, float]:
    from datetime import UTC, datetime, timedelta

    now = datetime.now(UTC)
    points = client.get_metric_statistics(
        Namespace="Groundwork/Storefront",
        MetricName=name,
        Dimensions=[{"Name": "Stack", "Value": "Shop"}],
        StartTime=now - timedelta(hours=1),
        EndTime=now + timedelta(hours=1),
        Period=7200,
        Statistics=["Sum", "SampleCount"],
    )["Datapoints"]
    return sum(point["Sum"] for point in points), sum(point["SampleCount"] for point in points)


def test_metrics_that_cannot_be_sent_are_said_once_and_cost_no_request(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://localhost:9")
    metrics = Metrics("Shop")
    for _ in range(2):
        metrics.count(0.1, failed=False)
        metrics.flush()
    assert capsys.readouterr().err.count("CloudWatch takes no metrics, and the site goes on") == 1


def test_a_site_with_a_log_group_sends_its_lines_there(shop: Shop, eventually: Eventually) -> None:
    client = shop.cloud.client("logs")
    client.create_log_group(logGroupName="site")
    app = shop.app(log_group="site")
    Visitor(app).get("/healthz")

    def lines() -> list[dict[str, Any]]:
        events = client.filter_log_events(logGroupName="site")["events"]
        return [json.loads(event["message"]) for event in events]

    assert eventually(lines)[0]["route"] == "/healthz"
    app.extensions["storefront"].telemetry.logger.info("the end")
    app.extensions["storefront"].telemetry.close()
    assert lines()[-1]["message"] == "the end"
    app.extensions["storefront"].engine.dispose()
