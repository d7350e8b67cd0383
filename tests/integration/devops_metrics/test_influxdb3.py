"""InfluxDB 3: the same store writes to it and asks it, through what it shares with InfluxDB 1."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

import pytest
import urllib3
from aws_cdk import App, BootstraplessSynthesizer
from botocore.exceptions import ClientError

from contract.errors import InputError
from infra.config import Config
from infra.devops_metrics import DevOpsMetrics
from localcloud import LocalCloud
from localcloud.cloud import processes
from localcloud.services.timestreaminfluxdb import behaviour as influxdb
from workloads.storage import locate
from workloads.timeseries.backup import back_up, restore
from workloads.timeseries.connection import connect
from workloads.timeseries.influxdb import InfluxDB
from workloads.timeseries.row import Row
from workloads.timeseries.schema import Schema
from workloads.timeseries.store import Aggregation, Column, Period

START = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[influxdb.Server]:
    running = influxdb.start3(tmp_path_factory.mktemp("influxdb3"))
    yield running
    processes.end(running.process)


def call(
    server: influxdb.Server, method: str, path: str, token: str = "", body: str = "", **parameters: str
) -> tuple[int, str]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    url = f"http://127.0.0.1:{server.port}{path}?{urlencode(parameters)}"
    response = urllib3.request(method, url, body=body, headers=headers)
    return response.status, response.data.decode()


def test_a_database_is_made_when_it_is_written_to(server: influxdb.Server) -> None:
    token = server.token
    assert call(server, "POST", "/write", token, "m value=1i 1", db="new")[0] == 204
    status, text = call(server, "GET", "/api/v3/configure/database", token, format="json")
    assert (status, json.loads(text)) == (200, [{"iox::database": "new"}])
    status, text = call(server, "POST", "/query", token, db="new", q="SELECT value FROM m", epoch="ns")
    assert json.loads(text)["results"][0]["series"][0]["values"] == [[1, 1]]


def test_it_takes_its_token_only(server: influxdb.Server) -> None:
    assert call(server, "POST", "/write", "", "m value=1i", db="new")[0] == 401
    assert call(server, "POST", "/write", "wrong", "m value=1i", db="new")[0] == 401


def test_the_first_token_is_made_once(server: influxdb.Server) -> None:
    assert call(server, "POST", "/api/v3/configure/token/admin", body="{}")[0] == 422


def test_what_influxdb_3_lacks_is_refused(server: influxdb.Server) -> None:
    assert call(server, "GET", "/api/v2/buckets", server.token)[0] == 404
    call(server, "POST", "/write", server.token, "m value=1i 1", db="kept")
    _, text = call(server, "POST", "/query", server.token, db="kept", q="DELETE FROM m")
    assert "does not have the InfluxQL statement DELETE" in text
    assert call(server, "POST", "/write", server.token, "m value=", db="kept")[0] == 400


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """DevOpsMetrics on InfluxDB 3, in a cloud that enforces policies."""
    app = App(outdir=str(tmp_path_factory.mktemp("cdk")))
    config = Config.from_context({"devops_metrics.influxdb_version": "3", "devops_metrics.code": "s3://code/code.zip"})
    DevOpsMetrics(app, "DevOpsMetrics", config, synthesizer=BootstraplessSynthesizer())
    template = app.synth().get_stack_by_name("DevOpsMetrics").template
    with LocalCloud(tmp_path_factory.mktemp("cloud"), iam="enforce") as cloud, pytest.MonkeyPatch.context() as patch:
        for name, value in cloud.environment().items():
            patch.setenv(name, value)
        cloud.client("cloudformation").create_stack(
            StackName="DevOpsMetrics",
            TemplateURL=cloud.template_url(json.dumps(template)),
            Capabilities=["CAPABILITY_IAM"],
        )
        yield cloud


def rows(number: int) -> list[Row]:
    seconds = int(START.timestamp())
    return [
        Row(minute + 2, (seconds + 60 * minute) * 10**6, ("web-1",), (float(minute),), "") for minute in range(number)
    ]


def test_a_stack_on_influxdb_3_is_written_to_and_asked(stack: LocalCloud) -> None:
    outputs = stack.outputs("DevOpsMetrics")
    assert outputs["Engine"] == "influxdb3"
    schema = Schema(dimensions=("host",), measures={"load": "DOUBLE"})
    store = connect("DevOpsMetrics", schema)
    written = store.write(rows(10), 1)
    assert (written.rows, written.rejected) == (10, [])
    question = Aggregation(columns=(Column("mean", "mean", "load"),), by=("host",))
    table = store.aggregate(question, Period(START, START + timedelta(hours=1)))
    assert table["mean"].tolist() == [4.5]
    described = store.describe()
    assert (described.engine, described.rows, described.retention) == ("InfluxDB 3.2.1", 10, None)


def test_one_bad_row_does_not_keep_the_others_out(stack: LocalCloud) -> None:
    store = connect("DevOpsMetrics", Schema(dimensions=("host",), measures={"load": "DOUBLE"}))
    bad = Row(9, 0, ("a\nb",), (1.0,), "")
    written = store.write([*rows(3), bad], 1)
    assert (written.rows, [row for row, _ in written.rejected]) == (3, [bad])


def test_the_policy_for_writers_reads_the_clusters_secret(stack: LocalCloud) -> None:
    outputs = stack.outputs("DevOpsMetrics")
    policy = stack.client("iam").get_policy_version(PolicyArn=outputs["IngestionPolicyArn"], VersionId="v1")
    assert outputs["SecretArn"] in json.dumps(policy["PolicyVersion"]["Document"])


def test_a_cluster_goes_with_its_secret(stack: LocalCloud) -> None:
    client = stack.client("timestream-influxdb")
    network = {"vpcSubnetIds": ["subnet-0a1b2c3d"], "vpcSecurityGroupIds": ["sg-0a1b2c3d"]}
    made = client.create_db_cluster(
        name="mine", dbInstanceType="db.influx.medium", dbParameterGroupIdentifier="InfluxDBV3Core", **network
    )
    cluster = client.get_db_cluster(dbClusterId=made["dbClusterId"])
    assert (cluster["status"], cluster["engineType"]) == ("AVAILABLE", "INFLUXDB_V3_CORE")
    client.delete_db_cluster(dbClusterId=made["dbClusterId"])
    with pytest.raises(ClientError, match="not found"):
        client.get_db_cluster(dbClusterId=made["dbClusterId"])
    with pytest.raises(ClientError, match="ResourceNotFound"):
        stack.client("secretsmanager").get_secret_value(SecretId=cluster["influxAuthParametersSecretArn"])


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"password": "secret-secret"}, "password cannot be specified for InfluxDB 3"),
        ({"dbParameterGroupIdentifier": "InfluxDBV3Enterprise"}, "InfluxDB 3 Core only"),
    ],
)
def test_other_clusters_are_refused_by_name(stack: LocalCloud, changed: dict[str, str], words: str) -> None:
    parameters = {
        "name": "mine",
        "dbInstanceType": "db.influx.medium",
        "dbParameterGroupIdentifier": "InfluxDBV3Core",
        "vpcSubnetIds": ["subnet-0a1b2c3d"],
        "vpcSecurityGroupIds": ["sg-0a1b2c3d"],
    }
    with pytest.raises(ClientError, match=words):
        stack.client("timestream-influxdb").create_db_cluster(**{**parameters, **changed})


def test_a_secret_without_a_token_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from workloads.timeseries import connection

    outputs = {"Engine": "influxdb3", "DatabaseName": "d", "TableName": "t", "Endpoint": "host", "SecretArn": "secret"}
    monkeypatch.setattr(connection, "read_secret", lambda _: '{"username": "a"}')
    with pytest.raises(InputError, match="not a JSON object with token"):
        connection.store_of(outputs, Schema())
    monkeypatch.setattr(connection, "read_secret", lambda _: "apiv3_0123456789abcdefghij")
    assert isinstance(connection.store_of(outputs, Schema()), InfluxDB)


def test_the_port_is_that_of_the_engine() -> None:
    from contract.timeseries import address

    host = "abc.timestream-influxdb.us-east-1.on.aws"
    assert address(host, "influxdb3") == f"https://{host}:8181"
    assert address(host, "influxdb") == address(host) == f"https://{host}:8086"


def test_it_is_backed_up_and_restored_into_a_database_that_is_not_there_yet(
    server: influxdb.Server, tmp_path: Path
) -> None:
    def store(name: str) -> InfluxDB:
        return InfluxDB(f"http://localhost:{server.port}", name, token=server.token, attempts=2)

    place, rows = locate(str(tmp_path)), [f"m,host=web-{number} x=1,y=2i {number}" for number in range(3)]
    assert store("saved").write_lines(rows).rejected == []
    assert back_up(store("saved"), place, "DevOpsMetrics").rows == 3
    assert restore(store("restored"), place).problems == []
    select = "SELECT * FROM m"
    assert list(store("restored").query(select, "ns")) == list(store("saved").query(select, "ns")) != []
