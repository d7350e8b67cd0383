"""Every stack survives what people do with it over the years: updates, updates that fail, removal, another start."""

from __future__ import annotations

import json
import os
import re
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

import psycopg
import pymysql
import pytest
from botocore.exceptions import ClientError

from contract.stacks import StackName
from contract.timeseries import address, authorization, token_in
from groundwork.__main__ import main
from groundwork.drill import rows
from infra.updates.identity import STATEFUL
from localcloud import LocalCloud
from localcloud.cloud.certificates import issue
from tests.documents import document

#: A setting of each stack whose change replaces instances or interrupts a database.
CHANGES = {
    StackName.TERMINATION_ALARM: ("termination_alarm.instance_type", "t3.small"),
    StackName.TRAINING: ("training.volume_gib", "101"),
    StackName.DEVOPS_METRICS: ("devops_metrics.instance_type", "db.influx.large"),
    StackName.DATA_ECOSYSTEM: ("data_ecosystem.database_instance_type", "db.t4g.small"),
    StackName.WEB_APP: ("web_app.instance_type", "t3.medium"),
}
#: A resource that cannot be created: there is no such topic.
IMPOSSIBLE = {
    "Type": "AWS::SNS::Subscription",
    "Properties": {
        "TopicArn": "arn:aws:sns:us-east-1:123456789012:nowhere",
        "Protocol": "email",
        "Endpoint": "a@b.example",
    },
}
#: A bucket of each stack that has data of its own in one, by the name of its output.
BUCKETS = {StackName.WEB_APP: "AssetsBucketName", StackName.TRAINING: "DataBucketName"}
FILLED = {"mysql": 3, "postgresql": 3, "dynamodb": 4, "neptune": 5, "influxdb": 6}
BACKUP = "s3://backups/influxdb"
MAIL = {"termination_alarm.email": "you@example.com"}
Json = dict[str, Any]


@dataclass(frozen=True)
class Seen:
    """All stacks at one time.

    Attributes:
        statuses: Their statuses.
        identifiers: What AWS calls their resources, by stack and logical id.
        data: The same, only of the resources that hold data.
    """

    statuses: dict[str, str]
    identifiers: dict[str, dict[str, str]]
    data: dict[str, dict[str, str]]


def sql(cloud: LocalCloud, stack: StackName, *statements: str) -> int:
    """Run statements in the relational database of a stack, and return the number in the last one's only row."""
    login = rows.login(cloud, cloud.outputs(stack)["DatabaseSecretArn"])
    authority = str(cloud.certificate_authority)
    connection: Any
    if stack is StackName.WEB_APP:
        connection = pymysql.connect(**login, database="storefront", autocommit=True, ssl={"ca": authority})
    else:
        connection = psycopg.connect(
            **login, dbname="rental", autocommit=True, sslmode="verify-full", sslrootcert=authority
        )
    with connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        return int(cursor.fetchall()[0][0]) if statements[-1].startswith("SELECT") else 0


def fill(cloud: LocalCloud) -> None:
    """Put some rows into each database that holds originals."""
    for stack in (StackName.WEB_APP, StackName.DATA_ECOSYSTEM):
        sql(cloud, stack, "CREATE TABLE kept (number INT)", "INSERT INTO kept VALUES (1), (2), (3)")
    table = cloud.outputs(StackName.DATA_ECOSYSTEM)["MoviesTableName"]
    for number in range(4):
        item = {"MovieID": {"S": str(number)}, "MovieTitle": {"S": "M"}}
        cloud.client("dynamodb").put_item(TableName=table, Item=item)
    rows.cypher(cloud, "UNWIND [1, 2, 3, 4, 5] AS number CREATE (:Kept {number: number})")
    s3 = cloud.client("s3")
    for stack, name in BUCKETS.items():
        s3.put_object(Bucket=cloud.outputs(stack)[name], Key="kept", Body=b"kept")
    outputs = cloud.outputs(StackName.DEVOPS_METRICS)
    secret = cloud.client("secretsmanager").get_secret_value(SecretId=outputs["SecretArn"])["SecretString"]
    began = datetime(2026, 11, 1, tzinfo=UTC).timestamp()
    points = [f"metrics,host=web-1 CPU_Usage={number} {int(began) + number * 60}" for number in range(6)]
    request = urllib.request.Request(  # noqa: S310 - on this machine
        f"{address(outputs['Endpoint'])}/write?db={outputs['DatabaseName']}&precision=s",
        "\n".join(points).encode(),
        {"Authorization": authorization(token_in(secret))},
    )
    trusted = ssl.create_default_context(cafile=str(cloud.certificate_authority))
    with urllib.request.urlopen(request, context=trusted) as response:  # noqa: S310 - on this machine
        assert response.status == HTTPStatus.NO_CONTENT


