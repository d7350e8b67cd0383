"""Searching movies: how full text and likeness of meaning are brought together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from workloads.movie_rental.model import Hit, SearchResults

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workloads.movie_rental.ports import Embedder, SearchIndex

Mode = Literal["text", "meaning", "both"]
_DEPTH = 50  # how many of each list are fused
_FUSION = 60  # Cormack, Clarke and Büttcher (2009): Reciprocal Rank Fusion


def search(
    index: SearchIndex,
    embedder: Embedder | None,
    text: str,
    *,
    mode: Mode = "both",
    genre: str | None = None,
    limit: int = 10,
) -> SearchResults:
    """Find movies by words, by meaning, or by both: the two lists fused by reciprocal ranks.

    Args:
        index: Where.
        embedder: The model that the movies' vectors came from; needed for any mode but `text`.
        text: What is searched.
        mode: How.
        genre: Only movies of this genre; its case does not matter.
        limit: How many at most.
    """
    if mode == "text" or embedder is None:
        return index.full_text(text, genre=genre, limit=limit)
    [vector] = embedder.embed([text])
    if not vector.any():  # the model knows none of the words
        return SearchResults([], 0) if mode == "meaning" else index.full_text(text, genre=genre, limit=limit)
    near = index.nearest(vector, _DEPTH)
    hits = [hit for hit in near.hits if genre is None or genre.casefold() == (hit.genre or "").casefold()]
    if mode == "meaning":
        return SearchResults(hits[:limit], len(hits), {})
    words = index.full_text(text, genre=genre, limit=_DEPTH)
    return SearchResults(fuse(words.hits, hits)[:limit], words.total, words.facets)


def fuse(*lists: Sequence[Hit]) -> list[Hit]:
    """Fuse rankings into one: a movie's score is the sum of 1 / (60 + its rank) over the lists that have it."""
    scores: dict[str, float] = {}
    hit_of_movie: dict[str, Hit] = {}
    for hits in lists:
        for rank, hit in enumerate(hits, 1):
            scores[hit.movie_id] = scores.get(hit.movie_id, 0.0) + 1 / (_FUSION + rank)
            hit_of_movie.setdefault(hit.movie_id, hit)
    best = sorted(scores, key=lambda movie: (-scores[movie], movie))
    return [
        Hit(hit.movie_id, hit.title, hit.genre, hit.year, scores[hit.movie_id], hit.highlights)
        for hit in (hit_of_movie[movie] for movie in best)
    ]
