"""Scans and queries that look at the items that they answer with, and not at the whole table for each page.

moto gap: for each query of a table and each page of a scan it sorts all items, and compares each with where the page
before ended, so that a scan of ten times as many items takes a hundred times as long.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from moto.dynamodb.models.dynamo_type import DynamoType, Item
from moto.dynamodb.models.table import Table

from localcloud.hooks import replace, wrap

_relevant: ContextVar[Iterable[Item] | None] = ContextVar("relevant items of a table", default=None)


@replace(Table, "all_items")
def _all_items(self: Table) -> list[Item]:
    """Return the items in the order of their keys: those that a query or a page needs, or all of them."""
    items = _relevant.get()
    return sorted(_items(self) if items is None else items, key=_place)


@wrap(Table, "query")
def _query(original: Any, self: Table, hash_key: DynamoType, *args: Any, **kwargs: Any) -> Any:
    """Look through the items of one hash key; an index is moto's."""
    *_, index_name, _consistent, _filter = args
    if index_name:
        return original(self, hash_key, *args, **kwargs)
    stored: Any = self.items.get(hash_key)
    items = [] if stored is None else [stored] if isinstance(stored, Item) else [*stored.values()]
    with _only(items):
        return original(self, hash_key, *args, **kwargs)


@wrap(Table, "scan")
def _scan(original: Any, self: Table, *args: Any, **kwargs: Any) -> Any:
    """Look through the items behind the page before; an index is moto's."""
    _filters, _limit, start, _filter, index_name, *_ = args
    if index_name or not start:
        return original(self, *args, **kwargs)
    names = [self.hash_key_attr, *([self.range_key_attr] if self.range_key_attr else [])]
    place = tuple(_value(DynamoType(start[name])) for name in names)
    with _only([item for item in _items(self) if _place(item) > place]):
        return original(self, *args, **kwargs)


@contextmanager
def _only(items: Iterable[Item]) -> Iterator[None]:
    token = _relevant.set(items)
    try:
        yield
    finally:
        _relevant.reset(token)


def _items(table: Table) -> Iterator[Item]:
    for stored in table.items.values():
        if isinstance(stored, Item):
            yield stored
        else:
            yield from stored.values()


def _place(item: Item) -> tuple[Any, ...]:
    """Return the key of an item as Python compares it."""
    return (_value(item.hash_key),) if item.range_key is None else (_value(item.hash_key), _value(item.range_key))


def _value(key: DynamoType) -> Any:
    return key.cast_value if key.type == "N" else key.value
