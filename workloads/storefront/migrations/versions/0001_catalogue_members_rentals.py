"""The catalogue, members and rentals.

Revision ID: 0001
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

COLLATION = "utf8mb4_unicode_520_ci"
MYSQL: dict[str, Any] = {"mysql_charset": "utf8mb4", "mysql_collate": COLLATION, "mysql_engine": "InnoDB"}
MONEY = sa.Numeric(6, 2)


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "catalogue",
        sa.Column("catalogue_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("origin", sa.String(200), nullable=False),
        sa.Column("loaded_at", sa.DateTime, nullable=False),
        **MYSQL,
    )
    op.create_table(
        "category",
        sa.Column("category_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("name", sa.String(50), nullable=False, unique=True),
        **MYSQL,
    )
    op.create_table(
        "actor",
        sa.Column("actor_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("first_name", sa.String(100), nullable=False),
        sa.Column("last_name", sa.String(100), nullable=False),
        **MYSQL,
    )
    op.create_table(
        "film",
        sa.Column("film_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("title", sa.String(255), nullable=False, index=True),
        sa.Column("description", sa.String(2000), nullable=False),
        sa.Column("release_year", sa.SmallInteger),
        sa.Column("language", sa.String(50), nullable=False),
        sa.Column("rental_days", sa.SmallInteger, nullable=False),
        sa.Column("rental_rate", MONEY, nullable=False),
        sa.Column("length_minutes", sa.SmallInteger),
        sa.Column("replacement_cost", MONEY, nullable=False),
        sa.Column("rating", sa.String(10)),
        sa.Column("features", sa.String(500), nullable=False),
        **MYSQL,
    )
    op.create_table(
        "film_actor",
        sa.Column("film_id", sa.ForeignKey("film.film_id"), primary_key=True),
        sa.Column("actor_id", sa.ForeignKey("actor.actor_id"), primary_key=True, index=True),
        **MYSQL,
    )
    op.create_table(
        "film_category",
        sa.Column("film_id", sa.ForeignKey("film.film_id"), primary_key=True),
        sa.Column("category_id", sa.ForeignKey("category.category_id"), primary_key=True, index=True),
        **MYSQL,
    )
    op.create_table(
        "store",
        sa.Column("store_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("name", sa.String(200), nullable=False),
        **MYSQL,
    )
    op.create_table(
        "copy",
        sa.Column("copy_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("film_id", sa.ForeignKey("film.film_id"), nullable=False),
        sa.Column("store_id", sa.ForeignKey("store.store_id"), nullable=False),
        sa.Index("ix_copy_film_id_store_id", "film_id", "store_id"),
        **MYSQL,
    )
    op.create_table(
        "member",
        sa.Column("member_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("first_name", sa.String(100), nullable=False),
        sa.Column("last_name", sa.String(100), nullable=False),
        sa.Column("active", sa.Boolean, nullable=False),
        sa.Column("card_number", sa.String(16), nullable=False, unique=True),
        **MYSQL,
    )
    is_open = sa.Computed("CASE WHEN returned_at IS NULL THEN copy_id END", persisted=True)
    op.create_table(
        "rental",
        sa.Column("rental_id", sa.Integer, primary_key=True),
        sa.Column("copy_id", sa.ForeignKey("copy.copy_id"), nullable=False, index=True),
        sa.Column("member_id", sa.ForeignKey("member.member_id"), nullable=False, index=True),
        sa.Column("rented_at", sa.DateTime, nullable=False),
        sa.Column("due_at", sa.DateTime, nullable=False),
        sa.Column("returned_at", sa.DateTime),
        sa.Column("price", MONEY, nullable=False),
        sa.Column("late_fee", MONEY, nullable=False),
        # The unique index is what keeps a copy from being out twice: NULLs, the returned ones, do not count.
        sa.Column("open_copy_id", sa.Integer, is_open, unique=True),
        **MYSQL,
    )
