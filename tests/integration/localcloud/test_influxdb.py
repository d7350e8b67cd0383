"""The front of InfluxDB answers as InfluxDB 2 on AWS does, not as the InfluxDB 1 behind it."""

from __future__ import annotations

import gzip
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

import pytest
import urllib3

from localcloud.cloud import processes
from localcloud.errors import LocalCloudError
from localcloud.services.timestreaminfluxdb import behaviour as influxdb
from tests.influxdb import basic, call, create_bucket, create_token, permissions

ACCESS = {"username": "admin", "password": "it's \\ secret"}
NOW = time.time_ns()


class Instance(NamedTuple):
    """A running instance and what its user may present."""

    url: str
    token: str
    organization: str

    def call(self, method: str, path: str, token: str | None = None, /, **body: Any) -> tuple[int, Any]:
        return call(self.url, method, path, self.token if token is None else token, **body)

    def bucket(self, name: str, seconds: int = 0) -> dict[str, Any]:
        return create_bucket(self.url, self.token, name, seconds)

    def write(self, lines: str | bytes, path: str = "/write", access: str = "", **parameters: str) -> tuple[int, Any]:
        query = urlencode({"db": "metrics", **parameters})
        headers = {"Authorization": access or f"Token {self.token}"}
        response = urllib3.request("POST", f"{self.url}{path}?{query}", body=lines, headers=headers)
        return response.status, response.json() if response.data else None

    def query(self, statement: str, access: str = "", **parameters: str) -> tuple[int, Any]:
        query = urlencode({"db": "metrics", "epoch": "ns", "q": statement, **parameters})
        headers = {"Authorization": access or f"Token {self.token}"}
        response = urllib3.request("POST", f"{self.url}/query?{query}", headers=headers)
        return response.status, response.json()

    def select(self, statement: str, access: str = "", **parameters: str) -> list[list[Any]]:
        [result] = self.query(statement, access, **parameters)[1]["results"]
        return [values for series in result.get("series", []) for values in series["values"]]

    def error(self, statement: str, access: str = "", **parameters: str) -> str:
        [result] = self.query(statement, access, **parameters)[1]["results"]
        return str(result["error"])


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    process, port, token = influxdb.start(tmp_path_factory.mktemp("influxdb"), **ACCESS, bucket="metrics")
    url = f"http://localhost:{port}"
    yield Instance(url, token, call(url, "GET", "/api/v2/orgs", token)[1]["orgs"][0]["id"])
    processes.end(process)


def unauthorized(answer: tuple[int, Any]) -> bool:
    return answer[0] == 401 and answer[1]["code"] == "unauthorized"


