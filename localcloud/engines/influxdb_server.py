"""InfluxDB 2 as Timestream runs it: a front that has its HTTP API, and influxd 1.6 behind, which holds the points.

Run in a process of its own:

    python -m localcloud.engines.influxdb_server INFLUXD METADATA

Its environment is influxd's. METADATA is the file that holds what InfluxDB 2 keeps beside points. It passes on what
influxd logs, prints the port on which it listens itself, and holds requests to the rule for web pages.

The front answers as InfluxDB 2 does; influxd, which only the front can reach with its password, has a database for each
bucket. What InfluxDB 2 does otherwise than InfluxDB 1 (influxdata/influxdb, branch main-2.x: `http/`, `http/legacy/`,
`http/points/`, `v1/`, `models/points.go`):

- `/write` and `/query` take a token or a v1 authorization. The password of a user only opens `/api/v2/signin`.
- A database and a retention policy are names of a bucket: those of a mapping, or those in the bucket's own name.
- Precisions are ns, us, ms and s. `/write` takes any other for ns, without an error; `/api/v2/write` refuses it.
- One malformed line refuses a whole request (400). Points that a bucket cannot take are left out (422).
- InfluxQL asks and deletes; it makes no databases, users and policies any more.
"""

from __future__ import annotations

import base64
import gzip
import http.client
import json
import os
import re
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from typing import IO, Any
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

from localcloud.engines import influxql, line_protocol
from localcloud.engines.front import FrontHandler, loopback_address, serve
from localcloud.engines.influxdb_metadata import (
    EVERYTHING,
    STATUSES,
    Access,
    Json,
    Metadata,
    RefusalError,
    hashed,
    moments,
    new_id,
    new_token,
    retention_rules,
)

LISTENING = re.compile(r"Listening on HTTP.* addr=(127[\d.]+:\d+) https")
VERSION = "v2.7.12"
#: The largest request in bytes, unpacked: what InfluxData documents for `/api/v2/write`.
LARGEST_REQUEST = 50_000_000
SCRATCH = "_lines"  # a database for lines that are only parsed
_PRECISIONS = {"ns": "n", "us": "u", "ms": "ms", "s": "s"}  # of InfluxDB 2, as InfluxDB 1 calls them
_PARTIAL = re.compile(r"partial write: .* dropped=[1-9]", re.DOTALL)
_UNPARSED = "unable to parse"
_POLICIES = ["name", "duration", "shardGroupDuration", "replicaN", "default"]

Answer = tuple[int, Any]


class Engine:
    """Asks influxd.

    Args:
        address: Its host and port.
        username: Name of its only user.
        password: The user's password.
    """

    def __init__(self, address: str, username: str, password: str) -> None:
        self._connection = http.client.HTTPConnection(address)
        access = base64.b64encode(f"{username}:{password}".encode()).decode()
        self._headers = {"Authorization": f"Basic {access}"}

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def ask(self, path: str, parameters: dict[str, str], body: bytes | dict[str, str]) -> tuple[int, Json]:
        """Return the status and the document of an answer; a form may take the place of a body.

        Raises:
            RefusalError: influxd does not answer.
        """
        try:
            kind = {"Content-Type": "application/x-www-form-urlencoded"} if isinstance(body, dict) else {}
            content = urlencode(body).encode() if isinstance(body, dict) else body
            self._connection.request("POST", f"{path}?{urlencode(parameters)}", content, self._headers | kind)
            response = self._connection.getresponse()
            content = response.read()
            return response.status, json.loads(content) if content else {}
        except (OSError, http.client.HTTPException, ValueError) as error:
            self._connection.close()
            raise RefusalError("unavailable", f"influxd does not answer: {error}") from error

    def query(self, statement: str, parameters: dict[str, str]) -> Json:
        """Return the result of one statement of InfluxQL.

        Raises:
            RefusalError: The engine refuses the statement.
        """
        status, response = self.ask("/query", parameters, {"q": statement})
        if status != HTTPStatus.OK:
            why = str(response.get("error", response)).replace("error parsing query", "failed to parse query", 1)
            raise RefusalError("invalid", why)
        return dict(response["results"][0])

    def run(self, statement: str) -> None:
        """Run a statement that changes influxd's databases.

        Raises:
            RefusalError: It fails.
        """
        result = self.query(statement, {})
        if "error" in result:
            raise RefusalError("internal error", result["error"])

    def write(self, database: str, precision: str, lines: bytes) -> str:
        """Write lines; return what is wrong with them, or nothing."""
        parameters = {"db": database, "precision": _PRECISIONS[precision]}
        status, response = self.ask("/write", parameters, lines)
        return "" if status == HTTPStatus.NO_CONTENT else str(response.get("error", response))


