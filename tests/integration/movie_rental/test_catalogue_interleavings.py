"""Everything that can happen to a film between the library and the search index, in any order, with crashes.

Films are created, changed, renamed, removed, and created again by several people at once; the index is rebuilt; and the
stack's own function writes what the stream of the library's table brings: in batches that are throttled, cut short,
repeated or given up, and single records once more at any later time. At the end the index equals the library.

The engines are the in-memory ones and, in a second machine, DynamoDB and OpenSearch as far as they run on this machine.
The order that the stream keeps is modelled here, from the items before and after each call of the library.
"""

from __future__ import annotations

import base64
import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from boto3.dynamodb.types import Binary, TypeSerializer
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from contract.documents import REMOVED
from contract.errors import InputError
from tests.engines_in_memory import MemoryGraph, MemoryLibrary, MemoryQueue, MemorySearchIndex, MemorySeries
from tests.functions import with_time
from workloads.movie_rental import catalogue
from workloads.movie_rental.embeddings import LatentSemanticModel
from workloads.movie_rental.engines import Engines
from workloads.movie_rental.library import DynamoLibrary
from workloads.movie_rental.model import Movie, Removal
from workloads.movie_rental.rebuild import rebuild

from .conftest import Servers
from .test_ambiguous_commits import LostResponses
from .test_projections import function

#: A longer search, such as 250 examples, is asked for by this variable.
EXAMPLES = int(os.environ.get("INTERLEAVINGS", "8"))
STEPS = 40
FILM = st.sampled_from(["1", "2"])
TITLE = st.sampled_from(["Fog", "Dune"])
#: Before or after which call of an engine something else happens, and what: the process ends, or others are at work.
MEANWHILE = st.none() | st.tuples(
    st.integers(0, 9), st.sampled_from(["crash", "put", "remove", "rebuild", "index"]), FILM, TITLE
)
#: At which record of a batch the function meets what; None: nowhere.
FAULT = st.none() | st.tuples(st.integers(0, 3), st.sampled_from(["throttled", "refused", "killed"]))

Json = dict[str, Any]
Meanwhile = tuple[int, str, str, str] | None


class CrashError(Exception):
    """The process ends here."""


class Stepped:
    """An engine before and after each of whose calls something else may happen."""

    def __init__(self, engine: Any, step: Callable[[], None]) -> None:
        self._engine, self._step = engine, step

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._engine, name)

        def call(*arguments: Any, **named: Any) -> Any:
            self._step()
            result = method(*arguments, **named)
            self._step()
            return result

        return call


class Streamed:
    """A library whose changes go to a stream, as the table's do.

    Args:
        library: The library.
        items: Reads its items, with those that removed films have left.
        stream: Where the records go.
    """

    def __init__(self, library: Any, items: Callable[[], list[Json]], stream: list[Json]) -> None:
        self._library, self._items, self._stream = library, items, stream
        self._before: dict[tuple[str, str], Json] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._library, name)

    def put(self, movie: Movie) -> Movie:
        """Create or change a movie."""
        saved: Movie = self._library.put(movie)
        self._tell()
        return saved

    def remove(self, movie_id: str) -> Removal | None:
        """Remove a movie."""
        removal: Removal | None = self._library.remove(movie_id)
        self._tell()
        return removal

    def _tell(self) -> None:
        items = {(item["MovieID"], item["MovieTitle"]): item for item in self._items()}
        for key in sorted({*items, *self._before}):
            before, after = self._before.get(key), items.get(key)
            if before != after:
                self._stream.append(_record(len(self._stream), before, after))
        self._before = items


def _record(number: int, before: Json | None, after: Json | None) -> Json:
    """The record of one change of an item, as Lambda gets it."""
    change: Json = {"SequenceNumber": str(number), "ApproximateCreationDateTime": time.time()}
    change |= {name: _image(item) for name, item in (("OldImage", before), ("NewImage", after)) if item}
    kind = "MODIFY" if before and after else "INSERT" if after else "REMOVE"
    return {"eventName": kind, "dynamodb": change}


def _image(item: Json) -> Json:
    serialize = TypeSerializer().serialize
    return dict(json.loads(json.dumps({name: serialize(value) for name, value in item.items()}, default=_base64)))


def _base64(value: Any) -> str:
    return base64.b64encode(bytes(value.value if isinstance(value, Binary) else value)).decode()


