"""The OpenSearch API with k-NN: osmem, and in front of it the one query that it lacks.

Run in a process of its own:

    python -m localcloud.engines.opensearch_server OSMEM [CERTIFICATE KEY]

It prints the port on which it listens. A `knn` query is answered exactly, not approximately: its vectors are compared
with all of the index, and the nearest go on to osmem as a query for their ids, each with its score.
"""

from __future__ import annotations

import http.client
import json
import re
import subprocess
import sys
import threading
import urllib.parse
from typing import Any

import numpy as np
from numpy.typing import NDArray

from localcloud.engines.front import FrontHandler, loopback_address, serve

SEARCH = re.compile(r"^/(?:([^/?]+)/)?_(?:search|count)(?:\?|$)")
#: Requests with a body that change nothing.
READING = re.compile(r"/_(search|count|mget|msearch|analyze|validate|field_caps|explain|refresh)\b")
PAGE = 1000
Json = dict[str, Any]


class QueryError(Exception):
    """What OpenSearch refuses to search for."""


class Vectors:
    """The vectors of a field: document ids, and a row of the matrix for each."""

    def __init__(self, vectors: list[tuple[str, list[float]]], dimension: int) -> None:
        self.ids = [identifier for identifier, _ in vectors]
        self.rows = np.array([vector for _, vector in vectors], np.float32).reshape(len(vectors), dimension)


