"""`groundwork movie-rental`: migrate and verify; search, recommend, trends; customers, movies, rentals."""

from __future__ import annotations

import contextlib
import json
import os
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from contract.errors import GroundworkError, InputError, TemporaryError, phrase
from contract.stacks import StackName
from terminal import files
from terminal.results import Result, listing, results
from terminal.screen import progress as progress_bar
from terminal.screen import say

if TYPE_CHECKING:
    from workloads.movie_rental.source import Source
    from workloads.movie_rental.verify import Comparison
    from workloads.rental_company import RentalCompany

app = typer.Typer(no_args_is_help=True, help="A film rental company's data, moved to the engines that fit, and used.")

Stack = Annotated[str, typer.Option(help="The deployed stack with the engines.")]
SourceUrl = Annotated[
    str,
    typer.Option(
        envvar="MOVIE_RENTAL_SOURCE",
        help="The old database: postgresql://user:password@host:port/database, or postgresql:///database for one on "
        "the stack's own server.",
        show_default=False,
    ),
]
Number = Annotated[int, typer.Argument(help="The customer's number.", show_default=False)]
Limit = Annotated[int, typer.Option(min=1, max=100, help="How many at most.")]
DEFAULT = StackName.DATA_ECOSYSTEM


@app.command("load-source")
@results
def load_source(
    into: Annotated[str, typer.Option(help="The database to fill, named as migrate's --source.")],
    stack: Stack = DEFAULT,
    *,
    scale: Annotated[float, typer.Option(help="Size; 1 is Pagila's, and Pagila where GROUNDWORK_DATA has it.")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="Seed of a generated company.")] = 0,
    replace: Annotated[bool, typer.Option(help="Drop the tables that are there.")] = False,
    copied: Annotated[
        str | None,
        typer.Option(
            "--from",
            envvar="MOVIE_RENTAL_MYSQL",
            help="Copy Sakila from a MySQL or MariaDB server: mysql://user:password@host:port/database.",
            show_default="Pagila or a generated company",
        ),
    ] = None,
) -> Result:
    """Load Pagila, a generated company, or Sakila of a MySQL server, into a database that can be migrated."""
    from workloads.rental_company import open_company
    from workloads.rental_company.mysql import MySQLCompany

    if copied is None:
        return _loaded(open_company(scale, seed), into, stack, replace=replace)
    with contextlib.closing(MySQLCompany(copied)) as company:
        return _loaded(company, into, stack, replace=replace)


def _loaded(company: RentalCompany, into: str, stack: str, *, replace: bool) -> Result:
    from workloads.movie_rental import database
    from workloads.movie_rental.load import create_database, load

    url = into
    if (name := _own_database(into)) is not None:
        with _stack(stack) as engines:
            url = create_database(engines.database_url, name)
    with progress_bar() as bar:
        task = bar.add_task(company.origin, total=None)
        rows = load(
            company,
            url,
            replace=replace,
            progress=lambda table, count: bar.update(task, description=table, completed=count),
        )
    counted = ", ".join(f"{rows[name]:,} {name}s" for name in ("film", "customer", "rental", "payment"))
    target = database.shown(url)
    return Result(
        {"company": company.origin, "database": target, "rows": rows}, f"{company.origin}: {counted} in {target}"
    )


