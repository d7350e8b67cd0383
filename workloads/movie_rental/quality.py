"""How good recommendations and search are, measured on what the company has."""

from __future__ import annotations

import math
import random
import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workloads.differences import independent_difference
from workloads.movie_rental.search import search
from workloads.movie_rental.tastes import Tastes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from workloads.differences import Difference
    from workloads.movie_rental.model import Movie
    from workloads.movie_rental.ports import Embedder, Graph, SearchIndex
    from workloads.movie_rental.search import Mode

LEFT_OUT = 3  # films of each customer, the last ones
_LEAST = 8  # films a customer must have rented to be asked about
TOP = 10
_QUERIES = 40  # of each kind
_SUBJECT = re.compile(r"\b[Aa]n? ([\w' -]+?)(?= (?:and|who|in|of)\b|$)", re.IGNORECASE)
MODES: tuple[Mode, ...] = ("text", "meaning", "both")


@dataclass(frozen=True)
class HitRates:
    """Share of customers of whose last films at least one is among the ten recommended.

    Attributes:
        customers: How many were asked about.
        films: How many films there are to choose from.
        graph: What people rented who rented what they rented.
        popular: The most rented films that they had not had.
        random: Ten films by chance (computed, not drawn).
        margin: Half the width of the 95 % interval of a rate near `graph`.
        less_popular: `graph` less `popular`, of the same customers.
        less_random: `graph` less `random`.
    """

    customers: int
    films: int
    graph: float
    popular: float
    random: float
    margin: float
    less_popular: Difference
    less_random: Difference


def recommendation_quality(graph: Graph) -> HitRates:
    """Leave out the last films of every customer, recommend from the rest, and count how often they come up.

    It is computed in memory by the formula of `recommend.cypher`; the contract tests hold the two together.
    """
    histories: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for customer, movie, _, at in graph.facts("rentals"):
        histories[customer].append((at, movie))
    training, held_out = dict[str, set[str]](), dict[str, set[str]]()
    for customer, history in histories.items():
        order = [*dict.fromkeys(movie for _, movie in sorted(history))]  # by the first time
        last = set(order[-LEFT_OUT:]) if len(order) >= _LEAST else set()
        if last:
            held_out[customer] = last
        training[customer] = set(order) - last
    tastes = Tastes(training)
    counts = Counter(movie for movies in training.values() for movie in movies)
    ranked = sorted(counts, key=lambda movie: (-counts[movie], movie))
    films = sum(1 for _ in graph.facts("movies"))
    graph_hits, popular_hits, chances = [], [], []
    for customer, last in held_out.items():
        graph_hits.append(any(liked.movie_id in last for liked in tastes.recommend(customer, TOP)))
        popular = [movie for movie in ranked if movie not in training[customer]][:TOP]
        popular_hits.append(bool(last & set(popular)))
        candidates = films - len(training[customer])
        missed = math.comb(candidates - len(last), TOP) / math.comb(candidates, TOP) if candidates >= TOP else 0.0
        chances.append(1 - missed)
    customers = max(1, len(held_out))
    rate = sum(graph_hits) / customers
    return HitRates(
        customers=len(held_out),
        films=films,
        graph=rate,
        popular=sum(popular_hits) / customers,
        random=sum(chances) / customers,
        margin=1.96 * math.sqrt(rate * (1 - rate) / customers),
        less_popular=independent_difference([a - b for a, b in zip(graph_hits, popular_hits, strict=True)]),
        less_random=independent_difference([a - b for a, b in zip(graph_hits, chances, strict=True)]),
    )


@dataclass(frozen=True)
class Judged:
    """A query, and how relevant each film is to it: 1 to 3; the others are not.

    Attributes:
        kind: By which rule it was made.
        text: What is searched.
        grades: By MovieID.
    """

    kind: str
    text: str
    grades: Mapping[str, int]


