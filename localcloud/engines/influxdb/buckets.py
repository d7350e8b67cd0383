"""Buckets: influxd has a database for each."""

from __future__ import annotations

from http import HTTPStatus

from localcloud.engines.influxdb.metadata import Json, RefusalError, moments, retention_rules
from localcloud.engines.influxdb.request import Request, Response, one_of


def list_buckets(request: Request) -> Response:
    """List the buckets that the request asks for and its caller may read."""
    access, query, organization = request.access(), request.query, request.metadata.organization["id"]
    if query.get("orgID") or query.get("org"):
        request.organization()
    buckets = [
        bucket
        for bucket in request.metadata.buckets.values()
        if query.get("name", bucket["name"]) == bucket["name"]
        and query.get("id", bucket["id"]) == bucket["id"]
        and access.allows("read", "buckets", organization, bucket["id"])
    ]
    if not buckets and query.get("name"):
        raise RefusalError("not found", f'bucket "{query["name"]}" not found')
    return HTTPStatus.OK, {"links": {"self": "/api/v2/buckets"}, "buckets": buckets}


def create_bucket(request: Request) -> Response:
    """Make a bucket."""
    access, document = request.access(), request.document()
    if not document.get("orgID"):
        raise RefusalError("invalid", "organization id must be provided")
    request.organization(document)
    request.demand(access, "write", "buckets")
    with request.metadata.changing():
        bucket = add_bucket(request, document.get("name", ""), document.get("description", ""), _seconds(document))
    return HTTPStatus.CREATED, bucket


def add_bucket(request: Request, name: str, description: str, seconds: int) -> Json:
    """Make a bucket, and influxd's database for it.

    Args:
        request: The request that asks for it.
        name: The bucket's name.
        description: What it is for.
        seconds: How long it keeps points; 0 is for ever.
    """
    bucket = request.metadata.add_bucket(name, description, seconds)
    duration = f"{seconds}s" if seconds else "INF"
    request.influxd.run(f'CREATE DATABASE "{bucket["id"]}" WITH DURATION {duration} NAME "autogen"')
    return bucket


def read_bucket(request: Request, identity: str) -> Response:
    """Return a bucket."""
    request.demand(request.access(), "read", "buckets", identity)
    return HTTPStatus.OK, one_of(request.metadata.buckets, identity, "bucket")


def change_bucket(request: Request, identity: str) -> Response:
    """Change a bucket's name, its description or how long it keeps points."""
    access, document = request.access(), request.document()
    request.demand(access, "write", "buckets", identity)
    with request.metadata.changing():
        bucket = one_of(request.metadata.buckets, identity, "bucket")
        name = str(document.get("name", bucket["name"]))
        seconds = _seconds(document if "retentionRules" in document else bucket)
        request.metadata.check_bucket(name, seconds)
        other_names = (existing["name"] for existing in request.metadata.buckets.values() if existing is not bucket)
        if name in other_names:
            raise RefusalError("conflict", "bucket name is not unique")
        bucket |= {"name": name, "description": document.get("description", bucket["description"])}
        bucket |= {"retentionRules": retention_rules(seconds), "updatedAt": moments()["updatedAt"]}
        duration, shard = f"{seconds}s" if seconds else "INF", _shard_duration(seconds)
        policy = f'"autogen" ON "{identity}" DURATION {duration} SHARD DURATION {shard}'
        request.influxd.run(f"ALTER RETENTION POLICY {policy}")
    return HTTPStatus.OK, bucket


def delete_bucket(request: Request, identity: str) -> Response:
    """Delete a bucket with its points and mappings."""
    request.demand(request.access(), "write", "buckets", identity)
    with request.metadata.changing():
        one_of(request.metadata.buckets, identity, "bucket")
        del request.metadata.buckets[identity]
        mappings = request.metadata.mappings
        request.metadata.mappings = {
            key: mapping for key, mapping in mappings.items() if mapping["bucketID"] != identity
        }
        request.influxd.run(f'DROP DATABASE "{identity}"')
    return HTTPStatus.NO_CONTENT, None


def _shard_duration(seconds: int) -> str:
    """Return what a shard spans where points are kept for so many seconds; 0 is for ever.

    Source: InfluxDB's documentation, "InfluxDB shards and shard groups".
    """
    days = seconds / 86400
    return "1h" if 0 < days < 2 else "1d" if 0 < days <= 182 else "7d"  # noqa: PLR2004 - InfluxDB's own bounds


def _seconds(document: Json) -> int:
    """Return how many seconds the bucket of a request keeps points; 0 is for ever."""
    rules = document.get("retentionRules") or [{}]
    seconds = rules[0].get("everySeconds", 0)
    if not isinstance(seconds, int) or seconds < 0:
        why = "expiration seconds must be greater than or equal to one second"
        raise RefusalError("unprocessable entity", why)
    return seconds
