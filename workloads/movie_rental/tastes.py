"""Recommend by the formula of `recommend.cypher`, but in memory: for measuring, where nothing may be written."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from collections.abc import Set as AbstractSet


class Liked(NamedTuple):
    """A movie that a customer may like: its id, its score, and how many people like the customer rented it."""

    movie_id: str
    score: float
    people: int


class Tastes:
    """Who rented what, as sets of neighbours.

    Args:
        movies: The ids of the movies that each customer rented, by the customer's number.
    """

    def __init__(self, movies: Mapping[str, AbstractSet[str]]) -> None:
        self._movies = movies
        self._renters: dict[str, set[str]] = defaultdict(set)
        for customer, rented in movies.items():
            for movie in rented:
                self._renters[movie].add(customer)

    def recommend(self, customer: str, limit: int) -> list[Liked]:
        """Recommend what people with the same rentals rented, best first; to a new customer, the popular movies."""
        rented = self._movies.get(customer, set())
        if not rented:
            popular = (Liked(movie, float(len(people)), len(people)) for movie, people in self._renters.items())
            return _best(popular, limit)
        shared = Counter(neighbour for movie in rented for neighbour in self._renters[movie] if neighbour != customer)
        scores: dict[str, tuple[float, int]] = {}
        for neighbour, count in shared.items():
            likeness = count / math.sqrt(len(rented) * len(self._movies[neighbour]))
            for movie in self._movies[neighbour] - rented:
                score, people = scores.get(movie, (0.0, 0))
                scores[movie] = (score + likeness, people + 1)
        return _best((Liked(movie, *score) for movie, score in scores.items()), limit)


def _best(liked: Iterable[Liked], limit: int) -> list[Liked]:
    return sorted(liked, key=lambda movie: (-movie.score, movie.movie_id))[:limit]
