"""How good recommendations and search are, measured on what the company has."""

from __future__ import annotations

import math
import random
import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workloads.movie_rental.search import search
from workloads.movie_rental.tastes import Tastes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from workloads.movie_rental.model import Movie
    from workloads.movie_rental.ports import Embedder, Graph, SearchIndex
    from workloads.movie_rental.search import Mode

LEFT_OUT = 3  # films of each customer, the last ones
_LEAST = 8  # films a customer must have rented to be asked about
TOP = 10
_QUERIES = 40  # of each kind
_THING = re.compile(r"\b[Aa]n? ([\w' -]+?)(?= (?:and|who|in|of)\b|$)", re.IGNORECASE)
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
    """

    customers: int
    films: int
    graph: float
    popular: float
    random: float
    margin: float


def recommendation_quality(graph: Graph) -> HitRates:
    """Leave the last films of every customer out, recommend from the rest, and look whether they come up.

    It is computed in memory by the formula of `recommend.cypher`; the contract tests hold the two together.
    """
    histories: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for customer, movie, _, at in graph.facts("rentals"):
        histories[customer].append((at, movie))
    kept, held = dict[str, set[str]](), dict[str, set[str]]()
    for customer, history in histories.items():
        order = [*dict.fromkeys(movie for _, movie in sorted(history))]  # by the first time
        last = set(order[-LEFT_OUT:]) if len(order) >= _LEAST else set()
        if last:
            held[customer] = last
        kept[customer] = set(order) - last
    tastes = Tastes(kept)
    counts = Counter(movie for movies in kept.values() for movie in movies)
    ranked = sorted(counts, key=lambda movie: (-counts[movie], movie))
    films = sum(1 for _ in graph.facts("movies"))
    hits, popular_hits, chance = 0, 0, 0.0
    for customer, last in held.items():
        hits += any(liked.movie_id in last for liked in tastes.recommend(customer, TOP))
        popular = [movie for movie in ranked if movie not in kept[customer]][:TOP]
        popular_hits += bool(last & set(popular))
        left = films - len(kept[customer])
        chance += 1 - math.comb(left - len(last), TOP) / math.comb(left, TOP) if left >= TOP else 1.0
    many = max(1, len(held))
    rate = hits / many
    margin = 1.96 * math.sqrt(rate * (1 - rate) / many)
    return HitRates(len(held), films, rate, popular_hits / many, chance / many, margin)


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
    """Queries with judgements, made by rules from the films themselves; the same films give the same.

    - `typo`: a title with a letter missing; that film is wanted.
    - `story`: two things that a description is about; wanted are films with both (3), or with one of them (1).
    - `actor`: a name and a genre; wanted are that actor's films of that genre (3), and the others (1).
    - `alike`: a whole description; wanted are other films of its first genre that share a thing (2) or two (3) with it.
    """
    chance = random.Random(seed)  # noqa: S311 - nothing secret
    ordered = sorted(movies, key=lambda movie: (len(movie.id), movie.id))
    things = {movie.id: _things(movie) for movie in ordered}
    where: dict[str, set[str]] = defaultdict(set)
    for movie_id, found in things.items():
        for thing in found:
            where[thing].add(movie_id)
    by_actor: dict[str, list[Movie]] = defaultdict(list)
    for movie in ordered:
        for name in movie.cast:
            by_actor[name].append(movie)
    rules: Sequence[Callable[[Movie], Judged | None]] = (
        lambda movie: _typo(movie, chance),
        lambda movie: _story(sorted(things[movie.id]), where, chance),
        lambda movie: _actor(movie, by_actor, chance),
        lambda movie: _alike(movie, ordered, things),
    )
    made: list[Judged] = []
    for rule in rules:
        chosen = chance.sample(ordered, min(len(ordered), 3 * _QUERIES))
        made += [judged for judged in map(rule, chosen) if judged][:_QUERIES]
    return made


def _things(movie: Movie) -> set[str]:
    """Who and what a description is about: what stands behind `a` and `an`, but for the kind of story at its start."""
    found = _THING.findall(movie.description or "")
    return {thing.lower() for thing in found[1:]}


def _typo(movie: Movie, chance: random.Random) -> Judged | None:
    words = [word for word in movie.title.split() if len(word) > 5]  # noqa: PLR2004 - a letter less is forgiven
    if not words:
        return None
    word = chance.choice(words)
    at = chance.randrange(1, len(word))
    return Judged("typo", movie.title.replace(word, word[:at] + word[at + 1 :]), {movie.id: 3})


def _story(things: Sequence[str], where: Mapping[str, set[str]], chance: random.Random) -> Judged | None:
    if len(things) < 2:  # noqa: PLR2004 - a pair
        return None
    one, other = chance.sample(things, 2)
    grades = dict.fromkeys(where[one] | where[other], 1) | dict.fromkeys(where[one] & where[other], 3)
    return Judged("story", f"{one} {other}", grades)


def _actor(movie: Movie, by_actor: Mapping[str, Sequence[Movie]], chance: random.Random) -> Judged | None:
    if not movie.cast or not movie.genre:
        return None
    name = chance.choice(movie.cast)
    grades = {other.id: 3 if movie.genre in other.genres else 1 for other in by_actor[name]}
    return Judged("actor", f"{name} {movie.genre}".lower(), grades)


def _alike(movie: Movie, movies: Iterable[Movie], things: Mapping[str, set[str]]) -> Judged | None:
    shared = {
        other.id: min(3, 1 + len(things[movie.id] & things[other.id]))
        for other in movies
        if other.id != movie.id and other.genre == movie.genre and things[movie.id] & things[other.id]
    }
    return Judged("alike", f"{movie.description} {movie.genre}", shared) if shared and movie.description else None


def search_quality(index: SearchIndex, embedder: Embedder, judged: Sequence[Judged]) -> dict[str, dict[Mode, float]]:
    """nDCG@10 of each way to search, by kind of query, and over `all`.

    Source: Järvelin and Kekäläinen (2002), with gains 2^grade - 1.
    """
    scores: dict[str, dict[Mode, list[float]]] = defaultdict(lambda: {mode: [] for mode in MODES})
    for one in judged:
        for mode in MODES:
            found = [hit.movie_id for hit in search(index, embedder, one.text, mode=mode, limit=TOP).hits]
            value = ndcg(found, one.grades)
            scores[one.kind][mode].append(value)
            scores["all"][mode].append(value)
    return {kind: {mode: sum(each) / len(each) for mode, each in modes.items()} for kind, modes in scores.items()}


def ndcg(found: Sequence[str], grades: Mapping[str, int]) -> float:
    """Normalised discounted cumulative gain of the first ten: 1 if no other order is better, 0 if nothing is wanted."""
    best = _gain(sorted(grades.values(), reverse=True)[:TOP])
    return _gain(grades.get(movie, 0) for movie in found[:TOP]) / best if best else 0.0


def _gain(grades: Iterable[int]) -> float:
    return sum(float(2**grade - 1) / math.log2(place + 1) for place, grade in enumerate(grades, 1))
