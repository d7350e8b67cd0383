"""The queue of Neptune's bulk loader, without a graph and without S3."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from localcloud.engines import neptune_loader
from localcloud.engines.neptune_batches import Outcome
from localcloud.engines.neptune_errors import NeptuneError
from localcloud.engines.neptune_loader import QUEUED, Loader
from localcloud.engines.neptune_loads import ACTIVE, ERRORS
from localcloud.engines.neptune_source import File, ReadError


class Files:
    """A source with some files, of which one may have changed since."""

    def __init__(self, contents: dict[str, str], changed: str = "") -> None:
        self.contents, self.changed = contents, changed

    def files(self) -> list[File]:
        return [File(name, name, "") for name in self.contents]

    @contextmanager
    def lines(self, file: File) -> Iterator[Iterator[str]]:
        if file.key == self.changed:
            status = "LOAD_DATA_FAILED_DUE_TO_FEED_MODIFIED_OR_DELETED"
            raise ReadError(status, "FILE_MODIFICATION_OR_DELETION_ERROR", "changed")
        yield io.StringIO(self.contents[file.key])


class Loading:
    """A loader whose batches wait until they may go on."""

    def __init__(self, source: Files) -> None:
        self.may_go_on, self.batches = threading.Event(), list[list[Any]]()
        self.loader = Loader(self.write, lambda *_: source)

    def write(self, rows: list[Any], _rule: Any) -> Outcome:
        self.may_go_on.wait()
        self.batches.append(rows)
        return Outcome(rows=len(rows))

    def start(self, **options: Any) -> str:
        return self.loader.start({"source": "s3://b", "format": "csv", "iamRoleArn": "r", "region": "x", **options})

    def status(self, identity: str, **options: Any) -> dict[str, Any]:
        asked: dict[str, Any] = {"details": False, "errors": False, "page": 1, "per_page": 10, **options}
        return self.loader.status(identity, **asked)


Eventually = Callable[[Callable[[], Any]], Any]


def ended(loading: Loading, identity: str, eventually: Eventually) -> str:
    def status() -> str:
        return str(loading.status(identity)["overallStatus"]["status"])

    assert eventually(lambda: status() not in ACTIVE)
    return status()


@pytest.fixture
def loading() -> Iterator[Loading]:
    loading = Loading(Files({"edges": "~id,~from,~to\ne,a,a\n", "vertices": "~id\na\n"}))
    yield loading
    loading.may_go_on.set()


def test_vertices_come_first_unless_there_are_only_edges(loading: Loading, eventually: Eventually) -> None:
    loading.may_go_on.set()
    assert ended(loading, loading.start(), eventually) == "LOAD_COMPLETED"
    assert ended(loading, loading.start(mode="NEW", edgeOnlyLoad="TRUE"), eventually) == "LOAD_COMPLETED"
    assert [rows[0].id for rows in loading.batches] == ["a", "e", "e", "a"]


def test_sixty_four_loads_may_wait(loading: Loading, eventually: Eventually) -> None:
    running = loading.start(queueRequest=True)
    assert eventually(lambda: loading.status(running)["overallStatus"]["status"] == "LOAD_IN_PROGRESS")
    waiting = [loading.start(queueRequest=True) for _ in range(QUEUED)]
    with pytest.raises(NeptuneError, match="Max load task queue size limit breached"):
        loading.start(queueRequest=True)
    with pytest.raises(NeptuneError, match="Max concurrent load limit breached"):
        loading.start()
    assert loading.loader.ids(2, with_queued=True) == waiting[:-3:-1]
    assert loading.loader.ids(100, with_queued=False) == [running]
    loading.loader.cancel(waiting[0])
    loading.start(queueRequest=True)


def test_the_oldest_loads_are_forgotten(
    loading: Loading, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neptune_loader, "REMEMBERED", 2)
    loading.may_go_on.set()
    identities = [loading.start(queueRequest=True) for _ in range(3)]
    ended(loading, identities[-1], eventually)
    newest = loading.start(queueRequest=True)
    assert loading.loader.ids(100, with_queued=True) == [newest, identities[-1]]
    with pytest.raises(NeptuneError, match="does not exist"):
        loading.status(identities[0])


def test_the_newest_errors_are_kept(eventually: Eventually) -> None:
    loading = Loading(Files({"f": "~id,n:Int\n" + "a,x\n" * (ERRORS + 5)}))
    identity = loading.start(failOnError="FALSE")
    assert ended(loading, identity, eventually) == "LOAD_FAILED"
    status = loading.status(identity, errors=True, per_page=2 * ERRORS)
    assert status["overallStatus"]["datatypeMismatchErrors"] == ERRORS + 5
    assert [log["recordNum"] for log in status["errors"]["errorLogs"]] == [*range(6, ERRORS + 6)]


def test_a_file_that_has_changed_since_fails(eventually: Eventually) -> None:
    loading = Loading(Files({"a": "~id\na\n", "b": "~id\nb\n"}, changed="a"))
    loading.may_go_on.set()
    identity = loading.start(failOnError=False)
    assert ended(loading, identity, eventually) == "LOAD_FAILED"
    assert loading.status(identity)["feedCount"] == [
        {"LOAD_DATA_FAILED_DUE_TO_FEED_MODIFIED_OR_DELETED": 1},
        {"LOAD_COMPLETED": 1},
    ]


def test_an_error_of_the_engine_ends_the_load_and_not_the_loader(eventually: Eventually) -> None:
    loading = Loading(Files({"a": "~id\na\n"}))
    loading.loader._write = lambda *_: 1 / 0  # type: ignore[assignment]
    for _ in range(2):
        assert ended(loading, loading.start(), eventually) == "LOAD_UNEXPECTED_ERROR"


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"source": ""}, "MissingParameterException"),
        ({"format": "rdfxml"}, "UnsupportedOperationException"),
        ({"format": "parquet"}, "InvalidParameterException"),
        ({"mode": "AGAIN"}, "InvalidParameterException"),
        ({"parallelism": "MUCH"}, "InvalidParameterException"),
        ({"failOnError": "PERHAPS"}, "InvalidParameterException"),
        ({"iamRoleArn": "one,two"}, "UnsupportedOperationException"),
        ({"dependencies": ["x"]}, "BulkLoadIdNotFoundException"),
    ],
)
def test_a_request_with_another_value_is_refused(loading: Loading, options: dict[str, Any], code: str) -> None:
    with pytest.raises(NeptuneError) as caught:
        loading.start(**options)
    assert caught.value.code == code
