"""Authorizations: tokens, and those of InfluxDB 1, which have a name and a password."""

from __future__ import annotations

from http import HTTPStatus

from localcloud.engines.influxdb.metadata import Json, RefusalError, hashed, moments
from localcloud.engines.influxdb.request import Request, Response, one_of


def list_tokens(request: Request) -> Response:
    """List the tokens that the request asks for and its caller may read."""
    return _list(request, request.metadata.authorizations)


def list_legacy(request: Request) -> Response:
    """List the authorizations of InfluxDB 1 that the request asks for and its caller may read."""
    return _list(request, request.metadata.legacy)


def create_token(request: Request, *, legacy: bool = False) -> Response:
    """Make a token."""
    access, document = request.access(), request.document()
    with request.metadata.changing():
        authorization = request.metadata.add_authorization(document, access, legacy=legacy)
    return HTTPStatus.CREATED, _shown(request, authorization)


def create_legacy(request: Request) -> Response:
    """Make an authorization of InfluxDB 1; it has no password yet."""
    return create_token(request, legacy=True)


def read_authorization(request: Request, identity: str) -> Response:
    """Return a token or an authorization of InfluxDB 1."""
    request.demand(request.access(), "read", "authorizations", identity)
    return HTTPStatus.OK, _shown(request, one_of(_stored(request), identity, "authorization"))


def change_authorization(request: Request, identity: str) -> Response:
    """Change the status or the description of an authorization."""
    access, document = request.access(), request.document()
    request.demand(access, "write", "authorizations", identity)
    status = document.get("status", "active")
    if status not in {"active", "inactive"}:
        raise RefusalError("invalid", "status must be active or inactive")
    with request.metadata.changing():
        authorization = one_of(_stored(request), identity, "authorization")
        authorization |= {name: document[name] for name in ("status", "description") if name in document}
        authorization["updatedAt"] = moments()["updatedAt"]
    return HTTPStatus.OK, _shown(request, authorization)


def delete_authorization(request: Request, identity: str) -> Response:
    """Delete an authorization."""
    request.demand(request.access(), "write", "authorizations", identity)
    with request.metadata.changing():
        one_of(_stored(request), identity, "authorization")
        del _stored(request)[identity]
    return HTTPStatus.NO_CONTENT, None


def set_password(request: Request, identity: str) -> Response:
    """Set the password of an authorization of InfluxDB 1."""
    access, document = request.access(), request.document()
    request.demand(access, "write", "authorizations", identity)
    with request.metadata.changing():
        authorization = one_of(request.metadata.legacy, identity, "authorization")
        if len(document.get("password", "")) < 8:  # noqa: PLR2004 - InfluxDB's minimum
            raise RefusalError("invalid", "passwords must be at least 8 characters long")
        authorization["password"] = hashed(document["password"])
    return HTTPStatus.NO_CONTENT, None


def _list(request: Request, stored: dict[str, Json]) -> Response:
    access, query = request.access(), request.query
    organization = request.metadata.organization["id"]
    authorizations = [
        _shown(request, authorization)
        for authorization in stored.values()
        if access.allows("read", "authorizations", organization, authorization["id"])
        and query.get("token", authorization["token"]) == authorization["token"]
        and query.get("userID", authorization["userID"]) == authorization["userID"]
        and query.get("orgID", authorization["orgID"]) == authorization["orgID"]
    ]
    return HTTPStatus.OK, {"links": {"self": "/api/v2/authorizations"}, "authorizations": authorizations}


def _shown(request: Request, authorization: Json) -> Json:
    """Return an authorization as the API shows it: with the organization's and user's names, and no password."""
    user = request.metadata.users.get(authorization["userID"], {})
    shown = {name: value for name, value in authorization.items() if name != "password"}
    return {**shown, "org": request.metadata.organization["name"], "user": user.get("name", "")}


def _stored(request: Request) -> dict[str, Json]:
    legacy = request.path.startswith("/private")
    return request.metadata.legacy if legacy else request.metadata.authorizations