@app.command()
@results
def migrate(
    source: SourceUrl,
    stack: Stack = DEFAULT,
    *,
    embeddings: Annotated[str, typer.Option(help="local, or bedrock: what makes the movies' vectors.")] = "local",
    restart: Annotated[
        bool,
        typer.Option(envvar="MOVIE_RENTAL_RESTART", help="Start again from the first row after an interruption."),
    ] = False,
    overwrite: Annotated[
        bool, typer.Option(help="Write the old database's state over what the new system has changed.")
    ] = False,
    quarantine: Annotated[
        Path | None,
        typer.Option(
            envvar="MOVIE_RENTAL_QUARANTINE",
            help="Leave out rows that can never be migrated, and write them into this file with the reason.",
            show_default=False,
        ),
    ] = None,
    bulk: Annotated[
        str,
        typer.Option(
            envvar="MOVIE_RENTAL_BULK",
            help="auto, always, or never: whether the bulk loaders of Neptune and DynamoDB fill these, if both are "
            "empty. auto does from 100,000 rentals on.",
        ),
    ] = "auto",
    partitions: Annotated[
        int,
        typer.Option(
            envvar="AWS_BATCH_JOB_ARRAY_SIZE",
            help="How many ranges of films it is split into, 1 to 16. The command starts a process of this machine for "
            "each. In an array job of AWS Batch each job moves one, and their number is the array's size.",
        ),
    ] = 1,
    partition: Annotated[
        int | None,
        typer.Option(
            envvar="AWS_BATCH_JOB_ARRAY_INDEX",
            help="Move only this partition, from 0: other machines move the others.",
            show_default=False,
        ),
    ] = None,
) -> Result:
    """Bring an old database into every engine. Running it again changes nothing; interrupted, it goes on."""
    from workloads.movie_rental import processes, views
    from workloads.movie_rental.migrate import migrate as run
    from workloads.movie_rental.partitions import Share, moved
    from workloads.movie_rental.quarantine import Quarantine

    if embeddings not in {"local", "bedrock"}:
        raise InputError(f"--embeddings {embeddings}: Choose local or bedrock.")
    if bulk not in {"auto", "always", "never"}:
        raise InputError(f"--bulk {bulk}: Choose auto, always, or never.")
    choice: Any = bulk
    share = Share.of_process(partitions, partition)
    left_out = Quarantine(quarantine) if quarantine else None
    with _stack(stack) as engines, _open_source(source, engines) as database, progress_bar() as bar:
        began = datetime.now(UTC)
        tasks: dict[str, Any] = {}

        def progress(stream: str, done: int, total: int) -> None:
            if stream not in tasks:
                tasks[stream] = bar.add_task(stream, total=total)
            bar.update(tasks[stream], completed=done)

        rows = (processes.migrate if share.partition is None and share.partitions > 1 else run)(
            database,
            engines,
            embeddings="bedrock" if embeddings == "bedrock" else "local",
            restart=restart,
            overwrite=overwrite,
            quarantine=left_out,
            progress=progress,
            share=share,
            bulk=choice,
        )
        engines.index.let_write(engines.search_writer)
        seconds = (datetime.now(UTC) - began).total_seconds()
        return views.migrated(rows, moved(engines.ledger.connection), share, seconds, left_out)


@app.command()
@listing
def verify(
    source: SourceUrl,
    stack: Stack = DEFAULT,
    quarantine: Annotated[
        Path | None,
        typer.Option(
            envvar="MOVIE_RENTAL_QUARANTINE",
            help="Leave the rows of this file out, which a migration wrote; without the file, those that the last "
            "migration has left out.",
            show_default=False,
        ),
    ] = None,
    *,
    repair: Annotated[
        bool, typer.Option("--repair", help="Copy the rows that are missing or different, and compare again.")
    ] = False,
) -> Result:
    """Compare the old database with every engine: counts and content; exit code 1 if anything differs."""
    from workloads.movie_rental.migrate import bring
    from workloads.movie_rental.quarantine import kept, read
    from workloads.movie_rental.verify import differing
    from workloads.movie_rental.verify import verify as run
    from workloads.movie_rental.views import comparisons

    with _stack(stack) as engines, _open_source(source, engines) as database, progress_bar("wait") as bar:
        task = bar.add_task("comparing", total=None)
        for table, row in (read(quarantine) or kept(engines.ledger.connection)) if quarantine else ():
            database.leave_out(table, row)

        def compare() -> list[Comparison]:
            return [*run(database, engines, lambda what: bar.update(task, description=f"comparing {what}"))]

        compared = compare()
        brought: dict[str, int] = {}
        if repair and (rows := differing(compared)):
            brought = bring(database, engines, rows, progress=lambda what, *_: bar.update(task, description=what))
            compared = compare()
    return comparisons(compared, brought)


