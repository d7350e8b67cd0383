"""The storefront's tables. `migrations/` makes them; a test keeps the two alike."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, ClassVar

from sqlalchemy import (
    Boolean,
    Computed,
    DateTime,
    Dialect,
    ForeignKey,
    Numeric,
    SmallInteger,
    String,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

if TYPE_CHECKING:
    from typing import Any

MYSQL = {"mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_unicode_520_ci", "mysql_engine": "InnoDB"}
"""The same everywhere: MySQL and MariaDB differ in their defaults. Text compares without case and accents."""


class UtcTime(TypeDecorator[datetime]):
    """A moment, to the second: MySQL's DATETIME has no zone, so it is kept in UTC."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Into UTC, without the fraction that MySQL would round up."""
        del dialect
        return value.astimezone(UTC).replace(tzinfo=None, microsecond=0) if value else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Out of UTC."""
        del dialect
        return value.replace(tzinfo=UTC) if value else None


class Base(DeclarativeBase):
    """The tables."""

    __table_args__: Any = MYSQL
    type_annotation_map: ClassVar[dict[Any, Any]] = {datetime: UtcTime, Decimal: Numeric(6, 2)}


class Catalogue(Base):
    """What is loaded: one row."""

    __tablename__ = "catalogue"
    catalogue_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    origin: Mapped[str] = mapped_column(String(200))
    loaded_at: Mapped[datetime]


class Category(Base):
    """A category of films."""

    __tablename__ = "category"
    category_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(String(50), unique=True)


class Actor(Base):
    """An actor."""

    __tablename__ = "actor"
    actor_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    first_name: Mapped[str] = mapped_column(String(100))
    last_name: Mapped[str] = mapped_column(String(100))


class FilmActor(Base):
    """Who plays in what."""

    __tablename__ = "film_actor"
    film_id: Mapped[int] = mapped_column(ForeignKey("film.film_id"), primary_key=True)
    actor_id: Mapped[int] = mapped_column(ForeignKey("actor.actor_id"), primary_key=True)


class FilmCategory(Base):
    """What belongs to which category."""

    __tablename__ = "film_category"
    film_id: Mapped[int] = mapped_column(ForeignKey("film.film_id"), primary_key=True)
    category_id: Mapped[int] = mapped_column(ForeignKey("category.category_id"), primary_key=True)


class Film(Base):
    """A film. Lists come in order."""

    __tablename__ = "film"
    film_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    title: Mapped[str] = mapped_column(String(255))
    description: Mapped[str] = mapped_column(String(2000))
    release_year: Mapped[int | None] = mapped_column(SmallInteger)
    language: Mapped[str] = mapped_column(String(50))
    rental_days: Mapped[int] = mapped_column(SmallInteger)
    rental_rate: Mapped[Decimal]
    length_minutes: Mapped[int | None] = mapped_column(SmallInteger)
    replacement_cost: Mapped[Decimal]
    rating: Mapped[str | None] = mapped_column(String(10))
    features: Mapped[str] = mapped_column(String(500))  # names, separated by commas
    __table_args__: Any = (UniqueConstraint("title", "film_id", name="by_title"), MYSQL)
    categories: Mapped[list[Category]] = relationship(secondary="film_category", order_by=Category.name)
    cast: Mapped[list[Actor]] = relationship(secondary="film_actor", order_by=(Actor.last_name, Actor.first_name))


class Store(Base):
    """A store."""

    __tablename__ = "store"
    store_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(String(200))


class Copy(Base):
    """A copy of a film, in a store."""

    __tablename__ = "copy"
    copy_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    film_id: Mapped[int] = mapped_column(ForeignKey("film.film_id"))
    store_id: Mapped[int] = mapped_column(ForeignKey("store.store_id"))
    film: Mapped[Film] = relationship()
    store: Mapped[Store] = relationship()
    __table_args__: Any = (UniqueConstraint("film_id", "store_id", "copy_id", name="film_in_store"), MYSQL)


class Member(Base):
    """A customer who may sign in, with the number on the card and the last name."""

    __tablename__ = "member"
    member_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    first_name: Mapped[str] = mapped_column(String(100))
    last_name: Mapped[str] = mapped_column(String(100))
    active: Mapped[bool] = mapped_column(Boolean)
    card_number: Mapped[str] = mapped_column(String(16), unique=True)


class Rental(Base):
    """A rental, past or open. The database itself refuses a second open rental of one copy."""

    __tablename__ = "rental"
    rental_id: Mapped[int] = mapped_column(primary_key=True)
    copy_id: Mapped[int] = mapped_column(ForeignKey("copy.copy_id"))
    member_id: Mapped[int] = mapped_column(ForeignKey("member.member_id"))
    rented_at: Mapped[datetime]
    due_at: Mapped[datetime]
    returned_at: Mapped[datetime | None]
    price: Mapped[Decimal]
    late_fee: Mapped[Decimal]
    open_copy_id: Mapped[int | None] = mapped_column(
        Computed("CASE WHEN returned_at IS NULL THEN copy_id END", persisted=True), unique=True
    )
    copy: Mapped[Copy] = relationship()
