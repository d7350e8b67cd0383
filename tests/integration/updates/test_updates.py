"""Every stack survives what people do with it over the years: updates, updates that fail, removal, another start."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from contract.stacks import StackName
from groundwork.__main__ import main
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
    """All stacks, deployed with the settings' defaults."""
    cloud.deploy()
    return look(cloud)


@pytest.fixture(scope="module")
def changed(cloud: LocalCloud, first: Seen) -> Seen:
    """Each stack with another value of one setting."""
    assert first
    cloud.deploy(context=dict(CHANGES.values()))
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
    return look(cloud)


@pytest.fixture(scope="module")
def again(cloud: LocalCloud, failed: Seen) -> Seen:
    """All stacks, removed and deployed once more beside the data that stayed."""
    assert failed
    cloud.destroy()
    assert look(cloud).statuses == {}
    cloud.deploy()
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


@pytest.mark.parametrize("stack", CHANGES)
def test_a_failed_update_leaves_everything_as_it_was(changed: Seen, failed: Seen, stack: str) -> None:
    assert failed.statuses[stack] == "UPDATE_ROLLBACK_COMPLETE"
    assert failed.identifiers[stack] == changed.identifiers[stack]


@pytest.mark.parametrize("stack", CHANGES)
def test_a_stack_can_be_deployed_again_beside_the_data_that_stayed(failed: Seen, again: Seen, stack: str) -> None:
    assert again.statuses[stack] == "CREATE_COMPLETE"
    assert not set(failed.data[stack].values()) & set(again.data[stack].values())


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


def test_a_plan_that_would_lose_data_deploys_nothing(cloud: LocalCloud, ask: Ask) -> None:
    before = look(cloud)
    refused = ask("deploy", "DevOpsMetrics", "--yes", "-c", "devops_metrics.engine=liveanalytics", code=2)
    assert refused["status"] == "refused"
    lost = {step["resource"]: step for step in refused["changes"] if step["data"]}
    assert (lost["InfluxDB"]["action"], lost["InfluxDB"]["data"]) == ("delete", "the old one stays, outside the stack")
    assert refused["usd_left_per_month"] > 80
    assert "--replace InfluxDB" in refused["said"]
    assert look(cloud) == before


def test_a_deployment_takes_over_the_settings_of_the_one_before(cloud: LocalCloud, ask: Ask) -> None:
    threshold = {"termination_alarm.threshold": "3"}
    first = ask("deploy", "TerminationAlarm", "--yes", "-c", "termination_alarm.threshold=3")
    assert (first["status"], first["settings_taken_over"]) == ("UPDATE_COMPLETE", {})
    assert [(step["action"], step["resource"]) for step in first["changes"]] == [("change", "TerminationAlarm")]
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
