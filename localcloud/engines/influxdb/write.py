"""Writing points, by the API of InfluxDB 1 and by that of InfluxDB 2."""

from __future__ import annotations

import re
from http import HTTPStatus

from localcloud.engines.influxdb import line_protocol
from localcloud.engines.influxdb.influxd import PRECISIONS, SCRATCH
from localcloud.engines.influxdb.metadata import Access, RefusalError
from localcloud.engines.influxdb.request import Request, Response

#: The largest request in bytes, unpacked: what InfluxData documents for `/api/v2/write`.
LARGEST_REQUEST = 50_000_000
_PARTIAL = re.compile(r"partial write: .* dropped=[1-9]", re.DOTALL)
_UNPARSED = "unable to parse"


def write(request: Request) -> Response:
    """Write as the API of InfluxDB 1 does; database and retention policy select the bucket."""
    access = request.legacy_access()
    database, policy = request.query.get("db", ""), request.query.get("rp", "")
    if not database:
        raise RefusalError("invalid", "missing db")
    mappings = request.metadata.mappings_for(access, database, policy, default=not policy)
    if not mappings:
        raise RefusalError("not found", "no dbrp mapping found")
    precision = request.query.get("precision", "")
    return write_lines(request, access, mappings[0]["bucketID"], precision if precision in PRECISIONS else "ns")


def write_to_bucket(request: Request) -> Response:
    """Write as the API of InfluxDB 2 does; an id or a name selects the bucket."""
    access, precision = request.access(), request.query.get("precision") or "ns"
    if precision not in PRECISIONS:
        raise RefusalError("invalid", "invalid precision; valid precision units are ns, us, ms, and s")
    name_or_id = request.query.get("bucket", "")
    if not name_or_id:
        raise RefusalError("not found", "bucket not found")
    request.organization()
    buckets = request.metadata.buckets
    identities = (key for key, bucket in buckets.items() if name_or_id in {key, bucket["name"]})
    identity = name_or_id if name_or_id in buckets else next(identities, "")
    if not identity:
        raise RefusalError("not found", f'bucket "{name_or_id}" not found')
    return write_lines(request, access, identity, precision)


def write_lines(request: Request, access: Access, bucket: str, precision: str) -> Response:
    """Write the lines of a request's body.

    Args:
        request: The request.
        access: What its caller may do.
        bucket: The bucket's id.
        precision: Of the lines' times: `ns`, `us`, `ms` or `s`.

    Raises:
        RefusalError: The caller may not, or a line is malformed or cannot be taken.
    """
    if not access.allows("write", "buckets", request.metadata.organization["id"], bucket):
        raise RefusalError("forbidden", "insufficient permissions for write")
    if len(request.body) > LARGEST_REQUEST:
        raise RefusalError("request too large", "unable to read data: points batch is too large")
    if not request.body:
        raise RefusalError("invalid", "writing requires points")
    doubtful = (
        request.influxd.write(SCRATCH, precision, line) for line in line_protocol.doubtful(request.body, precision)
    )
    if malformed := [reason for reason in doubtful if reason.startswith(_UNPARSED)]:
        raise RefusalError("invalid", "\n".join(malformed))
    if reason := request.influxd.write(bucket, precision, request.body):
        if _PARTIAL.search(reason):
            raise RefusalError("unprocessable entity", f"failure writing points to database: {reason}")
        raise RefusalError("internal error", f"unexpected error writing points to database: {reason}")
    return HTTPStatus.NO_CONTENT, None