class World:
    """What all examples share."""

    def __init__(self, servers: Servers, indexer: ModuleType, folder: Path) -> None:
        self.servers, self.indexer, self.folder = servers, indexer, folder
        self.write = indexer.write
        self.ledger = servers.ledger()
        model = LatentSemanticModel.fit(["a robot in space", "a dog at sea"])
        self.dimension = model.dimension
        self.ledger.connection.execute("INSERT INTO models VALUES (%s, %s)", [model.name, model.saved()])

    def file(self, attributes: Json) -> Path:
        """A file of attributes, as people write it."""
        path = self.folder / "attributes.json"
        path.write_text(json.dumps(attributes), encoding="utf-8")
        return path


class Catalogue(RuleBasedStateMachine):
    """What people and the function do; with the engines in memory."""

    world: World

    def __init__(self) -> None:
        super().__init__()
        self.stream: list[Json] = []
        self.position = 0  # of the first record that the function has not done
        self.kept_from = 0  # of the first record that the index still knows the deletion of
        self.fault: tuple[int, str] | None = None
        self.given_up = False
        self.seen: dict[str, int] = {}  # the latest version that the index had of a film
        self.engines = self.new_engines()
        self.engines.index.create(self.world.dimension)
        indexer: Any = self.world.indexer
        indexer.write, indexer.give_up = self.write, self.give_up

    def new_engines(self) -> Engines:
        """Engines that hold nothing."""
        library = MemoryLibrary()
        self.documents = MemorySearchIndex()

        def items() -> list[Json]:
            marks = [
                {"MovieID": mark.movie_id, "MovieTitle": "", "Version": mark.version, REMOVED: True}
                for mark in library.removals()
            ]
            return [movie.item() for movie in library.all()] + marks

        return self.around(Streamed(library, items, self.stream), self.documents)

    def around(self, library: Any, index: Any) -> Engines:
        """These two, the ledger, and engines that films do not concern."""
        return Engines(self.world.ledger, library, index, MemoryGraph(), MemorySeries(), MemoryQueue())

    def with_steps(self, meanwhile: Meanwhile) -> Engines:
        """The engines; at a call of one of them, something else happens."""
        if meanwhile is None:
            return self.engines
        left, what, film, title = meanwhile

        def step() -> None:
            nonlocal left
            left -= 1
            if left == -1:
                self.happens(what, film, title)

        return replace(
            self.engines, library=Stepped(self.engines.library, step), index=Stepped(self.engines.index, step)
        )

    def happens(self, what: str, film: str, title: str) -> None:
        """Somebody else does something, from its beginning to its end."""
        match what:
            case "crash":
                raise CrashError
            case "put":
                catalogue.put(self.engines, film, self.world.file({"MovieTitle": title}))
            case "remove":
                catalogue.remove(self.engines, film)
            case "rebuild":
                rebuild(self.engines)
            case "index":
                self.deliver(len(self.stream) - self.position)

    # People

    @rule(film=FILM, title=TITLE, length=st.integers(1, 9), meanwhile=MEANWHILE)
    def somebody_puts(self, film: str, title: str, length: int, meanwhile: Meanwhile) -> None:
        file = self.world.file({"MovieTitle": title, "Length": length})
        others = "put", "remove"
        try:
            catalogue.put(self.with_steps(meanwhile), film, file)
        except CrashError:
            return
        except InputError:  # somebody else has changed the film in between
            if not meanwhile or meanwhile[1] not in others or meanwhile[2] != film:
                raise

    @rule(film=FILM, meanwhile=MEANWHILE)
    def somebody_removes(self, film: str, meanwhile: Meanwhile) -> None:
        try:
            catalogue.remove(self.with_steps(meanwhile), film)
        except CrashError:
            return

    @rule(meanwhile=MEANWHILE)
    def somebody_rebuilds(self, meanwhile: Meanwhile) -> None:
        try:
            rebuild(self.with_steps(meanwhile))
        except CrashError:
            return

    # The function

    @precondition(lambda self: self.position < len(self.stream))
    @rule(size=st.integers(1, 4), fault=FAULT, patient=st.booleans())
    def the_function_gets_a_batch(self, size: int, fault: tuple[int, str] | None, patient: bool) -> None:
        self.fault = fault
        self.deliver(size, patient=patient)
        self.fault = None

    def deliver(self, size: int, *, patient: bool = True) -> None:
        """Let the function have records, and go on behind those that it has done."""
        batch = [json.loads(json.dumps(record)) for record in self.stream[self.position : self.position + size]]
        for record in batch:
            record["dynamodb"]["ApproximateCreationDateTime"] = time.time() if patient else 0
        try:
            failures = self.world.indexer.handler({"Records": batch}, with_time(60))["batchItemFailures"]
        except CrashError:
            return
        self.position = int(failures[0]["itemIdentifier"]) if failures else self.position + len(batch)

    @precondition(lambda self: self.kept_from < self.position)
    @rule(place=st.integers(0, 50))
    def an_old_record_comes_again(self, place: int) -> None:
        records = self.stream[self.kept_from : self.position]
        self.world.indexer.handler({"Records": [records[place % len(records)]]}, with_time(60))

    @precondition(lambda self: self.position == len(self.stream))
    @rule()
    def the_index_forgets_what_it_deleted(self) -> None:
        self.kept_from = self.position
        self.forget_deletions()

    def forget_deletions(self) -> None:
        """Forget versions of documents that are not there any more, as OpenSearch does after a minute."""
        for film in {*self.documents._versions} - {document["MovieID"] for document in self.documents.all()}:
            del self.documents._versions[film]

    def write(self, lines: list[Json]) -> list[tuple[str, bool]]:
        """What the function writes with; some of it does not succeed."""
        results: list[tuple[str, bool]] = []
        remaining = iter(lines)
        for line in remaining:
            action = [line, next(remaining)] if "index" in line else [line]
            at, fault = self.fault or (-1, "")
            if at != len(results):
                results.append(self.write_one(action))
            elif fault == "killed":
                raise CrashError
            else:
                results.append((fault, fault == "throttled"))
        return results

    def write_one(self, action: list[Json]) -> tuple[str, bool]:
        """Do what one line of a bulk request says."""
        [target] = action[0].values()
        strictly = target["version_type"] == "external"
        document = action[1] if len(action) > 1 else None
        self.documents.write(target["_id"], target["version"], document, strictly=strictly)
        return "", False

    def give_up(self, _record: Json, _reason: str) -> None:
        """What the function gives a record up with."""
        self.given_up = True

    # The promises

    @invariant()
    def a_document_never_gives_way_to_an_earlier_version(self) -> None:
        for film in ("1", "2"):
            document = self.engines.index.get(film)
            if document:
                assert document["Version"] >= self.seen.get(film, 0)
                self.seen[film] = document["Version"]

    def teardown(self) -> None:
        """When everything has come to rest, the index is what the library says."""
        self.deliver(len(self.stream) - self.position)
        if self.given_up:
            rebuild(self.engines)
        for film in ("1", "2"):
            movie = self.engines.library.get(film)
            assert self.engines.index.get(film) == (movie.document() if movie else None)
            images = [record["dynamodb"].get("NewImage") for record in self.stream]
            versions = [int(image["Version"]["N"]) for image in images if image and image["MovieID"]["S"] == film]
            assert versions == sorted({*versions})


