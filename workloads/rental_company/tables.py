"""The company's tables: columns and types, as in Pagila's schema.

Left out are columns that others are computed from (`fulltext`), and staff's passwords and pictures.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Row = dict[str, Any]
"""A row by column; times are in UTC, money is `Decimal`, arrays are lists, NULL is None."""

Kind = Literal["integer", "text", "numeric", "boolean", "date", "time", "texts"]

PYTHON_TYPES: Mapping[Kind, type] = {
    "integer": int,
    "text": str,
    "numeric": Decimal,
    "boolean": bool,
    "date": date,
    "time": datetime,
    "texts": list,
}

TABLES: Mapping[str, Mapping[str, Kind]] = {
    "language": {"language_id": "integer", "name": "text", "last_update": "time"},
    "category": {"category_id": "integer", "name": "text", "last_update": "time"},
    "actor": {"actor_id": "integer", "first_name": "text", "last_name": "text", "last_update": "time"},
    "film": {
        "film_id": "integer",
        "title": "text",
        "description": "text",
        "release_year": "integer",
        "language_id": "integer",
        "original_language_id": "integer",
        "rental_duration": "integer",  # days
        "rental_rate": "numeric",
        "length": "integer",  # minutes
        "replacement_cost": "numeric",
        "rating": "text",
        "last_update": "time",
        "special_features": "texts",
    },
    "film_actor": {"actor_id": "integer", "film_id": "integer", "last_update": "time"},
    "film_category": {"film_id": "integer", "category_id": "integer", "last_update": "time"},
    "country": {"country_id": "integer", "country": "text", "last_update": "time"},
    "city": {"city_id": "integer", "city": "text", "country_id": "integer", "last_update": "time"},
    "address": {
        "address_id": "integer",
        "address": "text",
        "address2": "text",
        "district": "text",
        "city_id": "integer",
        "postal_code": "text",
        "phone": "text",
        "last_update": "time",
    },
    "store": {"store_id": "integer", "manager_staff_id": "integer", "address_id": "integer", "last_update": "time"},
    "staff": {
        "staff_id": "integer",
        "first_name": "text",
        "last_name": "text",
        "address_id": "integer",
        "email": "text",
        "store_id": "integer",
        "active": "boolean",
        "username": "text",
        "last_update": "time",
    },
    "customer": {
        "customer_id": "integer",
        "store_id": "integer",
        "first_name": "text",
        "last_name": "text",
        "email": "text",
        "address_id": "integer",
        "activebool": "boolean",
        "create_date": "date",
        "last_update": "time",
        "active": "integer",
    },
    "inventory": {"inventory_id": "integer", "film_id": "integer", "store_id": "integer", "last_update": "time"},
    "rental": {
        "rental_id": "integer",
        "rental_date": "time",
        "inventory_id": "integer",
        "customer_id": "integer",
        "return_date": "time",
        "staff_id": "integer",
        "last_update": "time",
    },
    "payment": {
        "payment_id": "integer",
        "customer_id": "integer",
        "staff_id": "integer",
        "rental_id": "integer",
        "amount": "numeric",
        "payment_date": "time",
    },
}
"""In an order in which rows can be inserted, but for store and staff, which refer to each other."""

_KEYS = {"film_actor": ("actor_id", "film_id"), "film_category": ("film_id", "category_id")}


def key_of(table: str) -> tuple[str, ...]:
    """The columns of a table's key."""
    return _KEYS.get(table, (f"{table}_id",))
