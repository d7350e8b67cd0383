"""The wheel `groundwork-constructs` in an environment without this project: the page's apps synthesise and deploy."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from infra.distribution import build
from localcloud import LocalCloud

PAGE = Path(__file__).parents[3] / "docs" / "constructs.md"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("wheel"))


def test_all_of_the_wheel_is_below_one_name(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {re.split(r"[-/]", name)[0] for name in names} == {"groundwork_constructs"}
    assert "groundwork_constructs/lambda/termination_logger/index.py" in names


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Python of an environment that has the wheel, and not this project."""
    environment = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    python = environment / "bin" / "python"
    install = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-index", "--no-deps", wheel]
    subprocess.run(install, check=True)
    # The other packages are those of this environment; its editable install of this project is not among them.
    [packages] = environment.glob("lib/python*/site-packages")
    (packages / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python


@pytest.fixture(scope="module")
def templates(python: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the apps of the page synthesise, by stack."""
    folder = tmp_path_factory.mktemp("apps")
    own = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    lacks_project = "import importlib.util as util; assert not util.find_spec('infra')"
    subprocess.run([python, "-c", lacks_project], cwd=folder, env=own, check=True)
    for number, app in enumerate(re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)):
        (folder / "app.py").write_text(app)
        subprocess.run(
            [python, "app.py"], cwd=folder, env=own | {"CDK_OUTDIR": str(folder / f"out{number}")}, check=True
        )
    return {file.name.partition(".")[0]: file.read_text() for file in folder.glob("out*/*.template.json")}


@pytest.fixture(scope="module")
def cloud(templates: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """A cloud with the stacks `Fleet` and `Shop`."""
    with LocalCloud(tmp_path_factory.mktemp("cloud"), iam="enforce") as cloud:
        formation = cloud.client("cloudformation")
        for name in ("Fleet", "Shop"):
            address = cloud.template_url(templates[name])
            formation.create_stack(StackName=name, TemplateURL=address, Capabilities=["CAPABILITY_IAM"])
            formation.get_waiter("stack_create_complete").wait(StackName=name)
        yield cloud


def test_the_first_app_of_the_page_is_short_and_makes_two_stacks(templates: dict[str, str]) -> None:
    first = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)[0]
    assert len(first.splitlines()) <= 10
    assert {*templates} == {"Fleet", "Jobs", "Shop"}
    types = [resource["Type"] for resource in json.loads(templates["Jobs"])["Resources"].values()]
    assert types.count("AWS::Batch::JobQueue") == 3


def test_the_alarm_of_a_fleet_is_deployed(cloud: LocalCloud) -> None:
    alarm = cloud.outputs("Fleet")["AlarmName"]
    [described] = cloud.client("cloudwatch").describe_alarms(AlarmNames=[alarm])["MetricAlarms"]
    assert described["ActionsEnabled"]


def test_a_stack_of_somebody_elses_has_a_database_an_influxdb_and_a_queue(cloud: LocalCloud) -> None:
    rows = cloud.client("cloudformation").list_stack_resources(StackName="Shop")["StackResourceSummaries"]
    names = {row["ResourceType"]: row["PhysicalResourceId"] for row in rows}
    [database] = cloud.client("rds").describe_db_instances(DBInstanceIdentifier=names["AWS::RDS::DBInstance"])[
        "DBInstances"
    ]
    secret = cloud.client("secretsmanager").get_secret_value(
        SecretId=names["AWS::SecretsManager::SecretTargetAttachment"]
    )
    access = json.loads(secret["SecretString"])
    assert (access["host"], access["port"]) == (database["Endpoint"]["Address"], database["Endpoint"]["Port"])
    with psycopg.connect(
        host=access["host"],
        port=access["port"],
        user=access["username"],
        password=access["password"],
        dbname=access["dbname"],
        sslmode="require",
    ) as connection:
        assert connection.execute("SELECT current_database()").fetchone() == ("shop",)
    queues = cloud.client("batch").describe_job_queues(jobQueues=[names["AWS::Batch::JobQueue"]])["jobQueues"]
    assert [queue["status"] for queue in queues] == ["VALID"]
    influxdb = cloud.client("timestream-influxdb").get_db_instance(
        identifier=names["AWS::Timestream::InfluxDBInstance"]
    )
    assert influxdb["status"] == "AVAILABLE"