def groundwork(cloud: LocalCloud, *words: str) -> None:
    """Run a command on the cloud."""
    command = [sys.executable, "-m", "groundwork", *words]
    subprocess.run(command, env={**os.environ, **cloud.shell_environment()}, check=True)


def lose_an_instance(cloud: LocalCloud) -> str:
    """Terminate an instance of the watched group, and return its id."""
    [instance, *_] = watched(cloud)
    cloud.client("ec2").terminate_instances(InstanceIds=[instance])
    return instance


def watched(cloud: LocalCloud) -> list[str]:
    """Return the ids of the instances of the watched group."""
    name = cloud.outputs(StackName.TERMINATION_ALARM)["AutoScalingGroupName"]
    groups = cloud.client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[name])
    return [instance["InstanceId"] for instance in groups["AutoScalingGroups"][0]["Instances"]]


def logged(cloud: LocalCloud, group: str) -> list[str]:
    """Return the ids of the instances whose termination a log group has a line of."""
    events = cloud.client("logs").filter_log_events(
        logGroupName=group, filterPattern='{ $.event = "instance-terminated" }'
    )["events"]
    return [json.loads(event["message"])["instanceId"] for event in events]


def mailed(cloud: LocalCloud) -> str:
    """Return all mails as one text."""
    return "\n".join(path.read_text() for path in cloud.mailbox.glob("*.eml"))


def count(cloud: LocalCloud) -> dict[str, int]:
    """Return how many rows there are in each database, and how many objects in each bucket."""
    table = cloud.outputs(StackName.DATA_ECOSYSTEM)["MoviesTableName"]
    [graph] = rows.cypher(cloud, "MATCH (k:Kept) RETURN count(k) AS number")
    return {
        "mysql": sql(cloud, StackName.WEB_APP, "SELECT COUNT(*) FROM kept"),
        "postgresql": sql(cloud, StackName.DATA_ECOSYSTEM, "SELECT COUNT(*) FROM kept"),
        "dynamodb": cloud.client("dynamodb").scan(TableName=table, Select="COUNT")["Count"],
        "neptune": int(graph["number"]),
        "influxdb": rows.influxdb(cloud),
    }


def objects(cloud: LocalCloud) -> dict[StackName, int]:
    """Return how many objects there are in each stack's bucket."""
    s3 = cloud.client("s3")
    return {
        stack: s3.list_objects_v2(Bucket=cloud.outputs(stack)[name], Prefix="kept")["KeyCount"]
        for stack, name in BUCKETS.items()
    }


def adopting(cloud: LocalCloud, before: Seen) -> dict[str, str]:
    """Return the settings with which the stacks take up what they had: docs/restore.md has them."""
    table = before.data[StackName.DATA_ECOSYSTEM]["Movies"]
    site = before.data[StackName.WEB_APP]["DatabaseInstance"]
    [instance] = cloud.client("rds").describe_db_instances(DBInstanceIdentifier=site)["DBInstances"]
    [ledger] = cloud.client("rds").describe_db_snapshots(SnapshotType="manual")["DBSnapshots"]
    [graph] = cloud.client("neptune").describe_db_cluster_snapshots(SnapshotType="manual")["DBClusterSnapshots"]
    return {
        "web_app.database_source": instance["DbiResourceId"],
        "data_ecosystem.movies_stream_arn": cloud.client("dynamodb").describe_table(TableName=table)["Table"][
            "LatestStreamArn"
        ],
        "data_ecosystem.database_snapshot": ledger["DBSnapshotIdentifier"],
        "data_ecosystem.graph_snapshot": graph["DBClusterSnapshotIdentifier"],
    }