def judgements(movies: Sequence[Movie], seed: int = 0) -> list[Judged]:
    """Make queries with judgements by rules from the films themselves; the same films give the same queries.

    - `typo`: a title with a letter missing; that film is relevant.
    - `story`: two subjects of a description; films with both are relevant (3), and films with one of them (1).
    - `actor`: a name and a genre; that actor's films of that genre are relevant (3), and their other films (1).
    - `alike`: a whole description; films of its first genre are relevant if they share one subject (2) or two (3).
    """
    chance = random.Random(seed)  # noqa: S311 - nothing secret
    ordered = sorted(movies, key=lambda movie: (len(movie.id), movie.id))
    subjects = {movie.id: _subjects(movie) for movie in ordered}
    where: dict[str, set[str]] = defaultdict(set)
    for movie_id, subjects_of_movie in subjects.items():
        for subject in subjects_of_movie:
            where[subject].add(movie_id)
    by_actor: dict[str, list[Movie]] = defaultdict(list)
    for movie in ordered:
        for name in movie.cast:
            by_actor[name].append(movie)
    rules: Sequence[Callable[[Movie], Judged | None]] = (
        lambda movie: _typo(movie, chance),
        lambda movie: _story(sorted(subjects[movie.id]), where, chance),
        lambda movie: _actor(movie, by_actor, chance),
        lambda movie: _alike(movie, ordered, subjects),
    )
    queries: list[Judged] = []
    for rule in rules:
        chosen = chance.sample(ordered, min(len(ordered), 3 * _QUERIES))
        queries += [judged for judged in map(rule, chosen) if judged][:_QUERIES]
    return queries


def _subjects(movie: Movie) -> set[str]:
    """Return who and what a description is about: what follows `a` and `an`, except the kind of story at its start."""
    subjects = _SUBJECT.findall(movie.description or "")
    return {subject.lower() for subject in subjects[1:]}


def _typo(movie: Movie, chance: random.Random) -> Judged | None:
    words = [word for word in movie.title.split() if len(word) > 5]  # noqa: PLR2004 - a letter less is forgiven
    if not words:
        return None
    word = chance.choice(words)
    at = chance.randrange(1, len(word))
    return Judged("typo", movie.title.replace(word, word[:at] + word[at + 1 :]), {movie.id: 3})


def _story(subjects: Sequence[str], where: Mapping[str, set[str]], chance: random.Random) -> Judged | None:
    if len(subjects) < 2:  # noqa: PLR2004 - a pair
        return None
    first, second = chance.sample(subjects, 2)
    grades = dict.fromkeys(where[first] | where[second], 1) | dict.fromkeys(where[first] & where[second], 3)
    return Judged("story", f"{first} {second}", grades)


def _actor(movie: Movie, by_actor: Mapping[str, Sequence[Movie]], chance: random.Random) -> Judged | None:
    if not movie.cast or not movie.genre:
        return None
    name = chance.choice(movie.cast)
    grades = {film.id: 3 if movie.genre in film.genres else 1 for film in by_actor[name]}
    return Judged("actor", f"{name} {movie.genre}".lower(), grades)


def _alike(movie: Movie, movies: Iterable[Movie], subjects: Mapping[str, set[str]]) -> Judged | None:
    shared = {
        film.id: min(3, 1 + len(subjects[movie.id] & subjects[film.id]))
        for film in movies
        if film.id != movie.id and film.genre == movie.genre and subjects[movie.id] & subjects[film.id]
    }
    return Judged("alike", f"{movie.description} {movie.genre}", shared) if shared and movie.description else None


@dataclass(frozen=True)
class SearchQuality:
    """nDCG@10 of the ways to search, on the same queries in the same order."""

    scores: Mapping[Mode, Sequence[float]]

    @property
    def means(self) -> dict[Mode, float]:
        """The mean over the queries, by way."""
        return {mode: sum(values) / len(values) for mode, values in self.scores.items()}

    def both_less(self, mode: Mode) -> Difference:
        """Judge how much better both ways together are than one."""
        return independent_difference([a - b for a, b in zip(self.scores["both"], self.scores[mode], strict=True)])


def search_quality(index: SearchIndex, embedder: Embedder, judged: Sequence[Judged]) -> dict[str, SearchQuality]:
    """Return how good each way to search is, by kind of query, and over `all`.

    Source: Järvelin and Kekäläinen (2002), with gains 2^grade - 1.
    """
    scores: dict[str, dict[Mode, list[float]]] = defaultdict(lambda: {mode: [] for mode in MODES})
    for query in judged:
        for mode in MODES:
            ranking = [hit.movie_id for hit in search(index, embedder, query.text, mode=mode, limit=TOP).hits]
            value = ndcg(ranking, query.grades)
            scores[query.kind][mode].append(value)
            scores["all"][mode].append(value)
    return {kind: SearchQuality(modes) for kind, modes in scores.items()}


def ndcg(ranking: Sequence[str], grades: Mapping[str, int]) -> float:
    """Return nDCG of the first ten: 1 for the best order, 0 without relevant films."""
    best = _gain(sorted(grades.values(), reverse=True)[:TOP])
    return _gain(grades.get(movie, 0) for movie in ranking[:TOP]) / best if best else 0.0


def _gain(grades: Iterable[int]) -> float:
    return sum(float(2**grade - 1) / math.log2(place + 1) for place, grade in enumerate(grades, 1))
