"""Spot instances that EC2 takes back: a notice in the instance's metadata, and two minutes later the host is gone.

moto gaps: interruptions of spot instances, and the metadata service, which answers here for the host of each job.
"""

import json
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from moto.moto_api._internal.urls import url_paths

from localcloud.cloud.background import endpoint
from localcloud.services.batch import hosts as job_hosts

NOTICE_SECONDS = 120.0
METADATA_PATH = "/moto-api/hosts/"
TOKEN = "local-metadata-token"  # noqa: S105 (answers on loopback alone)
Answer = tuple[int, dict[str, str], str]


def metadata_endpoint(job_id: str) -> str:
    """Where the metadata service of a job's host answers: for AWS_EC2_METADATA_SERVICE_ENDPOINT."""
    return f"{endpoint()}{METADATA_PATH}{job_id}/"


def _reclaim(request: Any, full_url: str, _headers: Any) -> Answer:
    """POST /moto-api/reclaim?job=ID&notice=SECONDS: take the host of a running job back."""
    asked = parse_qs(urlsplit(full_url).query)
    job, notice = asked.get("job", [""])[0], float(asked.get("notice", [NOTICE_SECONDS])[0])
    host = job_hosts.of(job)
    if request.method != "POST" or not host:
        return HTTPStatus.NOT_FOUND, {}, f"job {job} is not running"
    host.notify(notice)
    return HTTPStatus.OK, {}, "{}"


def _token(request: Any, _full_url: str, _headers: Any) -> Answer:
    if request.method != "PUT" or not request.headers.get("X-aws-ec2-metadata-token-ttl-seconds"):
        return HTTPStatus.BAD_REQUEST, {}, ""
    return HTTPStatus.OK, {}, TOKEN


def _instance_action(request: Any, full_url: str, _headers: Any) -> Answer:
    """As https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html has it."""
    if request.headers.get("X-aws-ec2-metadata-token") != TOKEN:
        return HTTPStatus.UNAUTHORIZED, {}, ""
    host = job_hosts.of(unquote(urlsplit(full_url).path.split("/")[3]))
    if not host or not host.time:
        return HTTPStatus.NOT_FOUND, {}, ""
    return HTTPStatus.OK, {}, json.dumps({"action": "terminate", "time": f"{host.time:%Y-%m-%dT%H:%M:%SZ}"})


ADDRESSES: dict[str, Any] = {
    "{0}/moto-api/reclaim$": _reclaim,
    f"{{0}}{METADATA_PATH}(?P<job>[^/]+)/latest/api/token$": _token,
    f"{{0}}{METADATA_PATH}(?P<job>[^/]+)/latest/meta-data/spot/instance-action$": _instance_action,
}
url_paths.clear()  # moto's own: who opens them could empty the cloud, or decide what it answers
url_paths.update(ADDRESSES)
