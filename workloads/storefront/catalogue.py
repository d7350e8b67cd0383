"""Questions about the catalogue."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import aliased, selectinload

from workloads.storefront.schema import Actor, Category, Copy, Film, FilmActor, FilmCategory, Rental, Store

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from decimal import Decimal

    from sqlalchemy import ColumnElement, Row, ScalarSelect, Select
    from sqlalchemy.orm import Session

PAGE_SIZE = 24
_MOST_WORDS = 8


@dataclass(frozen=True)
class Search:
    """What films are looked for.

    Attributes:
        text: Words, each of which is in the title, the description or the name of an actor.
        category_id: The films' category; None for any.
        available: Whether a copy must be in.
    """

    text: str = ""
    category_id: int | None = None
    available: bool = False


class Listed(NamedTuple):
    """What a list tells of a film."""

    film_id: int
    title: str
    release_year: int | None
    length_minutes: int | None
    rental_rate: Decimal
    rental_days: int
    categories: list[str]  # by name
    available: bool


@dataclass(frozen=True)
class Page:
    """A page of films, with how many there are on all pages."""

    films: Sequence[Listed]
    number: int
    total: int

    @property
    def pages(self) -> int:
        """How many pages there are; one, if nothing is found."""
        return max(-(-self.total // PAGE_SIZE), 1)


@dataclass(frozen=True)
class Availability:
    """How many copies of a film one store has, and how many of them are in."""

    store: Store
    copies: int
    available: int


def categories(session: Session) -> Sequence[Row[int, str]]:
    """Return all categories by name."""
    return session.execute(select(Category.category_id, Category.name).order_by(Category.name)).all()


def count_films(session: Session, *conditions: ColumnElement[bool]) -> int:
    """Return how many films match conditions; without any, how many there are. It reads an entry for each of them."""
    return session.scalar(select(func.count()).select_from(Film).where(*conditions)) or 0


def find_films(
    session: Session, search: Search, number: int, count_all: Callable[[Session], int] = count_films
) -> Page:
    """Return a page of the films that match: those whose title begins with the text first, then by title.

    Args:
        session: The database.
        search: What they match.
        number: Which page, from 1.
        count_all: Tells how many films there are, for a search that all of them match.
    """
    conditions = _conditions(search)
    total = count_films(session, *conditions) if conditions else count_all(session)
    rows = session.execute(_page(search, number))
    films = [Listed(*row[:6], sorted((row.names or "").split("\n")), bool(row.available)) for row in rows]
    return Page(films, number, total)


def find_film(session: Session, film_id: int) -> Film | None:
    """Return a film with its categories and cast."""
    details = (selectinload(Film.categories), selectinload(Film.cast))
    return session.scalar(select(Film).where(Film.film_id == film_id).options(*details))


def availability(session: Session, film_id: int) -> list[Availability]:
    """Return the stores that have a film, by name."""
    rows = session.execute(
        select(Store, func.count(Copy.copy_id), func.count(Copy.copy_id) - func.count(Rental.rental_id))
        .join(Copy, Copy.store_id == Store.store_id)
        .outerjoin(Rental, Rental.open_copy_id == Copy.copy_id)
        .where(Copy.film_id == film_id)
        .group_by(Store.store_id, Store.name)
        .order_by(Store.name, Store.store_id)
    )
    return [Availability(store, copies, available) for store, copies, available in rows]


@lru_cache(64)  # to build the statement takes SQLAlchemy a quarter of the processor time of a page
def _page(search: Search, number: int) -> Select[int, str, int | None, int | None, Decimal, int, str, bool]:
    """Select what a page lists; the page first, so that categories and copies are looked up for its films only."""
    order = [Film.title, Film.film_id]
    if search.text:
        order.insert(0, Film.title.istartswith(search.text, autoescape=True).desc())  # type: ignore[arg-type]
    page = select(Film.film_id).where(*_conditions(search)).order_by(*order)
    page_films = page.limit(PAGE_SIZE).offset((number - 1) * PAGE_SIZE).subquery()
    return (
        select(
            Film.film_id,
            Film.title,
            Film.release_year,
            Film.length_minutes,
            Film.rental_rate,
            Film.rental_days,
            _names_of_categories().label("names"),
            _has_a_copy_in().label("available"),
        )
        .join(page_films, page_films.c.film_id == Film.film_id)
        .order_by(*order)
    )


def _conditions(search: Search) -> list[ColumnElement[bool]]:
    conditions = [_mentions(word) for word in search.text.split()[:_MOST_WORDS]]
    if search.category_id is not None:
        belongs = and_(FilmCategory.film_id == Film.film_id, FilmCategory.category_id == search.category_id)
        conditions.append(select(FilmCategory.film_id).where(belongs).exists())
    if search.available:
        conditions += [select(Copy.copy_id).where(Copy.film_id == Film.film_id).exists(), Film.film_id.not_in(_gone())]
    return conditions


def _gone() -> Select[int]:
    """Select the films of which every copy is out, from the copies that are out: they are few, in any catalogue."""
    of_film = aliased(Copy)
    copies = select(func.count()).where(of_film.film_id == Copy.film_id).correlate(Copy).scalar_subquery()
    out = select(Copy.film_id).join(Rental, Rental.open_copy_id == Copy.copy_id)
    return out.group_by(Copy.film_id).having(func.count() == copies)


def _names_of_categories() -> ScalarSelect[str]:
    names = select(func.aggregate_strings(Category.name, "\n")).join_from(FilmCategory, Category)
    return names.where(FilmCategory.film_id == Film.film_id).scalar_subquery()


def _has_a_copy_in() -> ColumnElement[bool]:
    return select(Copy.copy_id).where(Copy.film_id == Film.film_id, _is_in()).exists()


def _mentions(word: str) -> ColumnElement[bool]:
    """Match films that mention a word, taken literally: `%` is a percent sign."""
    has_name = or_(Actor.first_name.contains(word, autoescape=True), Actor.last_name.contains(word, autoescape=True))
    plays = select(FilmActor.film_id).join(Actor).where(has_name)  # not correlated, so that actors are read only once
    return or_(
        Film.title.contains(word, autoescape=True),
        Film.description.contains(word, autoescape=True),
        Film.film_id.in_(plays),
    )


def _is_in() -> ColumnElement[bool]:
    return ~select(Rental.rental_id).where(Rental.open_copy_id == Copy.copy_id).exists()
