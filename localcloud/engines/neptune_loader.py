"""Neptune's bulk loader: loads that follow each other, in a thread beside the queries.

Sources: https://docs.aws.amazon.com/neptune/latest/userguide/load-api-reference.html and
https://docs.aws.amazon.com/neptune/latest/userguide/bulk-load.html
"""

from __future__ import annotations

import itertools
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from localcloud.engines import neptune_loads as loads
from localcloud.engines.neptune_batches import Outcome, Rule
from localcloud.engines.neptune_errors import NeptuneError
from localcloud.engines.neptune_formats import OPENCYPHER, Edge, Fault, FormatError, Layout, Vertex, entries, layout
from localcloud.engines.neptune_loads import Feed, Load, Request
from localcloud.engines.neptune_source import File, ReadError

#: Loads that may wait, loads that are remembered, and rows that are written at a time.
QUEUED, REMEMBERED, BATCH = 64, 1_024, 10_000
#: Loads and errors that an answer lists unless it is asked for another number, and at most.
LISTED, PER_PAGE = 100, 10


class Source(Protocol):
    """Where files come from."""

    def files(self) -> list[File]:
        """Return the files."""

    def lines(self, file: File) -> AbstractContextManager[Iterator[str]]:
        """Open a file."""


class Stopped(Exception):  # noqa: N818 - no error: somebody has cancelled the load, or it has failed
    """The load goes no further."""


@dataclass(frozen=True)
class Progress:
    """A file that is being loaded: its state, and what its header says."""

    feed: Feed
    layout: Layout