@app.command()
@listing
def search(
    text: Annotated[str, typer.Argument(help="What is searched.", show_default=False)],
    mode: Annotated[str, typer.Option(help="text, meaning, or both.")] = "both",
    genre: Annotated[
        str | None, typer.Option(help="Only movies of this genre, in any case.", show_default=False)
    ] = None,
    limit: Limit = 10,
    stack: Stack = DEFAULT,
) -> Result:
    """Find movies by words (a letter or two may be wrong), by meaning, or by both."""
    from workloads.movie_rental.search import search as run
    from workloads.movie_rental.views import hits

    if mode not in {"text", "meaning", "both"}:
        raise InputError(f"--mode {mode}: Choose text, meaning or both.")
    with _stack(stack) as engines:
        embedder = None if mode == "text" else engines.embedder()
        chosen: Any = mode
        return hits(run(engines.index, embedder, text, mode=chosen, genre=genre, limit=limit))


@app.command()
@listing
def query(
    question: Annotated[str, typer.Argument(help="The question, in the engine's language.", show_default=False)],
    engine: Annotated[
        str,
        typer.Option(
            help="postgresql (SQL), neptune (openCypher), opensearch (words, or a search in JSON), timestream "
            "(InfluxQL, or SQL of LiveAnalytics), or dynamodb (PartiQL).",
        ),
    ] = "postgresql",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many rows at most.")] = 20,
    *,
    explain: Annotated[
        bool, typer.Option("--explain", help="Show the engine's query plan instead of the rows.")
    ] = False,
    stack: Stack = DEFAULT,
) -> Result:
    """Ask one engine a question of your own. It may only read; {table} is the table of dynamodb and timestream."""
    from workloads.movie_rental import questions, views

    if engine not in questions.NAMES:
        raise InputError(f"--engine {engine}: Choose one of: {', '.join(questions.NAMES)}.")
    with _stack(stack) as engines:
        if explain:
            plan = questions.explain(engines, engine, question)
            return Result({"engine": engine, "rows": [], "more": False, "plan": plan}, plan)
        return views.rows(engine, questions.ask(engines, engine, question, limit))


@app.command()
@listing
def compare(
    question: Annotated[str, typer.Argument(help="popular, also-rented FILM, or starring PERSON.", show_default=False)],
    value: Annotated[str, typer.Argument(help="The film's MovieID, or the person's name.", show_default=False)] = "",
    limit: Limit = 10,
    *,
    explain: Annotated[bool, typer.Option("--explain", help="Also show each engine's query plan.")] = False,
    stack: Stack = DEFAULT,
) -> Result:
    """Ask several engines the same question, each in its language: texts, times and answers side by side."""
    from workloads.movie_rental import questions, views

    if question not in questions.COMPARED:
        raise InputError(f"{question}: There is no such question. Choose one of: {', '.join(questions.COMPARED)}.")
    if question != "popular" and not value:
        subject = "the person's name" if question == "starring" else "the film's MovieID"
        raise InputError(f"{question}: Give {subject} behind the question.")
    with _stack(stack) as engines:
        answers = questions.compare(engines, question, value, limit, plans=explain)
    return views.compared(questions.COMPARED[question][0], answers)


@app.command()
@listing
def recommend(customer: Number, limit: Limit = 10, stack: Stack = DEFAULT) -> Result:
    """Recommend movies to a customer: what people with the same rentals rented."""
    from workloads.movie_rental.views import recommendations

    with _stack(stack) as engines:
        if not engines.graph.has_customer(customer):
            raise InputError(f"Customer {customer}: The graph has no customer of that number.")
        return recommendations(customer, engines.graph.recommend(customer, limit))


