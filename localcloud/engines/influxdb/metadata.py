"""What InfluxDB 2 keeps beside points: its organization, user, buckets, authorizations and mappings, in one file.

Sources: influxdata/influxdb, branch main-2.x, `tenant/`, `authorization/`, `v1/authorization/`, `dbrp/`, `authz.go`.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from terminal import files

Json = dict[str, Any]

#: HTTP statuses of InfluxDB's codes (`kit/transport/http/error_handler.go`).
STATUSES = {
    "invalid": 400, "unauthorized": 401, "forbidden": 403, "not found": 404, "method not allowed": 405,
    "request too large": 413, "conflict": 422, "unprocessable entity": 422, "internal error": 500, "unavailable": 503,
}  # fmt: skip
EVERYTHING = [{"action": action, "resource": {"type": "any"}} for action in ("read", "write")]
SHORTEST_RETENTION_SECONDS = 3600
_ACTIONS = {"read", "write"}
_RESOURCE_TYPES = {
    "any", "authorizations", "buckets", "dashboards", "orgs", "sources", "tasks", "telegrafs", "users", "variables",
    "scrapers", "secrets", "labels", "views", "documents", "notificationRules", "notificationEndpoints", "checks",
    "dbrp", "notebooks", "annotations", "remotes", "replications", "instance", "flows", "functions", "subscriptions",
}  # fmt: skip


class RefusalError(Exception):
    """An error response of InfluxDB 2.

    Args:
        code: One of `STATUSES`.
        message: What is wrong.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


@dataclass(frozen=True)
class Access:
    """Who asks, and what they may do.

    Attributes:
        user: Id of the user.
        permissions: As authorizations have them.
    """

    user: str
    permissions: list[Json]

    def allows(self, action: str, kind: str, organization: str, identity: str = "") -> bool:
        """Return whether an action on a resource is allowed; without an identity, on all resources of its kind."""
        for permission in self.permissions:
            resource = permission["resource"]
            if permission["action"] != action or resource["type"] not in {kind, "any"}:
                continue
            resource_id, organization_id = resource.get("id"), resource.get("orgID")
            if (
                (not resource_id and not organization_id)
                or (organization_id == organization and not resource_id)
                or (identity and resource_id == identity)
            ):
                return True
        return False