def look(cloud: LocalCloud) -> Seen:
    cloudformation = cloud.client("cloudformation")
    statuses = {stack["StackName"]: stack["StackStatus"] for stack in cloudformation.describe_stacks()["Stacks"]}
    identifiers: dict[str, dict[str, str]] = {}
    data: dict[str, dict[str, str]] = {}
    for stack in statuses:
        identifiers[stack], data[stack] = {}, {}
        for page in cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack):
            for resource in page["StackResourceSummaries"]:
                name, identifier = resource["LogicalResourceId"], resource["PhysicalResourceId"]
                identifiers[stack][name] = identifier
                if resource["ResourceType"] in STATEFUL:
                    data[stack][name] = identifier
    return Seen(statuses, identifiers, data)


@pytest.fixture(scope="module")
def first(cloud: LocalCloud) -> Seen:
    """All stacks, deployed with the settings' defaults, and filled."""
    cloud.deploy(context=MAIL)
    fill(cloud)
    return look(cloud)


@pytest.fixture(scope="module")
def changed(cloud: LocalCloud, first: Seen) -> Seen:
    """Each stack with another value of one setting."""
    assert first
    cloud.deploy(context=dict(CHANGES.values()) | MAIL)
    assert (count(cloud), {*objects(cloud).values()}) == (FILLED, {1})
    return look(cloud)


@pytest.fixture(scope="module")
def failed(cloud: LocalCloud, changed: Seen) -> Seen:
    """Each stack after an update in which everything old is kept, and something new cannot be created."""
    cloudformation = cloud.client("cloudformation")
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket="templates")
    for stack in changed.statuses:
        template: Json = cloudformation.get_template(StackName=stack)["TemplateBody"]
        template["Resources"]["Impossible"] = IMPOSSIBLE
        s3.put_object(Bucket="templates", Key=stack, Body=json.dumps(template).encode())
        cloudformation.update_stack(
            StackName=stack,
            TemplateURL=f"{cloud.endpoint}/templates/{stack}",
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"],
        )
    assert (count(cloud), {*objects(cloud).values()}) == (FILLED, {1})
    return look(cloud)


@pytest.fixture(scope="module")
def again(cloud: LocalCloud, failed: Seen) -> Seen:
    """All stacks, removed and deployed once more with the data that stayed."""
    assert failed
    cloud.client("s3").create_bucket(Bucket=BACKUP.split("/")[2])
    groundwork(cloud, "devops-metrics", "backup", "--to", BACKUP)
    cloud.destroy()
    assert look(cloud).statuses == {}
    cloud.deploy(context=adopting(cloud, failed))
    assert rows.influxdb(cloud) == 0
    groundwork(cloud, "devops-metrics", "restore", "--from", BACKUP)
    return look(cloud)


@pytest.mark.parametrize("stack", CHANGES)
def test_a_change_of_a_setting_replaces_no_data(first: Seen, changed: Seen, stack: str) -> None:
    assert changed.statuses[stack] == "UPDATE_COMPLETE"
    assert changed.data[stack] == first.data[stack]


def test_the_site_gets_another_instance_which_has_the_same_address(
    cloud: LocalCloud, first: Seen, changed: Seen
) -> None:
    before, after = first.identifiers[StackName.WEB_APP], changed.identifiers[StackName.WEB_APP]
    [address] = cloud.client("ec2").describe_addresses(PublicIps=[after["Address"]])["Addresses"]
    assert address["InstanceId"] == after["Instance"] != before["Instance"]


