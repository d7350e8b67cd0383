"""Spot instances that EC2 takes back: a notice in the instance's metadata, and two minutes later the host is gone.

moto gaps: interruptions of spot instances, and the metadata service, which answers here for the host of each job.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from localcloud.cloud.context import Cloud
from localcloud.hooks import address
from localcloud.services.batch import hosts as job_hosts

NOTICE_SECONDS = 120.0
METADATA_PATH = "/moto-api/hosts/"
TOKEN = "local-metadata-token"  # noqa: S105 - answers on loopback only
Response = tuple[int, dict[str, str], str]


def metadata_endpoint(cloud: Cloud, job_id: str) -> str:
    """Return where the metadata service of a job's host answers: for AWS_EC2_METADATA_SERVICE_ENDPOINT."""
    return f"{cloud.endpoint}{METADATA_PATH}{job_id}/"


@address("{0}/moto-api/reclaim$")
def _reclaim(cloud: Cloud, request: Any, full_url: str, _headers: Any) -> Response:
    """Take the host of a running job back: POST /moto-api/reclaim?job=ID&notice=SECONDS."""
    query = parse_qs(urlsplit(full_url).query)
    job, notice = query.get("job", [""])[0], float(query.get("notice", [NOTICE_SECONDS])[0])
    host = job_hosts.of(cloud, job)
    if request.method != "POST" or not host:
        return HTTPStatus.NOT_FOUND, {}, f"job {job} is not running"
    host.notify(notice)
    return HTTPStatus.OK, {}, "{}"


@address(f"{{0}}{METADATA_PATH}(?P<job>[^/]+)/latest/api/token$")
def _token(request: Any, _full_url: str, _headers: Any) -> Response:
    if request.method != "PUT" or not request.headers.get("X-aws-ec2-metadata-token-ttl-seconds"):
        return HTTPStatus.BAD_REQUEST, {}, ""
    return HTTPStatus.OK, {}, TOKEN


@address(f"{{0}}{METADATA_PATH}(?P<job>[^/]+)/latest/meta-data/spot/instance-action$")
def _instance_action(cloud: Cloud, request: Any, full_url: str, _headers: Any) -> Response:
    """As https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html has it."""
    if request.headers.get("X-aws-ec2-metadata-token") != TOKEN:
        return HTTPStatus.UNAUTHORIZED, {}, ""
    host = job_hosts.of(cloud, unquote(urlsplit(full_url).path.split("/")[3]))
    if not host or not host.time:
        return HTTPStatus.NOT_FOUND, {}, ""
    return HTTPStatus.OK, {}, json.dumps({"action": "terminate", "time": f"{host.time:%Y-%m-%dT%H:%M:%SZ}"})
