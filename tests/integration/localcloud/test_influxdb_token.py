"""The function that makes tokens, against the local InfluxDB."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
import urllib3

from localcloud.cloud import processes
from localcloud.services.timestreaminfluxdb import behaviour as influxdb
from tests.functions import load, with_time
from tests.influxdb import call, create_bucket

ACCESS = {"username": "groundwork", "password": "long enough"}
DESCRIPTION = "Reads and writes the bucket devops, for Groundwork."


class Instance(NamedTuple):
    """A running InfluxDB, and a token that may do everything."""

    url: str
    token: str

    def tokens(self) -> list[dict[str, Any]]:
        made = call(self.url, "GET", "/api/v2/authorizations", self.token)[1]["authorizations"]
        return [token for token in made if token["description"] == DESCRIPTION]

    def writes(self, token: str, bucket: str) -> int:
        headers = {"Authorization": f"Token {token}"}
        return urllib3.request("POST", f"{self.url}/write?db={bucket}", body="m x=1", headers=headers).status


@pytest.fixture
def instance(tmp_path: Any) -> Iterator[Instance]:
    process, port, token = influxdb.start(tmp_path, **ACCESS, bucket="first")
    yield Instance(f"http://localhost:{port}", token)
    processes.end(process)


@pytest.fixture
def maker(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> Any:
    values = {"INFLUXDB_ENDPOINT": instance.url.removeprefix("http://"), "ORGANIZATION": "local"}
    for name, value in (values | {"BUCKETS": '{"devops": 0, "devops_rollups": 0}'}).items():
        monkeypatch.setenv(name, value)
    module = load("influxdb_token")
    monkeypatch.setattr(module, "WAIT_SECONDS", 0)
    return module


def make(maker: Any, *, password: str = ACCESS["password"], seconds: tuple[float, ...] = (300,)) -> dict[str, Any]:
    result: dict[str, Any] = maker.handler({**ACCESS, "password": password}, with_time(*seconds))
    return result


class TestMaker:
    def test_a_token_reads_and_writes_its_bucket_which_is_made_and_nothing_else(
        self, maker: Any, instance: Instance
    ) -> None:
        token = make(maker)["token"]
        assert instance.writes(token, "devops") == 204
        assert instance.writes(token, "first") == 404
        [made] = instance.tokens()
        assert {permission["action"] for permission in made["permissions"]} == {"read", "write"}
        assert {permission["resource"]["type"] for permission in made["permissions"]} == {"buckets"}

    def test_a_bucket_that_is_there_stays_as_it_is(self, maker: Any, instance: Instance) -> None:
        bucket = create_bucket(instance.url, instance.token, "devops", 86400)
        assert instance.writes(make(maker)["token"], "devops") == 204
        found = call(instance.url, "GET", f"/api/v2/buckets/{bucket['id']}", instance.token)[1]
        assert found["retentionRules"][0]["everySeconds"] == 86400

    def test_all_buckets_of_a_stack_keep_points_for_as_long_as_it_says(
        self, maker: Any, instance: Instance, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("BUCKETS", '{"devops": 90, "devops_rollups": 400}')
        token = make(maker)["token"]
        for name, days in (("devops", 90), ("devops_rollups", 400)):
            assert instance.writes(token, name) == 204
            [bucket] = call(instance.url, "GET", f"/api/v2/buckets?name={name}", instance.token)[1]["buckets"]
            assert bucket["retentionRules"][0]["everySeconds"] == days * 86400

    def test_a_bucket_of_another_name_in_the_api_of_influxdb_1_is_found_by_its_own(
        self, maker: Any, instance: Instance
    ) -> None:
        bucket = create_bucket(instance.url, instance.token, "devops")
        mapping = {"orgID": bucket["orgID"], "bucketID": bucket["id"], "retention_policy": "autogen"}
        assert call(instance.url, "POST", "/api/v2/dbrps", instance.token, **mapping, database="other")[0] == 201
        assert instance.writes(make(maker)["token"], "devops") == 204

    def test_the_token_before_stays_valid_and_older_ones_end(self, maker: Any, instance: Instance) -> None:
        tokens = [make(maker)["token"] for _ in range(3)]
        assert [instance.writes(token, "devops") for token in tokens] == [401, 204, 204]

    def test_nobody_stays_signed_in(self, maker: Any, monkeypatch: pytest.MonkeyPatch, instance: Instance) -> None:
        sessions: list[str] = []
        ask = maker.ask

        def remember(method: str, path: str, headers: dict[str, str], body: Any = None) -> Any:
            sessions.extend(filter(None, [headers.get("Cookie")]))
            return ask(method, path, headers, body)

        monkeypatch.setattr(maker, "ask", remember)
        make(maker)
        assert len(set(sessions)) == 1
        headers = {"Cookie": sessions[0]}
        assert urllib3.request("GET", f"{instance.url}/api/v2/buckets", headers=headers).status == 401

    def test_a_wrong_password_is_a_reason_at_once(self, maker: Any) -> None:
        assert make(maker, password="wrong", seconds=()) == {  # noqa: S106
            "error": 'InfluxDB answered 401: {"code": "unauthorized", "message": "unauthorized access"}\n'
        }

    def test_an_instance_that_does_not_answer_is_asked_until_the_time_is_over(
        self, maker: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv("INFLUXDB_ENDPOINT", "localhost:9")
        assert make(maker, seconds=(300, 200, 89))["error"].startswith("InfluxDB cannot be reached")
        assert capsys.readouterr().out.count("again") == 2
