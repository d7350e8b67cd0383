"""A small fleet, held by both engines: a real influxd, and the local cloud's Timestream."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest

from localcloud import LocalCloud
from localcloud.cloud import processes
from localcloud.services.timestreaminfluxdb import behaviour as influxdb
from tests.documents import document
from tests.influxdb import create_bucket
from workloads.__main__ import main
from workloads.devops_metrics.ingest import Quarantine, Tally, ingest
from workloads.devops_metrics.reader import Reader
from workloads.devops_metrics.settings import FleetSettings
from workloads.devops_metrics.simulate import simulate
from workloads.storage import s3
from workloads.timeseries.influxdb import InfluxDB
from workloads.timeseries.liveanalytics import LiveAnalytics
from workloads.timeseries.schema import Schema
from workloads.timeseries.store import MetricStore

TEMPLATE = Path(__file__).parents[3] / "cloudformation" / "devops-metrics.yaml"
CODE = "s3://code/code.zip"
ENGINES = ("influxdb", "liveanalytics")
ACCESS = {"username": "admin", "password": "it's \\ secret"}
Run = Callable[..., tuple[int, str, str]]


class Engines:
    """Makes empty stores of either engine, each of its own."""

    def __init__(self, cloud: LocalCloud, influxdb_url: str, token: str) -> None:
        self._cloud = cloud
        self._url, self._token = influxdb_url, token
        self._made = 0

    def new(
        self,
        engine: str,
        *,
        retention: timedelta = timedelta(days=400),
        late: bool = True,
        schema: Schema | None = None,
    ) -> MetricStore:
        self._made += 1
        name = f"devops{self._made}"
        if engine == "influxdb":
            create_bucket(self._url, self._token, name, retention // timedelta(seconds=1))
            return InfluxDB(self._url, name, token=self._token, schema=schema, attempts=2)
        write = self._cloud.client("timestream-write")
        write.create_database(DatabaseName=name)
        write.create_table(
            DatabaseName=name,
            TableName="metrics",
            RetentionProperties={
                "MemoryStoreRetentionPeriodInHours": 24,
                "MagneticStoreRetentionPeriodInDays": retention.days,
            },
            MagneticStoreWriteProperties={"EnableMagneticStoreWrites": late},
        )
        return LiveAnalytics(name, "metrics", schema)


def new_network(cloud: LocalCloud) -> dict[str, str]:
    """Make a network, and return the parameters that put the stack into it."""
    ec2 = cloud.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
    return {"VpcId": vpc, "SubnetIds": subnet}


def create_stack(cloud: LocalCloud, name: str, **parameters: str) -> None:
    """Create the stack from its console template."""
    cloud.client("cloudformation").create_stack(
        StackName=name,
        TemplateURL=cloud.template_url(TEMPLATE.read_text()),
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        Capabilities=["CAPABILITY_IAM"],
    )


@contextmanager
def environment(cloud: LocalCloud) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in cloud.environment().items():
            patch.setenv(name, value)
        _forget_clients()
        yield
    _forget_clients()


@contextmanager
def as_writer(cloud: LocalCloud, stack: str) -> Iterator[None]:
    """In the environment of a role that has the stack's policy for whoever ingests, and no other."""
    iam = cloud.client("iam")
    account = cloud.client("sts").get_caller_identity()["Account"]
    principal = {"AWS": f"arn:aws:iam::{account}:root"}
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    role = iam.create_role(RoleName=f"{stack}-writer", AssumeRolePolicyDocument=trust)["Role"]
    policy = cloud.outputs(stack)["IngestionPolicyArn"]
    try:
        iam.attach_role_policy(RoleName=role["RoleName"], PolicyArn=policy)
        session = cloud.client("sts").assume_role(RoleArn=role["Arn"], RoleSessionName="writer")["Credentials"]
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AWS_ACCESS_KEY_ID", session["AccessKeyId"])
            patch.setenv("AWS_SECRET_ACCESS_KEY", session["SecretAccessKey"])
            patch.setenv("AWS_SESSION_TOKEN", session["SessionToken"])
            _forget_clients()
            yield
    finally:
        _forget_clients()
        iam.detach_role_policy(RoleName=role["RoleName"], PolicyArn=policy)
        iam.delete_role(RoleName=role["RoleName"])


def _forget_clients() -> None:
    """Clients find those of the environment, and its cloud: they keep the first that they find."""
    boto3.DEFAULT_SESSION = None
    s3.cache_clear()


@pytest.fixture(scope="module")
def code(cloud: LocalCloud, code_bundle: Path) -> str:
    """Puts the code into a bucket, and gives its address."""
    s3_client = cloud.client("s3")
    s3_client.create_bucket(Bucket="code")
    s3_client.upload_file(str(code_bundle), "code", "code.zip")
    return CODE


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command in this process; exit code, output and errors."""

    def command(*arguments: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["workloads", "devops-metrics", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        printed = capsys.readouterr()
        return end.value.code, printed.out, printed.err  # type: ignore[return-value]

    return command


@pytest.fixture
def run(call: Run, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Runs a command on the stack of the module, in an empty folder; exit code, output and errors."""
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: call(*arguments, "--stack", request.module.STACK)


@pytest.fixture
def prefix(cloud: LocalCloud, request: pytest.FixtureRequest) -> str:
    """A prefix of the bucket of the module's stack that only this test uses."""
    return f"s3://{cloud.outputs(request.module.STACK)['FilesBucketName']}/{request.node.name}"


def put(cloud: LocalCloud, prefix: str, name: str, content: str | bytes) -> None:
    bucket, _, key = f"{prefix}/{name}".removeprefix("s3://").partition("/")
    cloud.client("s3").put_object(Bucket=bucket, Key=key, Body=content)


def totals(printed: str) -> dict[str, Any]:
    return document(printed, "devops-metrics ingest s3://BUCKET/PREFIX/")


@pytest.fixture(scope="module")
def engines(cloud: LocalCloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engines]:
    folder = tmp_path_factory.mktemp("influxdb")
    process, port, token = influxdb.start(folder, **ACCESS, bucket="first")
    with environment(cloud):
        yield Engines(cloud, f"http://localhost:{port}", token)
    processes.end(process)


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two services of three hosts over fifteen days, one more host that is hot, and some bad lines."""
    path = tmp_path_factory.mktemp("fleet") / "fleet.csv"
    now = datetime.now(UTC)
    simulate(
        FleetSettings(services=2, hosts=3, days=15, interval=1200, incidents=3, missing=0.05),
        path,
        path.with_suffix(".incidents.csv"),
        now,
    )
    with path.open("a") as file:
        for hour in range(24):
            file.write(f"search-09,search,{(now - timedelta(hours=hour)).isoformat()},99,60,3,200\n")
        file.write("web-1,web,yesterday,1,2,3,200\n")
        file.write(f'quo=ta tion\\,web "x",{now.isoformat()},1,2,3,200\n')
        file.write(f"web-1,web,{now.isoformat()},,2,3,\n")
    return path


def load(store: MetricStore, path: Path, folder: Path, batch_rows: int = 2000) -> Tally:
    with Quarantine(folder / "quarantine.csv") as quarantine:
        return ingest(Reader(path, Schema()), store, quarantine, batch_rows=batch_rows)
