"""A migration in partitions: several processes share it, none waits for another, and what is in adds up."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from contract.errors import InputError, TemporaryError
from tests.documents import document
from workloads.movie_rental import database, partitions
from workloads.movie_rental.engines import Engines
from workloads.movie_rental.partitions import Share, moved
from workloads.movie_rental.quarantine import Quarantine, kept, read
from workloads.movie_rental.source import EVERY_FILM, Source

from .conftest import Run, Servers
from .killed import CALLS
from .test_concurrency import Shop, Watched, beside
from .test_migration import different, killed, run
from .test_quarantine import FAULTS, NAMED

STACK = "Partitions"
KILLS = 6


@pytest.fixture(scope="module")
def old(servers: Servers) -> str:
    return servers.source("partitions")


@pytest.fixture(scope="module")
def stack(servers: Servers) -> str:
    """A stack whose engines are empty."""
    servers.deploy(STACK, servers.new())
    return STACK


def totals(engines: Engines) -> Counter[str]:
    """How many rows are in of each stream, over all partitions and attempts."""
    rows = Counter[str]()
    for partition in moved(engines.ledger.connection):
        rows.update(partition.rows)
    return rows


def test_ranges_of_films_cover_all_numbers_and_have_about_as_much_to_move(old: str) -> None:
    with Source(old) as source:
        for parts in (1, 2, 3, 16):
            ranges = source.divided(parts)
            assert len(ranges) == parts
            assert (ranges[0][0], ranges[-1][1]) == EVERY_FILM
            assert all(after[0] == before[1] + 1 for before, after in pairwise(ranges))
        rentals = [sum(map(len, source.rentals(films=films))) for films in source.divided(2)]
    assert sum(rentals) == 283
    assert max(rentals) < 2 * min(rentals)


@pytest.mark.parametrize("parts", [2, 16])  # of 20 films: some ranges have none
def test_partitions_add_up_to_the_whole(servers: Servers, old: str, parts: int) -> None:
    whole = run(old, servers.new())
    made, by_process = servers.new(), Counter[str]()
    for number in reversed(range(parts)):
        by_process.update(run(old, made, share=Share(parts, number, "run")))
    assert by_process == totals(made) == Counter(whole)
    assert different(old, made) == []
    assert made.ledger.connection.execute("SELECT bool_and(done) FROM partitions").fetchone() == (True,)


def test_a_job_of_a_finished_run_that_is_tried_again_moves_nothing_and_a_new_run_begins_again(
    servers: Servers, old: str
) -> None:
    made = servers.new()
    whole = run(old, made, share=Share(2, None, "first"))
    assert set(run(old, made, share=Share(2, 1, "first")).values()) == {0}
    assert run(old, made, share=Share(3, None, "second")) == whole
    assert different(old, made) == []


def test_two_processes_write_films_and_rentals_at_the_same_time(servers: Servers, old: str) -> None:
    made = servers.new()
    meetings = {call: threading.Barrier(2) for call in ("library.save", "index.save", "series.save")}

    def process(number: int) -> Any:
        engines, left = beside(servers, made), {*meetings}

        def watched(name: str) -> Any:
            def meet(call: str) -> None:
                if f"{name}.{call}" in left:
                    left.remove(f"{name}.{call}")
                    meetings[f"{name}.{call}"].wait(120)

            return Watched(getattr(engines, name), meet)

        return run(
            old,
            replace(engines, **{name: watched(name) for name in ("library", "index", "series")}),
            share=Share(2, number, "run"),
        )

    with ThreadPoolExecutor(2) as threads:
        done = [*threads.map(process, range(2))]
    assert sum(map(Counter[str], done), Counter[str]()) == totals(made)
    assert different(old, made) == []


def test_a_partition_that_another_process_moves_is_left_to_it(
    servers: Servers, old: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partitions, "_PATIENCE", "50ms")
    made = servers.new()
    run(old, made, share=Share(2, 0, "run"))
    other = beside(servers, made).ledger.connection
    with partitions.held(other, 1):
        with pytest.raises(TemporaryError, match="Partition 1: Another process is moving it") as error:
            run(old, made, share=Share(2, 1, "run"))
        assert error.value.exit_code == 75
        with pytest.raises(TemporaryError, match="Another process is migrating into this database"):
            run(old, made, restart=True)
    run(old, made, share=Share(2, 1, "run"))
    assert different(old, made) == []


def test_another_number_of_partitions_is_refused_until_the_migration_is_finished(servers: Servers, old: str) -> None:
    made = servers.new()
    run(old, made, share=Share(3, 0, "run"))
    for share in (Share(2), Share(2, 1, ""), Share(4, 1, "another")):
        with pytest.raises(InputError, match=r"An unfinished migration .* has 3\. Go on with --partitions 3") as error:
            run(old, made, share=share)
        assert "--restart" in str(error.value)
    with pytest.raises(InputError, match="One partition cannot begin again without the others"):
        run(old, made, share=Share(3, 1, ""), restart=True)
    run(old, made, share=Share(2), restart=True)
    run(old, made, share=Share(1))
    assert different(old, made) == []


def test_rentals_of_customers_who_come_while_others_move_bring_them_along(servers: Servers) -> None:
    url, made = servers.source("newcomers"), servers.new()
    run(url, made, share=Share(2, 0, "run"))
    with closing(Shop(url)) as shop:
        newcomer = shop.join()
        shop.rent(newcomer)
    run(url, made, share=Share(2, 1, "run"))
    assert len(made.graph.rented(newcomer)) == 1
    assert different(url, made) == []


def test_rows_that_several_processes_leave_out_are_in_one_place(servers: Servers, tmp_path: Path) -> None:
    url, made, file = servers.source("left_out_in_partitions"), servers.new(), tmp_path / "bad.csv"
    with database.connect(url) as connection:
        connection.execute(FAULTS)  # type: ignore[arg-type]
    for number in (1, 0):
        run(url, made, quarantine=Quarantine(tmp_path / f"{number}.csv"), share=Share(2, number, "run"))
    assert {place for place, reason in NAMED.items() if reason in kept(made.ledger.connection)[place]} == {*NAMED}
    assert kept(made.ledger.connection) == read(tmp_path / "0.csv")
    again = servers.new()
    run(url, again, quarantine=Quarantine(file))
    assert read(file).keys() == kept(made.ledger.connection).keys()


@pytest.mark.timeout(480)  # it starts some 50 processes
def test_one_of_two_killed_at_any_point_loses_and_doubles_nothing(servers: Servers, old: str) -> None:
    made = servers.new()
    result = killed(servers, old, made, partitions=2, kills=KILLS, seed=7)
    assert result["killed"] >= 2 * len(CALLS)
    assert result["failed"] == 0
    assert result["totals"] == [dict(totals(made))] * (2 * len(CALLS) + KILLS)
    assert different(old, made) == []
    assert {movie.version for movie in made.library.all()} == {1}


class TestTheCommand:
    def test_starts_a_process_for_each_partition_and_reports_what_adds_up(
        self, run: Run, servers: Servers, tmp_path: Path
    ) -> None:
        assert run("load-source", "--into", "postgresql:///parts", "--scale", "0.02", "--replace")[0] == 0
        with database.connect(f"{servers.postgresql_url.rpartition('/')[0]}/parts") as connection:
            connection.execute("UPDATE customer SET first_name = NULL WHERE customer_id = 5")
        command = ("migrate", "--source", "postgresql:///parts", "--partitions", "2")
        code, _, errors = run(*command)
        assert code == 2
        assert "Customer 5: PostgreSQL refuses it" in errors
        file = tmp_path / "bad.csv"
        code, out, errors = run(*command, "--quarantine", file, "--json")
        assert code == 0, errors
        result = document(out, "movie-rental migrate")
        added = sum((Counter(one["rows"]) for one in result["partitions"]), Counter[str]())
        assert added == Counter(result["rows"])
        assert result["rows"]["movies"] == 20
        assert [one["partition"] for one in result["partitions"]] == [None, 0, 1]
        assert ("customer", 5) in read(file)
        code, out, errors = run("verify", "--source", "postgresql:///parts", "--quarantine", file)
        assert (code, "everything is equal" in out) == (0, True), out
        code, out, _ = run("verify", "--source", "postgresql:///parts", "--quarantine", tmp_path / "elsewhere.csv")
        assert (code, "everything is equal" in out) == (0, True), out

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (("--partitions", "0"), "--partitions 0: Choose a number from 1 to 16"),
            (("--partitions", "17"), "--partitions 17: Choose a number from 1 to 16"),
            (("--partitions", "2", "--partition", "2"), "--partition 2: The partitions are numbered from 0 to 1"),
            (("--partitions", "2", "--partition", "-1"), "--partition -1: The partitions are numbered from 0 to 1"),
        ],
    )
    def test_refuses_partitions_that_cannot_be(self, run: Run, options: tuple[str, ...], message: str) -> None:
        code, _, errors = run("migrate", "--source", "postgresql:///first", *options)
        assert (code, message in errors) == (2, True), errors
        assert len(errors.strip().splitlines()) == 1

    def test_takes_partition_and_run_from_an_array_job(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        assert run("load-source", "--into", "postgresql:///array", "--scale", "0.02", "--replace")[0] == 0
        monkeypatch.setenv("AWS_BATCH_JOB_ARRAY_SIZE", "2")
        for index, said in ((0, "partitions that are not in yet: 1 of 2"), (1, "all")):
            monkeypatch.setenv("AWS_BATCH_JOB_ARRAY_INDEX", str(index))
            monkeypatch.setenv("AWS_BATCH_JOB_ID", f"job:{index}")
            code, out, errors = run("migrate", "--source", "postgresql:///array", "--overwrite")
            assert code == 0, errors
            assert said in out
        code, out, _ = run("migrate", "--source", "postgresql:///array", "--overwrite")  # another attempt of the job
        assert (code, out.startswith("0 rows")) == (0, True), out
