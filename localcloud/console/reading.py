"""How the console asks the cloud: as the account's administrator, by the API that every program uses.

A view that answers GET never changes anything, so it calls only operations that list, describe and get. What changes
something is a form (`forms`).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, TypeVar

from flask import abort, current_app

from localcloud.cloud.context import Cloud

EXTENSION = "localcloud"
Row = TypeVar("Row")


def cloud() -> Cloud:
    """Return the cloud that the console shows."""
    shown: Cloud = current_app.extensions[EXTENSION]
    return shown


def client(service: str) -> Any:
    """Return a boto3 client of the cloud that the console shows."""
    return cloud().client(service)


def listed(service: str, operation: str, key: str, **parameters: Any) -> list[Any]:
    """Return everything that an operation lists, over all its pages.

    Args:
        service: boto3's name of the service.
        operation: The operation, as boto3 calls it.
        key: The key of the list in the response.
        parameters: The operation's parameters.
    """
    asked = client(service)
    if asked.can_paginate(operation):
        return list(asked.get_paginator(operation).paginate(**parameters).build_full_result().get(key, []))
    return list(getattr(asked, operation)(**parameters).get(key, []))


def existing(row: Row | None, sentence: str) -> Row:
    """Return what a page is about.

    Raises:
        NotFound: There is none; the page says so with the sentence.
    """
    return row if row is not None else abort(404, sentence)


def utc(moment: datetime | float | None) -> datetime | None:
    """Return a moment in UTC, given one that boto3 returns, or milliseconds since 1970."""
    if moment is None:
        return None
    if isinstance(moment, datetime):
        return moment.astimezone(UTC)
    return datetime.fromtimestamp(moment / 1000, UTC)
