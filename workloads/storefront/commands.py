"""`groundwork storefront`: init, load, serve, cards."""

from __future__ import annotations

import os
import shlex
import sys
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from contract.errors import InputError
from terminal.results import Result, listing, results
from terminal.screen import Table, progress, say
from workloads.databases import NO_SUCH_TABLE, asking_database
from workloads.rental_company import open_company
from workloads.storefront.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Engine

_PATIENCE = 3600  # seconds that one statement of a load may take

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="The film rental company's web site: set it up, fill it, serve it.",
)

Stack = Annotated[
    str, typer.Option(help="The deployed stack it runs on, such as WebApp (default: what the environment tells).")
]
Authorities = Annotated[
    str,
    typer.Option(envvar="STOREFRONT_DATABASE_CA", help="With --stack: certificates that vouch for the database."),
]


@app.command()
@results
def init(stack: Stack = "", database_ca: Authorities = "") -> Result:
    """Make the tables, or bring them to this version. Running it again changes nothing."""
    from workloads.storefront.migrations import upgrade

    with _database(_settings(stack, database_ca), stack) as engine:
        before, after = upgrade(engine)
    change = " already" if before == after else f" (before: {before or 'none'})"
    return Result({"version": after, "version_before": before or None}, f"tables of version {after}{change}")


@app.command()
@results
def load(  # noqa: PLR0917 - its options
    stack: Stack = "",
    database_ca: Authorities = "",
    only: Annotated[
        Literal["database", "files"] | None,
        typer.Option(help="Only the tables, or only posters and static files.", show_default=False),
    ] = None,
    scale: Annotated[
        float, typer.Option(help="Size of a generated company; 1 is Pagila's, where that is available.")
    ] = 1,
    seed: Annotated[int, typer.Option(help="Another seed generates another company.")] = 0,
    replace: Annotated[bool, typer.Option(help="Remove another company's data first, with all rentals.")] = False,
) -> Result:
    """Load the catalogue, members and rentals into the database, posters and style into the bucket.

    Running it again changes nothing.
    """
    from workloads.storefront.assets import Assets
    from workloads.storefront.load import files, load_database

    settings, company = _settings(stack, database_ca), open_company(scale, seed)
    tables = ("category", "actor", "film", "film_category", "film_actor", "store", "inventory", "customer", "rental")
    document: dict[str, object] = {"company": company.origin, "rows": None, "bucket": None, "files": None}
    with progress() as bar:
        if only != "files":
            rows = bar.add_task("rows", total=sum(company.count(table) for table in tables) + 1)
            with _database(settings, stack) as engine:
                counts = load_database(engine, company, lambda _, more: bar.advance(rows, more), replace=replace)
            summary = ", ".join(f"{count:,} {name}" for name, count in counts.items())
            say(f"{company.origin} is in the database: {summary}")
            document["rows"] = counts
        if only != "database":
            task = bar.add_task("files", total=company.count("film") + 2)
            count = 0
            for count, _ in enumerate(Assets(settings.bucket).write(files(company)), 1):  # noqa: B007 - the last counts
                bar.advance(task)
            say(f"{count:,} posters and static files are in the bucket {settings.bucket}")
            document |= {"bucket": settings.bucket, "files": count}
    return Result(document)


@app.command()
def serve(
    stack: Stack = "",
    database_ca: Authorities = "",
    bind: Annotated[
        str, typer.Option(help="Address to listen on; put a web server with TLS in front.")
    ] = "127.0.0.1:8000",
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes with 8 threads each.")] = 2,
    hosts: Annotated[
        str, typer.Option(help="Host names that the site answers to, separated by commas (default: any).")
    ] = "",
) -> None:
    """Serve the site with gunicorn, until Ctrl-C."""
    from workloads.storefront.secrets import session_secret

    settings = _settings(stack, database_ca)
    session_secret(settings.session_secret)  # which gunicorn's workers need, and would fail over with a traceback
    environment = os.environ | replace(settings, hosts=hosts or settings.hosts).environment()
    command = ["gunicorn", "--config", "python:workloads.storefront.gunicorn_settings"]
    options = ["--bind", bind, "--workers", str(workers)]
    sys.stdout.flush()
    os.execve(sys.executable, [sys.executable, "-m", *command, *options], environment)  # noqa: S606 - no shell


@app.command()
@listing
def cards(
    stack: Stack = "",
    database_ca: Authorities = "",
    limit: Annotated[int, typer.Option(min=1, help="How many members.")] = 10,
) -> Result:
    """Show the card numbers with which members sign in."""
    from workloads.storefront.load import cards as find

    with _database(_settings(stack, database_ca), stack) as engine:
        members = find(engine, limit)
    documents = [{"card": number, "first_name": first, "last_name": last} for first, last, number in members]
    rows = [(_grouped(number), f"{first} {last}") for first, last, number in members]
    return Result({"cards": documents}, Table(["card", "member"], rows))


def _grouped(number: str) -> str:
    """Return a card number as it is printed on a card: groups of four digits."""
    return " ".join(number[start : start + 4] for start in range(0, len(number), 4))


def _settings(stack: str, database_ca: str) -> Settings:
    if not stack:
        return Settings.from_environment()
    if not database_ca:
        raise InputError(
            "--database-ca: The option is missing. Name the file of the authority that signed the database's "
            "certificate, or set STOREFRONT_DATABASE_CA."
        )
    return Settings.from_stack(stack, database_ca)


@contextmanager
def _database(settings: Settings, stack: str) -> Iterator[Engine]:
    """The database of the settings.

    Raises:
        InputError: It is empty, or refuses something.
        UnavailableError: It cannot be reached, or cannot do it now.
    """
    from sqlalchemy.exc import SQLAlchemyError

    from workloads.storefront.database import connect

    if not os.path.isfile(settings.database_ca):  # noqa: PTH113 - a text until here
        raise InputError(
            f"{settings.database_ca}: There is no such file. It must hold the certificate of the authority that signed "
            "the database's."
        )
    engine = connect(settings, patience=_PATIENCE)
    try:
        options = f" --stack {stack} --database-ca {shlex.quote(settings.database_ca)}" if stack else ""
        empty = f"The database has no tables yet. Run `groundwork storefront init{options}` first."
        with asking_database(
            f"Database of secret {settings.database_secret}",
            SQLAlchemyError,
            service="MySQL",
            trust="STOREFRONT_DATABASE_CA",
            reasons={NO_SUCH_TABLE: empty},
        ):
            yield engine
    finally:
        engine.dispose()
