"""Makes a token of InfluxDB 2 that reads and writes the buckets of a stack; the function `influxdb_access` calls it.

It runs in the network of InfluxDB and reaches nothing else: the password comes with the call, and the token goes back
as its result. The buckets, and the mappings by which `/write` and `/query` find them, are made if they are not there.
A bucket keeps points for as many days as the stack says; where the stack says 0, its retention stays as it is.

Of the tokens that it made before, the newest stays valid, so that whoever is writing with it can finish; older ones
end. A call ends with a token or with a reason, never with an exception.
"""

import base64
import http.client
import json
import os
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from datetime import datetime
from typing import Any

from contract.services import status_passes
from contract.timeseries import address

REQUEST_SECONDS = 10
#: The time that the requests of one attempt take at most, in seconds, with some to spare.
ATTEMPT_SECONDS = 90
WAIT_SECONDS = 5
#: Days of retention up to which InfluxDB itself makes shards of a day.
LONGEST_OF_DAILY_SHARDS = 182

Json = dict[str, Any]

trusted = ssl.create_default_context()


class NotNowError(Exception):
    """InfluxDB cannot be reached, or cannot take the request now."""


class RefusedError(Exception):
    """InfluxDB refuses the request.

    Args:
        status: The HTTP status.
        reason: What InfluxDB said.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"InfluxDB answered {status}: {reason}")
        self.status = status


def handler(event: Json, context: Any) -> Json:
    """Return `{"token": ...}`, or `{"error": ...}` with the reason.

    Args:
        event: `username` and `password` of the user for whom the token is made.
        context: Tells how much time is left.
    """
    while True:
        try:
            return {"token": make(event["username"], event["password"])}
        except RefusedError as error:
            return {"error": str(error)}
        except NotNowError as error:
            if context.get_remaining_time_in_millis() < (ATTEMPT_SECONDS + WAIT_SECONDS) * 1000:
                return {"error": str(error)}
            print(json.dumps({"event": "again", "reason": str(error)}))
            time.sleep(WAIT_SECONDS)


def make(username: str, password: str) -> str:
    """Sign in, make a token, and end those before the last one."""
    days: dict[str, int] = json.loads(os.environ["BUCKETS"])  # the first is that of the rows
    access = base64.b64encode(f"{username}:{password}".encode()).decode()
    _, headers = ask("POST", "/api/v2/signin", {"Authorization": f"Basic {access}"})
    session = {"Cookie": headers.get("Set-Cookie", "").partition(";")[0]}
    try:
        organization = find_organization(session, os.environ["ORGANIZATION"])
        buckets = {name: find_bucket(session, organization, name) for name in days}
        for name, bucket in buckets.items():
            map_database(session, organization, bucket, name)
            if days[name]:
                keep_points(session, bucket, days[name])
        description = f"Reads and writes the bucket {next(iter(days))}, for Groundwork."
        return make_token(session, organization, [*buckets.values()], description)
    finally:
        sign_out(session)


def find_organization(session: Json, name: str) -> str:
    """Return the id of the organization."""
    found, _ = ask("GET", f"/api/v2/orgs?{urllib.parse.urlencode({'org': name})}", session)
    return str(found["orgs"][0]["id"])


def find_bucket(session: Json, organization: str, name: str) -> str:
    """Return the id of the bucket, which is made if it is not there."""
    try:
        query = urllib.parse.urlencode({"orgID": organization, "name": name})
        found, _ = ask("GET", f"/api/v2/buckets?{query}", session)
        if found["buckets"]:
            return str(found["buckets"][0]["id"])
    except RefusedError as error:
        if error.status != http.HTTPStatus.NOT_FOUND:
            raise
    made, _ = ask("POST", "/api/v2/buckets", session, {"orgID": organization, "name": name, "retentionRules": []})
    return str(made["id"])


def map_database(session: Json, organization: str, bucket: str, name: str) -> None:
    """Let `/write` and `/query` find the bucket by its name as a database's."""
    query = urllib.parse.urlencode({"orgID": organization, "bucketID": bucket, "db": name})
    found, _ = ask("GET", f"/api/v2/dbrps?{query}", session)
    if not any(mapping["default"] for mapping in found["content"]):
        mapping = {"orgID": organization, "bucketID": bucket, "database": name}
        ask("POST", "/api/v2/dbrps", session, {**mapping, "retention_policy": "autogen", "default": True})


def keep_points(session: Json, bucket: str, days: int) -> None:
    """Have a bucket keep points for so many days."""
    shard_days = 1 if days <= LONGEST_OF_DAILY_SHARDS else 7  # a shard may not be longer than the retention
    rule = {"type": "expire", "everySeconds": days * 86400, "shardGroupDurationSeconds": shard_days * 86400}
    ask("PATCH", f"/api/v2/buckets/{bucket}", session, {"retentionRules": [rule]})


def make_token(session: Json, organization: str, buckets: list[str], description: str) -> str:
    """Make a token for the buckets, and end all but the newest of those before."""
    query = urllib.parse.urlencode({"orgID": organization})
    found, _ = ask("GET", f"/api/v2/authorizations?{query}", session)
    before = [token for token in found["authorizations"] if token["description"] == description]
    resources = [{"type": "buckets", "id": bucket, "orgID": organization} for bucket in buckets]
    permissions = [{"action": action, "resource": resource} for resource in resources for action in ("read", "write")]
    request = {"orgID": organization, "description": description, "permissions": permissions}
    made, _ = ask("POST", "/api/v2/authorizations", session, request)
    for token in sorted(before, key=lambda token: datetime.fromisoformat(token["createdAt"]))[:-1]:
        ask("DELETE", f"/api/v2/authorizations/{token['id']}", session)
    return str(made["token"])


def sign_out(session: Json) -> None:
    """End the session; it would end by itself within the hour."""
    try:
        ask("POST", "/api/v2/signout", session)
    except (NotNowError, RefusedError) as error:
        print(json.dumps({"event": "not signed out", "reason": str(error)}))


def ask(method: str, path: str, headers: Json, body: Json | None = None) -> tuple[Json, Any]:
    """Return the document and the headers of an answer.

    Raises:
        NotNowError: InfluxDB cannot be reached, or cannot take the request now.
        RefusedError: InfluxDB refuses the request.
    """
    content = json.dumps(body).encode() if body else None
    request = urllib.request.Request(  # noqa: S310
        address(os.environ["INFLUXDB_ENDPOINT"]) + path,
        content,
        {"Content-Type": "application/json", **headers},
        method=method,
    )
    try:
        with urllib.request.urlopen(request, timeout=REQUEST_SECONDS, context=trusted) as response:  # noqa: S310
            text = response.read()
            return json.loads(text) if text else {}, response.headers
    except urllib.error.HTTPError as error:
        reason = error.read()[:500].decode(errors="replace")
        if status_passes(error.code):
            raise NotNowError(f"InfluxDB answered {error.code}: {reason}") from error
        raise RefusedError(error.code, reason) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise NotNowError(f"InfluxDB cannot be reached: {error}") from error