@app.command()
@results
def trends(
    weeks: Annotated[int, typer.Option(min=4, max=520, help="How many to look back.")] = 26,
    csv: Annotated[Path | None, typer.Option(help="Write the whole table into this file.", show_default=False)] = None,
    stack: Stack = DEFAULT,
) -> Result:
    """Show rentals by category and week: counts, moving average, what stands out, what may come."""
    from workloads.movie_rental import views
    from workloads.movie_rental.trends import weekly

    with _stack(stack) as engines:
        table = weekly(engines.series, weeks)
    if csv:
        files.write(csv, table.to_csv().encode())
    return views.trends(table, csv)


@app.command()
@results
def customer(
    customer: Number,
    erase: Annotated[bool, typer.Option("--erase", help="Remove them from every engine, for good.")] = False,
    stack: Stack = DEFAULT,
) -> Result:
    """Show all that is known of a customer, or erase them; exit code 1 if anything is left of them."""
    from workloads.movie_rental import customer as about
    from workloads.movie_rental.views import erasure, personal_data

    with _stack(stack) as engines:
        if not erase:
            return personal_data(about.known(engines, customer))
        return erasure(customer, about.erase(engines, customer))


@app.command()
@results
def movie(
    movie: Annotated[str, typer.Argument(help="The movie's MovieID.", show_default=False)],
    put: Annotated[
        Path | None, typer.Option(help="JSON file with attributes to set: create or change it.", show_default=False)
    ] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Remove it from library, search and graph.")] = False,
    stack: Stack = DEFAULT,
) -> Result:
    """Show a movie of the library; create, change or remove it. Search follows by the library's stream."""
    from workloads.movie_rental import catalogue

    with _stack(stack) as engines:
        if remove:
            if not catalogue.remove(engines, movie):
                raise InputError(f"Movie {movie}: The library has no movie of that id.")
            return Result({"movie": movie, "attributes": None}, f"movie {movie} is removed")
        if put:
            current = catalogue.put(engines, movie, put)
        elif not (stored := engines.library.get(movie)):
            raise InputError(f"Movie {movie}: The library has no movie of that id.")
        else:
            current = stored
    document = current.document()
    document.pop("Embedding", None)
    return Result({"movie": movie, "attributes": document}, json.dumps(document, indent=2, ensure_ascii=False))


@app.command()
@results
def rent(
    customer: Number,
    movie: Annotated[str, typer.Argument(help="The movie's MovieID.", show_default=False)],
    store: Annotated[int, typer.Option(help="The store's number.")] = 1,
    request: Annotated[
        str | None,
        typer.Option(
            envvar=["MOVIE_RENTAL_REQUEST", "AWS_BATCH_JOB_ID"],
            help="An id of your choice. The command rents once with the same id, however often it is run.",
            show_default=False,
        ),
    ] = None,
    stack: Stack = DEFAULT,
) -> Result:
    """Lend a copy of a movie: rental, payment and event in one transaction; the event is sent at once."""
    named, request = request is not None, request or str(uuid.uuid4())
    with _stack(stack) as engines:
        chosen = engines.library.get(movie)
        if not chosen:
            raise InputError(f"Movie {movie}: The library has no movie of that id.")
        try:
            event = engines.ledger.rent(customer, chosen, store, request)
        except TemporaryError as error:
            error.advice = f"Run the same command again with --request {request}, so that it rents once."
            raise
        say(f"rental {event.rental_id}: {event.title} for {event.amount}")
        _send_events(engines, repeatable=named)
    return Result({"rental": event.rental_id, "movie": movie, "title": event.title, "amount": event.amount})


@app.command("return")
@results
def give_back(
    rental: Annotated[int, typer.Argument(help="The rental's number.", show_default=False)], stack: Stack = DEFAULT
) -> Result:
    """Take a copy back."""
    with _stack(stack) as engines:
        event = engines.ledger.give_back(rental)
        say(f"rental {rental} is back" if event else f"rental {rental} was back already")
        _send_events(engines, repeatable=True)
    return Result({"rental": rental, "was_out": event is not None})


