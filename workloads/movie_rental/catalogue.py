"""One movie, in every engine that knows movies."""

from __future__ import annotations

import json
from contextlib import contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from contract.documents import REMOVED
from contract.errors import InputError, phrase
from workloads.movie_rental import database
from workloads.movie_rental.model import Movie

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from workloads.movie_rental.engines import Engines

_TEXTS = ("MovieTitle", "Director", "Description", "Language", "Rating")
_LISTS = ("Genres", "Cast", "SpecialFeatures")
_NUMBERS = ("Year", "Length", "RentalDuration")
_PRICES = ("RentalRate", "ReplacementCost")
_KEPT = ("MovieID", "Genre", "Embedding", "Version", REMOVED)


def put(engines: Engines, movie_id: str, file: Path) -> Movie:
    """Create a movie, or set some of its attributes; its vector, the graph and the search index follow.

    Args:
        engines: Where.
        movie_id: Which.
        file: JSON object of attributes; null removes one. Free-form attributes are welcome.

    Raises:
        InputError: The file cannot be read, or an attribute has a value that it cannot have.
    """
    with _changing(engines):
        before = engines.library.get(movie_id)
        item = before.item() if before else {"MovieID": movie_id, "Version": 0}
        for name, value in _attributes(file).items():
            if value is None:
                item.pop(name, None)
            else:
                item[name] = value
        if not item.get("MovieTitle"):
            raise InputError(f"{file}: The movie has no MovieTitle, and needs one.")
        changed = Movie.of(item)
        engines.ledger.ask("change_movie.sql", movie=movie_id)
        [vector] = engines.embedder().embed([changed.text])
        saved = engines.library.put(changed.embedded(vector))
        engines.index.save([saved])
        engines.graph.save_movies([saved])
    return saved


def remove(engines: Engines, movie_id: str) -> bool:
    """Remove a movie from library, search index and graph. Return whether the library had it."""
    with _changing(engines):
        engines.ledger.ask("change_movie.sql", movie=movie_id)
        existed = engines.library.get(movie_id) is not None
        if removal := engines.library.remove(movie_id):
            engines.index.remove([removal])
        engines.graph.remove_movie(movie_id)
    return existed


@contextmanager
def _changing(engines: Engines) -> Iterator[None]:
    """Wait for a batch of a migration, and let the next one wait: it would write over what it has not read."""
    with database.asking(engines.ledger.url), database.sharing_lock(engines.ledger.connection):
        yield


def _attributes(file: Path) -> dict[str, Any]:
    try:
        attributes = json.loads(file.read_text(encoding="utf-8"), parse_float=Decimal, parse_int=Decimal)
    except OSError as error:
        raise InputError(f"{file}: The file cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise InputError(f"{file}: The file is not JSON: {phrase(error)}.") from error
    if not isinstance(attributes, dict):
        raise InputError(f"{file}: The file is not a JSON object of attributes.")
    for name, value in attributes.items():
        if value is not None and (fault := _fault(name, value)):
            raise InputError(f"{file}, attribute {name}: {fault}")
    return attributes


def _fault(name: str, value: Any) -> str:
    """Return what is wrong with the value of an attribute; empty if nothing is."""
    if name in _KEPT:
        return "It cannot be set." + (" Set Genres, the first of which becomes Genre." if name == "Genre" else "")
    if name in _TEXTS and not isinstance(value, str):
        return "The value is not a text."
    if name in _LISTS and not (isinstance(value, list) and all(isinstance(item, str) for item in value)):
        return "The value is not a list of texts."
    if name in _NUMBERS and not (isinstance(value, Decimal) and value == value.to_integral_value() and value >= 0):
        return "The value is not a whole number of 0 or more."
    if name in _PRICES and not (isinstance(value, Decimal) and value >= 0 and value * 100 == int(value * 100)):
        return "The value is not an amount with at most two decimals."
    return ""
