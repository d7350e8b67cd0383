"""The OpenSearch API, and the k-NN in front of it, against what OpenSearch's documentation says of scores."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from opensearchpy import ConflictError, OpenSearch, RequestError, helpers

from localcloud.cloud import processes
from localcloud.cloud.certificates import issue
from localcloud.services.opensearch import behaviour as opensearch

DIMENSION = 8
FILMS = 200


@pytest.fixture(scope="module")
def vectors() -> Any:
    return np.random.default_rng(1).normal(size=(FILMS, DIMENSION)).astype(np.float32)


@pytest.fixture(scope="module")
def search(tmp_path_factory: pytest.TempPathFactory, vectors: Any) -> Iterator[OpenSearch]:
    """A client of a server with an index of films for each space of vectors."""
    folder = tmp_path_factory.mktemp("opensearch")
    certificate = issue(folder, folder)
    process, port = opensearch.start(folder, certificate)
    client = OpenSearch(f"https://localhost:{port}", ca_certs=str(certificate.authority))
    for space in ("cosinesimil", "l2", "innerproduct"):
        method = {"name": "hnsw", "engine": "lucene", "space_type": space}
        properties = {
            "title": {"type": "text"},
            "genre": {"type": "keyword"},
            "vector": {"type": "knn_vector", "dimension": DIMENSION, "method": method},
        }
        body = {"settings": {"index": {"knn": True}}, "mappings": {"properties": properties}}
        client.indices.create(index=space, body=body)
        documents = (
            {
                "_index": space,
                "_id": str(row),
                "title": f"film {row}",
                "genre": "ab"[row % 2],
                "vector": vector.tolist(),
            }
            for row, vector in enumerate(vectors)
        )
        helpers.bulk(client, documents)
    yield client
    processes.end(process)


def hits(search: OpenSearch, index: str, query: dict[str, Any], size: int = 10) -> list[tuple[str, float]]:
    found = search.search(index=index, body={"query": query, "size": size, "_source": False})
    return [(hit["_id"], hit["_score"]) for hit in found["hits"]["hits"]]


@pytest.mark.parametrize(
    ("space", "score"),
    [
        ("cosinesimil", lambda a, b: (1 + a @ b / np.linalg.norm(a) / np.linalg.norm(b)) / 2),
        ("l2", lambda a, b: 1 / (1 + ((a - b) ** 2).sum())),
        ("innerproduct", lambda a, b: a @ b + 1 if a @ b >= 0 else 1 / (1 - a @ b)),
    ],
)
def test_the_nearest_come_first_with_opensearchs_scores(
    search: OpenSearch, vectors: Any, space: str, score: Any
) -> None:
    asked = vectors[7] + 0.1
    expected = sorted(((float(score(asked, vector)), str(row)) for row, vector in enumerate(vectors)), reverse=True)
    found = hits(search, space, {"knn": {"vector": {"vector": asked.tolist(), "k": 10}}})
    assert [identifier for identifier, _ in found] == [identifier for _, identifier in expected[:10]]
    assert [value for _, value in found] == pytest.approx([value for value, _ in expected[:10]], rel=1e-4)


def test_a_filter_limits_the_neighbours_not_their_number(search: OpenSearch, vectors: Any) -> None:
    clause = {"vector": vectors[0].tolist(), "k": 5, "filter": {"term": {"genre": "b"}}}
    found = hits(search, "l2", {"knn": {"vector": clause}})
    assert len(found) == 5
    assert all(int(identifier) % 2 for identifier, _ in found)


def test_vectors_and_words_together_add_up(search: OpenSearch, vectors: Any) -> None:
    knn = {"knn": {"vector": {"vector": vectors[42].tolist(), "k": 3}}}
    words = {"match": {"title": "42"}}
    [(identifier, score), *_] = hits(search, "cosinesimil", {"bool": {"should": [knn, words]}})
    alone = hits(search, "cosinesimil", words)[0][1]
    assert identifier == "42"
    assert score == pytest.approx(alone + 1, rel=1e-4)


def test_what_is_written_is_found_at_once_and_what_is_deleted_is_not(search: OpenSearch, vectors: Any) -> None:
    asked = {"knn": {"vector": {"vector": [100.0] * DIMENSION, "k": 1}}}
    search.index(index="l2", id="far", body={"title": "far", "vector": [100.0] * DIMENSION})
    assert hits(search, "l2", asked)[0][0] == "far"
    search.delete(index="l2", id="far")
    assert hits(search, "l2", asked)[0][0] != "far"


def test_a_vector_of_another_length_is_refused_by_name(search: OpenSearch) -> None:
    with pytest.raises(RequestError, match=r"invalid dimension: 2\. Dimension should be: 8"):
        hits(search, "l2", {"knn": {"vector": {"vector": [1, 2], "k": 1}}})
    with pytest.raises(RequestError, match="'title' is not knn_vector type"):
        hits(search, "l2", {"knn": {"title": {"vector": [1, 2], "k": 1}}})


def test_words_with_typing_errors_facets_and_highlights(search: OpenSearch) -> None:
    search.index(index="words", id="1", body={"title": "Academy Dinosaur", "genre": "Drama"})
    search.index(index="words", id="2", body={"title": "Ace Goldfinger", "genre": "Horror"})
    search.indices.refresh(index="words")
    body = {
        "query": {"match": {"title": {"query": "acadmy dinosuar", "fuzziness": "AUTO"}}},
        "highlight": {"fields": {"title": {}}},
        "aggs": {"genres": {"terms": {"field": "genre.keyword"}}},
    }
    found = search.search(index="words", body=body)
    [hit] = found["hits"]["hits"]
    assert hit["highlight"] == {"title": ["<em>Academy</em> <em>Dinosaur</em>"]}
    assert found["aggregations"]["genres"]["buckets"] == [{"key": "Drama", "doc_count": 1}]


def test_versions_from_outside_keep_the_newest(search: OpenSearch) -> None:
    options = {"version_type": "external_gte"}
    search.index(index="versions", id="1", body={"n": 5}, params={**options, "version": 5})
    with pytest.raises(ConflictError):
        search.index(index="versions", id="1", body={"n": 4}, params={**options, "version": 4})
    search.index(index="versions", id="1", body={"n": 55}, params={**options, "version": 5})
    search.delete(index="versions", id="1", params={"version_type": "external", "version": 6})
    with pytest.raises(ConflictError):
        search.index(index="versions", id="1", body={"n": 5}, params={**options, "version": 5})
