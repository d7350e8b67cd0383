"""An old database arrives in every engine, whole, once, and whatever happens on the way."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, LiteralString

import pytest

from contract.errors import GroundworkError, InputError, UnavailableError
from localcloud.cloud import processes
from localcloud.services.neptune import behaviour as neptune
from tests.influxdb import keep_points
from workloads.errors import RefusedRowError
from workloads.movie_rental import customer, database
from workloads.movie_rental.engines import Engines
from workloads.movie_rental.graph import NeptuneGraph
from workloads.movie_rental.library import DynamoLibrary
from workloads.movie_rental.load import create_database, load
from workloads.movie_rental.migrate import bring, migrate
from workloads.movie_rental.model import Movie, Removal
from workloads.movie_rental.outbox import FifoQueue, relay
from workloads.movie_rental.rebuild import rebuild
from workloads.movie_rental.search import search
from workloads.movie_rental.search_index import OpenSearchIndex
from workloads.movie_rental.source import Source
from workloads.movie_rental.timeseries import SCHEMA, TimestreamSeries
from workloads.movie_rental.verify import Comparison, differing, verify
from workloads.rental_company.generated import GeneratedCompany
from workloads.timeseries.influxdb import InfluxDB

from .conftest import Servers
from .killed import CALLS

KILLS = 20


def run(url: str, engines: Engines, **options: Any) -> dict[str, int]:
    with Source(url) as source:
        return migrate(source, engines, **options)


def different(url: str, engines: Engines) -> list[Comparison]:
    with Source(url) as source:
        compared = [*verify(source, engines)]
    assert len(compared) == 19
    return [one for one in compared if not one.equal]


@pytest.fixture(scope="module")
def old(servers: Servers) -> str:
    return servers.source("old")


@pytest.fixture(scope="module")
def engines(servers: Servers, old: str) -> Engines:
    made = servers.new()
    moved = run(old, made)
    assert moved["movies"] == 20
    assert moved["customers"] == 17
    assert moved["rentals"] == moved["who rented what, and when"] > 200
    return made


class TestWhatArrives:
    def test_everything_is_there_and_the_same(self, old: str, engines: Engines) -> None:
        assert different(old, engines) == []

    def test_migrating_again_changes_nothing(self, old: str, engines: Engines) -> None:
        before = {movie.id: movie.version for movie in engines.library.all()}
        run(old, engines)
        assert {movie.id: movie.version for movie in engines.library.all()} == before
        assert set(before.values()) == {1}
        assert different(old, engines) == []

    def test_oddities_arrive_as_they_are(self, engines: Engines) -> None:
        bare, strange, many = (engines.library.get(number) for number in "345")
        assert bare
        assert (bare.genre, bare.genres, bare.cast) == (None, (), ())
        assert strange
        assert (strange.title, strange.description) == ("ŁÓDŹ „Ünïcode“ 映画 🎬", None)
        assert strange.rental_rate == Decimal("0.07")
        assert many
        assert (len(many.genres), many.genre) == (16, "Action")
        assert engines.graph.has_customer(9001)
        assert engines.graph.rented(9001) == []
        assert len(engines.graph.recommend(9001, 3)) == 3
        [known] = engines.ledger.ask("customer.sql", customer=9001)
        assert (known["first_name"], known["rentals"], known["paid"]) == ("Никто", 0, Decimal("0.00"))
        assert engines.index.full_text("lodz unicode").hits[0].movie_id == "4"

    def test_movies_are_found_by_meaning_and_by_both(self, engines: Engines) -> None:
        embedder = engines.embedder()
        movie = engines.library.get("7")
        assert movie
        for mode in ("meaning", "both"):
            assert search(engines.index, embedder, movie.text, mode=mode, limit=3).hits[0].movie_id == "7"  # type: ignore[arg-type]
        assert search(engines.index, embedder, "qqq zzz", mode="meaning").hits == []

    def test_verify_names_what_differs(self, servers: Servers, engines: Engines) -> None:
        url = servers.source("changed")
        with database.connect(url) as connection:
            connection.execute("UPDATE rental SET return_date = return_date + interval '1 s' WHERE rental_id = 5")
            connection.execute("UPDATE film SET length = length + 1 WHERE film_id = 9")
            connection.execute("UPDATE payment SET amount = amount + 0.01 WHERE rental_id = 6")
        found = [(one.engine, one.kind.split(" ")[0]) for one in different(url, engines)]
        assert found == [
            ("PostgreSQL", "rentals"),
            ("PostgreSQL", "payments"),
            ("DynamoDB", "movies"),
            ("OpenSearch", "movies"),
            ("Timestream", "rentals"),
        ]

    def test_what_changed_in_the_old_database_is_brought_over(self, servers: Servers) -> None:
        url, made = servers.source("moving"), servers.new()
        run(url, made)
        with database.connect(url) as connection:
            connection.execute("UPDATE film SET length = 77 WHERE film_id = 9")
            connection.execute("DELETE FROM film_actor WHERE film_id = 9")
            connection.execute("UPDATE customer SET last_name = 'Changed' WHERE customer_id = 2")
        run(url, made)
        assert different(url, made) == []
        movie = made.library.get("9")
        assert movie
        assert (movie.length, movie.version, movie.cast) == (77, 2, ())


@pytest.fixture(scope="module")
def damaged(servers: Servers) -> tuple[str, Engines]:
    """Engines each of which has lost a row, or holds one that is not as it was."""
    url, made = servers.source("damaged"), servers.new()
    run(url, made)
    connection = made.ledger.connection
    with connection.transaction():
        connection.execute("SELECT set_config('movie_rental.migrating', 'on', true)")  # not by the new system
        connection.execute("UPDATE rentals SET rented_at = rented_at + interval '1 ms' WHERE rental_id = 7")
        connection.execute("DELETE FROM payments WHERE rental_id = 8")
    movie = made.library.get("9")
    assert movie
    made.library.save([replace(movie, rating="PG-99")])
    made.index.remove([Removal("8", 1)])
    made.index.refresh()
    graph = made.graph
    assert isinstance(graph, NeptuneGraph)
    graph.ask("MATCH ()-[r:RENTED {rentalId: $rental}]->() SET r.at = $at", {"rental": 10, "at": "1999-12-31T0"})
    graph.ask("MATCH ()-[r:RENTED {rentalId: $rental}]->() DELETE r", {"rental": 11})
    graph.ask("MATCH (m:Movie {id: $movie}) SET m.title = $title", {"movie": "12", "title": "Another"})
    with database.connect(url) as old:
        old.execute("UPDATE payment SET amount = amount + 1 WHERE rental_id = 13")
    return url, made


class TestWhatDiffers:
    def test_verify_tells_which_rows(self, damaged: tuple[str, Engines]) -> None:
        url, made = damaged
        with database.connect(url) as old:
            paid = {number for (number,) in old.execute("SELECT payment_id FROM payment WHERE rental_id IN (8, 13)")}
        rows = {(one.engine, one.kind.split(" ")[0]): one.rows for one in different(url, made)}
        day = rows.pop(("Timestream", "rentals"))
        assert 13 in day
        assert len(day) < 50
        assert rows == {
            ("PostgreSQL", "rentals"): {7},
            ("PostgreSQL", "payments"): paid,
            ("DynamoDB", "movies"): {9},
            ("OpenSearch", "movies"): {8},
            ("OpenSearch", "vectors"): {8, 9},
            ("Neptune", "movies"): {12},
            ("Neptune", "rented"): {10, 11},
        }

    def test_these_rows_are_brought_over_and_no_others(self, damaged: tuple[str, Engines]) -> None:
        url, made = damaged
        before = {movie.id: movie.version for movie in made.library.all()}
        with Source(url) as source:
            compared = [*verify(source, made)]
            brought = bring(source, made, differing(compared))
        assert (brought["rentals"], brought["payments"]) == (1, 2)
        assert (brought["movies"], brought["movies in the graph"]) == (2, 1)
        assert {"customers", "inventory"}.isdisjoint(brought)
        assert different(url, made) == []
        after = {movie.id: movie.version for movie in made.library.all()}
        assert {number for number in after if after[number] != before[number]} == {"9"}

    def test_a_rental_of_the_time_series_that_was_before_the_first_one_is_told(self, servers: Servers) -> None:
        url, made = servers.source("earlier"), servers.new()
        run(url, made)
        with Source(url) as source:
            rental = next(rental for batch in source.rentals() for rental in batch)
        made.series.save([replace(rental, at=rental.at - timedelta(days=20_000))])
        [one] = different(url, made)
        assert (one.engine, one.target.rows - one.source.rows, one.rows) == ("Timestream", 1, frozenset())

    def test_nothing_is_written_over_what_the_new_system_has_changed(self, servers: Servers) -> None:
        url, made = servers.source("used"), servers.new()
        run(url, made)
        made.ledger.connection.execute("UPDATE customers SET last_name = 'New' WHERE customer_id = 2")
        [one] = different(url, made)
        assert (one.kind, one.rows) == ("customers", {2})
        with Source(url) as source, pytest.raises(InputError, match="The new system is in use"):
            bring(source, made, differing([one]))
        assert made.ledger.ask("customer.sql", customer=2)[0]["last_name"] == "New"

    def test_a_rental_that_a_migration_could_not_see_is_counted(self, servers: Servers) -> None:
        url, made = servers.source("orphan"), servers.new()
        run(url, made)
        with database.connect(url) as old:
            old.execute("ALTER TABLE rental DROP CONSTRAINT IF EXISTS rental_inventory_id_fkey")
            old.execute(
                "DELETE FROM inventory WHERE inventory_id = (SELECT inventory_id FROM rental WHERE rental_id = 5)"
            )
            [(rentals,)] = old.execute("SELECT count(*) FROM rental")
        counted = {(one.engine, one.kind.split(" ")[0]): one.source.rows for one in different(url, made)}
        assert counted["Timestream", "rentals"] == rentals
        assert ("Neptune", "rented") in counted


class TestAnOldDatabaseOfAnotherShape:
    def test_times_without_a_zone_are_in_utc_wherever_this_runs(
        self, servers: Servers, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        url, made = servers.source("zoneless"), servers.new()
        columns = [("rental", "rental_date"), ("rental", "return_date"), ("payment", "payment_date")]
        with database.connect(url) as connection:
            for table, column in [*columns, ("customer", "create_date")]:
                connection.execute(
                    f"ALTER TABLE {table} ALTER {column} TYPE timestamp USING {column}::timestamp"  # type: ignore[arg-type]
                )
            connection.execute("UPDATE rental SET rental_date = '2026-03-08 02:30:00' WHERE rental_id = 1")
        with monkeypatch.context() as patch:
            patch.setenv("TZ", "America/New_York")  # where this time was skipped
            time.tzset()
            run(url, made)
            assert different(url, made) == []
        time.tzset()
        moment = datetime(2026, 3, 8, 2, 30, tzinfo=UTC)
        assert made.ledger.connection.execute("SELECT rented_at FROM rentals WHERE rental_id = 1").fetchone() == (
            moment,
        )
        assert [at for _, _, number, at in made.graph.facts("rentals") if number == 1] == ["2026-03-08T02:30:00.000Z"]
        days = made.series.daily(moment.replace(hour=0, minute=0), moment + timedelta(days=1))
        assert moment.date() in {day.date() for day in days["day"]}

    def test_a_payment_without_rental_is_in_the_books(self, servers: Servers) -> None:
        url, made = servers.source("fees"), servers.new()
        with database.connect(url) as connection:
            connection.execute("INSERT INTO payment VALUES (9001, 3, 1, NULL, 1.50, '2026-05-26 00:00:00+00')")
        run(url, made)
        assert different(url, made) == []
        paid = made.ledger.connection.execute(
            "SELECT rental_id, amount FROM payments WHERE payment_id = 9001"
        ).fetchall()
        assert paid == [(None, Decimal("1.50"))]
        known = customer.known(made, 3)
        assert known.person["paid"] == sum(rental["paid"] for rental in known.rentals) + Decimal("1.50")

    @pytest.mark.parametrize("name", ["Film\nnoir,x=1 y=2\nother z=1", "back\\", "\n", "a\\,b\\=c\\ d\t"])
    @pytest.mark.parametrize("engine", ["influxdb", "liveanalytics"])
    def test_a_category_of_any_name_is_one_category(self, servers: Servers, name: str, engine: str) -> None:
        url, made = servers.source("named"), servers.new()
        if engine == "liveanalytics":
            made = replace(made, series=servers.liveanalytics())
        with database.connect(url) as connection:
            connection.execute("UPDATE category SET name = %s WHERE category_id = 1", [name])
        run(url, made)
        assert different(url, made) == []
        if engine == "influxdb":
            found = made.series.store.rows("SHOW MEASUREMENTS")  # type: ignore[attr-defined]
            assert [row["name"] for row in found] == ["metrics"]

    def test_an_actor_with_one_name_and_a_rental_of_nobody(self, servers: Servers) -> None:
        url, made = servers.source("nameless"), servers.new()
        with database.connect(url) as connection:
            connection.execute("UPDATE actor SET last_name = NULL WHERE actor_id = 2")
            connection.execute("UPDATE rental SET customer_id = NULL WHERE rental_id = 2")
        run(url, made)
        assert different(url, made) == []
        assert not made.graph.has_customer(0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            "UPDATE film SET title = '' WHERE film_id = 7",
            r"rows that cannot be migrated \(1\): film 7: it has no title",
        ),
        ("UPDATE film SET title = repeat('x', 2000) WHERE film_id = 7", "film 7: its title has 2000 bytes"),
        ("UPDATE film SET rental_rate = 'NaN' WHERE film_id = 7", "film 7: its rental_rate is NaN"),
        ("UPDATE category SET name = repeat('x', 3000) WHERE category_id = 2", "category 2: its name has 3000 bytes"),
        (
            "UPDATE customer SET create_date = 'infinity' WHERE customer_id = 4",
            "customer 4: its create_date is infinity",
        ),
        ("UPDATE rental SET rental_date = '-infinity' WHERE rental_id = 8", "rental 8: its rental_date is -infinity"),
        (
            "UPDATE rental SET rental_date = '0044-03-15 BC' WHERE rental_id = 8",
            "rental 8: its rental_date is 0044-03-15",
        ),
        ("UPDATE rental SET return_date = 'infinity' WHERE rental_id = 8", "rental 8: its return_date is infinity"),
        (
            "UPDATE rental SET inventory_id = 1, return_date = NULL WHERE rental_id IN (8, 9)",
            "rental 9: it has not returned copy 1, and neither has rental 8",
        ),
        ("UPDATE inventory SET film_id = 4711 WHERE inventory_id = 1", "rental .*: its copy 1 is of film 4711"),
        (
            "UPDATE payment SET payment_date = 'infinity' WHERE payment_id = 6",
            "payment 6: its payment_date is infinity",
        ),
        ("UPDATE payment SET amount = 'NaN' WHERE payment_id = 6", "payment 6: its amount is NaN"),
        ("UPDATE payment SET payment_date = 'infinity'", r"payment 10: its payment_date is infinity; and \d+ more"),
        ("UPDATE inventory SET film_id = NULL WHERE inventory_id = 1", "rental .*: its copy 1 is of no film"),
        ("UPDATE film SET rental_rate = NULL WHERE film_id = 7", "film 7: its rental_rate is missing"),
        (
            "ALTER TABLE film ALTER rental_rate TYPE numeric; UPDATE film SET rental_rate = 2.995 WHERE film_id = 7",
            "film 7: its rental_rate is 2.995, which has fractions of a cent",
        ),
        (
            "ALTER TABLE payment ALTER amount TYPE float8; UPDATE payment SET amount = 2.995 WHERE payment_id = 6",
            "payment 6: its amount is 2.995, which has fractions of a cent",
        ),
        ("UPDATE category SET name = NULL WHERE category_id = 2", "category 2: it has no name"),
        ("UPDATE category SET name = '' WHERE category_id = 2", "category 2: it has no name"),
        ("UPDATE film SET film_id = 0 WHERE film_id = 7", "film 0: numbers begin at 1"),
        ("UPDATE rental SET rental_id = -1 WHERE rental_id = 8", "rental -1: numbers begin at 1"),
        (
            "ALTER TABLE rental DROP CONSTRAINT rental_pkey; INSERT INTO rental SELECT * FROM rental WHERE rental_id=8",
            "rental 8: there are 2 rows of this number",
        ),
        (
            "ALTER TABLE film DROP CONSTRAINT film_pkey; INSERT INTO film SELECT * FROM film WHERE film_id = 7",
            "film 7: there are 2 rows of this number",
        ),
        (
            """ALTER TABLE payment DROP CONSTRAINT payment_pkey, ALTER payment_id DROP NOT NULL;
            UPDATE payment SET payment_id = NULL WHERE payment_id IN (6, 9)""",
            "payment 0: 2 rows have no number",
        ),
    ],
)
def test_rows_that_cannot_be_migrated_are_named_before_anything_is_written(
    servers: Servers, change: LiteralString, message: str
) -> None:
    url, made = servers.source("faulty"), servers.new()
    with database.connect(url) as connection:
        connection.execute("UPDATE rental SET return_date = now() WHERE return_date IS NULL")
        connection.execute(change)
    with pytest.raises(RefusedRowError, match=f"{message}.*Nothing was written") as caught:
        run(url, made)
    assert (caught.value.exit_code, "goes on" in str(caught.value)) == (2, False)
    assert made.ledger.connection.execute("SELECT count(*) FROM countries").fetchone() == (0,)
    assert [*made.library.all()] == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            """ALTER TABLE rental ALTER rental_date TYPE text;
            UPDATE rental SET rental_date = '0000-00-00 00:00:00' WHERE rental_id = 8""",
            "rental 8: its rental_date is '0000-00-00 00:00:00'",
        ),
        (
            "ALTER TABLE payment ALTER payment_date TYPE bigint USING extract(epoch FROM payment_date)::bigint",
            "The column payment_date of payment is of type bigint",
        ),
    ],
)
def test_what_is_no_time_is_named_before_anything_is_written(
    servers: Servers, change: LiteralString, message: str
) -> None:
    url, made = servers.source("timeless"), servers.new()
    with database.connect(url) as connection:
        connection.execute(change)
    with pytest.raises(InputError, match=message):
        run(url, made)
    assert made.ledger.connection.execute("SELECT count(*) FROM countries").fetchone() == (0,)


def test_times_and_amounts_of_other_types_are_read_as_they_are(servers: Servers) -> None:
    url, made = servers.source("types"), servers.new()
    with database.connect(url) as connection:
        connection.execute("""
            ALTER TABLE rental ALTER rental_date TYPE text, ALTER return_date TYPE text;
            ALTER TABLE payment ALTER payment_date TYPE timestamp, ALTER amount TYPE money USING amount::money;
        """)
    run(url, made)
    assert different(url, made) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            "UPDATE film SET description = repeat('long story ', 60000) WHERE film_id = 7",
            r"Film 7 \(.+\): DynamoDB refuses it: Item size has exceeded",
        ),
        (
            "UPDATE rental SET customer_id = 4711 WHERE rental_id = 11",
            r"Rental 11: PostgreSQL refuses it: .*: Key \(customer_id\)=\(4711\) is not present",
        ),
        (
            "UPDATE customer SET first_name = NULL WHERE customer_id = 4",
            'Customer 4: PostgreSQL refuses it: null value in column "first_name"',
        ),
        (
            "UPDATE rental SET rental_date = '1900-01-01' WHERE rental_id = 13",
            "Rental 13: Timestream refuses 1 rentals.*retention",
        ),
    ],
)
def test_a_row_that_an_engine_refuses_is_named_and_no_retry_is_promised(
    servers: Servers, change: LiteralString, message: str
) -> None:
    url, made = servers.source("refused"), servers.new()
    name = made.series.store._database  # type: ignore[attr-defined]
    keep_points(servers.influxdb_url, servers.token, name, seconds=36500 * 86400)
    with database.connect(url) as connection:
        connection.execute(change)
    with pytest.raises(RefusedRowError, match=message) as caught:
        run(url, made)
    assert (caught.value.exit_code, "goes on" in str(caught.value)) == (2, False)
    assert "Failing row" not in str(caught.value)


def test_another_company_at_the_same_address_is_not_taken_for_the_rest_of_the_first(servers: Servers) -> None:
    url, made = servers.source("replaced"), servers.new()

    def stop(stream: str, _done: int, _total: int) -> None:
        if stream == "inventory":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(url, made, progress=stop)
    load(GeneratedCompany(0.02, seed=1), url, replace=True)
    run(url, made)
    assert {one.kind for one in different(url, made)} <= {
        "customers",
        "addresses",
    }  # those of the first that are too many


def killed(servers: Servers, url: str, engines: Engines, **options: Any) -> dict[str, Any]:
    """Let `killed.py` migrate into some engines, and return what it tells."""
    assert isinstance(engines.library, DynamoLibrary)
    assert isinstance(engines.index, OpenSearchIndex)
    assert isinstance(engines.series, TimestreamSeries)
    where = {
        "source": url,
        "ledger": engines.ledger.url,
        "library": engines.library._table,
        "search": servers.search_url,
        "index": engines.index._index,
        "graph": servers.graph_url,
        "series": [servers.influxdb_url, engines.series.store._database],  # type: ignore[attr-defined]
        "token": servers.token,
        **options,
    }
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("killed.py"))],
        input=json.dumps(where),
        capture_output=True,
        text=True,
        check=True,
    )
    told: dict[str, Any] = json.loads(done.stdout)
    return told


@pytest.mark.timeout(480)  # it starts 34 processes, one after the other
def test_killed_at_calls_and_at_twenty_random_points_and_started_again_nothing_is_lost_or_doubled(
    servers: Servers, old: str
) -> None:
    made = servers.new()
    told = killed(servers, old, made, kills=KILLS, seed=6)
    assert told == {"at_calls": 2 * len(CALLS), "killed": KILLS, "status": 0}
    run(old, made)
    assert different(old, made) == []
    assert {movie.version for movie in made.library.all()} == {1}


class TestAnEngineStopsInTheMiddle:
    """What answers stops answering; the migration says which engine, and the same command completes it."""

    @pytest.fixture(params=["library", "index", "graph", "series"])
    def broken(self, request: pytest.FixtureRequest, servers: Servers) -> tuple[Engines, Engines, str]:
        """Engines one of which has nobody at its address, the same engines whole, and what the message has to say."""
        whole = servers.new()
        nowhere = "http://localhost:9"
        gone: dict[str, tuple[Any, str]] = {
            "library": (DynamoLibrary("no-such-table", attempts=1), "Table no-such-table: DynamoDB refuses"),
            "index": (OpenSearchIndex(nowhere), f"{nowhere}: OpenSearch cannot be reached"),
            "graph": (NeptuneGraph(nowhere, attempts=1), f"{nowhere}: Neptune cannot be reached"),
            "series": (TimestreamSeries(_influxdb(nowhere)), f"{nowhere}: InfluxDB cannot be reached"),
        }
        engine, message = gone[request.param]
        return replace(whole, **{request.param: engine}), whole, message

    def test_the_message_names_it_and_the_same_command_goes_on(
        self, old: str, broken: tuple[Engines, Engines, str]
    ) -> None:
        engines, whole, message = broken
        with pytest.raises(GroundworkError, match=message) as gone:
            run(old, engines)
        assert "the same command" in gone.value.advice.lower()
        moved = run(old, whole)
        assert moved["who rented what, and when"] > 200
        assert moved["customers"] == 0 or message.endswith("OpenSearch cannot be reached")  # it was in already
        assert different(old, whole) == []

    def test_the_new_database(self, servers: Servers, old: str) -> None:
        engines = servers.new()
        count = 0

        def cut(stream: str, done: int, _total: int) -> None:
            nonlocal count
            count += stream == "movies" and done > 0
            if count == 1:
                engines.ledger.close()

        with pytest.raises(UnavailableError, match="PostgreSQL cannot be reached"):
            run(old, engines, progress=cut)
        again = type(engines.ledger)(engines.ledger.url)
        servers.opened.append(again)
        whole = replace(engines, ledger=again)
        assert run(old, whole)["customers"] == 0
        assert different(old, whole) == []

    def test_a_server_that_is_killed_and_comes_back_with_what_it_had(
        self, servers: Servers, old: str, tmp_path: Path
    ) -> None:
        process, port = neptune.start(tmp_path)
        engines = replace(servers.new(), graph=NeptuneGraph(f"http://localhost:{port}", attempts=1))

        def kill(stream: str, _done: int, _total: int) -> None:
            if stream.startswith("who rented"):
                processes.end(process, patience=0)

        with pytest.raises(UnavailableError, match="Neptune cannot be reached") as killed:
            run(old, engines, progress=kill)
        assert killed.value.advice.startswith(
            "What was moved stays. The same command goes on with this stream: who rented"
        )
        process, port = neptune.start(tmp_path)
        whole = replace(engines, graph=NeptuneGraph(f"http://localhost:{port}"))
        assert run(old, whole)["movies"] == 0
        assert different(old, whole) == []
        processes.end(process)

    def test_the_old_database(self) -> None:
        with (
            pytest.raises(UnavailableError, match="PostgreSQL cannot be reached"),
            Source("postgresql://x@localhost:9/old"),
        ):
            pass

    def test_another_database_is_no_source(self, servers: Servers) -> None:
        url = create_database(servers.postgresql_url, "empty")
        with (
            pytest.raises(InputError, match="This is not a film rental company's database: it has no table language, "),
            Source(url),
        ):
            pass

    def test_a_loaded_database_is_not_loaded_over(self, old: str) -> None:
        with pytest.raises(InputError, match="The database has a table language already"):
            load(GeneratedCompany(0.01), old)


def _influxdb(url: str) -> Any:
    return InfluxDB(url, "nowhere", schema=SCHEMA, attempts=1)


def test_what_dynamodb_leaves_out_when_throttled_is_written_again(servers: Servers) -> None:
    library = servers.library()
    throttled = Throttled(library._client)
    library._client = throttled
    movies = [Movie(str(number), f"Title {number}") for number in range(60)]
    assert len(library.save(movies)) == 60
    assert throttled.left_out > 20
    assert len([*library.all()]) == 60
    throttled.nothing = True
    with pytest.raises(UnavailableError, match="DynamoDB is not available now: It throttles requests"):
        library.save([Movie("another", "Title")])


class Throttled:
    """DynamoDB as it answers when it is throttled: a part of each batch is not processed. All the rest is real."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.left_out = 0
        self.nothing = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def batch_write_item(self, RequestItems: dict[str, list[Any]]) -> Any:  # noqa: N803 - boto3's
        [(table, requests)] = RequestItems.items()
        taken = [] if self.nothing else requests[: max(1, len(requests) // 3)]
        left = requests[len(taken) :]
        if taken:
            self._client.batch_write_item(RequestItems={table: taken})
        self.left_out += len(left)
        return {"UnprocessedItems": {table: left} if left else {}}


@pytest.fixture(scope="module")
def company(servers: Servers, old: str) -> Engines:
    made = servers.new()
    run(old, made)
    return made


def test_what_is_derived_can_be_made_anew(servers: Servers, company: Engines, old: str) -> None:
    rebuilt = replace(company, index=servers.index(), graph=servers.graph(), series=servers.series())
    rebuilt.index.create(64)
    assert {one.engine for one in different(old, rebuilt)} == {"OpenSearch", "Neptune", "Timestream"}
    assert rebuild(rebuilt) == {"movies": 20, "customers": 17, "rentals": 283}
    assert different(old, rebuilt) == []
    rebuild(rebuilt)
    assert different(old, rebuilt) == []


class TestACustomer:
    def test_all_that_is_known(self, company: Engines) -> None:
        known = customer.known(company, 3)
        assert known.person["customer_id"] == 3
        assert known.person["country"]
        assert len(known.rentals) == known.graph == known.person["rentals"] > 0
        assert all(rental["title"] for rental in known.rentals)
        assert sum(rental["paid"] for rental in known.rentals) == known.person["paid"]
        with pytest.raises(InputError, match="Customer 4711: There is no customer"):
            customer.known(company, 4711)

    def test_renting_returning_and_erasing_reach_the_queue_in_order(self, company: Engines, servers: Servers) -> None:
        movie = next(movie for movie in company.library.all() if int(movie.id) in _stocked(company))
        event = company.ledger.rent(4, movie, _stocked(company)[int(movie.id)])
        assert event.rental_id
        company.ledger.give_back(event.rental_id)
        assert relay(company.ledger, company.queue) == 2
        assert isinstance(company.queue, FifoQueue)
        sqs = servers.cloud.client("sqs")
        found = sqs.receive_message(
            QueueUrl=company.queue._url, MaxNumberOfMessages=10, MessageSystemAttributeNames=["MessageGroupId"]
        )["Messages"]
        bodies = [json.loads(message["Body"]) for message in found]
        assert [body["type"] for body in bodies] == ["rented", "returned"]
        assert {message["Attributes"]["MessageGroupId"] for message in found} == {"4"}
        assert bodies[0] == json.loads(event.body())
        assert bodies[0]["amount"] == str(movie.rental_rate)

    def test_an_erased_customer_is_nowhere_and_no_migration_brings_them_back(self, company: Engines, old: str) -> None:
        [paid] = company.ledger.connection.execute("SELECT count(*), sum(amount) FROM payments").fetchall()
        rented = len(company.graph.rented(5))
        assert rented > 0
        traces = customer.erase(company, 5)
        assert {(trace.engine, trace.kind): trace.before for trace in traces}["Neptune", "rentals"] == rented
        assert [trace.left for trace in traces] == [0] * len(traces)
        assert company.ledger.connection.execute("SELECT count(*), sum(amount) FROM payments").fetchall() == [paid]
        for _ in range(2):
            with pytest.raises(InputError, match="or not any more"):
                customer.known(company, 5)
            run(old, company, overwrite=True)  # another test has rented
        assert not company.graph.has_customer(5)
        assert [trace.before for trace in customer.erase(company, 5)] == [0] * len(traces)
        company.ledger.connection.execute("DELETE FROM payments WHERE rental_id > 100000")
        with pytest.raises(InputError, match="Customer 4711: There never was a customer"):
            customer.erase(company, 4711)


def _stocked(company: Engines) -> dict[int, int]:
    """A store that has a copy, by film."""
    return dict(
        company.ledger.connection.execute("""
            SELECT film_id, store_id FROM inventory i
            WHERE NOT EXISTS (SELECT FROM rentals r WHERE r.inventory_id = i.inventory_id AND returned_at IS NULL)
        """).fetchall()
    )
