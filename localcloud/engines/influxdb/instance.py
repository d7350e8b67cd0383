"""The instance: its first user, signing in and out, and its organization."""

from __future__ import annotations

from http import HTTPStatus

from localcloud.engines.influxdb.buckets import add_bucket
from localcloud.engines.influxdb.metadata import EVERYTHING, RefusalError, moments, new_id, new_token
from localcloud.engines.influxdb.request import Request, Response, basic_credentials, one_of


def is_setup_allowed(request: Request) -> Response:
    """Say whether nobody has set the instance up yet."""
    return HTTPStatus.OK, {"allowed": not request.metadata.organization}


def set_up(request: Request) -> Response:
    """Make the organization, its first user, their bucket and their token."""
    document, metadata = request.document(), request.metadata
    with metadata.changing():
        if metadata.organization:
            raise RefusalError("conflict", "onboarding has already been completed")
        for name in ("username", "org", "bucket"):
            if not document.get(name):
                raise RefusalError("invalid", f"{name} is empty")
        if len(document.get("password", "")) < 8:  # noqa: PLR2004 - InfluxDB's minimum
            raise RefusalError("invalid", "passwords must be at least 8 characters long")
        metadata.organization = {"id": new_id(), "name": document["org"], "description": "", **moments()}
        user = metadata.add_user(document["username"], document["password"])
        bucket = add_bucket(request, document["bucket"], "", int(document.get("retentionPeriodSeconds") or 0))
        organization = metadata.organization["id"]
        token = {
            "id": new_id(),
            "token": document.get("token") or new_token(),
            "status": "active",
            "description": f"{user['name']}'s Token",
            "orgID": organization,
            "userID": user["id"],
            "permissions": EVERYTHING,
            **moments(),
        }
        metadata.authorizations[token["id"]] = token
    shown = {name: user[name] for name in ("id", "name", "status")}
    return HTTPStatus.CREATED, {"user": shown, "bucket": bucket, "org": metadata.organization, "auth": token}


def sign_in(request: Request) -> Response:
    """Open a session for a user with their password."""
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    credentials = basic_credentials(value) if scheme == "Basic" else None
    if not credentials:
        raise RefusalError("unauthorized", "unauthorized access")
    key = request.metadata.sign_in(*credentials)
    request.response_headers.append(("Set-Cookie", f"session={key}; Path=/api/"))
    return HTTPStatus.NO_CONTENT, None


def sign_out(request: Request) -> Response:
    """End the session."""
    if not request.metadata.sessions.pop(request.session(), None):
        raise RefusalError("unauthorized", "unauthorized access")
    return HTTPStatus.NO_CONTENT, None


def list_organizations(request: Request) -> Response:
    """List the organization, if the request asks for it or for all."""
    request.demand(request.access(), "read", "orgs", str(request.metadata.organization.get("id", "")))
    organization = request.metadata.organization
    name = request.query.get("org", organization["name"])
    if name != organization["name"]:
        raise RefusalError("not found", f'organization name "{name}" not found')
    identity = request.query.get("orgID", organization["id"])
    organizations = [organization] if identity == organization["id"] else []
    return HTTPStatus.OK, {"links": {"self": "/api/v2/orgs"}, "orgs": organizations}


def read_organization(request: Request, identity: str) -> Response:
    """Return the organization."""
    request.demand(request.access(), "read", "orgs", identity)
    return HTTPStatus.OK, one_of(
        {request.metadata.organization["id"]: request.metadata.organization}, identity, "organization"
    )