class TestWhoAsks:
    def test_a_users_password_opens_neither_write_nor_query(self, instance: Instance) -> None:
        password = basic(**ACCESS)
        assert unauthorized(instance.write("m x=1", access=password))
        assert unauthorized(instance.query("SHOW MEASUREMENTS", password))
        u_and_p = {"u": ACCESS["username"], "p": ACCESS["password"]}
        assert unauthorized(instance.write("m x=1", access="none", **u_and_p))

    def test_nobody_and_an_unknown_token_are_refused(self, instance: Instance) -> None:
        assert urllib3.request("POST", f"{instance.url}/write?db=metrics", body="m x=1").status == 401
        assert unauthorized(instance.write("m x=1", access="Token unknown"))
        assert unauthorized(instance.call("GET", "/api/v2/buckets", ""))
        assert unauthorized(instance.call("GET", "/api/v2/nothing", ""))

    def test_a_token_may_stand_for_a_password(self, instance: Instance) -> None:
        assert instance.write(f"stand x=1 {NOW}", access=basic("anybody", instance.token))[0] == 204
        assert instance.write(f"stand x=1 {NOW}", access=f"Token anybody:{instance.token}")[0] == 204
        assert instance.write(f"stand x=1 {NOW}", access="none", u="anybody", p=instance.token)[0] == 204

    def test_a_v1_authorization_has_a_password_of_its_own(self, instance: Instance) -> None:
        bucket = instance.bucket("legacy")
        request = {
            "orgID": instance.organization,
            "token": "telegraf",
            "permissions": permissions(bucket, "read", "write"),
        }
        status, made = instance.call("POST", "/private/legacy/authorizations", **request)
        assert (status, made["token"]) == (201, "telegraf")
        name = basic("telegraf", "long enough")
        assert unauthorized(instance.write("m x=1", access=name, db="legacy"))  # it has no password yet
        path = f"/private/legacy/authorizations/{made['id']}"
        assert instance.call("POST", f"{path}/password", password="long enough")[0] == 204  # noqa: S106
        assert instance.write("m x=1", access=name, db="legacy")[0] == 204
        assert instance.select("SELECT x FROM m", name, db="legacy")
        assert unauthorized(instance.write("m x=1", access=basic("telegraf", "another one"), db="legacy"))
        assert instance.call("PATCH", path, status="inactive")[0] == 200
        assert unauthorized(instance.write("m x=1", access=name, db="legacy"))

    def test_who_signs_in_gets_a_session_until_they_sign_out(self, instance: Instance) -> None:
        def sign_in(access: str) -> urllib3.BaseHTTPResponse:
            return urllib3.request("POST", f"{instance.url}/api/v2/signin", headers={"Authorization": access})

        assert sign_in(basic("admin", "wrong")).status == 401
        assert sign_in(f"Token {instance.token}").status == 401
        response = sign_in(basic(**ACCESS))
        assert response.status == 204
        cookie = {"Cookie": response.headers["Set-Cookie"].partition(";")[0]}
        assert urllib3.request("GET", f"{instance.url}/api/v2/buckets", headers=cookie).status == 200
        assert urllib3.request("POST", f"{instance.url}/write?db=metrics", body="m x=1", headers=cookie).status == 401
        assert urllib3.request("POST", f"{instance.url}/api/v2/signout", headers=cookie).status == 204
        assert urllib3.request("GET", f"{instance.url}/api/v2/buckets", headers=cookie).status == 401

    def test_a_token_reaches_its_bucket_only(self, instance: Instance) -> None:
        mine, other = instance.bucket("mine"), instance.bucket("other")
        token = create_token(instance.url, instance.token, mine, "read", "write")
        access = f"Token {token['token']}"
        assert instance.write("m x=1", access=access, db="mine")[0] == 204
        assert instance.write("m x=2", db="other")[0] == 204
        assert instance.select("SELECT x FROM m", access, db="mine")[0][1] == 1
        assert instance.write("m x=1", access=access, db="other") == (
            404,
            {"code": "not found", "message": "no dbrp mapping found"},
        )
        for database in ("other", other["id"]):
            statement = f'SELECT x FROM "{database}".."m"'  # noqa: S608 - a name of ours
            assert "database not found" in instance.error(statement, access, db="mine")
        assert instance.error("SELECT x FROM m", access, db="other") == "database not found: other"
        assert instance.select("SHOW DATABASES", access) == [["mine"]]
        buckets = instance.call("GET", "/api/v2/buckets", token["token"])[1]["buckets"]
        assert [bucket["name"] for bucket in buckets] == ["mine"]
        assert instance.call("POST", "/api/v2/buckets", token["token"], orgID=mine["orgID"], name="x")[0] == 401
        grant = {"orgID": mine["orgID"], "permissions": permissions(other, "read")}
        assert instance.call("POST", "/api/v2/authorizations", token["token"], **grant)[0] == 401

    def test_a_token_that_may_not_write_is_forbidden_to(self, instance: Instance) -> None:
        bucket = instance.bucket("read")
        token = create_token(instance.url, instance.token, bucket, "read")
        refusal = {"code": "forbidden", "message": "insufficient permissions for write"}
        assert instance.write("m x=1", access=f"Token {token['token']}", db="read") == (403, refusal)
        assert "unauthorized" in instance.error("DELETE FROM m", f"Token {token['token']}", db="read")

    def test_a_token_that_may_not_read_finds_no_database(self, instance: Instance) -> None:
        token = create_token(instance.url, instance.token, instance.bucket("write"), "write")
        assert instance.write("m x=1", access=f"Token {token['token']}", db="write")[0] == 404
        parameters = {"org": "local", "bucket": "write"}
        assert instance.write("m x=1", "/api/v2/write", f"Token {token['token']}", **parameters)[0] == 204

    def test_a_token_ends_with_its_authorization(self, instance: Instance) -> None:
        token = create_token(instance.url, instance.token, instance.bucket("ends"), "read", "write")
        path = f"/api/v2/authorizations/{token['id']}"
        assert instance.call("PATCH", path, status="inactive")[1]["status"] == "inactive"
        assert unauthorized(instance.write("m x=1", access=f"Token {token['token']}", db="ends"))
        assert instance.call("DELETE", path)[0] == 204
        assert instance.call("GET", path)[0] == 404

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"permissions": []}, "authorization must include permissions"),
            ({"orgID": ""}, "org id required"),
            ({"permissions": [{"action": "read", "resource": {"type": "cupboards"}}]}, "invalid resource type"),
            ({"permissions": [{"action": "see", "resource": {"type": "buckets"}}]}, "invalid action type"),
        ],
    )
    def test_an_authorization_that_says_nothing_valid_is_invalid(
        self, instance: Instance, change: dict[str, Any], message: str
    ) -> None:
        request = {"orgID": instance.organization, "permissions": [{"action": "read", "resource": {"type": "buckets"}}]}
        status, answer = instance.call("POST", "/api/v2/authorizations", **request | change)
        assert (status, answer["code"]) == (400, "invalid")
        assert message in answer["message"]


