"""A migration by several processes of this machine, each of which moves a partition."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from contextlib import ExitStack, suppress
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING

from contract.errors import GroundworkError, InputError, TemporaryError
from workloads.movie_rental import database
from workloads.movie_rental.migrate import Embeddings, begin
from workloads.movie_rental.partitions import RUN, Share, moved
from workloads.movie_rental.source import TABLES
from workloads.movie_rental.streams import IN_GRAPH, MOVIES, MOVIES_IN_GRAPH, RENTED

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from workloads.movie_rental.bulk import Choice
    from workloads.movie_rental.engines import Stack
    from workloads.movie_rental.quarantine import Quarantine
    from workloads.movie_rental.source import Source

SNAPSHOT = "MOVIE_RENTAL_SNAPSHOT"
"""The state of the old database that all processes of a migration read, in their environment."""

_LOOKS = 0.3  # seconds between two looks at how far they are


def migrate(
    source: Source,
    engines: Stack,
    *,
    embeddings: Embeddings,
    restart: bool,
    overwrite: bool,
    quarantine: Quarantine | None,
    progress: Callable[[str, int, int], None],
    share: Share,
    bulk: Choice,
) -> dict[str, int]:
    """Migrate as `migrate.migrate` does, with a process for each partition. If one ends early, the others go on.

    Raises:
        InputError: Something has to be changed before the same command can succeed.
        TemporaryError: The same command may succeed later; a process was ended, for example.
        GroundworkError: A process has failed otherwise.
    """
    begin(source, engines, share, restart=restart, overwrite=overwrite, quarantine=quarantine, bulk=bulk)
    connection = engines.ledger.connection
    totals = {table.name: source.count(table.old, table.old_key) for table in TABLES}
    totals |= dict.fromkeys((MOVIES, MOVIES_IN_GRAPH), source.count("film", "film_id"))
    totals |= {IN_GRAPH: totals["customers"], RENTED: totals["rentals"]}

    def look() -> dict[str, int]:
        with database.asking(engines.ledger.url):
            rows = Counter[str]()
            for partition in moved(connection):
                rows.update(partition.rows)
        for name, count in rows.items():
            progress(name, count, totals[name])
        return {name: rows[name] for name in totals}

    options = ["--stack", engines.name, "--embeddings", embeddings, "--bulk", "never" if bulk == "never" else "auto"]
    options += ["--overwrite"] if overwrite else []
    options += ["--quarantine", str(quarantine.path)] if quarantine else []
    environment = {"MOVIE_RENTAL_SOURCE": source.url, SNAPSHOT: source.snapshot(), RUN: share.run}
    try:
        _run(share.partitions, options, environment, look)
    finally:
        if quarantine:
            with database.asking(engines.ledger.url):
                quarantine.resume(connection)
            quarantine.write()
    return look()


def _run(count: int, options: Sequence[str], environment: Mapping[str, str], look: Callable[[], object]) -> None:
    """Start the processes, and wait for all of them; look how far they are now and then.

    Raises:
        GroundworkError: Some have failed; its class is that of the worst failure.
    """
    with ExitStack() as stack:
        started: list[tuple[subprocess.Popen[bytes], IO[bytes]]] = []
        for number in range(count):
            errors = stack.enter_context(TemporaryFile())
            command = [sys.executable, "-m", "workloads", "movie-rental", "migrate", *options]
            process = subprocess.Popen(
                [*command, "--partitions", str(count), "--partition", str(number)],
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **environment},
                stdout=subprocess.DEVNULL,
                stderr=errors,
            )
            stack.callback(_end, process)
            started.append((process, errors))
        for process, _ in started:
            while process.poll() is None:
                look()
                with suppress(subprocess.TimeoutExpired):
                    process.wait(_LOOKS)
        failed = [
            (process.returncode, f"Partition {number}: {_said(process.returncode, errors)}")
            for number, (process, errors) in enumerate(started)
            if process.returncode
        ]
    if failed:
        error = _worst([code for code, _ in failed])(" ".join(message for _, message in failed))
        error.advice = ""  # each of them says what to do
        raise error


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process, if this one is interrupted; the round that it is at is written again."""
    if process.poll() is None:
        process.terminate()
    process.wait()


def _said(code: int, errors: IO[bytes]) -> str:
    """Return why a process has failed: its last line, or the signal that has ended it."""
    if code < 0:
        return f"The process was ended by signal {-code}. What it has moved stays, and the same command goes on."
    errors.seek(0)
    lines = errors.read().decode(errors="replace").strip().splitlines() or [f"It ended with exit code {code}."]
    return lines[-1].removeprefix("Error: ")


def _worst(codes: Sequence[int]) -> type[GroundworkError]:
    if InputError.exit_code in codes:
        return InputError
    return TemporaryError if all(code < 0 or code == TemporaryError.exit_code for code in codes) else GroundworkError
