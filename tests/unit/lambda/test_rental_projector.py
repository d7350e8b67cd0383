"""The projector against engines that are throttled or refuse, and events of every shape; the rules of the workload."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import ModuleType
from typing import Any

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.projections import MESSAGE_BYTES, MESSAGE_SECONDS, TIMEOUT_SECONDS
from contract.rentals import cents, point_time
from contract.timeseries import authorization
from tests.functions import load, with_time
from workloads.movie_rental.events import Event, text_of

Json = dict[str, Any]


class Engines(BaseHTTPRequestHandler):
    """Neptune and InfluxDB at one address, answering as they are told; the real ones cannot be made to be throttled."""

    neptune: tuple[int, str] = (200, "")
    influxdb = 204
    asked: tuple[tuple[str, str], ...] = ()
    presented: tuple[str, ...] = ()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        path = self.path.split("?")[0].lower()
        if path == "/write":
            Engines.presented += (self.headers["Authorization"],)
        Engines.asked += ((path, body),)
        status, code = self.neptune if path == "/opencypher" else (self.influxdb, "")
        answer = json.dumps({"results": [], "code": code, "detailedMessage": "why", "message": "why"}).encode()
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        if status != 204:
            self.wfile.write(answer)

    def log_message(self, *_args: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def projector(aws: None) -> Iterator[ModuleType]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Engines)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    boto3.client("dynamodb").create_table(
        TableName="events-given-up",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("Source", "Id")],
        KeySchema=[{"AttributeName": "Source", "KeyType": "HASH"}, {"AttributeName": "Id", "KeyType": "RANGE"}],
        BillingMode="PAY_PER_REQUEST",
    )
    secret = json.dumps({"bucket": "rental", "token": "t"})
    arn = boto3.client("secretsmanager").create_secret(Name="influxdb", SecretString=secret)["ARN"]
    with pytest.MonkeyPatch.context() as patch:
        values = {
            "GRAPH_ENDPOINT": f"http://localhost:{server.server_port}",
            "INFLUXDB_ENDPOINT": f"localhost:{server.server_port}",
            "INFLUXDB_SECRET": arn,
            "ENGINE": "influxdb",
            "DATABASE": "rental",
            "TABLE": "rentals",
            "ATTEMPTS": "3",
            "DEAD_LETTERS": "events-given-up",
        }
        for name, value in values.items():
            patch.setenv(name, value)
        yield load("rental_projector")
    server.shutdown()
    server.server_close()


@pytest.fixture
def letters(projector: ModuleType) -> Any:
    """Reasons by message; empty before each test."""
    table = boto3.resource("dynamodb").Table("events-given-up")
    for item in table.scan()["Items"]:
        table.delete_item(Key={"Source": item["Source"], "Id": item["Id"]})
    Engines.neptune, Engines.influxdb, Engines.asked, Engines.presented = (200, ""), 204, (), ()
    return lambda: {item["Id"]: item["Reason"] for item in table.scan()["Items"] if "Reason" in item}


def event(**more: Any) -> Json:
    whole = {"event_id": "e", "type": "rented", "customer_id": "7", "at": "2026-05-24T21:54:33.000Z", "rental_id": 42}
    return {**whole, "film_id": "3", "store_id": 1, "title": "t", "category": None, "amount": "2.99", **more}


def message(identity: str, body: Any, *, group: str = "7", received: int = 1) -> Json:
    attributes = {"ApproximateReceiveCount": str(received), "MessageGroupId": group}
    text = body if isinstance(body, str) else json.dumps(body)
    return {"messageId": identity, "body": text, "attributes": attributes, "eventSource": "aws:sqs"}


def run(projector: ModuleType, *messages: Json, seconds: tuple[float, ...] = (TIMEOUT_SECONDS,)) -> list[str]:
    """The messages that are to come again, from a run with so many seconds left at each look."""
    result = projector.handler({"Records": messages}, with_time(*seconds))
    return [failure["itemIdentifier"] for failure in result["batchItemFailures"]]


def attempts() -> dict[str, int]:
    """The counted attempts by message."""
    items = boto3.resource("dynamodb").Table("events-given-up").scan()["Items"]
    return {item["Id"]: int(item["Attempts"]) for item in items if "Attempts" in item}


@pytest.mark.parametrize(
    "answer",
    [
        (429, "ThrottlingException"),
        (400, "TooManyRequestsException"),
        (409, "ConcurrentModificationException"),
        (500, "InternalFailureException"),
        (403, "AccessDeniedException"),
    ],
)
def test_a_graph_that_takes_nothing_now_is_asked_again(
    projector: ModuleType, letters: Any, answer: tuple[int, str]
) -> None:
    Engines.neptune = answer
    for received in (1, 2):
        assert run(projector, message("a", event(), received=received)) == ["a"]
    assert letters() == {}
    assert run(projector, message("a", event(), received=3)) == []
    assert letters()["a"].startswith(f"after 3 attempts: Neptune: {answer[1]}")


@pytest.mark.parametrize(("status", "again"), [(503, True), (401, True), (429, True), (400, False), (413, False)])
def test_trends_that_take_nothing_now_are_asked_again_and_those_that_refuse_are_not(
    projector: ModuleType, letters: Any, status: int, again: bool
) -> None:
    Engines.influxdb = status
    assert run(projector, message("a", event())) == (["a"] if again else [])
    assert letters() == ({} if again else {"a": letters().get("a")})


def test_a_function_that_stays_warm_presents_a_rotated_secret(projector: ModuleType, letters: Any) -> None:
    secrets, secret = boto3.client("secretsmanager"), os.environ["INFLUXDB_SECRET"]
    before = secrets.get_secret_value(SecretId=secret)["SecretString"]
    assert run(projector, message("a", event())) == []
    rotated = json.dumps({"token": "rotated"})
    secrets.put_secret_value(SecretId=secret, SecretString=rotated)
    try:
        assert run(projector, message("b", event())) == []
    finally:
        secrets.put_secret_value(SecretId=secret, SecretString=before)
    assert Engines.presented == tuple(authorization(json.loads(access)["token"]) for access in (before, rotated))


def test_a_query_that_is_wrong_is_given_up(projector: ModuleType, letters: Any) -> None:
    Engines.neptune = (400, "MalformedQueryException")
    assert run(projector, message("a", event())) == []
    assert letters() == {"a": "Neptune: MalformedQueryException: why "}


def test_those_of_the_same_customer_wait_and_others_do_not(projector: ModuleType, letters: Any) -> None:
    Engines.influxdb = 503
    erasure = {"type": "customer_erased", "customer_id": "7"}
    again = run(
        projector,
        message("a", event()),
        message("b", erasure),
        message("c", {**erasure, "customer_id": "8"}, group="8"),
    )
    assert again == ["a", "b"]
    queries = [json.loads(body)["query"] for path, body in Engines.asked if path == "/opencypher"]
    assert [query for query in queries if "DETACH" in query] == [projector.ERASE]  # of customer 8


def test_an_event_has_all_its_attempts_however_long_it_waited_behind_another(
    projector: ModuleType, letters: Any
) -> None:
    Engines.influxdb = 503
    for received in (1, 2):
        assert run(projector, *(message(name, event(), received=received) for name in "abc")) == ["a", "b", "c"]
    assert run(projector, *(message(name, event(), received=3) for name in "abc")) == ["b", "c"]
    assert letters().keys() == {"a"}
    assert run(projector, *(message(name, event(), received=4) for name in "bc")) == ["b", "c"]
    Engines.influxdb = 204  # in time for the last attempt of the second event
    assert run(projector, *(message(name, event(), received=5) for name in "bc")) == []
    assert letters().keys() == {"a"}


def test_behind_a_given_up_event_the_next_one_is_tried_in_the_same_run(projector: ModuleType, letters: Any) -> None:
    Engines.influxdb = 503
    for received in (1, 2):
        run(projector, message("a", event(), received=received))
    assert run(projector, message("a", event(), received=3), message("b", event(), received=3)) == ["b"]
    assert attempts() == {"a": 3, "b": 1}


def test_an_event_that_ends_its_run_is_given_up_after_its_attempts(
    projector: ModuleType, letters: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(_event: Json) -> None:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(projector, "project", crash)
        for received in (1, 2, 3, 4):
            with pytest.raises(MemoryError):
                run(projector, message("a", event(), received=received))
        assert run(projector, message("a", event(), received=5)) == []
    assert letters() == {"a": "after 3 attempts: the function ended before it could say why"}


def test_what_the_time_left_does_not_suffice_for_comes_again_untried(projector: ModuleType, letters: Any) -> None:
    messages = [message(name, event(), group=name, received=9) for name in "abc"]
    assert run(projector, *messages, seconds=(TIMEOUT_SECONDS, MESSAGE_SECONDS, MESSAGE_SECONDS - 1)) == ["c"]
    assert attempts() == {"a": 1, "b": 1}


def test_one_message_takes_one_attempt_of_each_engine(projector: ModuleType, letters: Any) -> None:
    for client in (boto3.client("neptunedata", config=projector.config), projector.client("dynamodb")):
        assert client.meta.config.retries["total_max_attempts"] == 1
        assert client.meta.config.connect_timeout + client.meta.config.read_timeout <= MESSAGE_SECONDS / 5
    Engines.neptune = (500, "InternalFailureException")
    run(projector, message("a", event()))
    assert [path for path, _ in Engines.asked] == ["/opencypher"]


def test_the_largest_message_can_be_given_up(projector: ModuleType, letters: Any) -> None:
    assert run(projector, message("a", '"' * MESSAGE_BYTES), message("b", "é" * (MESSAGE_BYTES // 2))) == []
    assert letters().keys() == {"a", "b"}


def test_events_come_again_while_the_table_of_dead_letters_cannot_be_written(
    projector: ModuleType, letters: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    Engines.influxdb = 503
    with monkeypatch.context() as patch:
        patch.setenv("DEAD_LETTERS", "absent")
        assert run(projector, message("a", "no event"), message("b", event(), group="8", received=9)) == ["a", "b"]


def test_no_event_of_any_shape_ends_the_run(projector: ModuleType, letters: Any) -> None:
    bodies = ["", "[]", "null", "7", '"text"', "{}", json.dumps(event(amount="much")), json.dumps(event(at="soon"))]
    bodies += [json.dumps(event(amount="NaN")), json.dumps(event(rental_id=None)), json.dumps({"customer_id": 1})]
    assert run(projector, *(message(str(number), body) for number, body in enumerate(bodies))) == []
    assert len(letters()) == len(bodies)
    assert Engines.asked == ()


def test_a_film_that_came_back_changes_neither_graph_nor_trends(projector: ModuleType, letters: Any) -> None:
    assert run(projector, message("a", event(type="returned", title=None))) == []
    assert (Engines.asked, letters()) == ((), {})


def test_a_category_of_any_name_is_one_tag(projector: ModuleType, letters: Any) -> None:
    assert run(projector, message("a", event(category="Sci-Fi, a=b"))) == []
    line = dict(Engines.asked)["/write"]
    assert line.startswith("rentals,category=Sci-Fi\\,\\ a\\=b,store=1 value=1i,amount=299i ")


def test_a_category_with_a_line_break_is_one_line(projector: ModuleType, letters: Any) -> None:
    assert run(projector, message("a", event(category="Film\nnoir,x=1 y=2\nother z=1\\"))) == []
    line = dict(Engines.asked)["/write"]
    assert line.startswith(
        "rentals,category=Film\\ noir\\,x\\=1\\ y\\=2\\ other\\ z\\=1/,store=1 value=1i,amount=299i "
    )
    assert "\n" not in line


def test_a_store_that_is_no_number_is_no_event(projector: ModuleType, letters: Any) -> None:
    assert run(projector, message("a", event(store_id="1 value=1i\nother,x=1"))) == []
    assert letters()["a"].startswith("not an event of a rental: ValueError")
    assert Engines.asked == ()


@given(st.none() | st.text())
def test_influxdb_can_hold_every_category(projector: ModuleType, category: str | None) -> None:
    assert projector.series("rentals", {"category": projector.category_dimension(category)})


def test_a_time_without_a_zone_is_in_utc_wherever_the_function_runs(
    projector: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "America/New_York")
        time.tzset()
        read = [projector.read(json.dumps(event(at=f"2026-05-24T21:54:33{zone}"))) for zone in ("", "Z", "+00:00")]
    time.tzset()
    assert len({event["moment"] for event in read}) == 1


moments = st.datetimes(timezones=st.timezones()).filter(lambda at: 1970 < at.year < 2100)
amounts = st.decimals(min_value=0, max_value=1000, places=2)


@given(moment=moments, rental=st.integers(0, 2**31), amount=amounts)
def test_the_function_reads_what_the_workload_sends(
    projector: ModuleType, moment: Any, rental: int, amount: Decimal
) -> None:
    body = Event("e", "rented", "7", text_of(moment), rental, "3", 1, "t", None, str(amount)).body()
    read = projector.read(body)
    assert read["cents"] == cents(amount)
    assert point_time(read["moment"], rental) == point_time(moment, rental)
    assert (read["customer"], read["movie"], read["rental"]) == ("7", "3", rental)