class Loader:
    """Takes requests and works on them, one after the other."""

    def __init__(
        self,
        write: Callable[[list[Vertex | Edge], Rule], Outcome],
        connect: Callable[[str, str, str], Source],
    ) -> None:
        """Begin without loads.

        Args:
            write: Writes a batch of one file.
            connect: Returns the source with an address, as a role may read it in a region.
        """
        self._write, self._connect = write, connect
        self._loads: dict[str, Load] = {}
        self._waiting: list[tuple[Load, Source | None, list[File]]] = []
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def start(self, fields: Mapping[str, Any]) -> str:
        """Take a request, and return the id of its load.

        Raises:
            NeptuneError: It cannot be loaded.
        """
        request = loads.read(fields)
        source, files = None, list[File]()
        if not request.queue:
            self._check_place(request)
            source = self._connect(request.source, request.role, request.region)
            files = source.files()
        with self._changed:
            self._check_place(request)
            load = self._load_of(request)
            self._loads[load.id] = load
            for former in [former.id for former in self._loads.values() if former.status not in loads.ACTIVE]:
                if len(self._loads) <= REMEMBERED:
                    break
                del self._loads[former]
            self._waiting.append((load, source, files))
            self._changed.notify()
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="loader", daemon=True)
                self._thread.start()
        return load.id

    def status(self, identity: str, *, details: bool, errors: bool, page: int, per_page: int) -> dict[str, Any]:
        """Return the status of a load.

        Raises:
            NeptuneError: There is no such load.
        """
        with self._changed:
            load = self._loads.get(identity)
            if load is None:
                message = f"The load with id = {identity} does not exist"
                raise NeptuneError("BulkLoadIdNotFoundException", message, 404)
            return load.described(details=details, errors=errors, page=page, per_page=per_page)

    def ids(self, limit: int, *, with_queued: bool) -> list[str]:
        """Return the ids of loads, the newest first."""
        with self._changed:
            newest = [load for load in reversed(self._loads.values()) if with_queued or load.status != loads.IN_QUEUE]
            return [load.id for load in newest[:limit]]

    def cancel(self, identity: str) -> None:
        """End a load after the batch that is being written.

        Raises:
            NeptuneError: There is no such load, or it has ended.
        """
        with self._changed:
            load = self._loads.get(identity)
            if load is None or load.status not in loads.ACTIVE:
                message = f"The load with id = {identity} does not exist or not active"
                raise NeptuneError("BulkLoadIdNotFoundException", message, 404)
            load.is_cancelled = True
            if load.status == loads.IN_QUEUE:
                load.status = loads.CANCELLED
                self._waiting = [entry for entry in self._waiting if entry[0] is not load]

    def _check_place(self, request: Request) -> None:
        active = [load for load in self._loads.values() if load.status in loads.ACTIVE]
        waiting = [load for load in active if load.status == loads.IN_QUEUE]
        if request.queue and len(waiting) >= QUEUED:
            limit = f"Max load task queue size limit breached. Limit is {QUEUED}"
        elif active and not request.queue:
            limit = "Max concurrent load limit breached. Limit is 1"
        else:
            limit = ""
        if limit:
            message = f"Failed to start new load for the source {request.source}. {limit}"
            raise NeptuneError("BadRequestException", message)
        if unknown := [identity for identity in request.dependencies if identity not in self._loads]:
            message = f"The load with id = {unknown[0]}, on which the new load depends, does not exist"
            raise NeptuneError("BulkLoadIdNotFoundException", message, 404)

    def _load_of(self, request: Request) -> Load:
        """Return a new load, or the former one of the same source, which goes on where it ended."""
        formers = [
            load
            for load in self._loads.values()
            if load.request.source == request.source and load.status not in loads.ACTIVE and load.feeds
        ]
        if request.mode == "RESUME" and not formers:
            message = f"There is no previous load of the source {request.source}, which could be resumed"
            raise NeptuneError("BadRequestException", message)
        load = Load(str(uuid.uuid4()), request)
        if request.mode != "NEW" and formers:
            former = formers[-1]
            load.run = former.run + 1
            load.feeds = {uri: feed for uri, feed in former.feeds.items() if feed.status == loads.COMPLETED}
        return load

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting)
                load, source, files = self._waiting.pop(0)
                load.status, load.started = loads.NOT_STARTED, time.time()
                needed = [self._loads.get(identity) for identity in load.request.dependencies]
            if all(one and one.status == loads.COMPLETED for one in needed):
                status = self._run(load, source, files)
            else:
                status = loads.DEPENDENCY_FAILED
            with self._changed:
                load.status, load.ended = status, time.time()

    def _run(self, load: Load, source: Source | None, files: list[File]) -> str:
        """Do a load, and return the status with which it ends."""
        request = load.request
        try:
            if source is None:
                source = self._connect(request.source, request.role, request.region)
                files = source.files()
        except NeptuneError as error:
            load.fail("INTERNAL_ERROR", str(error), request.source)
            return loads.INVALID
        load.status = loads.IN_PROGRESS
        todo = [file for file in files if file.uri not in load.feeds]
        load.feeds |= {file.uri: Feed(file.uri, run=load.run) for file in todo}
        try:
            for file in todo if request.edge_only else self._vertices_first(load, source, todo):
                self._load_file(load, source, file)
        except Stopped:
            if load.is_cancelled:
                return loads.CANCELLED
        except Exception as error:  # noqa: BLE001 - Java's and the bindings' alike
            load.fail("INTERNAL_ERROR", str(error)[:2000], request.source)
            for feed in load.feeds.values():
                feed.status = loads.UNEXPECTED if feed.status == loads.IN_PROGRESS else feed.status
            return loads.UNEXPECTED
        statuses = {feed.status for feed in load.feeds.values()}
        if statuses <= {loads.COMPLETED}:
            return loads.COMPLETED
        return loads.CANCELLED_BY_ERRORS if loads.NOT_STARTED in statuses else loads.FAILED

    def _vertices_first(self, load: Load, source: Source, files: list[File]) -> list[File]:
        """Look into the files, and put those with vertices before those with edges."""
        has_edges = {}
        for file in files:
            try:
                with source.lines(file) as lines:
                    header = layout(lines, load.request.form, with_edge_ids=load.request.with_edge_ids)
                has_edges[file.uri] = header is not None and header.has_edges
            except (FormatError, ReadError):
                has_edges[file.uri] = False  # its turn comes first, and reports the error
        return sorted(files, key=lambda file: has_edges[file.uri])

    def _load_file(self, load: Load, source: Source, file: File) -> None:
        """Load one file.

        Raises:
            Stopped: The load goes no further.
        """
        feed = load.feeds[file.uri]
        feed.status, feed.started = loads.IN_PROGRESS, time.time()
        try:
            with source.lines(file) as lines:
                header = layout(lines, load.request.form, with_edge_ids=load.request.with_edge_ids)
                if header is not None:
                    self._load_rows(load, Progress(feed, header), lines)
            feed.status = loads.FAILED if feed.failures else loads.COMPLETED
        except FormatError as error:
            feed.parsing += 1
            feed.status = loads.FAILED
            load.fail("PARSING_ERROR", str(error), feed.uri)
        except ReadError as error:
            feed.status = error.status
            load.fail(error.code, str(error), feed.uri)
        except Stopped:
            feed.status = loads.CANCELLED if load.is_cancelled else loads.FAILED
            raise
        finally:
            feed.seconds = time.time() - feed.started
        if feed.status != loads.COMPLETED and load.request.fail_on_error:
            raise Stopped

    def _load_rows(self, load: Load, progress: Progress, lines: Iterator[str]) -> None:
        request, feed = load.request, progress.feed
        rule = Rule(
            frozenset(progress.layout.single),
            replaces=request.update_single,
            keeps=request.form == OPENCYPHER,
            stops=request.fail_on_error,
        )
        rows = entries(lines, progress.layout, keep_empty=request.keep_empty)
        while batch := list(itertools.islice(rows, BATCH)):
            if load.is_cancelled:
                raise Stopped
            faults = [row for row in batch if isinstance(row, Fault)]
            if faults and request.fail_on_error:
                batch, faults = batch[: batch.index(faults[0])], faults[:1]
            good = [row for row in batch if not isinstance(row, Fault)]
            outcome = self._write(good, rule) if good else Outcome()
            feed.records += sum(row.records for row in good[: outcome.rows])
            feed.duplicates += outcome.duplicates
            feed.inserts += len(outcome.errors)
            for code, message in outcome.errors:
                load.fail(code, message, feed.uri)
            if not (outcome.errors and request.fail_on_error):  # otherwise the load has ended before them
                for fault in faults:
                    feed.records += 1
                    feed.mismatches += fault.is_mismatch
                    feed.parsing += not fault.is_mismatch
                    load.fail("PARSING_ERROR", fault.message, feed.uri, fault.row)
            if feed.failures and request.fail_on_error:
                raise Stopped
