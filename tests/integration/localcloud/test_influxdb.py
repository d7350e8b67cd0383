"""The front of InfluxDB treats writes as InfluxDB 2 on AWS does, not as the InfluxDB 1 behind it."""

import base64
import json
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
import urllib3

from localcloud.cloud import processes
from localcloud.services.timestreaminfluxdb import behaviour as influxdb

ACCESS = {"username": "admin", "password": "secret"}
HEADERS = {"Authorization": "Basic " + base64.b64encode(b"admin:secret").decode()}
NOW = time.time_ns()


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    process, port = influxdb.start(tmp_path_factory.mktemp("influxdb"), **ACCESS, database="metrics")
    yield f"http://localhost:{port}"
    processes.end(process)


def write(url: str, lines: str, **parameters: str) -> tuple[int, Any]:
    query = urlencode({"db": "metrics", **parameters})
    answer = urllib3.request("POST", f"{url}/write?{query}", body=lines, headers=HEADERS)
    return answer.status, json.loads(answer.data) if answer.data else None


def select(url: str, statement: str) -> list[list[Any]]:
    query = urlencode({"db": "metrics", "epoch": "ns", "q": statement})
    answer = urllib3.request("POST", f"{url}/query?{query}", headers=HEADERS)
    [result] = answer.json()["results"]
    return [values for series in result.get("series", []) for values in series["values"]]


@pytest.mark.parametrize(
    ("precision", "unit"),
    [("ns", 1), ("us", 10**3), ("ms", 10**6), ("s", 10**9), ("u", 1), ("n", 1), ("m", 1), ("", 1), (None, 1)],
)
def test_precisions_are_those_of_influxdb_2_and_any_other_counts_as_nanoseconds(
    url: str, precision: str | None, unit: int
) -> None:
    measurement = f"precision_{precision}"
    moment = NOW // unit
    given = {} if precision is None else {"precision": precision}
    assert write(url, f"{measurement} x=1 {moment}", **given) == (204, None)
    assert select(url, f'SELECT x FROM "{measurement}"') == [[moment * unit, 1]]  # noqa: S608 - a name of ours


def test_a_partial_write_is_answered_422_and_the_rest_is_written(url: str) -> None:
    assert write(url, f"partial x=1 {NOW}") == (204, None)
    status, answer = write(url, f'partial x="text" {NOW + 1}\npartial x=3 {NOW + 2}')
    assert status == 422
    assert answer["code"] == "unprocessable entity"
    assert answer["message"].startswith("failure writing points to database: partial write: field type conflict")
    assert answer["message"].endswith("dropped=1")
    assert [values[1] for values in select(url, "SELECT x FROM partial")] == [1, 3]


def test_a_malformed_line_is_a_bad_request(url: str) -> None:
    status, answer = write(url, "no fields")
    assert status == 400
    assert "unable to parse 'no fields'" in answer["error"]


def test_without_the_password_nothing_is_written(url: str) -> None:
    assert urllib3.request("POST", f"{url}/write?db=metrics", body="m x=1").status == 401
