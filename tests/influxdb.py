"""Buckets and tokens of an InfluxDB that a test has started."""

from __future__ import annotations

import base64
from typing import Any

import urllib3


def call(url: str, method: str, path: str, token: str = "", /, **body: Any) -> tuple[int, Any]:
    """Status and document of a request to the API of InfluxDB 2."""
    headers = {"Authorization": f"Token {token}"} if token else {}
    response = urllib3.request(method, url + path, headers=headers, json=body or None)
    return response.status, response.json() if response.data else None


def create_bucket(url: str, token: str, name: str, seconds: int = 0) -> dict[str, Any]:
    """Create a bucket that keeps points for some time; zero is for ever."""
    organization = call(url, "GET", "/api/v2/orgs", token)[1]["orgs"][0]["id"]
    rules = [{"type": "expire", "everySeconds": seconds}]
    status, bucket = call(
        url, "POST", "/api/v2/buckets", token, orgID=organization, name=name, retentionRules=rules if seconds else []
    )
    assert status == 201, bucket
    return dict(bucket)


def keep_points(url: str, token: str, name: str, seconds: int) -> None:
    """Change for how long a bucket keeps points."""
    [bucket] = call(url, "GET", f"/api/v2/buckets?name={name}", token)[1]["buckets"]
    rules = [{"type": "expire", "everySeconds": seconds}]
    status, changed = call(url, "PATCH", f"/api/v2/buckets/{bucket['id']}", token, retentionRules=rules)
    assert status == 200, changed


def permissions(bucket: dict[str, Any], *actions: str) -> list[dict[str, Any]]:
    """What lets somebody do something with one bucket."""
    resource = {"type": "buckets", "id": bucket["id"], "orgID": bucket["orgID"]}
    return [{"action": action, "resource": resource} for action in actions]


def create_token(url: str, token: str, bucket: dict[str, Any], *actions: str) -> dict[str, Any]:
    """Create a token that is limited to one bucket."""
    status, made = call(
        url, "POST", "/api/v2/authorizations", token, orgID=bucket["orgID"], permissions=permissions(bucket, *actions)
    )
    assert status == 201, made
    return dict(made)


def basic(username: str, password: str) -> str:
    """The header that presents a name and a password."""
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()
