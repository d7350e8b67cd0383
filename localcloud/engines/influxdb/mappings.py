"""Mappings of databases and retention policies to buckets (DBRP)."""

from __future__ import annotations

from http import HTTPStatus

from localcloud.engines.influxdb.metadata import Json, RefusalError
from localcloud.engines.influxdb.request import Request, Response


def list_mappings(request: Request) -> Response:
    """List the mappings that the request asks for and its caller may read."""
    access, query = request.access(), request.query
    request.organization()
    default = query.get("default", "").lower() in {"true", "1", "t"}
    mappings = request.metadata.mappings_for(access, query.get("db", ""), query.get("rp", ""), default=default)
    content = [
        mapping
        for mapping in mappings
        if query.get("bucketID", mapping["bucketID"]) == mapping["bucketID"]
        and query.get("id", mapping["id"]) == mapping["id"]
    ]
    return HTTPStatus.OK, {"content": content}


def create_mapping(request: Request) -> Response:
    """Map a database and a retention policy to a bucket."""
    access, document = request.access(), request.document()
    request.organization(document)
    request.demand(access, "write", "buckets", document.get("bucketID", ""))
    with request.metadata.changing():
        mapping = request.metadata.add_mapping(document)
    return HTTPStatus.CREATED, mapping


def read_mapping(request: Request, identity: str) -> Response:
    """Return a mapping; the id of a bucket stands for the mapping that is in its own name."""
    return HTTPStatus.OK, {"content": _find(request, identity, "read")}


def change_mapping(request: Request, identity: str) -> Response:
    """Change the retention policy of a mapping, or make it the default of its database."""
    document = request.document()
    with request.metadata.changing():
        mapping = _find(request, identity, "write")
        if mapping["virtual"]:
            raise RefusalError("not found", "unable to find DBRP")
        mapping["retention_policy"] = document.get("retention_policy") or mapping["retention_policy"]
        if document.get("default"):
            request.metadata.set_default(mapping)
    return HTTPStatus.OK, {"content": mapping}


def delete_mapping(request: Request, identity: str) -> Response:
    """Delete a mapping; if it was the default of its database, another one becomes the default."""
    with request.metadata.changing():
        mapping = _find(request, identity, "write")
        if request.metadata.mappings.pop(identity, None) and mapping["default"]:
            same = (
                existing
                for existing in request.metadata.mappings.values()
                if existing["database"] == mapping["database"]
            )
            if first := next(same, None):
                request.metadata.set_default(first)
    return HTTPStatus.NO_CONTENT, None


def _find(request: Request, identity: str, action: str) -> Json:
    access = request.access()
    request.organization()
    bucket = request.metadata.buckets.get(identity)
    mapping = request.metadata.mappings.get(identity) or (bucket and request.metadata.virtual(bucket, default=True))
    if not mapping:
        raise RefusalError("not found", "unable to find DBRP")
    request.demand(access, action, "buckets", mapping["bucketID"])
    return mapping
