"""Fill the storefront: a company's films, copies, members and rentals into the database, posters into the bucket.

All of it or nothing: one transaction, which ends when the counts are right. Loading again changes nothing but what the
company has changed; what members rented and returned here since stays.
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.mysql import insert

from contract.errors import InputError
from workloads.storefront.assets import STATIC, static
from workloads.storefront.posters import poster, poster_name
from workloads.storefront.rentals import late_fee, titled
from workloads.storefront.schema import (
    Actor,
    Base,
    Catalogue,
    Category,
    Copy,
    Film,
    FilmActor,
    FilmCategory,
    Member,
    Rental,
    Store,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sqlalchemy import Connection, Engine

    from workloads.rental_company import RentalCompany

    Rows = Iterable[dict[str, Any]]
    Progress = Callable[[str, int], None]  # what, and how many more of it

CARD_DIGITS = 16
_BATCH = 500


def load_database(
    engine: Engine, company: RentalCompany, progress: Progress, *, replace: bool = False
) -> dict[str, int]:
    """Fill the tables, which `migrations.upgrade` made.

    Args:
        engine: The database.
        company: Whose data.
        progress: Told of rows as they are written.
        replace: Remove all that another company left, its rentals too; without, it is refused.

    Returns:
        How many rows each table has.

    Raises:
        InputError: Another company's data are there, or in the end something is missing; then nothing has changed.
    """
    with engine.begin() as connection:
        origin = connection.scalar(select(Catalogue.origin).with_for_update())
        if replace:
            for table in reversed(Base.metadata.sorted_tables):
                connection.execute(delete(table))
        elif origin not in {None, company.origin}:
            raise InputError(
                f"The database holds another company ({origin}). Remove it, with all its rentals, by --replace."
            )
        now = {"catalogue_id": 1, "origin": company.origin, "loaded_at": datetime.now(UTC)}
        _write(connection, Catalogue, [now], progress)
        films, actors = company.rows("film_category"), company.rows("film_actor")
        counts = {
            "categories": _write(connection, Category, _columns(company.rows("category"), Category), progress),
            "actors": _write(connection, Actor, _columns(company.rows("actor"), Actor), progress),
            "films": _write(connection, Film, _films(company), progress),
            "films in categories": _write(connection, FilmCategory, _columns(films, FilmCategory), progress),
            "roles": _write(connection, FilmActor, _columns(actors, FilmActor), progress),
            "stores": _write(connection, Store, _stores(company), progress),
            "copies": _write(connection, Copy, _copies(company), progress),
            "members": _write(connection, Member, _members(company), progress),
            "rentals": _write(connection, Rental, _rentals(company, connection), progress),
        }
        _verify(connection, company, counts)
        return counts


def files(company: RentalCompany) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of every file that the bucket must have: static ones, and a poster for each film."""
    for path in sorted(STATIC.iterdir()):
        yield static(path.name), path.read_bytes()
    names = {row["category_id"]: row["name"] for row in company.rows("category")}
    category = dict[int, str]()
    for row in company.rows("film_category"):  # the first by name, as the pages have it
        name = names[row["category_id"]]
        category[row["film_id"]] = min(name, category.get(row["film_id"], name))
    for film in company.rows("film"):
        about = (film["title"], category.get(film["film_id"], ""), film["release_year"])
        yield poster_name(film["film_id"], *about), poster(*about)


def _write(connection: Connection, table: type[Base], rows: Rows, progress: Progress) -> int:
    """Insert rows, or update those that are there. Return how many rows the company has.

    A member keeps the card, and a rental is not changed: the database knows what happened to it here.
    """
    plain = Base.metadata.tables[table.__tablename__]  # the mapped class would look up the column of each value
    key = [column.name for column in plain.primary_key]
    count, iterator = 0, iter(rows)
    while batch := list(islice(iterator, _BATCH)):
        statement = insert(plain)
        changing = [name for name in batch[0] if name not in (*key, "card_number")]
        if table is Rental or not changing:
            same = {key[0]: getattr(table, key[0])}
            statement = statement.on_duplicate_key_update(same)
        else:
            statement = statement.on_duplicate_key_update({name: statement.inserted[name] for name in changing})
        connection.execute(statement, batch)  # PyMySQL makes one INSERT of many rows of it
        count += len(batch)
        progress(table.__tablename__, len(batch))
    return count