class TestWrites:
    @pytest.mark.parametrize(
        ("precision", "unit"),
        [("ns", 1), ("us", 10**3), ("ms", 10**6), ("s", 10**9), ("u", 1), ("n", 1), ("m", 1), ("", 1), (None, 1)],
    )
    def test_precisions_are_those_of_influxdb_2_and_any_other_counts_as_nanoseconds(
        self, instance: Instance, precision: str | None, unit: int
    ) -> None:
        measurement, moment = f"precision_{precision}", NOW // unit
        parameters = {} if precision is None else {"precision": precision}
        assert instance.write(f"{measurement} x=1 {moment}", **parameters) == (204, None)
        assert instance.select(f'SELECT x FROM "{measurement}"') == [[moment * unit, 1]]  # noqa: S608 - a name of ours

    def test_the_newer_path_refuses_unknown_precisions(self, instance: Instance) -> None:
        place = {"org": "local", "bucket": "metrics"}
        assert instance.write(f"newer x=1 {NOW // 1000}", "/api/v2/write", precision="us", **place) == (204, None)
        assert instance.select("SELECT x FROM newer") == [[NOW // 1000 * 1000, 1]]
        status, answer = instance.write("newer x=1", "/api/v2/write", precision="u", **place)
        assert (status, answer["message"]) == (400, "invalid precision; valid precision units are ns, us, ms, and s")

    @pytest.mark.parametrize(
        ("place", "status", "message"),
        [
            ({"bucket": "metrics"}, 400, "Please provide either orgID or org"),
            ({"org": "nobody", "bucket": "metrics"}, 404, 'organization name "nobody" not found'),
            ({"org": "local"}, 404, "bucket not found"),
            ({"org": "local", "bucket": "nowhere"}, 404, 'bucket "nowhere" not found'),
        ],
    )
    def test_the_newer_path_names_what_is_not_there(
        self, instance: Instance, place: dict[str, str], status: int, message: str
    ) -> None:
        found, answer = instance.write("m x=1", "/api/v2/write", **place)
        assert (found, answer["message"]) == (status, message)

    def test_a_partial_write_is_answered_422_and_the_rest_is_written(self, instance: Instance) -> None:
        assert instance.write(f"partial x=1 {NOW}") == (204, None)
        status, answer = instance.write(f'partial x="text" {NOW + 1}\npartial x=3 {NOW + 2}')
        assert status == 422
        assert answer["code"] == "unprocessable entity"
        assert answer["message"].startswith("failure writing points to database: partial write: field type conflict")
        assert answer["message"].endswith("dropped=1")
        assert [values[1] for values in instance.select("SELECT x FROM partial")] == [1, 3]

    @pytest.mark.parametrize(
        "line",
        [
            "no_fields",
            "m x=",
            "m x=1 tomorrow",
            "m,tag x=1",
            "m,a=1,a=2 x=1",
            'm x="open',
            "m x=1 9999999999999999999",
            "m x=1i2",
            "m x=tru",
            "m,=1 x=1",
            "m =1",
            "m x=1,",
            "m x=1 2 3",
        ],
    )
    def test_one_malformed_line_refuses_the_whole_request(self, instance: Instance, line: str) -> None:
        for lines in (f"whole x=1 {NOW}\n{line}", f'{line}\nwhole,a=b y="two\nlines",x=1 {NOW}\n'):
            status, answer = instance.write(lines)
            assert (status, answer["code"]) == (400, "invalid")
            assert "unable to parse" in answer["message"]
        assert instance.select("SELECT * FROM whole") == []

    def test_a_time_too_large_for_its_precision_is_malformed(self, instance: Instance) -> None:
        assert instance.write(f"large x=1 {NOW}", precision="s")[0] == 400
        assert instance.write(f"large x=1 {NOW}", precision="ns")[0] == 204

    def test_lines_of_every_kind_are_taken(self, instance: Instance) -> None:
        lines = [
            "# a comment",
            "",
            f'kinds,tag=a x=1,y=2i,z=t,text="a \\"quoted\\" text, and a\nline" {NOW}',
            f'kinds,tag="quoted" x=-1.5e3 {NOW + 1}',
            f"kinds,a\\ tag=a\\,b\\=c x=.5 {NOW + 2}",
            f"   kinds x=1 {NOW + 3}",
            "kinds x=1",
        ]
        assert instance.write("\n".join(lines)) == (204, None)
        assert len(instance.select("SELECT x FROM kinds")) == 5

    def test_packed_requests_are_taken(self, instance: Instance) -> None:
        def write(body: bytes) -> int:
            headers = {"Authorization": f"Token {instance.token}", "Content-Encoding": "gzip"}
            return urllib3.request("POST", f"{instance.url}/write?db=metrics", body=body, headers=headers).status

        assert write(gzip.compress(f"packed x=1 {NOW}".encode())) == 204
        assert instance.select("SELECT x FROM packed") == [[NOW, 1]]
        assert write(b"not packed") == 400

    def test_a_request_that_is_empty_or_too_large_is_refused(self, instance: Instance) -> None:
        assert instance.write("") == (400, {"code": "invalid", "message": "writing requires points"})
        status, answer = instance.write(b"m x=1 1\n" * 6_250_001)
        assert (status, answer["code"]) == (413, "request too large")
        assert instance.write("m x=1", db="") == (400, {"code": "invalid", "message": "missing db"})


class TestBuckets:
    def test_a_bucket_keeps_points_for_as_long_as_it_says(self, instance: Instance) -> None:
        bucket = instance.bucket("short", seconds=3600)
        status, answer = instance.write(f"m x=1 {NOW - 2 * 3600 * 10**9}\nm x=2 {NOW}", db="short")
        assert (status, answer["code"]) == (422, "unprocessable entity")
        assert instance.select("SELECT x FROM m", db="short") == [[NOW, 2]]
        found = instance.call("GET", "/api/v2/buckets?name=short")[1]["buckets"]
        assert [one["retentionRules"][0]["everySeconds"] for one in found] == [3600]
        rules = [{"type": "expire", "everySeconds": 86400}]
        assert instance.call("PATCH", f"/api/v2/buckets/{bucket['id']}", retentionRules=rules)[0] == 200
        assert instance.write(f"m x=1 {NOW - 2 * 3600 * 10**9}", db="short")[0] == 204

    def test_influxql_does_not_tell_how_long(self, instance: Instance) -> None:
        instance.bucket("told", seconds=7200)
        assert instance.select('SHOW RETENTION POLICIES ON "told"') == [["autogen", "0s", "168h0m0s", 1, True]]

    @pytest.mark.parametrize(
        ("request_", "status"),
        [
            ({"name": "metrics"}, 422),
            ({"name": "_own"}, 400),
            ({"name": ""}, 400),
            ({"name": "brief", "retentionRules": [{"type": "expire", "everySeconds": 60}]}, 422),
            ({"name": "x", "orgID": ""}, 400),
        ],
    )
    def test_what_no_bucket_can_be_is_refused(self, instance: Instance, request_: dict[str, Any], status: int) -> None:
        assert instance.call("POST", "/api/v2/buckets", **{"orgID": instance.organization} | request_)[0] == status

    def test_a_bucket_that_is_gone_is_not_found(self, instance: Instance) -> None:
        bucket = instance.bucket("gone")
        path = f"/api/v2/buckets/{bucket['id']}"
        assert instance.write("m x=1", db="gone")[0] == 204
        assert instance.call("DELETE", path)[0] == 204
        assert instance.call("GET", path) == (404, {"code": "not found", "message": "bucket not found"})
        assert instance.call("GET", "/api/v2/buckets?name=gone")[0] == 404
        assert instance.write("m x=1", db="gone")[0] == 404
        instance.bucket("gone")
        assert instance.select("SELECT x FROM m", db="gone") == []


class TestMappings:
    def test_a_buckets_name_is_a_database_and_a_policy(self, instance: Instance) -> None:
        instance.bucket("telegraf/week", seconds=7 * 86400)
        assert instance.write("m x=1", db="telegraf", rp="week")[0] == 204
        assert instance.select("SELECT x FROM m", db="telegraf", rp="week")[0][1] == 1
        assert instance.select('SELECT x FROM "week"."m"', db="telegraf")[0][1] == 1
        assert instance.select('SELECT x FROM "telegraf"."week"."m" WHERE x = 1')[0][1] == 1
        assert instance.write("m x=1", db="telegraf", rp="year")[0] == 404
        assert instance.error("SELECT x FROM m", db="telegraf", rp="year") == "retention policy not found: year"
        assert ["telegraf"] in instance.select("SHOW DATABASES")

    def test_a_mapping_gives_a_bucket_another_name(self, instance: Instance) -> None:
        bucket = instance.bucket("plain")
        request = {"orgID": instance.organization, "bucketID": bucket["id"], "database": "alias"}
        request |= {"retention_policy": "autogen"}
        status, made = instance.call("POST", "/api/v2/dbrps", **request)
        assert (status, made["default"], made["virtual"]) == (201, True, False)
        assert instance.write("m x=1", db="alias")[0] == 204
        assert instance.select("SELECT x FROM m", db="alias")[0][1] == 1
        assert instance.select('SELECT x FROM "alias".."m"')[0][1] == 1
        assert instance.call("POST", "/api/v2/dbrps", **request)[1]["code"] == "conflict"
        content = instance.call("GET", "/api/v2/dbrps?org=local&db=alias")[1]["content"]
        assert [one["bucketID"] for one in content] == [bucket["id"]]
        assert instance.call("GET", "/api/v2/dbrps")[0] == 400
        assert instance.call("DELETE", f"/api/v2/dbrps/{made['id']}?org=local")[0] == 204
        assert instance.write("m x=1", db="alias")[0] == 404

    def test_one_mapping_of_a_database_is_the_default(self, instance: Instance) -> None:
        buckets = [instance.bucket(f"default{number}") for number in range(2)]
        made = []
        for bucket, policy in zip(buckets, ("day", "week"), strict=True):
            request = {"orgID": instance.organization, "bucketID": bucket["id"], "database": "defaults"}
            made.append(instance.call("POST", "/api/v2/dbrps", **request, retention_policy=policy)[1])
        assert [one["default"] for one in made] == [True, False]
        assert instance.write("m x=1", db="defaults")[0] == 204
        assert instance.select("SELECT x FROM m", db="default0")
        assert instance.call("PATCH", f"/api/v2/dbrps/{made[1]['id']}?org=local", default=True)[0] == 200
        assert instance.write("n x=1", db="defaults")[0] == 204
        assert instance.select("SELECT x FROM n", db="default1")


class TestInfluxQL:
    @pytest.mark.parametrize(
        ("statement", "name"),
        [
            ('CREATE DATABASE "x"', "CREATE DATABASE"),
            ("drop database x", "DROP DATABASE"),
            ("CREATE USER x WITH PASSWORD 'y'", "CREATE USER"),
            ("ALTER RETENTION POLICY autogen ON metrics DURATION 1h", "ALTER RETENTION POLICY"),
            ("SHOW USERS", "SHOW USERS"),
            ("GRANT ALL ON metrics TO x", "GRANT"),
            ("SELECT x INTO y FROM z", "SELECT INTO"),
            ("/* first */ DROP SERIES FROM x", "DROP SERIES"),
        ],
    )
    def test_what_influxdb_2_has_no_longer_is_not_implemented(
        self, instance: Instance, statement: str, name: str
    ) -> None:
        assert instance.error(statement) == f"not implemented: {name}"

    def test_a_statement_that_is_none_refuses_the_query(self, instance: Instance) -> None:
        status, answer = instance.query("SELECT FROM")
        assert (status, answer["code"]) == (400, "invalid")
        assert answer["message"].startswith("failed to parse query: found")
        assert instance.query(" ")[0] == 400

    def test_after_a_statement_that_fails_the_others_are_not_run(self, instance: Instance) -> None:
        assert instance.write(f"several x=1 {NOW}")[0] == 204
        results = instance.query("SELECT x FROM several; DROP USER x; SELECT x FROM several")[1]["results"]
        assert [result["statement_id"] for result in results] == [0, 1, 2]
        assert results[0]["series"][0]["values"] == [[NOW, 1]]
        assert results[2]["error"] == "not executed"

    def test_names_in_texts_and_patterns_stay(self, instance: Instance) -> None:
        assert instance.write(f'names,host=a.b x=1,note="a.b.c; ON metrics" {NOW}')[0] == 204
        for statement in (
            "SELECT x FROM names WHERE note = 'a.b.c; ON metrics'",
            "SELECT x FROM names WHERE host =~ /a.b/ -- a.b.c",
            "SELECT x / 1 FROM /^na.es$/ WHERE x / 1 = 1",
            'SELECT x FROM metrics..names, "metrics"."autogen"."names" LIMIT 1',
            "SELECT x FROM (SELECT x FROM metrics.autogen.names)",
        ):
            assert [values[1] for values in instance.select(statement)] == [1], statement

    def test_schemas_are_shown(self, instance: Instance) -> None:
        assert instance.write(f"shown,host=a x=1 {NOW}")[0] == 204
        assert ["shown"] in instance.select("SHOW MEASUREMENTS ON metrics", db="")
        assert instance.select('SHOW TAG KEYS ON "metrics" FROM shown', db="") == [["host"]]
        assert instance.select("SHOW TAG VALUES FROM shown WITH KEY = host") == [["host", "a"]]
        assert instance.select("SHOW FIELD KEYS FROM shown") == [["x", "float"]]
        assert instance.error("SHOW MEASUREMENTS ON nowhere") == "database not found: nowhere"

    def test_points_are_deleted(self, instance: Instance) -> None:
        instance.bucket("deletes")
        assert instance.write("m x=1 1\nm x=2 2\nn x=1 1", db="deletes")[0] == 204
        instance.query("DELETE FROM m WHERE time <= 1; DROP MEASUREMENT n", db="deletes")
        assert instance.select("SELECT x FROM m", db="deletes") == [[2, 2]]
        assert instance.select("SHOW MEASUREMENTS", db="deletes") == [["m"]]


class TestInstance:
    def test_it_is_healthy_and_says_its_version(self, instance: Instance) -> None:
        assert instance.call("GET", "/health", "")[1]["status"] == "pass"
        response = urllib3.request("GET", f"{instance.url}/ping")
        assert response.status == 204
        assert response.headers["X-Influxdb-Version"].startswith("v2.7")

    def test_it_is_set_up_once(self, instance: Instance) -> None:
        assert instance.call("GET", "/api/v2/setup", "") == (200, {"allowed": False})
        request = {"username": "me", "password": "long enough", "org": "mine", "bucket": "mine"}
        status, answer = instance.call("POST", "/api/v2/setup", "", **request)
        assert (status, answer["message"]) == (422, "onboarding has already been completed")

    def test_what_is_not_there_is_not_found(self, instance: Instance) -> None:
        assert instance.call("GET", "/api/v2/nothing")[0] == 404
        assert instance.call("PUT", "/api/v2/buckets")[0] == 405
        assert instance.call("GET", "/write")[0] == 405

    def test_everything_is_there_after_a_restart(self, tmp_path: Path) -> None:
        process, port, token = influxdb.start(tmp_path, **ACCESS, bucket="metrics")
        url = f"http://localhost:{port}"
        bucket = create_bucket(url, token, "kept/week", 7 * 86400)
        limited = create_token(url, token, bucket, "read", "write")["token"]
        organization = bucket["orgID"]
        assert Instance(url, limited, organization).write(f"m x=1 {NOW}", db="kept", rp="week")[0] == 204
        processes.end(process)
        process, port, again = influxdb.start(tmp_path, **ACCESS, bucket="metrics")
        try:
            assert again == ""
            instance = Instance(f"http://localhost:{port}", limited, organization)
            assert instance.select("SELECT x FROM m", db="kept", rp="week") == [[NOW, 1]]
            assert instance.write(f"m x=1 {NOW}", db="metrics")[0] == 404
            rules = instance.call("GET", "/api/v2/buckets", token)[1]["buckets"][1]["retentionRules"]
            assert rules[0]["everySeconds"] == 7 * 86400
        finally:
            processes.end(process)
        assert (tmp_path / "influxdb2.json").stat().st_mode & 0o077 == 0

    def test_a_short_password_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(LocalCloudError, match="at least 8 characters"):
            influxdb.start(tmp_path, username="admin", password="short", bucket="metrics")  # noqa: S106
