"""A migration fills its engines at the same time, and keeps its promises when one of them is slow, away, or refuses."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from contract.errors import UnavailableError
from workloads.movie_rental import database, rounds, streams
from workloads.movie_rental.engines import Engines
from workloads.movie_rental.graph import NeptuneGraph
from workloads.movie_rental.quarantine import Quarantine, read
from workloads.movie_rental.source import Source
from workloads.movie_rental.verify import verify

from .conftest import Servers
from .test_concurrency import Watched
from .test_migration import Throttled, different, run


@pytest.fixture(scope="module")
def old(servers: Servers) -> str:
    return servers.source("side_by_side")


def meeting(engines: Engines, *calls: str) -> Engines:
    """Engines whose given first calls, such as `graph.save_movies`, begin once all of them have begun.

    If engines were filled one after the other, the first would never begin.
    """
    barrier, left = threading.Barrier(len(calls)), {*calls}

    def watched(name: str) -> Any:
        def meet(call: str) -> None:
            if f"{name}.{call}" in left:
                left.remove(f"{name}.{call}")
                barrier.wait(120)

        return Watched(getattr(engines, name), meet)

    return replace(engines, **{name: watched(name) for name in ("library", "index", "graph", "series")})


@pytest.mark.parametrize("call", ["library.save", "index.save"])
def test_the_graph_is_filled_while_dynamodb_or_opensearch_writes(servers: Servers, old: str, call: str) -> None:
    made = servers.new()
    run(old, meeting(made, call, "graph.save_movies"))
    assert different(old, made) == []


def test_who_rented_what_is_written_while_films_still_come(
    servers: Servers, old: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "_FILMS", 1)
    monkeypatch.setattr(rounds._Round, "over", True)  # each lane writes one batch a round
    made, calls = servers.new(), list[str]()
    graph: Any = Watched(made.graph, calls.append)
    library: Any = Watched(made.library, calls.append)
    run(old, replace(made, graph=graph, library=library))
    assert "save" in calls[calls.index("save_rentals") :]
    assert different(old, made) == []


@pytest.mark.parametrize(("away", "stream"), [("library", "movies"), ("graph", "movies in the graph")])
def test_one_that_is_away_ends_the_migration_when_the_others_have_written_their_batch(
    servers: Servers, old: str, away: str, stream: str
) -> None:
    made: Any = servers.new()
    throttled = Throttled(made.library._client)
    throttled.nothing = True
    gone = {"library": throttled, "graph": NeptuneGraph("http://localhost:9", attempts=1)._client}
    with pytest.MonkeyPatch.context() as patch:

        def leave(begun: str, *_: int) -> None:
            if begun == stream:
                patch.setattr(getattr(made, away), "_client", gone[away])

        with pytest.raises(UnavailableError) as error:
            run(old, meeting(made, "library.save", "graph.save_movies"), progress=leave)
    assert (error.value.exit_code, error.value.advice.endswith(f"with this stream: {stream}.")) == (75, True)
    there = len([*made.library.all()]), len([*made.graph.facts("movies")])
    assert there == ((0, 20) if away == "library" else (20, 0))
    run(old, made)
    assert different(old, made) == []
    assert {movie.version for movie in made.library.all()} == {1}


def test_one_that_is_throttled_is_waited_for_while_the_others_are_filled(servers: Servers, old: str) -> None:
    made: Any = servers.new()
    throttled = made.library._client = Throttled(made.library._client)
    run(old, meeting(made, "library.save", "graph.save_movies"))
    assert throttled.left_out > 10
    assert different(old, made) == []


def test_a_film_that_dynamodb_refuses_is_taken_out_of_the_graph_that_has_it_already(
    servers: Servers, tmp_path: Path
) -> None:
    url, made, file = servers.source("refused_late"), servers.new(), tmp_path / "bad.csv"
    run(url, made)
    with database.connect(url) as connection:
        connection.execute("UPDATE film SET description = repeat('long story ', 60000) WHERE film_id = 20")
        [(rentals,)] = connection.execute("""
            SELECT count(*) FROM rental r JOIN inventory i ON r.inventory_id = i.inventory_id WHERE film_id = 20
        """)
    assert sum(film == "20" for _, film, _, _ in made.graph.facts("rentals")) == rentals > 0
    fresh = replace(made, library=servers.library(), index=servers.index())
    run(url, fresh, quarantine=Quarantine(file))
    assert [*read(file)] == [("film", 20)]
    assert "20" not in {film for film, _ in fresh.graph.facts("movies")}
    with Source(url) as source:
        source.leave_out("film", 20)
        assert [one.kind for one in verify(source, fresh) if not one.equal] == []


def test_whoever_interrupts_it_waits_for_the_batches_that_are_being_written(servers: Servers, old: str) -> None:
    made, writing, wait, interrupts = servers.new(), threading.Event(), rounds.wait, [KeyboardInterrupt]

    def interrupted(lanes: Any) -> None:
        if len(lanes) > 1 and interrupts:
            assert writing.wait(120)
            raise interrupts.pop()
        wait(lanes)

    graph: Any = Watched(made.graph, lambda _: writing.set())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rounds, "wait", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run(old, replace(made, graph=graph))
    assert len([*made.graph.facts("movies")]) == 20
    assert made.ledger.connection.execute("SELECT count(*) FROM inventory").fetchone() == (0,)
    run(old, made)
    assert different(old, made) == []
