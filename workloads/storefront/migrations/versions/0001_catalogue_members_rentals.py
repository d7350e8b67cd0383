"""The catalogue, members and rentals.

Revision ID: 0001
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

# MySQL keeps each table that it made even if a later one fails, so a second attempt goes on after them.
TABLE: dict[str, Any] = {
    "if_not_exists": True,
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_unicode_520_ci",
    "mysql_engine": "InnoDB",
}
MONEY = sa.Numeric(6, 2)


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "catalogue",
        sa.Column("catalogue_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("origin", sa.String(200), nullable=False),
        sa.Column("loaded_at", sa.DateTime, nullable=False),
        **TABLE,
    )
    op.create_table(
        "category",
        sa.Column("category_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("name", sa.String(50), nullable=False, unique=True),
        **TABLE,
    )
    op.create_table(
        "actor",
        sa.Column("actor_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("first_name", sa.String(100), nullable=False),
        sa.Column("last_name", sa.String(100), nullable=False),
        **TABLE,
    )
    op.create_table(
        "film",
        sa.Column("film_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("title", sa.String(255), nullable=False),
        sa.Column("description", sa.String(2000), nullable=False),
        sa.Column("release_year", sa.SmallInteger),
        sa.Column("language", sa.String(50), nullable=False),
        sa.Column("rental_days", sa.SmallInteger, nullable=False),
        sa.Column("rental_rate", MONEY, nullable=False),
        sa.Column("length_minutes", sa.SmallInteger),
        sa.Column("replacement_cost", MONEY, nullable=False),
        sa.Column("rating", sa.String(10)),
        sa.Column("features", sa.String(500), nullable=False),
        sa.UniqueConstraint("title", "film_id", name="by_title"),
        **TABLE,
    )
    op.create_table(
        "film_actor",
        sa.Column("film_id", sa.Integer, sa.ForeignKey("film.film_id"), primary_key=True),
        sa.Column("actor_id", sa.Integer, sa.ForeignKey("actor.actor_id"), primary_key=True),
        **TABLE,
    )
    op.create_table(
        "film_category",
        sa.Column("film_id", sa.Integer, sa.ForeignKey("film.film_id"), primary_key=True),
        sa.Column("category_id", sa.Integer, sa.ForeignKey("category.category_id"), primary_key=True),
        **TABLE,
    )
    op.create_table(
        "store",
        sa.Column("store_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("name", sa.String(200), nullable=False),
        **TABLE,
    )
    op.create_table(
        "copy",
        sa.Column("copy_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("film_id", sa.Integer, sa.ForeignKey("film.film_id"), nullable=False),
        sa.Column("store_id", sa.Integer, sa.ForeignKey("store.store_id"), nullable=False),
        sa.UniqueConstraint("film_id", "store_id", "copy_id", name="film_in_store"),
        **TABLE,
    )
    op.create_table(
        "member",
        sa.Column("member_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("first_name", sa.String(100), nullable=False),
        sa.Column("last_name", sa.String(100), nullable=False),
        sa.Column("active", sa.Boolean, nullable=False),
        sa.Column("card_number", sa.String(16), nullable=False, unique=True),
        **TABLE,
    )
    is_open = sa.Computed("CASE WHEN returned_at IS NULL THEN copy_id END", persisted=True)
    op.create_table(
        "rental",
        sa.Column("rental_id", sa.Integer, primary_key=True),
        sa.Column("copy_id", sa.Integer, sa.ForeignKey("copy.copy_id"), nullable=False),
        sa.Column("member_id", sa.Integer, sa.ForeignKey("member.member_id"), nullable=False),
        sa.Column("rented_at", sa.DateTime, nullable=False),
        sa.Column("due_at", sa.DateTime, nullable=False),
        sa.Column("returned_at", sa.DateTime),
        sa.Column("price", MONEY, nullable=False),
        sa.Column("late_fee", MONEY, nullable=False),
        # The unique index is what keeps a copy from being out twice: NULLs, the returned ones, do not count.
        sa.Column("open_copy_id", sa.Integer, is_open, unique=True),
        **TABLE,
    )
