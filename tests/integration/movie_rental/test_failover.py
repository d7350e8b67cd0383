"""PostgreSQL fails over to a server that only reads at first: commands end with 75, and nothing is lost or doubled."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from contract.errors import UnavailableError
from localcloud.cloud.certificates import issue
from localcloud.engines import postgresql
from tests.functions import with_time
from workloads.movie_rental import database
from workloads.movie_rental.engines import Engines
from workloads.movie_rental.outbox import FifoQueue
from workloads.movie_rental.timeseries import TimestreamSeries

from .conftest import ACCESS, PARAMETERS, Run, Servers
from .test_ambiguous_commits import STATE
from .test_concurrency import different
from .test_concurrency import run as migrate
from .test_contract import TOKYO, _stocked, customer
from .test_projections import rental_projector

READ_ONLY = {"default_transaction_read_only": "on"}


@dataclass
class Databases:
    """Two servers, of which one serves at a time.

    Attributes:
        engines: What the commands use; the ledger was made on the first server.
        serving: The server that serves now.
        standby: The server that takes over.
        move: Puts another port into the secret.
    """

    engines: Engines
    serving: postgresql.Server
    standby: postgresql.Server
    move: Callable[[int], None]

    def fail_over(self) -> None:
        """Stop the server that serves; the other one has its data and an address of its own, and only reads."""
        self.serving.stop()
        data = self.standby.folder / "data"
        shutil.rmtree(data, ignore_errors=True)
        subprocess.run(["cp", "-a", self.serving.folder / "data", data], check=True)
        (data / "postmaster.pid").unlink(missing_ok=True)
        self.serving, self.standby = self.standby, self.serving
        self.serving.restart(PARAMETERS | READ_ONLY)

    def promote(self) -> None:
        """Let the server that serves write."""
        self.serving.restart(PARAMETERS)

    def state(self) -> tuple[Any, ...]:
        """What renting, returning and erasing have written, by the server that serves."""
        with database.connect(moved(self.engines.ledger.url, self.serving.port)) as connection:
            [row] = connection.execute(STATE)
        return row


def moved(url: str, port: int) -> str:
    return url.replace(f":{urlsplit(url).port}/", f":{port}/")


@pytest.fixture
def stack() -> str:
    return "FailingOver"


@pytest.fixture
def databases(servers: Servers, stack: str, tmp_path: Path) -> Iterator[Databases]:
    first = postgresql.start(tmp_path / "first", **ACCESS, database="first", parameters=PARAMETERS)
    (tmp_path / "second").mkdir()
    certificate = issue(tmp_path / "second", tmp_path / "second")
    second = postgresql.Server(tmp_path / "second", first._packages, certificate, *ACCESS.values())
    on_first = replace(servers, postgresql_url=moved(servers.postgresql_url, first.port))
    engines = replace(servers.new(), ledger=_stocked(on_first))
    engines.library.save([TOKYO])
    servers.deploy(stack, engines)
    yield Databases(engines, first, second, partial(servers.move_database, stack))
    engines.ledger.close()
    first.stop()
    second.stop()
    servers.cloud.client("cloudformation").delete_stack(StackName=stack)
    for name in ("database", "trends"):
        secret = f"{stack}-{name}"
        servers.cloud.client("secretsmanager").delete_secret(SecretId=secret, ForceDeleteWithoutRecovery=True)


def projected(servers: Servers, engines: Engines, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Project what the queue holds, as the function does. Return the types of the events, sorted."""
    assert isinstance(engines.queue, FifoQueue)
    assert isinstance(engines.series, TimestreamSeries)
    handler = rental_projector(servers, engines.series, monkeypatch).handler
    sqs, types = servers.cloud.client("sqs"), list[str]()
    queue: dict[str, Any] = {"QueueUrl": engines.queue._url}
    while messages := sqs.receive_message(**queue, MaxNumberOfMessages=10, MessageSystemAttributeNames=["All"]).get(
        "Messages"
    ):
        records = [
            {"messageId": one["MessageId"], "body": one["Body"], "attributes": one["Attributes"]} for one in messages
        ]
        assert handler({"Records": records}, with_time(60)) == {"batchItemFailures": []}
        types += [str(one["Body"]).partition('"type": "')[2].partition('"')[0] for one in messages]
        for message in messages:
            sqs.delete_message(**queue, ReceiptHandle=message["ReceiptHandle"])
    return sorted(types)


def counted(engines: Engines) -> int:
    """How many rentals the trends count."""
    now = datetime.now(UTC)
    return int(engines.series.daily(now - timedelta(days=2), now + timedelta(days=2))["rentals"].sum())


