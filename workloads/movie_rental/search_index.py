"""OpenSearch as the search index."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import boto3
from opensearchpy import OpenSearch, Urllib3AWSV4SignerAuth, Urllib3HttpConnection, helpers
from opensearchpy.exceptions import ConnectionError as NoConnection
from opensearchpy.exceptions import NotFoundError, OpenSearchException, SerializationError, TransportError
from opensearchpy.helpers.errors import ScanError

from contract.errors import InputError, phrase
from contract.services import overloaded, passes, refused, unreachable
from workloads.aws import asking_aws
from workloads.errors import RefusedRowError
from workloads.movie_rental import queries
from workloads.movie_rental.model import Hit, SearchResults

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from contract.errors import GroundworkError
    from workloads.movie_rental.model import Movie, Removal

INDEX = "movies"
_CONFLICT, _MISSING = 409, 404
_NOT_OFFERED = (400, 404, 405, 501)  # where there is no security plugin
_WRITER = "movies_writer"  # a role of OpenSearch's own
_WRITTEN_AT_ONCE = 500  # documents a request
_LONGEST_REASON = 400  # characters


class OpenSearchIndex:
    """The index `movies` of an OpenSearch domain.

    Args:
        endpoint: `https://host:port`; requests are signed with the credentials of the environment.
        certificates: File of authorities to trust; None: those of the machine.
        index: Its name.
    """

    def __init__(self, endpoint: str, certificates: str | None = None, index: str = INDEX) -> None:
        address = urlsplit(endpoint if "://" in endpoint else f"https://{endpoint}")
        self._endpoint, self._index = endpoint, index
        session = boto3.Session()
        self._client = OpenSearch(
            hosts=[{"host": address.hostname, "port": address.port or (443 if address.scheme == "https" else 80)}],
            http_auth=Urllib3AWSV4SignerAuth(session.get_credentials(), session.region_name or "us-east-1", "es"),
            use_ssl=address.scheme == "https",
            ca_certs=certificates,
            connection_class=Urllib3HttpConnection,
            timeout=60,
            max_retries=3,
            retry_on_timeout=True,
            retry_on_status=(429, 502, 503, 504),
        )

    def create(self, dimension: int) -> None:
        """Create the index for vectors of a dimension, unless it exists."""
        with self._asking():
            if not self._client.indices.exists(index=self._index):
                body = queries.load("movies_index.json").filled(dimension=dimension)
                self._client.indices.create(index=self._index, body=body)
                return
            mappings = self._client.indices.get_mapping(index=self._index)
        [mapping] = mappings.values()
        existing = mapping["mappings"].get("properties", {}).get("Embedding", {}).get("dimension")
        if existing != dimension:
            raise InputError(
                f"{self._endpoint}: The index {self._index} is for vectors of {existing} numbers, but the model makes "
                f"vectors of {dimension}. Use the model that the index was made for, or remove the index and migrate "
                "again."
            )

    def save(self, movies: Sequence[Movie]) -> None:
        """Write movies; a document of a later version stays."""
        actions = [
            {
                "_op_type": "index",
                "_index": self._index,
                "_id": movie.id,
                "version": movie.version,
                "version_type": "external_gte",
                "_source": movie.document(),
            }
            for movie in movies
        ]
        self._write(actions, refresh=False)

    def remove(self, removals: Sequence[Removal]) -> None:
        """Remove movies; a document of a later version stays."""
        actions = [
            {
                "_op_type": "delete",
                "_index": self._index,
                "_id": removal.movie_id,
                "version": removal.version,
                "version_type": "external_gte",
            }
            for removal in removals
        ]
        self._write(actions, refresh=True)

    def _write(self, actions: Sequence[dict[str, Any]], *, refresh: bool) -> None:
        with self._asking():
            _, errors = helpers.bulk(
                self._client, actions, chunk_size=_WRITTEN_AT_ONCE, raise_on_error=False, refresh=refresh, max_retries=5
            )
        results = [result for error in errors for result in error.values()]
        failed = [result for result in results if result["status"] != _CONFLICT and result.get("result") != "not_found"]
        if failed:
            lasting = [failure for failure in failed if not passes(failure["status"])]
            first = (lasting or failed)[0]  # what lasts counts: a retry would not help
            reason = first["error"]["reason"] if isinstance(first["error"], dict) else first["error"]
            if not lasting:
                raise self._answered(first["status"], f"{len(failed)} movies were not written: {reason}")
            raise RefusedRowError(
                f"Film {first['_id']}: OpenSearch refuses {len(lasting)} films, this one because: {phrase(reason)}."
            )

    def let_write(self, role: str) -> None:
        """Let an IAM role write movies, and nothing else; do nothing where access is not fine-grained (on a laptop).

        Args:
            role: Its ARN; empty for none.
        """
        security = "/_plugins/_security/api"
        rights = {"index_patterns": [self._index], "allowed_actions": ["write", "indices:admin/get"]}
        body = {"cluster_permissions": ["indices:data/write/bulk"], "index_permissions": [rights]}
        with self._asking():
            for path, content in ((f"roles/{_WRITER}", body), (f"rolesmapping/{_WRITER}", {"backend_roles": [role]})):
                try:
                    if role:
                        self._client.transport.perform_request("PUT", f"{security}/{path}", body=content)
                except TransportError as error:
                    if error.status_code not in _NOT_OFFERED:
                        raise

    def refresh(self) -> None:
        """Make everything that was written searchable."""
        with self._asking():
            self._client.indices.refresh(index=self._index)

    def get(self, movie_id: str) -> dict[str, Any] | None:
        """Return the document; None if there is no such document."""
        with self._asking():
            try:
                document: dict[str, Any] = self._client.get(index=self._index, id=movie_id)["_source"]
            except NotFoundError:
                return None
        return document

    def full_text(self, text: str, *, genre: str | None = None, limit: int = 10) -> SearchResults:
        """Find movies that have these words, or similar ones, best first; with facets and highlights."""
        chosen = [{"term": {"Genre": {"value": genre, "case_insensitive": True}}}] if genre else []
        return self._ask(queries.load("search_full_text.json").filled(text=text, filter=chosen, limit=limit))

    def nearest(self, vector: NDArray[np.float32], limit: int = 10) -> SearchResults:
        """Find movies whose vectors point in the most similar direction, best first."""
        return self._ask(queries.load("search_nearest.json").filled(vector=vector.tolist(), limit=limit))

    def _ask(self, body: dict[str, Any]) -> SearchResults:
        response = self.ask(body)
        hits = [
            Hit(
                movie_id=hit["_id"],
                title=hit["_source"]["MovieTitle"],
                genre=hit["_source"].get("Genre"),
                year=hit["_source"].get("Year"),
                score=hit["_score"],
                highlights=hit.get("highlight", {}),
            )
            for hit in response["hits"]["hits"]
        ]
        facets = {
            name: {str(bucket["key"]): bucket["doc_count"] for bucket in facet["buckets"]}
            for name, facet in response.get("aggregations", {}).items()
        }
        return SearchResults(hits, response["hits"]["total"]["value"], facets)

    def ask(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return OpenSearch's response to the body of a search, which only reads."""
        with self._asking():
            response: dict[str, Any] = self._client.search(index=self._index, body=body)
        return response

    def all(self) -> Iterator[dict[str, Any]]:
        """Yield every document, in no order."""
        with self._asking():
            every: dict[str, Any] = {"query": {"match_all": {}}}
            # OpenSearch forgets a scroll that nobody continues after a minute; jobs may not delete anything.
            scroll: Any = {"size": 500, "scroll": "1m", "clear_scroll": False}
            for hit in helpers.scan(self._client, index=self._index, query=every, **scroll):
                yield hit["_source"]

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """Turn the errors of the requests inside into ours; those of AWS come from signing them."""
        try:
            with asking_aws(self._endpoint):
                yield
        except NoConnection as error:
            raise unreachable(self._endpoint, "OpenSearch", error.error, trust="AWS_CA_BUNDLE") from error
        except TransportError as error:
            raise self._answered(error.status_code, f"{error.error}: {error.info}") from error
        except (ScanError, SerializationError) as error:  # some shards are away; a proxy has answered
            raise overloaded(self._endpoint, "OpenSearch", error) from error
        except OpenSearchException as error:
            raise refused(self._endpoint, "OpenSearch", error) from error

    def _answered(self, status: object, reason: str) -> GroundworkError:
        if isinstance(status, int) and passes(status):
            return overloaded(self._endpoint, "OpenSearch", f"{status}: {reason[:_LONGEST_REASON]}")
        advice = "Migrate first, so that the index is there." if status == _MISSING else ""
        return refused(self._endpoint, "OpenSearch", reason[:_LONGEST_REASON], advice)