@dataclass
class Metadata:
    """Everything but points; what changes it holds `changing`, which writes the file.

    Attributes:
        path: The file.
        engine: Name and password of influxd's only user.
        organization: Of an instance of Timestream there is one; empty before the instance is set up.
        users: By their ids.
        buckets: By their ids, which also name influxd's databases.
        authorizations: Tokens, by their ids.
        legacy: Authorizations with a name and a password, as InfluxDB 1 has them, by their ids.
        mappings: Databases and retention policies that somebody mapped to a bucket, by their ids.
        sessions: Ids of users, by what their cookies hold; they end with the process.
    """

    path: Path
    engine: Json = field(default_factory=lambda: {"username": "front", "password": secrets.token_hex()})
    organization: Json = field(default_factory=dict)
    users: dict[str, Json] = field(default_factory=dict)
    buckets: dict[str, Json] = field(default_factory=dict)
    authorizations: dict[str, Json] = field(default_factory=dict)
    legacy: dict[str, Json] = field(default_factory=dict)
    mappings: dict[str, Json] = field(default_factory=dict)
    sessions: dict[str, str] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    KEPT = ("engine", "organization", "users", "buckets", "authorizations", "legacy", "mappings")

    @classmethod
    def read(cls, path: Path) -> Metadata:
        """Return what a file holds, or that of a new instance."""
        return cls(path, **json.loads(path.read_bytes())) if path.exists() else cls(path)

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Let nobody else change it meanwhile, and write the file; if an error is raised, nothing has changed."""
        with self._lock:
            before = {name: json.dumps(getattr(self, name)) for name in self.KEPT}
            try:
                yield
                with files.replacing(self.path) as file:
                    os.fchmod(file.fileno(), 0o600)
                    file.write(json.dumps({name: getattr(self, name) for name in self.KEPT}).encode())
            except BaseException:
                for name, value in before.items():
                    setattr(self, name, json.loads(value))
                raise

    def sign_in(self, username: str, password: str) -> str:
        """Return what a cookie holds for a new session.

        Raises:
            RefusalError: The user does not exist, or the password is wrong.
        """
        for user in self.users.values():
            if user["name"] == username and matches(password, user["password"]):
                key = secrets.token_urlsafe(48)
                self.sessions[key] = user["id"]
                return key
        raise RefusalError("unauthorized", "unauthorized access")

    def by_session(self, key: str) -> Access | None:
        """Return the access of whoever signed in."""
        user = self.sessions.get(key)
        return Access(user, EVERYTHING) if user else None

    def by_token(self, token: str) -> Access | None:
        """Return the access that a token gives."""
        for authorization in self.authorizations.values():
            if secrets.compare_digest(authorization["token"].encode(), token.encode()):
                return (
                    Access(authorization["userID"], authorization["permissions"])
                    if authorization["status"] == "active"
                    else None
                )
        return None

    def by_name(self, name: str, password: str) -> Access | None:
        """Return the access of a v1 authorization; if none has that name, the password may be a token."""
        for authorization in self.legacy.values():
            if authorization["token"] == name:
                valid = authorization["status"] == "active" and matches(password, authorization.get("password", ""))
                return Access(authorization["userID"], authorization["permissions"]) if valid else None
        return self.by_token(password)

    def mappings_for(
        self, access: Access, database: str = "", policy: str = "", *, default: bool = False
    ) -> list[Json]:
        """Return the mappings that the caller may read: stored ones first, then those that follow from buckets' names.

        Args:
            access: The caller's access.
            database: Return only mappings of this database, if given.
            policy: Return only mappings of this retention policy, if given.
            default: Return only the default mappings of their databases.
        """

        def is_requested(mapping: Json) -> bool:
            names = (database or mapping["database"], policy or mapping["retention_policy"])
            return (mapping["database"], mapping["retention_policy"]) == names and (mapping["default"] or not default)

        mappings = [mapping for mapping in self.mappings.values() if is_requested(mapping)]
        mapped = {mapping["bucketID"] for mapping in mappings}
        virtual = (self.virtual(bucket, default=bucket["id"] not in mapped) for bucket in self.buckets.values())
        mappings += filter(is_requested, virtual)
        organization = self.organization["id"]
        return [mapping for mapping in mappings if access.allows("read", "buckets", organization, mapping["bucketID"])]

    def virtual(self, bucket: Json, *, default: bool) -> Json:
        """Return the mapping that a bucket has by its name, `database/policy` or `database`."""
        database, _, policy = bucket["name"].partition("/")
        return {
            "id": bucket["id"],
            "database": database,
            "retention_policy": policy or "autogen",
            "default": default,
            "orgID": self.organization["id"],
            "bucketID": bucket["id"],
            "virtual": True,
        }

    def add_user(self, name: str, password: str) -> Json:
        """Add a user."""
        user = {"id": new_id(), "name": name, "status": "active", "password": hashed(password)}
        self.users[user["id"]] = user
        return user

    def add_bucket(self, name: str, description: str, seconds: int) -> Json:
        """Add a bucket that keeps points for some time; zero is for ever.

        Raises:
            RefusalError: There is one of that name, or the name or the time is not allowed.
        """
        if not name:
            raise RefusalError("invalid", "bucket name is empty")
        self.check_bucket(name, seconds)
        if any(bucket["name"] == name for bucket in self.buckets.values()):
            raise RefusalError("conflict", f"bucket with name {name} already exists")
        bucket: Json = {
            "id": new_id(),
            "orgID": self.organization["id"],
            "type": "user",
            "name": name,
            "description": description,
            "retentionRules": retention_rules(seconds),
            **moments(),
        }
        self.buckets[bucket["id"]] = bucket
        return bucket

    def check_bucket(self, name: str, seconds: int) -> None:
        """Check a bucket's name and how long it keeps points.

        Raises:
            RefusalError: The name is a system bucket's, or the time is too short.
        """
        if name.startswith("_"):
            why = f"bucket name {name} is invalid. Buckets may not start with underscore"
            raise RefusalError("invalid", why)
        if '"' in name:
            raise RefusalError(
                "invalid", f"bucket name {name} is invalid. Bucket names may not include quotation marks"
            )
        if 0 < seconds < SHORTEST_RETENTION_SECONDS:
            raise RefusalError("unprocessable entity", "retention policy duration must be at least 1h0m0s")

    def add_authorization(self, request: Json, access: Access, *, legacy: bool = False) -> Json:
        """Add a token, or a v1 authorization with a name.

        Raises:
            RefusalError: The request is not valid, or grants more than the caller's own access.
        """
        permissions, organization = request.get("permissions") or [], request.get("orgID")
        if not permissions and not legacy:
            raise RefusalError("invalid", "authorization must include permissions")
        _check_permissions(permissions)
        if not organization:
            raise RefusalError("invalid", "org id required: invalid ID")
        self._check_grant(permissions, organization, access)
        store = self.legacy if legacy else self.authorizations
        if legacy and not request.get("token"):
            raise RefusalError("invalid", "token required for v1 user authorization type")
        if legacy and any(existing["token"] == request["token"] for existing in store.values()):
            raise RefusalError("conflict", "token already exists")
        authorization: Json = {
            "id": new_id(),
            "token": request["token"] if legacy else new_token(),
            "status": request.get("status") or "active",
            "description": request.get("description") or "",
            "orgID": organization,
            "userID": request.get("userID") or access.user,
            "permissions": permissions,
            **moments(),
        }
        store[authorization["id"]] = authorization
        return authorization

    def _check_grant(self, permissions: list[Json], organization: str, access: Access) -> None:
        """Check that somebody may make an authorization, and has what it gives.

        Raises:
            RefusalError: They may not, or have not.
        """
        if organization != self.organization["id"]:
            raise RefusalError("invalid", "unable to create token")
        if not access.allows("write", "authorizations", organization):
            raise RefusalError("unauthorized", f"write:orgs/{organization}/authorizations is unauthorized")
        for permission in permissions:
            action, resource = permission["action"], permission["resource"]
            if not access.allows(action, resource["type"], organization, resource.get("id", "")):
                raise RefusalError("forbidden", f"permission {action}:{resource['type']} is not allowed")

    def add_mapping(self, request: Json) -> Json:
        """Map a database and a retention policy to a bucket.

        Raises:
            RefusalError: The request is not valid, the bucket does not exist, or the pair is mapped already.
        """
        if not request.get("database") or not request.get("retention_policy"):
            raise RefusalError("invalid", "DBRP provided is invalid")
        if request.get("bucketID") not in self.buckets:
            raise RefusalError("not found", "bucket not found")
        same = [existing for existing in self.mappings.values() if existing["database"] == request["database"]]
        if any(existing["retention_policy"] == request["retention_policy"] for existing in same):
            raise RefusalError("conflict", "another DBRP mapping with same orgID, db, and rp exists")
        names = ("database", "retention_policy", "bucketID")
        mapping: Json = {"id": new_id(), **{name: request[name] for name in names}, "orgID": self.organization["id"]}
        mapping |= {"default": bool(request.get("default")) or not same, "virtual": False}
        self.mappings[mapping["id"]] = mapping
        if mapping["default"]:
            self.set_default(mapping)
        return mapping

    def set_default(self, mapping: Json) -> None:
        """Make a mapping the only default of its database."""
        for existing in self.mappings.values():
            if existing["database"] == mapping["database"]:
                existing["default"] = existing is mapping


def _check_permissions(permissions: list[Json]) -> None:
    for permission in permissions:
        if (permission.get("resource") or {}).get("type") not in _RESOURCE_TYPES:
            why = "invalid resource type for permission: unknown resource type for permission"
            raise RefusalError("invalid", why)
        if permission.get("action") not in _ACTIONS:
            raise RefusalError("invalid", "invalid action type for permission: unknown action for permission")


def retention_rules(seconds: int) -> list[Json]:
    """Return the rules of a bucket that keeps points for some time; zero is for ever."""
    week, day, hour = 7 * 86400, 86400, 3600
    group = week if not seconds or seconds >= 180 * day else day if seconds >= 2 * day else hour
    return [{"type": "expire", "everySeconds": seconds, "shardGroupDurationSeconds": group}]


def new_id() -> str:
    """Return an id as InfluxDB writes them: 16 hexadecimal digits, not all of them 0."""
    return f"0{1 + secrets.randbelow(2**60 - 1):015x}"


def new_token() -> str:
    """Return a token as InfluxDB makes them: 64 random bytes in base64."""
    return f"{secrets.token_urlsafe(64)}=="


def moments() -> Json:
    """Return when something is made."""
    now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    return {"createdAt": now, "updatedAt": now}


def hashed(password: str) -> str:
    """Return a password as it is kept."""
    salt = secrets.token_hex(16)
    return f"{salt}:{_digest(password, salt)}"


def matches(password: str, stored: str) -> bool:
    """Return whether a password has the stored salted digest."""
    salt, _, digest = stored.partition(":")
    return bool(salt) and secrets.compare_digest(_digest(password, salt), digest)


def _digest(password: str, salt: str) -> str:
    return hashlib.scrypt(password.encode(), salt=salt.encode(), n=2**10, r=8, p=1).hex()