class Handler(FrontHandler):
    """Answers the requests of one connection."""

    address: str
    metadata: Metadata

    def setup(self) -> None:
        """Prepare for the requests of one connection, which become requests of another one."""
        super().setup()
        self._engine = Engine(self.address, **self.metadata.engine)

    def finish(self) -> None:
        """Close both connections."""
        self._engine.close()
        super().finish()

    def do_GET(self) -> None:  # noqa: N802 - http.server's name
        """Answer one request."""
        url = urlsplit(self.path)
        self._query = {name: values[0] for name, values in parse_qs(url.query, keep_blank_values=True).items()}
        self._headers: list[tuple[str, str]] = [("X-Influxdb-Build", "OSS"), ("X-Influxdb-Version", VERSION)]
        try:
            self._body = self._read()
            status, document = self._answer(url.path.rstrip("/") or "/")
        except RefusalError as error:
            status, document = STATUSES[error.code], {"code": error.code, "message": error.message}
            self._headers.append(("X-Platform-Error-Code", error.code))
        body = b"" if document is None else json.dumps(document).encode() + b"\n"
        if body:
            self._headers.append(("Content-Type", "application/json; charset=utf-8"))
        self.answer(status, self._headers, body)

    do_POST = do_HEAD = do_OPTIONS = do_PATCH = do_DELETE = do_PUT = do_GET  # noqa: N815 - http.server's names

    def _read(self) -> bytes:
        """Return the request's body, unpacked."""
        body = self.body()
        if self.headers.get("Content-Encoding", "").lower() != "gzip":
            return body
        try:
            return gzip.decompress(body)
        except (EOFError, OSError, zlib.error) as error:
            raise RefusalError("invalid", f"unable to read data: gzip: {error}") from error

    def _answer(self, path: str) -> Answer:
        method = "GET" if self.command == "HEAD" else self.command
        if path == "/ping":
            return HTTPStatus.NO_CONTENT, None
        if path == "/health":
            health = {"name": "influxdb", "message": "ready for queries and writes", "status": "pass", "checks": []}
            return HTTPStatus.OK, {**health, "version": VERSION}
        match = re.fullmatch(r"(/api/v2/\w+|/private/legacy/authorizations)/(\w+)(/password)?", path)
        route: Callable[..., Answer] | None
        if match:
            kind = f"{match[1]}/ID{match[3] or ''}"
            route = self.ROUTES.get(f"{method} {kind}")
        else:
            kind = path
            route = self.ROUTES.get(f"{method} {kind}")
        if route is None:
            if any(served.partition(" ")[2] == kind for served in self.ROUTES):
                raise RefusalError("method not allowed", f"{method} is not allowed on {path}")
            if path.startswith("/api/"):
                self._access()
            raise RefusalError("not found", "path not found")
        return route(self, unquote(match[2])) if match else route(self)

    # Who asks.

    def _access(self) -> Access:
        """Return the access of a token or a session, which the API of InfluxDB 2 takes."""
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        access = None
        if scheme in {"Token", "Bearer"}:
            access = self.metadata.by_token(token)
        elif key := self._session():
            access = self.metadata.by_session(key)
        if not access:
            raise RefusalError("unauthorized", "unauthorized access")
        return access

    def _session(self) -> str:
        try:
            morsel = SimpleCookie(self.headers.get("Cookie", "")).get("session")
        except CookieError:
            return ""
        return morsel.value if morsel else ""

    def _legacy_access(self) -> Access:
        """Return the access of a token or a v1 authorization, which the API of InfluxDB 1 takes."""
        form = self._form() if urlsplit(self.path).path == "/query" else self._query
        scheme, _, value = self.headers.get("Authorization", "").partition(" ")
        if form.get("u") and form.get("p"):
            access = self.metadata.by_name(form["u"], form["p"])
        elif scheme == "Token":
            access = self.metadata.by_token(value.rpartition(":")[2])
        elif scheme == "Basic" and (credentials := _basic(value)):
            access = self.metadata.by_name(*credentials)
        else:
            raise RefusalError("unauthorized", "unauthorized access")
        if not access:
            raise RefusalError("unauthorized", "Unauthorized")
        return access

    def _organization(self, request: Json | None = None) -> str:
        """Return the organization's id, as the request names it."""
        fields = self._query if request is None else request
        organization = self.metadata.organization
        identity, name = fields.get("orgID", ""), fields.get("org", "")
        if not identity and not name:
            raise RefusalError("invalid", "Please provide either orgID or org")
        if organization.get("id") in {identity, name} or (not identity and organization.get("name") == name):
            return str(organization["id"])
        raise RefusalError("not found", f'organization name "{name or identity}" not found')

    def _demand(self, access: Access, action: str, kind: str, identity: str = "") -> None:
        organization = str(self.metadata.organization.get("id", ""))
        if not access.allows(action, kind, organization, identity):
            where = f"orgs/{organization}/{kind}" + (f"/{identity}" if identity else "")
            raise RefusalError("unauthorized", f"{action}:{where} is unauthorized")

    def _document(self) -> Json:
        try:
            document = json.loads(self._body)
        except ValueError as error:
            raise RefusalError("invalid", f"invalid json structure: {error}") from error
        if not isinstance(document, dict):
            raise RefusalError("invalid", "invalid json structure")
        return document

    def _form(self) -> dict[str, str]:
        """Return the parameters of a query, of the form in the body before those of the address."""
        kind = self.headers.get_content_type() if self.headers.get("Content-Type") else ""
        if kind == "application/vnd.influxql":
            return self._query | {"q": self._body.decode(errors="replace")}
        if kind != "application/x-www-form-urlencoded":
            return self._query
        form = parse_qs(self._body.decode(errors="replace"), keep_blank_values=True)
        return self._query | {name: values[0] for name, values in form.items()}

    # The instance and its user.

    def _is_setup_allowed(self) -> Answer:
        return HTTPStatus.OK, {"allowed": not self.metadata.organization}

    def _set_up(self) -> Answer:
        request, metadata = self._document(), self.metadata
        with metadata.changing():
            if metadata.organization:
                raise RefusalError("conflict", "onboarding has already been completed")
            for name in ("username", "org", "bucket"):
                if not request.get(name):
                    raise RefusalError("invalid", f"{name} is empty")
            if len(request.get("password", "")) < 8:  # noqa: PLR2004 - InfluxDB's minimum
                raise RefusalError("invalid", "passwords must be at least 8 characters long")
            metadata.organization = {"id": new_id(), "name": request["org"], "description": "", **moments()}
            user = metadata.add_user(request["username"], request["password"])
            bucket = self._make_bucket(request["bucket"], "", int(request.get("retentionPeriodSeconds") or 0))
            organization = metadata.organization["id"]
            token = {
                "id": new_id(),
                "token": request.get("token") or new_token(),
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

    def _sign_in(self) -> Answer:
        scheme, _, value = self.headers.get("Authorization", "").partition(" ")
        credentials = _basic(value) if scheme == "Basic" else None
        if not credentials:
            raise RefusalError("unauthorized", "unauthorized access")
        key = self.metadata.sign_in(*credentials)
        self._headers.append(("Set-Cookie", f"session={key}; Path=/api/"))
        return HTTPStatus.NO_CONTENT, None

    def _sign_out(self) -> Answer:
        if not self.metadata.sessions.pop(self._session(), None):
            raise RefusalError("unauthorized", "unauthorized access")
        return HTTPStatus.NO_CONTENT, None

    def _organizations(self) -> Answer:
        self._demand(self._access(), "read", "orgs", str(self.metadata.organization.get("id", "")))
        organization = self.metadata.organization
        name = self._query.get("org", organization["name"])
        if name != organization["name"]:
            raise RefusalError("not found", f'organization name "{name}" not found')
        identity = self._query.get("orgID", organization["id"])
        organizations = [organization] if identity == organization["id"] else []
        return HTTPStatus.OK, {"links": {"self": "/api/v2/orgs"}, "orgs": organizations}

    def _one_organization(self, identity: str) -> Answer:
        self._demand(self._access(), "read", "orgs", identity)
        return HTTPStatus.OK, _one(
            {self.metadata.organization["id"]: self.metadata.organization}, identity, "organization"
        )

    # Buckets.

    def _buckets(self) -> Answer:
        access, query, organization = self._access(), self._query, self.metadata.organization["id"]
        if query.get("orgID") or query.get("org"):
            self._organization()
        buckets = [
            bucket
            for bucket in self.metadata.buckets.values()
            if query.get("name", bucket["name"]) == bucket["name"]
            and query.get("id", bucket["id"]) == bucket["id"]
            and access.allows("read", "buckets", organization, bucket["id"])
        ]
        if not buckets and query.get("name"):
            raise RefusalError("not found", f'bucket "{query["name"]}" not found')
        return HTTPStatus.OK, {"links": {"self": "/api/v2/buckets"}, "buckets": buckets}

    def _create_bucket(self) -> Answer:
        access, request = self._access(), self._document()
        if not request.get("orgID"):
            raise RefusalError("invalid", "organization id must be provided")
        self._organization(request)
        self._demand(access, "write", "buckets")
        with self.metadata.changing():
            bucket = self._make_bucket(request.get("name", ""), request.get("description", ""), _seconds(request))
        return HTTPStatus.CREATED, bucket

    def _make_bucket(self, name: str, description: str, seconds: int) -> Json:
        bucket = self.metadata.add_bucket(name, description, seconds)
        duration = f"{seconds}s" if seconds else "INF"
        self._engine.run(f'CREATE DATABASE "{bucket["id"]}" WITH DURATION {duration} NAME "autogen"')
        return bucket

    def _bucket(self, identity: str) -> Answer:
        self._demand(self._access(), "read", "buckets", identity)
        return HTTPStatus.OK, _one(self.metadata.buckets, identity, "bucket")

    def _change_bucket(self, identity: str) -> Answer:
        access, request = self._access(), self._document()
        self._demand(access, "write", "buckets", identity)
        with self.metadata.changing():
            bucket = _one(self.metadata.buckets, identity, "bucket")
            name = str(request.get("name", bucket["name"]))
            seconds = _seconds(request if "retentionRules" in request else bucket)
            self.metadata.check_bucket(name, seconds)
            other_names = (existing["name"] for existing in self.metadata.buckets.values() if existing is not bucket)
            if name in other_names:
                raise RefusalError("conflict", "bucket name is not unique")
            bucket |= {"name": name, "description": request.get("description", bucket["description"])}
            bucket |= {"retentionRules": retention_rules(seconds), "updatedAt": moments()["updatedAt"]}
            duration = f"{seconds}s" if seconds else "INF"
            self._engine.run(f'ALTER RETENTION POLICY "autogen" ON "{identity}" DURATION {duration}')
        return HTTPStatus.OK, bucket

    def _delete_bucket(self, identity: str) -> Answer:
        self._demand(self._access(), "write", "buckets", identity)
        with self.metadata.changing():
            _one(self.metadata.buckets, identity, "bucket")
            del self.metadata.buckets[identity]
            mappings = self.metadata.mappings
            self.metadata.mappings = {
                key: mapping for key, mapping in mappings.items() if mapping["bucketID"] != identity
            }
            self._engine.run(f'DROP DATABASE "{identity}"')
        return HTTPStatus.NO_CONTENT, None

    # Authorizations: tokens, and those with a name and a password.

    def _authorization_list(self, stored: dict[str, Json]) -> Answer:
        access, query = self._access(), self._query
        organization = self.metadata.organization["id"]
        authorizations = [
            self._shown(authorization)
            for authorization in stored.values()
            if access.allows("read", "authorizations", organization, authorization["id"])
            and query.get("token", authorization["token"]) == authorization["token"]
            and query.get("userID", authorization["userID"]) == authorization["userID"]
            and query.get("orgID", authorization["orgID"]) == authorization["orgID"]
        ]
        return HTTPStatus.OK, {"links": {"self": "/api/v2/authorizations"}, "authorizations": authorizations}

    def _shown(self, authorization: Json) -> Json:
        """Return an authorization as the API shows it: with the organization's and user's names, and no password."""
        user = self.metadata.users.get(authorization["userID"], {})
        shown = {name: value for name, value in authorization.items() if name != "password"}
        return {**shown, "org": self.metadata.organization["name"], "user": user.get("name", "")}

    def _authorizations(self) -> Answer:
        return self._authorization_list(self.metadata.authorizations)

    def _legacy_authorizations(self) -> Answer:
        return self._authorization_list(self.metadata.legacy)

    def _create_authorization(self, *, legacy: bool = False) -> Answer:
        access, request = self._access(), self._document()
        with self.metadata.changing():
            authorization = self.metadata.add_authorization(request, access, legacy=legacy)
        return HTTPStatus.CREATED, self._shown(authorization)

    def _create_legacy_authorization(self) -> Answer:
        return self._create_authorization(legacy=True)

    def _stored(self) -> dict[str, Json]:
        legacy = urlsplit(self.path).path.startswith("/private")
        return self.metadata.legacy if legacy else self.metadata.authorizations

    def _authorization(self, identity: str) -> Answer:
        self._demand(self._access(), "read", "authorizations", identity)
        return HTTPStatus.OK, self._shown(_one(self._stored(), identity, "authorization"))

    def _change_authorization(self, identity: str) -> Answer:
        access, request = self._access(), self._document()
        self._demand(access, "write", "authorizations", identity)
        status = request.get("status", "active")
        if status not in {"active", "inactive"}:
            raise RefusalError("invalid", "status must be active or inactive")
        with self.metadata.changing():
            authorization = _one(self._stored(), identity, "authorization")
            authorization |= {name: request[name] for name in ("status", "description") if name in request}
            authorization["updatedAt"] = moments()["updatedAt"]
        return HTTPStatus.OK, self._shown(authorization)

    def _delete_authorization(self, identity: str) -> Answer:
        self._demand(self._access(), "write", "authorizations", identity)
        with self.metadata.changing():
            _one(self._stored(), identity, "authorization")
            del self._stored()[identity]
        return HTTPStatus.NO_CONTENT, None

    def _set_password(self, identity: str) -> Answer:
        access, request = self._access(), self._document()
        self._demand(access, "write", "authorizations", identity)
        with self.metadata.changing():
            authorization = _one(self.metadata.legacy, identity, "authorization")
            if len(request.get("password", "")) < 8:  # noqa: PLR2004 - InfluxDB's minimum
                raise RefusalError("invalid", "passwords must be at least 8 characters long")
            authorization["password"] = hashed(request["password"])
        return HTTPStatus.NO_CONTENT, None

    # Mappings of databases and retention policies.

    def _mappings(self) -> Answer:
        access, query = self._access(), self._query
        self._organization()
        default = query.get("default", "").lower() in {"true", "1", "t"}
        mappings = self.metadata.mappings_for(access, query.get("db", ""), query.get("rp", ""), default=default)
        content = [
            mapping
            for mapping in mappings
            if query.get("bucketID", mapping["bucketID"]) == mapping["bucketID"]
            and query.get("id", mapping["id"]) == mapping["id"]
        ]
        return HTTPStatus.OK, {"content": content}

    def _create_mapping(self) -> Answer:
        access, request = self._access(), self._document()
        self._organization(request)
        self._demand(access, "write", "buckets", request.get("bucketID", ""))
        with self.metadata.changing():
            mapping = self.metadata.add_mapping(request)
        return HTTPStatus.CREATED, mapping

    def _find_mapping(self, identity: str, action: str) -> Json:
        access = self._access()
        self._organization()
        bucket = self.metadata.buckets.get(identity)
        mapping = self.metadata.mappings.get(identity) or (bucket and self.metadata.virtual(bucket, default=True))
        if not mapping:
            raise RefusalError("not found", "unable to find DBRP")
        self._demand(access, action, "buckets", mapping["bucketID"])
        return mapping

    def _mapping(self, identity: str) -> Answer:
        return HTTPStatus.OK, {"content": self._find_mapping(identity, "read")}

    def _change_mapping(self, identity: str) -> Answer:
        request = self._document()
        with self.metadata.changing():
            mapping = self._find_mapping(identity, "write")
            if mapping["virtual"]:
                raise RefusalError("not found", "unable to find DBRP")
            mapping["retention_policy"] = request.get("retention_policy") or mapping["retention_policy"]
            if request.get("default"):
                self.metadata.set_default(mapping)
        return HTTPStatus.OK, {"content": mapping}

    def _delete_mapping(self, identity: str) -> Answer:
        with self.metadata.changing():
            mapping = self._find_mapping(identity, "write")
            if self.metadata.mappings.pop(identity, None) and mapping["default"]:
                same = (
                    existing
                    for existing in self.metadata.mappings.values()
                    if existing["database"] == mapping["database"]
                )
                if first := next(same, None):
                    self.metadata.set_default(first)
        return HTTPStatus.NO_CONTENT, None

    # Points.

    def _write(self) -> Answer:
        """Write as the API of InfluxDB 1 does; database and retention policy select the bucket."""
        access = self._legacy_access()
        database, policy = self._query.get("db", ""), self._query.get("rp", "")
        if not database:
            raise RefusalError("invalid", "missing db")
        mappings = self.metadata.mappings_for(access, database, policy, default=not policy)
        if not mappings:
            raise RefusalError("not found", "no dbrp mapping found")
        precision = self._query.get("precision", "")
        return self._write_lines(access, mappings[0]["bucketID"], precision if precision in _PRECISIONS else "ns")

    def _write_to_bucket(self) -> Answer:
        """Write as the API of InfluxDB 2 does; an id or a name selects the bucket."""
        access, precision = self._access(), self._query.get("precision") or "ns"
        if precision not in _PRECISIONS:
            raise RefusalError("invalid", "invalid precision; valid precision units are ns, us, ms, and s")
        name_or_id = self._query.get("bucket", "")
        if not name_or_id:
            raise RefusalError("not found", "bucket not found")
        self._organization()
        buckets = self.metadata.buckets
        identities = (key for key, bucket in buckets.items() if name_or_id in {key, bucket["name"]})
        identity = name_or_id if name_or_id in buckets else next(identities, "")
        if not identity:
            raise RefusalError("not found", f'bucket "{name_or_id}" not found')
        return self._write_lines(access, identity, precision)

    def _write_lines(self, access: Access, bucket: str, precision: str) -> Answer:
        if not access.allows("write", "buckets", self.metadata.organization["id"], bucket):
            raise RefusalError("forbidden", "insufficient permissions for write")
        if len(self._body) > LARGEST_REQUEST:
            raise RefusalError("request too large", "unable to read data: points batch is too large")
        if not self._body:
            raise RefusalError("invalid", "writing requires points")
        doubtful = (
            self._engine.write(SCRATCH, precision, line) for line in line_protocol.doubtful(self._body, precision)
        )
        if malformed := [reason for reason in doubtful if reason.startswith(_UNPARSED)]:
            raise RefusalError("invalid", "\n".join(malformed))
        if reason := self._engine.write(bucket, precision, self._body):
            if _PARTIAL.search(reason):
                raise RefusalError("unprocessable entity", f"failure writing points to database: {reason}")
            raise RefusalError("internal error", f"unexpected error writing points to database: {reason}")
        return HTTPStatus.NO_CONTENT, None

    def _ask(self) -> Answer:
        """Answer a query in InfluxQL; after a statement that fails, the others are not run."""
        access, form = self._legacy_access(), self._form()
        if not form.get("q", "").strip():
            raise RefusalError("invalid", 'missing required parameter "q"')
        results: list[Json] = []
        for statement in influxql.statements(form["q"]):
            failed = any("error" in result for result in results)
            result = {"error": "not executed"} if failed else self._run(access, statement, form)
            results.append({**result, "statement_id": len(results)})
        return HTTPStatus.OK, {"results": results}

    def _run(self, access: Access, statement: influxql.Statement, form: dict[str, str]) -> Json:
        database, metadata = statement.database(form.get("db", "")), self.metadata
        if missing := statement.not_implemented():
            return {"error": f"not implemented: {missing}"}
        if statement.begins("SHOW DATABASES"):
            names = dict.fromkeys(mapping["database"] for mapping in metadata.mappings_for(access))
            return {"series": [{"name": "databases", "columns": ["name"], "values": [[name] for name in names]}]}
        if statement.begins("SHOW RETENTION POLICIES"):
            if not database:
                return {"error": "database name required"}
            # Only buckets say how long points are kept.
            policies = [
                [mapping["retention_policy"], "0s", "168h0m0s", 1, mapping["default"]]
                for mapping in metadata.mappings_for(access, database)
            ]
            return {"series": [{"columns": _POLICIES, "values": policies}]}

        def bucket(name: str, policy: str) -> str:
            identity = self._find_bucket(access, name, policy)
            changes = statement.begins("DELETE") or statement.begins("DROP MEASUREMENT")
            if changes and not access.allows("write", "buckets", metadata.organization["id"], identity):
                raise RefusalError("unauthorized", f"write:buckets/{identity} is unauthorized")
            return identity

        try:
            kept = {"epoch", "params", "pretty"}
            parameters = {name: value for name, value in form.items() if name in kept}
            if form.get("db"):
                parameters["db"] = bucket(form["db"], form.get("rp", ""))
            text = statement.on_buckets(bucket, form.get("db", ""))
        except RefusalError as error:
            return {"error": error.message}
        return self._engine.query(text, parameters)

    def _find_bucket(self, access: Access, database: str, policy: str) -> str:
        if not database:
            raise RefusalError("invalid", "database name required")
        mappings = self.metadata.mappings_for(access, database)
        if not mappings:
            raise RefusalError("not found", f"database not found: {database}")
        matching = [
            mapping for mapping in mappings if (mapping["retention_policy"] == policy if policy else mapping["default"])
        ]
        if not matching:
            why = (
                f"retention policy not found: {policy}"
                if policy
                else f"default retention policy not set for: {database}"
            )
            raise RefusalError("not found", why)
        return str(matching[0]["bucketID"])

    ROUTES: dict[str, Callable[..., Answer]] = {  # noqa: RUF012 - a table
        "GET /api/v2/setup": _is_setup_allowed,
        "POST /api/v2/setup": _set_up,
        "POST /api/v2/signin": _sign_in,
        "POST /api/v2/signout": _sign_out,
        "GET /api/v2/orgs": _organizations,
        "GET /api/v2/orgs/ID": _one_organization,
        "GET /api/v2/buckets": _buckets,
        "POST /api/v2/buckets": _create_bucket,
        "GET /api/v2/buckets/ID": _bucket,
        "PATCH /api/v2/buckets/ID": _change_bucket,
        "DELETE /api/v2/buckets/ID": _delete_bucket,
        "GET /api/v2/authorizations": _authorizations,
        "POST /api/v2/authorizations": _create_authorization,
        "GET /api/v2/authorizations/ID": _authorization,
        "PATCH /api/v2/authorizations/ID": _change_authorization,
        "DELETE /api/v2/authorizations/ID": _delete_authorization,
        "GET /private/legacy/authorizations": _legacy_authorizations,
        "POST /private/legacy/authorizations": _create_legacy_authorization,
        "GET /private/legacy/authorizations/ID": _authorization,
        "PATCH /private/legacy/authorizations/ID": _change_authorization,
        "DELETE /private/legacy/authorizations/ID": _delete_authorization,
        "POST /private/legacy/authorizations/ID/password": _set_password,
        "GET /api/v2/dbrps": _mappings,
        "POST /api/v2/dbrps": _create_mapping,
        "GET /api/v2/dbrps/ID": _mapping,
        "PATCH /api/v2/dbrps/ID": _change_mapping,
        "DELETE /api/v2/dbrps/ID": _delete_mapping,
        "POST /write": _write,
        "POST /api/v2/write": _write_to_bucket,
        "GET /query": _ask,
        "POST /query": _ask,
    }


def _basic(value: str) -> tuple[str, str] | None:
    try:
        name, colon, password = base64.b64decode(value, validate=True).decode().partition(":")
    except ValueError:
        return None
    return (name, password) if colon else None


def _one(stored: dict[str, Json], identity: str, kind: str) -> Json:
    if identity not in stored:
        raise RefusalError("not found", f"{kind} not found")
    return stored[identity]


def _seconds(request: Json) -> int:
    """How long a bucket keeps points; zero is for ever."""
    rules = request.get("retentionRules") or [{}]
    seconds = rules[0].get("everySeconds", 0)
    if not isinstance(seconds, int) or seconds < 0:
        why = "expiration seconds must be greater than or equal to one second"
        raise RefusalError("unprocessable entity", why)
    return seconds


def main() -> None:
    """Serve until the process is ended; end with influxd if that does not start."""
    settings = os.environ | {"INFLUXDB_HTTP_BIND_ADDRESS": f"{loopback_address()}:0"}
    engine = subprocess.Popen([sys.argv[1], "run"], env=settings, stderr=subprocess.PIPE)
    assert engine.stderr  # noqa: S101 - it is a pipe
    for line in engine.stderr:
        _log(line)
        if listening := LISTENING.search(line.decode(errors="replace")):
            break
    else:
        sys.exit(engine.wait())
    threading.Thread(target=_follow, args=(engine.stderr,), daemon=True).start()
    Handler.address, Handler.metadata = listening[1], Metadata.read(Path(sys.argv[2]))
    _prepare(Handler.address, Handler.metadata)
    serve(Handler, engine=engine)


def _prepare(address: str, metadata: Metadata) -> None:
    """Make influxd's only user, if this is its first start, and empty the database of lines that are only parsed."""
    with metadata.changing():
        access = metadata.engine
    asking = Engine(address, **access)
    make = f"CREATE USER \"{access['username']}\" WITH PASSWORD '{access['password']}' WITH ALL PRIVILEGES"
    asking.ask("/query", {}, {"q": make})
    asking.run(f'DROP DATABASE "{SCRATCH}"')
    asking.run(f'CREATE DATABASE "{SCRATCH}"')
    asking.close()


def _follow(log: IO[Any]) -> None:
    for line in log:
        _log(line)


def _log(line: bytes) -> None:
    sys.stderr.buffer.write(line)
    sys.stderr.buffer.flush()


if __name__ == "__main__":
    main()
