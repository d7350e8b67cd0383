"""The program of a front that has the API of InfluxDB 3 Core, as far as clients of InfluxDB 1 use it.

    python -m localcloud.engines.influxdb.version3 INFLUXD METADATA

Its arguments and its environment are those of the front of InfluxDB 2. What InfluxDB 3 does otherwise
(docs.influxdata.com, "InfluxDB 3 Core": the pages on compatibility APIs, on tokens, and on what InfluxQL it has):

- There are databases, and no buckets, organizations and users; a database is made when it is first written to.
- The first admin token is made by `POST /api/v3/configure/token/admin`; it is presented as `Bearer` or `Token`.
- InfluxQL only asks: there is neither `DELETE` nor `DROP`.
- `/api/v2` has writes only.
"""

from __future__ import annotations

from http import HTTPStatus

from localcloud.engines.influxdb import influxql, query
from localcloud.engines.influxdb.__main__ import main
from localcloud.engines.influxdb.buckets import add_bucket
from localcloud.engines.influxdb.metadata import EVERYTHING, RefusalError, hashed, moments, new_id, new_token
from localcloud.engines.influxdb.request import Request, Response
from localcloud.engines.influxdb.server import Handler
from localcloud.engines.influxdb.write import write_lines

_PRECISIONS = {"": "ns", "n": "ns", "ns": "ns", "u": "us", "us": "us", "ms": "ms", "s": "s"}
_LACKING = ("DELETE", "DROP")


def make_admin_token(request: Request) -> Response:
    """Make the first admin token, once."""
    metadata = request.metadata
    with metadata.changing():
        if metadata.organization:
            raise RefusalError("conflict", "token name already exists, _admin")
        metadata.organization = {"id": new_id(), "name": "_", "description": "", **moments()}
        token = {
            "id": new_id(),
            "token": f"apiv3_{new_token()}",
            "status": "active",
            "description": "_admin",
            "orgID": metadata.organization["id"],
            "userID": "",
            "permissions": EVERYTHING,
            **moments(),
        }
        metadata.authorizations[token["id"]] = token
    made = {"id": 0, "name": "_admin", "token": token["token"], "hash": hashed(token["token"]), "expiry": None}
    return HTTPStatus.CREATED, made | {"created_at": token["createdAt"]}


def list_databases(request: Request) -> Response:
    """List the databases."""
    request.access()
    names = sorted(bucket["name"] for bucket in request.metadata.buckets.values())
    return HTTPStatus.OK, [{"iox::database": name} for name in names]


def write(request: Request) -> Response:
    """Write as the API of InfluxDB 1 does."""
    return _write_into(request, "db")


def write_to_bucket(request: Request) -> Response:
    """Write as the API of InfluxDB 2 does, where a bucket is a database."""
    return _write_into(request, "bucket")


def ask(request: Request) -> Response:
    """Answer a query in InfluxQL, which may only ask."""
    for statement in influxql.statements(request.form().get("q", "")):
        if lacking := next((name for name in _LACKING if statement.begins(name)), ""):
            raise RefusalError("invalid", f"InfluxDB 3 does not have the InfluxQL statement {lacking}")
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme == "Bearer":  # which the API of InfluxDB 1 does not know
        request.headers.replace_header("Authorization", f"Token {token}")
    return query.ask(request)


def _write_into(request: Request, parameter: str) -> Response:
    access, name, precision = request.access(), request.query.get(parameter, ""), request.query.get("precision", "")
    if not name:
        raise RefusalError("invalid", f"missing query parameter '{parameter}'")
    if precision not in _PRECISIONS:
        raise RefusalError("invalid", f"unknown precision: {precision}")
    with request.metadata.changing():
        ids = (key for key, bucket in request.metadata.buckets.items() if bucket["name"] == name)
        identity = next(ids, "") or add_bucket(request, name, "", 0)["id"]
    try:
        return write_lines(request, access, identity, _PRECISIONS[precision])
    except RefusalError as error:
        code = "invalid" if error.code == "unprocessable entity" else error.code  # InfluxDB 3 has one status for both
        raise RefusalError(code, error.message) from error


class Handler3(Handler):
    """Answers the requests of one connection."""

    version = "3.2.1"
    routes = {  # noqa: RUF012 - a table
        "POST /api/v3/configure/token/admin": make_admin_token,
        "GET /api/v3/configure/database": list_databases,
        "POST /write": write,
        "POST /api/v2/write": write_to_bucket,
        "GET /query": ask,
        "POST /query": ask,
    }


if __name__ == "__main__":
    main(Handler3)