class Engine:
    """osmem, and what is known of its vectors until the next write."""

    def __init__(self, program: str) -> None:
        self.process = subprocess.Popen(
            [program, "-no-stdin-watch", "-addr", f"{loopback_address()}:0"], stdout=subprocess.PIPE
        )
        assert self.process.stdout  # noqa: S101 - it is a pipe
        self._address = urllib.parse.urlsplit(json.loads(self.process.stdout.readline())["url"]).netloc
        self._local = threading.local()
        self._vectors: dict[tuple[str, str], tuple[int, Vectors]] = {}
        self._written = 0

    def ask(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> tuple[int, Any, bytes]:
        """Forward a request; return the response's status, headers and body."""
        changes = method not in ("GET", "HEAD") and not READING.search(path)
        if not hasattr(self._local, "connection"):
            self._local.connection = http.client.HTTPConnection(self._address)
        try:
            self._local.connection.request(method, path, body, headers)
            response = self._local.connection.getresponse()
            return response.status, response.getheaders(), response.read()
        except OSError:
            del self._local.connection
            raise
        finally:
            self._written += changes

    def rewritten(self, index: str, query: Any) -> Any:
        """Return a query with every `knn` in it replaced by its result.

        Raises:
            QueryError: The field has no vectors, or the query's vector has another dimension.
        """
        if isinstance(query, list):
            return [self.rewritten(index, child) for child in query]
        if not isinstance(query, dict):
            return query
        if query.keys() == {"knn"} and isinstance(query["knn"], dict):
            return self._nearest(index, query["knn"])
        return {name: self.rewritten(index, child) for name, child in query.items()}

    def _nearest(self, index: str, clause: Json) -> Json:
        [(field, options)] = clause.items()
        dimension, space = self._mapping(index, field)
        vector = np.array(options["vector"], np.float32)
        if len(vector) != dimension:
            raise QueryError(f"Query vector has invalid dimension: {len(vector)}. Dimension should be: {dimension}")
        vectors = self._all(index, field, dimension)
        scores = _scores(space, vector, vectors.rows)
        if "filter" in options:
            allowed = {identifier for identifier, _ in self._scroll(index, options["filter"], source=False)}
            scores[[identifier not in allowed for identifier in vectors.ids]] = -1
        order = np.argsort(-scores, kind="stable")
        if "min_score" in options:
            order = order[scores[order] >= options["min_score"]]
        elif "max_distance" in options:
            raise QueryError("max_distance is not offered by the local cloud; give k or min_score")
        else:
            order = order[: options["k"]]
        boost = options.get("boost", 1)
        hits = [(vectors.ids[row], float(scores[row]) * boost) for row in order if scores[row] >= 0]
        if not hits:
            return {"match_none": {}}
        clauses = [
            {"constant_score": {"filter": {"ids": {"values": [identifier]}}, "boost": score}}
            for identifier, score in hits
        ]
        return {"bool": {"should": clauses, "minimum_should_match": 1}}

    def _mapping(self, index: str, field: str) -> tuple[int, str]:
        """Return the dimension and the space of a field of vectors."""
        for index_mapping in self._json("GET", f"/{index}/_mapping").values():
            mapping = index_mapping["mappings"].get("properties", {}).get(field, {})
            if mapping.get("type") == "knn_vector":
                space = mapping.get("method", {}).get("space_type") or mapping.get("space_type") or "l2"
                return mapping["dimension"], space
        raise QueryError(f"Field '{field}' is not knn_vector type.")

    def _all(self, index: str, field: str, dimension: int) -> Vectors:
        written, vectors = self._vectors.get((index, field), (-1, None))
        if vectors is None or written != self._written:
            written = self._written
            documents = self._scroll(index, {"exists": {"field": field}}, source=[field])
            vectors = Vectors([(identifier, source[field]) for identifier, source in documents], dimension)
            self._vectors[index, field] = (written, vectors)
        return vectors

    def _scroll(self, index: str, query: Json, *, source: list[str] | bool) -> list[tuple[str, Json]]:
        """Return the ids and sources of all documents that a query finds."""
        documents: list[tuple[str, Json]] = []
        request = {"size": PAGE, "query": {"bool": {"filter": [query]}}, "_source": source}
        page = self._json("POST", f"/{index}/_search?scroll=1m", request)
        while page["hits"]["hits"]:
            documents += [(hit["_id"], hit.get("_source", {})) for hit in page["hits"]["hits"]]
            page = self._json("POST", "/_search/scroll", {"scroll": "1m", "scroll_id": page["_scroll_id"]})
        return documents

    def _json(self, method: str, path: str, body: Json | None = None) -> Json:
        content = json.dumps(body).encode() if body else None
        status, _, response = self.ask(method, path, content, {"Content-Type": "application/json"})
        document: Json = json.loads(response)
        if status >= 400:  # noqa: PLR2004 - HTTP's errors
            raise QueryError(document["error"]["reason"] if "error" in document else response.decode())
        return document


def _scores(space: str, vector: NDArray[np.float32], rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """OpenSearch's scores of the rows, from its documentation ("Spaces"); the larger the nearer, none negative."""
    if space == "l2":
        return np.asarray(1 / (1 + ((rows - vector) ** 2).sum(axis=1)), np.float32)
    product = rows @ vector
    if space == "innerproduct":
        return np.where(product >= 0, product + 1, 1 / (1 - product)).astype(np.float32)
    if space == "cosinesimil":
        norms = np.linalg.norm(rows, axis=1) * np.linalg.norm(vector)
        cosine = product / np.where(norms > 0, norms, 1)
        return np.asarray((1 + cosine) / 2, np.float32)
    raise QueryError(f"space_type {space} is not offered by the local cloud")


class Handler(FrontHandler):
    """Passes every request on; searches are looked through for `knn` first."""

    engine: Engine

    def do_GET(self) -> None:  # noqa: N802 - http.server's name
        """Answer one request."""
        body = self.body() or None
        if denial := self.denial(body or b""):
            self.answer(403, [("Content-Type", "application/json")], json.dumps({"Message": denial}).encode())
            return
        headers = {
            name: value
            for name, value in self.headers.items()
            if name.lower() in ("content-type", "accept", "content-encoding")
        }
        try:
            if body and b'"knn"' in body and (search := SEARCH.match(self.path)):
                body = self._searched(urllib.parse.unquote(search[1] or "_all"), body)
            self.answer(*self.engine.ask(self.command, self.path, body, headers))
        except QueryError as error:
            reason = {"type": "query_shard_exception", "reason": f"failed to create query: {error}"}
            self._refuse(400, reason)
        except OSError as error:
            self._refuse(503, {"type": "no_node_available_exception", "reason": f"osmem does not answer: {error}"})

    do_POST = do_PUT = do_DELETE = do_HEAD = do_GET  # noqa: N815 - http.server's names

    def _searched(self, index: str, body: bytes) -> bytes:
        request = json.loads(body)
        if "query" in request:
            request["query"] = self.engine.rewritten(index, request["query"])
        return json.dumps(request).encode()

    def _refuse(self, status: int, reason: Json) -> None:
        body = json.dumps({"error": {"root_cause": [reason], **reason}, "status": status}).encode()
        self.answer(status, [("Content-Type", "application/json")], body)


def main() -> None:
    """Serve until the process is ended."""
    program, *certificate = sys.argv[1:]
    Handler.engine = Engine(program)
    serve(Handler, certificate, Handler.engine.process)


if __name__ == "__main__":
    main()
