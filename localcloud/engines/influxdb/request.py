"""A request to InfluxDB 2: what it asks for, who asks, and what it may do."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from email.message import Message
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs

from localcloud.engines.influxdb.influxd import Influxd
from localcloud.engines.influxdb.metadata import Access, Json, Metadata, RefusalError

Response = tuple[int, Any]
"""A status, and the document of the body; None: there is no body."""


@dataclass
class Request:
    """One request.

    Attributes:
        path: The path of its address, without a slash at its end.
        query: The parameters of its address.
        headers: Its headers.
        body: Its body, unpacked.
        metadata: What InfluxDB 2 keeps beside points.
        influxd: The engine, which holds the points.
        response_headers: Headers of the response.
    """

    path: str
    query: dict[str, str]
    headers: Message
    body: bytes
    metadata: Metadata
    influxd: Influxd
    response_headers: list[tuple[str, str]] = field(default_factory=list)

    def access(self) -> Access:
        """Return the access of a token or a session, which the API of InfluxDB 2 takes.

        Raises:
            RefusalError: There is neither, or it is unknown.
        """
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        access = None
        if scheme in {"Token", "Bearer"}:
            access = self.metadata.by_token(token)
        elif key := self.session():
            access = self.metadata.by_session(key)
        if not access:
            raise RefusalError("unauthorized", "unauthorized access")
        return access

    def session(self) -> str:
        """Return the key of the session that the request's cookie names; empty: there is none."""
        try:
            morsel = SimpleCookie(self.headers.get("Cookie", "")).get("session")
        except CookieError:
            return ""
        return morsel.value if morsel else ""

    def legacy_access(self) -> Access:
        """Return the access of a token or a v1 authorization, which the API of InfluxDB 1 takes.

        Raises:
            RefusalError: There is neither, or it is unknown.
        """
        form = self.form() if self.path == "/query" else self.query
        scheme, _, value = self.headers.get("Authorization", "").partition(" ")
        if form.get("u") and form.get("p"):
            access = self.metadata.by_name(form["u"], form["p"])
        elif scheme == "Token":
            access = self.metadata.by_token(value.rpartition(":")[2])
        elif scheme == "Basic" and (credentials := basic_credentials(value)):
            access = self.metadata.by_name(*credentials)
        else:
            raise RefusalError("unauthorized", "unauthorized access")
        if not access:
            raise RefusalError("unauthorized", "Unauthorized")
        return access

    def organization(self, document: Json | None = None) -> str:
        """Return the organization's id; its address names the organization, or else the document in its body.

        Raises:
            RefusalError: It names none, or another one.
        """
        fields = self.query if document is None else document
        organization = self.metadata.organization
        identity, name = fields.get("orgID", ""), fields.get("org", "")
        if not identity and not name:
            raise RefusalError("invalid", "Please provide either orgID or org")
        if organization.get("id") in {identity, name} or (not identity and organization.get("name") == name):
            return str(organization["id"])
        raise RefusalError("not found", f'organization name "{name or identity}" not found')

    def demand(self, access: Access, action: str, kind: str, identity: str = "") -> None:
        """Refuse the request if its caller may not do something with a resource, or with all of its kind.

        Raises:
            RefusalError: The caller may not.
        """
        organization = str(self.metadata.organization.get("id", ""))
        if not access.allows(action, kind, organization, identity):
            where = f"orgs/{organization}/{kind}" + (f"/{identity}" if identity else "")
            raise RefusalError("unauthorized", f"{action}:{where} is unauthorized")

    def document(self) -> Json:
        """Return the JSON object in the body.

        Raises:
            RefusalError: There is none.
        """
        try:
            document = json.loads(self.body)
        except ValueError as error:
            raise RefusalError("invalid", f"invalid json structure: {error}") from error
        if not isinstance(document, dict):
            raise RefusalError("invalid", "invalid json structure")
        return document

    def form(self) -> dict[str, str]:
        """Return the parameters of a query, of the form in the body before those of the address."""
        kind = self.headers.get_content_type() if self.headers.get("Content-Type") else ""
        if kind == "application/vnd.influxql":
            return self.query | {"q": self.body.decode(errors="replace")}
        if kind != "application/x-www-form-urlencoded":
            return self.query
        form = parse_qs(self.body.decode(errors="replace"), keep_blank_values=True)
        return self.query | {name: values[0] for name, values in form.items()}


def basic_credentials(value: str) -> tuple[str, str] | None:
    """Return the name and the password of HTTP's basic authentication; None if they cannot be read."""
    try:
        name, colon, password = base64.b64decode(value, validate=True).decode().partition(":")
    except ValueError:
        return None
    return (name, password) if colon else None


def one_of(stored: dict[str, Json], identity: str, kind: str) -> Json:
    """Return the resource of this id.

    Raises:
        RefusalError: There is none.
    """
    if identity not in stored:
        raise RefusalError("not found", f"{kind} not found")
    return stored[identity]