def test_commands_end_with_75_until_a_server_writes_and_then_have_their_effect_once(
    servers: Servers, databases: Databases, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    engines = databases.engines
    returning, renting = (engines.ledger.add_customer(customer()).id for _ in range(2))
    code, out, errors = run("rent", returning, TOKYO.id, "--request", "first")
    assert code == 0, errors
    rental = out.split()[1].rstrip(":")
    engines.ledger.rent(renting, TOKYO, 1, "waiting")  # whose event waits in the outbox
    engines.ledger.give_back(int(engines.ledger.rent(renting, replace(TOKYO, id="1"), 1).rental_id or 0))
    before = databases.state()
    commands = [
        ("rent", renting, TOKYO.id, "--request", "waiting"),
        ("return", rental),
        ("rent", renting, TOKYO.id, "--request", "second"),
        ("relay",),
        ("customer", returning, "--erase"),
        ("relay",),
    ]

    def all_end_with_75(reason: str) -> None:
        for command in commands:
            code, _, errors = run(*command)
            assert (code, reason in errors) == (75, True), errors
            assert len(errors.strip().splitlines()) == 1

    databases.fail_over()
    all_end_with_75("PostgreSQL cannot be reached")
    databases.move(databases.serving.port)
    all_end_with_75("in a read-only transaction")
    assert databases.state() == before
    databases.promote()
    for command in commands * 2:
        code, _, errors = run(*command)
        assert code == 0, errors
    assert databases.state() == (4, 2, 4, 1, 1, None)
    types = ["customer_erased", "rented", "rented", "rented", "rented", "returned", "returned"]
    assert projected(servers, engines, monkeypatch) == types
    assert not engines.graph.has_customer(returning)
    assert len(engines.graph.rented(renting)) == 3
    assert counted(engines) == 4


@pytest.mark.parametrize("command", ["rent", "return"])
def test_a_failover_between_sending_an_event_and_forgetting_it_loses_and_doubles_nothing(
    servers: Servers, databases: Databases, run: Run, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    engines = databases.engines
    who = engines.ledger.add_customer(customer()).id
    arguments: tuple[object, ...] = ("rent", who, TOKYO.id, "--request", "one")
    types = ["rented"]
    if command == "return":
        code, out, errors = run(*arguments)
        assert code == 0, errors
        arguments, types = ("return", out.split()[1].rstrip(":")), ["rented", "returned"]
    send = FifoQueue.send

    def send_and_fail_over(queue: FifoQueue, events: Any) -> list[str]:
        failed = send(queue, events)
        databases.fail_over()
        return failed

    with monkeypatch.context() as during:
        during.setattr(FifoQueue, "send", send_and_fail_over)
        code, _, errors = run(*arguments)
        assert code == 75, errors
    databases.promote()
    databases.move(databases.serving.port)
    for _ in range(2):
        code, _, errors = run(*arguments)
        assert code == 0, errors
    assert databases.state() == (1, int(command == "rent"), 1, 1, 0, None)
    assert projected(servers, engines, monkeypatch) == types
    assert len(engines.graph.rented(who)) == counted(engines) == 1


def test_a_session_that_only_reads_for_a_while_loses_nothing(servers: Servers) -> None:
    ledger = _stocked(servers)
    who = ledger.add_customer(customer()).id
    rental = ledger.rent(who, TOKYO, 1).rental_id
    assert rental
    [(place, _)] = ledger.waiting()

    def write_all() -> Iterator[Callable[[], object]]:
        yield lambda: ledger.rent(who, TOKYO, 1, "one")
        yield lambda: ledger.give_back(rental)
        yield lambda: ledger.sent([place])
        yield lambda: ledger.erase_customer(who)
        yield lambda: ledger.add_customer(customer())

    before = ledger.connection.execute(STATE).fetchall()
    ledger.connection.execute("SET default_transaction_read_only = on")
    for write in write_all():
        with pytest.raises(UnavailableError, match="read-only transaction"):
            write()
    assert ledger.connection.execute(STATE).fetchall() == before
    ledger.connection.execute("SET default_transaction_read_only = off")
    for write in write_all():
        write()
    assert ledger.connection.execute(STATE).fetchall() == [(2, 1, 2, 1, 1, "rented customer_erased")]


@pytest.mark.parametrize("stream", ["rentals", "payments", "who rented what, and when"])
def test_a_migration_goes_on_after_a_server_that_only_read(servers: Servers, stream: str) -> None:
    source, engines = servers.source(f"failing_over_{stream.split(maxsplit=1)[0]}"), servers.new()
    connection = engines.ledger.connection

    def only_read(name: str, done: int, _total: int) -> None:
        if (name, done) == (stream, 0):
            connection.execute("SET default_transaction_read_only = on")

    with pytest.raises(UnavailableError, match="read-only transaction"):
        migrate(source, engines, progress=only_read)
    connection.execute("SET default_transaction_read_only = off")
    migrate(source, engines)
    assert different(source, engines) == []