def _columns(rows: Rows, table: type[Base]) -> Rows:
    """Return the rows with those columns that the table has."""
    names = table.__table__.columns.keys()
    return ({name: row[name] for name in names} for row in rows)


def _films(company: RentalCompany) -> Rows:
    languages = {row["language_id"]: row["name"] for row in company.rows("language")}
    for row in company.rows("film"):
        yield {
            "film_id": row["film_id"],
            "title": row["title"],
            "description": row["description"] or "",
            "release_year": row["release_year"],
            "language": languages[row["language_id"]],
            "rental_days": row["rental_duration"],
            "rental_rate": row["rental_rate"],
            "length_minutes": row["length"],
            "replacement_cost": row["replacement_cost"],
            "rating": row["rating"],
            "features": ", ".join(row["special_features"] or []),
        }


def _stores(company: RentalCompany) -> Rows:
    """Yield stores, named after their addresses."""
    stores = list(company.rows("store"))
    address_ids = {store["address_id"] for store in stores}
    places = {row["address_id"]: row for row in company.rows("address") if row["address_id"] in address_ids}
    cities = {row["city_id"]: row["city"] for row in company.rows("city")}
    for store in stores:
        place = places[store["address_id"]]
        yield {"store_id": store["store_id"], "name": f"{cities[place['city_id']]}, {place['address']}"}


def _copies(company: RentalCompany) -> Rows:
    for row in company.rows("inventory"):
        yield {"copy_id": row["inventory_id"], "film_id": row["film_id"], "store_id": row["store_id"]}


def _members(company: RentalCompany) -> Rows:
    for row in company.rows("customer"):
        yield {
            "member_id": row["customer_id"],
            "first_name": row["first_name"],
            "last_name": row["last_name"],
            "active": row["activebool"] and bool(row["active"]),
            "card_number": f"{secrets.randbelow(10**CARD_DIGITS):0{CARD_DIGITS}}",  # not to be guessed
        }


def _rentals(company: RentalCompany, connection: Connection) -> Rows:
    """Rentals with due date and fees, for which each batch looks up its films."""
    rows = company.rows("rental")
    while batch := list(islice(rows, _BATCH)):
        terms = select(Copy.copy_id, Film.rental_days, Film.rental_rate, Film.replacement_cost).join(Film)
        copies = connection.execute(terms.where(Copy.copy_id.in_([row["inventory_id"] for row in batch])))
        films = {film.copy_id: film for film in copies}
        for row in batch:
            film, back = films[row["inventory_id"]], row["return_date"]
            due = row["rental_date"] + timedelta(days=film.rental_days)
            yield {
                "rental_id": row["rental_id"],
                "copy_id": row["inventory_id"],
                "member_id": row["customer_id"],
                "rented_at": row["rental_date"],
                "due_at": due,
                "returned_at": back,
                "price": film.rental_rate,
                "late_fee": late_fee(due, back, film.replacement_cost) if back else Decimal(0),
            }


def _verify(connection: Connection, company: RentalCompany, expected: dict[str, int]) -> None:
    """See that every row that was given is there, and no other but rentals made here, whose ids are higher."""
    tables = (Category, Actor, Film, FilmCategory, FilmActor, Store, Copy, Member, Rental)
    last = max(chain([0], (row["rental_id"] for row in company.rows("rental"))))
    actual = dict[str, int | None]()
    for name, table in zip(expected, tables, strict=True):
        counted = select(func.count()).select_from(table)
        actual[name] = connection.scalar(counted.where(Rental.rental_id <= last) if table is Rental else counted)
    if wrong := [
        f"{actual[name]} {name} instead of {count}" for name, count in expected.items() if actual[name] != count
    ]:
        raise InputError(
            f"Nothing was changed, because {company.origin} would leave {', '.join(wrong)}. Remove what is there by "
            "--replace."
        )


def cards(engine: Engine, limit: int) -> list[tuple[str, str, str]]:
    """Return first name, last name and card number of active members, for the staff at the counter."""
    chosen = select(Member.first_name, Member.last_name, Member.card_number).where(Member.active)
    with engine.connect() as connection:
        rows = connection.execute(chosen.order_by(Member.member_id).limit(limit))
        return [(titled(first), titled(last), number) for first, last, number in rows]