class CatalogueOfServers(Catalogue):
    """The same with DynamoDB, each response to whose writes is lost once, and OpenSearch."""

    def new_engines(self) -> Engines:
        servers = self.world.servers
        library, index = servers.library(), servers.index()
        assert isinstance(library, DynamoLibrary)
        library._client = LostResponses(library._client)
        self.world.indexer.INDEX = index._index  # type: ignore[attr-defined]

        def items() -> list[Json]:
            return [movie.item() for movie in library._scan("attribute_exists(MovieID)")]

        return self.around(Streamed(library, items, self.stream), index)

    def write_one(self, action: list[Json]) -> tuple[str, bool]:
        [result] = self.world.write(action)
        return result

    def forget_deletions(self) -> None:
        """The local server does not."""


@pytest.fixture(scope="module")
def world(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with pytest.MonkeyPatch.context() as patch:
        variables = {"SEARCH_ENDPOINT": servers.search_url, "SEARCH_INDEX": "movies", "DEAD_LETTERS": "none"}
        indexer = function("catalog_indexer", patch, **variables, PATIENCE_SECONDS="3600")
        yield World(servers, indexer, tmp_path_factory.mktemp("films"))


@pytest.mark.parametrize("machine", [Catalogue, CatalogueOfServers])
def test_the_index_follows_the_library_in_any_order_and_with_crashes(
    world: World, machine: type[Catalogue], capsys: pytest.CaptureFixture[str]
) -> None:
    machine.world = world
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=EXAMPLES, stateful_step_count=STEPS, deadline=None, suppress_health_check=[*HealthCheck]
        ),
    )
    capsys.readouterr()  # what the function logs
