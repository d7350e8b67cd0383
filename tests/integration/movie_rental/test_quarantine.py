"""Rows that can never be migrated are left out by name, and an old database of MySQL's shape is read."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from contract.errors import InputError
from workloads.errors import RefusedRowError
from workloads.movie_rental import database
from workloads.movie_rental.engines import Engines
from workloads.movie_rental.migrate import migrate
from workloads.movie_rental.quarantine import Quarantine, read
from workloads.movie_rental.source import Source
from workloads.movie_rental.verify import verify

from .conftest import Servers

FAULTS = """
    UPDATE rental SET return_date = now() WHERE return_date IS NULL;
    DELETE FROM payment WHERE customer_id IN (4, 5) AND rental_id > 100;
    DELETE FROM rental WHERE customer_id IN (4, 5) AND rental_id > 100;
    UPDATE film SET title = '' WHERE film_id = 7;
    UPDATE film SET description = repeat('long story ', 60000) WHERE film_id = 8;
    UPDATE category SET name = repeat('x', 3000) WHERE category_id = 2;
    UPDATE customer SET create_date = 'infinity' WHERE customer_id = 4;
    UPDATE customer SET first_name = NULL WHERE customer_id = 5;
    UPDATE rental SET return_date = 'infinity' WHERE rental_id = 8;
    UPDATE rental SET customer_id = 4711 WHERE rental_id = 11;
    UPDATE payment SET amount = 'NaN' WHERE payment_id = 6;
    UPDATE payment SET payment_date = 'infinity' WHERE payment_id = 9;
"""
NAMED = {
    ("film", 7): "it has no title",
    ("film", 8): "DynamoDB refuses it: Item size has exceeded",
    ("category", 2): "its name has 3000 bytes",
    ("customer", 4): "its create_date is infinity",
    ("customer", 5): 'null value in column "first_name"',
    ("rental", 8): "its return_date is infinity",
    ("rental", 11): "Key (customer_id)=(4711) is not present",
    ("payment", 6): "its amount is NaN",
    ("payment", 9): "its payment_date is infinity",
}


def run(url: str, engines: Engines, **options: Any) -> dict[str, int]:
    with Source(url) as source:
        return migrate(source, engines, **options)


def different(url: str, engines: Engines, file: Path | None = None) -> list[str]:
    with Source(url) as source:
        for table, row in read(file) if file else ():
            source.leave_out(table, row)
        return [f"{one.engine}: {one.kind}" for one in verify(source, engines) if not one.equal]


def test_rows_that_can_never_be_migrated_are_left_out_with_their_reasons(servers: Servers, tmp_path: Path) -> None:
    url, made, file = servers.source("left_out"), servers.new(), tmp_path / "bad.csv"
    with database.connect(url) as connection:
        connection.execute(FAULTS)  # type: ignore[arg-type]
        referring = connection.execute("""
            SELECT 'rental', rental_id FROM rental WHERE customer_id IN (4, 5)
            UNION SELECT 'payment', p.payment_id FROM payment p JOIN rental r ON p.rental_id = r.rental_id
            WHERE r.rental_id IN (8, 11) OR r.customer_id IN (4, 5)
        """).fetchall()
        [(rentals,)] = connection.execute("SELECT count(*) FROM rental")
    moved = run(url, made, quarantine=Quarantine(file))
    with file.open(newline="") as content:
        rows = [*csv.DictReader(content)]
    reasons = {(row["table"], int(row["row"])): row["reason"] for row in rows}
    assert set(reasons) == {*NAMED, *referring}
    for place, reason in NAMED.items():
        assert reason in reasons[place]
        assert reasons[place].startswith(f"{place[0].capitalize()} {place[1]}")
    assert moved["rentals"] == rentals - sum(table == "rental" for table, _ in reasons)
    assert different(url, made, file) == []
    again = Quarantine(file)
    run(url, made, quarantine=again)
    assert again.rows == reasons
    with pytest.raises(RefusedRowError, match="--quarantine FILE"):
        run(url, made)


def test_what_an_interrupted_migration_left_out_stays_in_the_file(servers: Servers, tmp_path: Path) -> None:
    url, made, file = servers.source("left_out_twice"), servers.new(), tmp_path / "bad.csv"
    with database.connect(url) as connection:
        connection.execute("UPDATE customer SET first_name = NULL WHERE customer_id = 5")

    def stop(stream: str, _done: int, _total: int) -> None:
        if stream == "payments":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(url, made, quarantine=Quarantine(file), progress=stop)
    before = read(file)
    assert ("customer", 5) in before
    run(url, made, quarantine=Quarantine(file))
    assert before.items() <= read(file).items()
    assert different(url, made, file) == []


def test_without_such_rows_there_is_no_file_and_another_file_is_not_replaced(servers: Servers, tmp_path: Path) -> None:
    file = tmp_path / "bad.csv"
    file.write_text("table,row,reason\r\nfilm,7,it had no title\r\n")
    run(servers.source("faultless"), servers.new(), quarantine=Quarantine(file))
    assert not file.exists()
    file.write_text("my own notes\n")
    with pytest.raises(InputError, match="does not begin with table,row,reason"):
        Quarantine(file)
    with pytest.raises(InputError, match="does not begin with table,row,reason"):
        read(file)


SHAPE_OF_MYSQL = """
    CREATE SCHEMA sakila;
    UPDATE customer SET active = 0 WHERE customer_id = 3;
    ALTER TABLE customer DROP COLUMN activebool;
    ALTER TABLE customer ALTER active TYPE smallint, ALTER create_date TYPE timestamp USING create_date::timestamp;
    ALTER TABLE staff ALTER active TYPE smallint USING active::integer::smallint;
    ALTER TABLE film ALTER special_features TYPE text USING array_to_string(special_features, ','),
                     ALTER release_year TYPE smallint, ALTER length TYPE smallint;
    ALTER TABLE rental ALTER rental_date TYPE timestamp, ALTER return_date TYPE timestamp;
    ALTER TABLE payment ALTER payment_date TYPE timestamp;
    ALTER TABLE address ADD location bytea;
"""


def test_sakila_for_mysql_in_a_schema_of_its_own_is_read_as_pagila(servers: Servers) -> None:
    url, made = servers.source("pagila_shape"), servers.new()
    run(url, made)
    other_url, other = servers.source("mysql_shape"), servers.new()
    with database.connect(other_url) as connection:
        connection.execute(SHAPE_OF_MYSQL)  # type: ignore[arg-type]
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        for (name,) in tables:
            connection.execute(f'ALTER TABLE "{name}" SET SCHEMA sakila')  # type: ignore[arg-type]
    run(other_url, other)
    assert different(other_url, other) == []
    library = {movie.id: movie.content() for movie in made.library.all()}
    assert {movie.id: movie.content() for movie in other.library.all()} == library
    active = "SELECT customer_id, active FROM customers ORDER BY customer_id"
    expected = dict(made.ledger.connection.execute(active).fetchall()) | {3: False}
    assert dict(other.ledger.connection.execute(active).fetchall()) == expected
    clerks = "SELECT staff_id, active FROM staff ORDER BY staff_id"
    assert other.ledger.connection.execute(clerks).fetchall() == made.ledger.connection.execute(clerks).fetchall()