def test_the_storage_of_influxdb_only_grows(cloud: LocalCloud, changed: Seen) -> None:
    influxdb = cloud.client("timestream-influxdb")
    identifier = changed.data[StackName.DEVOPS_METRICS]["InfluxDB"]
    instance = influxdb.get_db_instance(identifier=identifier)
    assert instance["dbInstanceType"] == "db.influx.large"
    size = instance["allocatedStorage"]
    influxdb.update_db_instance(identifier=identifier, allocatedStorage=size + 1)
    with pytest.raises(ClientError, match="can only be increased"):
        influxdb.update_db_instance(identifier=identifier, allocatedStorage=size)
    assert influxdb.get_db_instance(identifier=identifier)["allocatedStorage"] == size + 1


def test_a_termination_is_logged_and_mailed_after_a_change_and_a_failed_update(
    cloud: LocalCloud, first: Seen, failed: Seen, eventually: Callable[[Callable[[], Any]], Any]
) -> None:
    stack = StackName.TERMINATION_ALARM
    kept = ("TerminationLoggerLogs", "EmailSubscription", "AutoScalingGroup")
    assert [failed.identifiers[stack][name] for name in kept] == [first.identifiers[stack][name] for name in kept]
    instance = lose_an_instance(cloud)
    assert eventually(lambda: instance in mailed(cloud))
    assert logged(cloud, cloud.outputs(stack)["LogGroupName"]) == [instance]


@pytest.mark.parametrize("stack", CHANGES)
def test_a_failed_update_leaves_everything_as_it_was(changed: Seen, failed: Seen, stack: str) -> None:
    assert failed.statuses[stack] == "UPDATE_ROLLBACK_COMPLETE"
    assert failed.identifiers[stack] == changed.identifiers[stack]


@pytest.mark.parametrize("stack", CHANGES)
def test_a_stack_can_be_deployed_again_beside_the_data_that_stayed(failed: Seen, again: Seen, stack: str) -> None:
    assert again.statuses[stack] == "CREATE_COMPLETE"
    assert not set(failed.data[stack].values()) & set(again.data[stack].values())


def test_a_stack_that_is_deployed_again_takes_up_the_data_that_stayed(cloud: LocalCloud, again: Seen) -> None:
    assert again
    assert count(cloud) == FILLED


def test_the_log_of_terminations_outlives_the_stack(cloud: LocalCloud, failed: Seen, again: Seen) -> None:
    group = "TerminationLoggerLogs"
    before, after = (seen.identifiers[StackName.TERMINATION_ALARM][group] for seen in (failed, again))
    assert logged(cloud, before)
    assert logged(cloud, after) == []


# The commands, on the stacks that were deployed again.

Ask = Callable[..., Json]