@app.command()
@results
def relay(stack: Stack = DEFAULT) -> Result:
    """Send the events that wait in the outbox."""
    from workloads.movie_rental.outbox import relay as run

    with _stack(stack) as engines:
        count = run(engines.ledger, engines.queue)
    return Result({"events": count}, f"{count:,} events sent")


@app.command()
@results
def rebuild(stack: Stack = DEFAULT) -> Result:
    """Rebuild search index, graph and time series from library and ledger, or write what they lack."""
    from workloads.movie_rental.rebuild import rebuild as run

    with _stack(stack) as engines, progress_bar() as bar:
        task = bar.add_task("movies", total=None)
        done = run(engines, lambda name, count: bar.update(task, description=name, completed=count))
        engines.index.let_write(engines.search_writer)
    return Result({"rows": done}, ", ".join(f"{count:,} {name}" for name, count in done.items()))


@app.command()
@results
def quality(stack: Stack = DEFAULT) -> Result:
    """Measure how good recommendations and search are, on what is there."""
    from workloads.movie_rental import views
    from workloads.movie_rental.quality import judgements, recommendation_quality, search_quality

    with _stack(stack) as engines:
        rates = recommendation_quality(engines.graph)
        judged = judgements([*engines.library.all()])
        return views.quality(rates, search_quality(engines.index, engines.embedder(), judged), judged)


@app.command()
@results
def diagram() -> Result:
    """Print the entity relationship diagram of the relational schema, made from its statements."""
    from workloads.movie_rental.diagram import entity_relationships

    mermaid = entity_relationships()
    return Result({"mermaid": mermaid}, mermaid)


def _send_events(stack: Any, *, repeatable: bool) -> None:
    """Send the events that wait, after a transaction.

    Args:
        stack: The engines.
        repeatable: Whether the same command, run again, sends the event without repeating the transaction.

    Raises:
        TemporaryError: An engine cannot be reached, and the command may be run again.
        GroundworkError: An engine cannot be reached, and the command must not be run again.
    """
    from workloads.movie_rental.outbox import relay as run

    try:
        run(stack.ledger, stack.queue)
    except TemporaryError as error:
        if repeatable:
            raise
        raise GroundworkError(
            f"The transaction is complete, but its event was not sent: {phrase(error)}. The event waits in the outbox. "
            "Send it with `groundwork movie-rental relay`."
        ) from error


def _stack(name: str) -> Any:
    from workloads.movie_rental.engines import Stack as Deployed

    return Deployed(name)


def _own_database(url: str) -> str | None:
    """Return the name in `postgresql:///name`: a database on the stack's own server."""
    name = url.removeprefix("postgresql:///")
    return name if name != url and name and "/" not in name else None


def _open_source(url: str, stack: Any) -> Source:
    from workloads.movie_rental.load import on_server
    from workloads.movie_rental.processes import SNAPSHOT
    from workloads.movie_rental.source import Source

    if url.startswith(("mysql", "mariadb")):
        raise InputError(
            "--source: A MySQL database is copied into PostgreSQL before it is migrated. Copy it with `groundwork "
            "movie-rental load-source --from mysql://... --into postgresql:///sakila`, and migrate with --source "
            "postgresql:///sakila."
        )
    if Path(url).exists():
        raise InputError(
            f"--source {url}: This is a file or a folder, and only a server is read. Load a dump of PostgreSQL with "
            "psql into a database, and migrate that. Load a dump of MySQL into a MySQL or MariaDB server, and copy it "
            "with `groundwork movie-rental load-source --from mysql://... --into postgresql:///sakila`."
        )
    name = _own_database(url)
    return Source(url if name is None else on_server(stack.database_url, name), os.environ.get(SNAPSHOT, ""))