@pytest.fixture
def ask(cloud: LocalCloud, again: Seen, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ask:
    """Runs a command with `--json` on the cloud: its document, and what it says under `said`."""
    assert again
    for name, value in cloud.shell_environment().items():
        monkeypatch.setenv(name, value)

    def command(*words: str, code: int = 0) -> Json:
        monkeypatch.setattr(sys, "argv", ["groundwork", *words, "--json"])
        assert main() == code
        printed = capsys.readouterr()
        return {**document(printed.out, words[0]), "said": printed.err}

    return command


def test_what_the_first_stacks_left_behind_is_listed_with_its_cost(ask: Ask, failed: Seen, again: Seen) -> None:
    listed = ask("left")
    names = {resource["name"]: resource for resource in listed["left"]}
    for stack, name in ((StackName.WEB_APP, "DatabaseInstance"), (StackName.DEVOPS_METRICS, "InfluxDB")):
        database = names[failed.data[stack][name]]
        assert (database["stack"], database["resource"]) == (stack, name)
        assert database["usd_per_month"] > 10
        assert database["name"] in database["command"]
        assert again.data[stack][name] not in names
    assert listed["usd_per_month"] > 100
    snapshots = [resource for resource in listed["left"] if "snapshot" in resource["type"]]
    assert {resource["type"] for resource in snapshots} == {"RDS snapshot", "Neptune snapshot"}
    assert all(resource["name"].startswith("dataecosystem-snapshot-") for resource in snapshots)


def test_a_plan_that_would_lose_data_deploys_nothing(cloud: LocalCloud, ask: Ask) -> None:
    before = look(cloud)
    refused = ask("deploy", "DevOpsMetrics", "--yes", "-c", "devops_metrics.engine=liveanalytics", code=2)
    assert refused["status"] == "refused"
    lost = {step["resource"]: step for step in refused["changes"] if step["data"]}
    assert (lost["InfluxDB"]["action"], lost["InfluxDB"]["data"]) == ("delete", "the old one stays, outside the stack")
    assert refused["usd_left_per_month"] > 80
    assert "--replace InfluxDB" in refused["said"]
    assert look(cloud) == before


def test_a_plan_says_how_much_would_be_lost(ask: Ask) -> None:
    said = ask("deploy", "WebApp", "--yes", "--accept-default", "web_app.database_source", code=2)["said"]
    assert re.search(
        r"DatabaseInstance \(AWS::RDS::DBInstance \S+\), which holds 0\.\d GB, would be replaced: the old one stays",
        said,
    )


def test_what_preflight_refuses_has_a_document_too(ask: Ask) -> None:
    refused = ask("deploy", "WebApp", "--yes", "-c", "web_app.machine_image=ami-00000000", code=2)
    assert refused["status"] == "refused"
    assert "A deployment would fail." in refused["said"]


def test_a_deployment_takes_over_the_settings_of_the_one_before(cloud: LocalCloud, ask: Ask) -> None:
    threshold = {"termination_alarm.threshold": "3"}
    first = ask("deploy", "TerminationAlarm", "--yes", "-c", "termination_alarm.threshold=3")
    assert first["settings_taken_over"] == {}
    assert first["status"] == "UPDATE_COMPLETE"
    # The permission names the alarm's ARN, which CloudFormation does not know before it has changed the alarm.
    assert [(step["action"], step["resource"]) for step in first["changes"]] == [
        ("change", "TerminationAlarm"),
        ("change", "TerminationReportCalledByAlarm"),
    ]
    second = ask("deploy", "TerminationAlarm", "--yes", "-c", "termination_alarm.email=a@b.example")
    assert second["settings_taken_over"] == threshold
    [alarm] = cloud.client("cloudwatch").describe_alarms(AlarmNames=[second["outputs"]["AlarmName"]])["MetricAlarms"]
    assert alarm["Threshold"] == 3
    third = ask("deploy", "TerminationAlarm", "--yes", "--accept-default", "termination_alarm.threshold")
    assert third["settings_taken_over"] == {"termination_alarm.email": "a@b.example"}
    [alarm] = cloud.client("cloudwatch").describe_alarms(AlarmNames=[second["outputs"]["AlarmName"]])["MetricAlarms"]
    assert alarm["Threshold"] == 1


def test_the_address_of_the_site_goes_only_if_it_is_named(cloud: LocalCloud, ask: Ask, tmp_path: Path) -> None:
    """A certificate puts a load balancer before several instances, and the address is released for good."""
    files = issue(cloud.folder, tmp_path)
    certificate = cloud.client("acm").import_certificate(
        Certificate=files.certificate.read_bytes(), PrivateKey=files.key.read_bytes()
    )["CertificateArn"]
    words = ("deploy", "WebApp", "--yes", "-c", f"web_app.certificate_arn={certificate}")
    assert "--replace Address" in ask(*words, code=2)["said"]
    assert ask(*words, "--replace", "Address")["status"] == "UPDATE_COMPLETE"
    assert len(cloud.client("elbv2").describe_load_balancers()["LoadBalancers"]) == 1


def test_what_is_left_behind_goes_when_it_is_wanted(cloud: LocalCloud, ask: Ask, again: Seen) -> None:
    """The last test: it removes what the others look at."""
    before = look(cloud)
    listed = {resource["name"] for resource in ask("left", "DataEcosystem")["left"]}
    assert listed
    assert set(ask("left", "DataEcosystem", "--remove", "--yes")["removed"]) == listed
    still = {resource["name"]: resource["type"] for resource in ask("left", "DataEcosystem")["left"]}
    assert set(still.values()) <= {"RDS snapshot", "Neptune snapshot"}, "databases leave a final snapshot"
    assert not still.keys() & listed
    assert look(cloud) == before
