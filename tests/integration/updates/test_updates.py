"""Every stack survives what people do with it over the years: updates, updates that fail, removal, another start."""

import json
from dataclasses import dataclass
from typing import Any

import pytest

from contract.stacks import StackName
from infra.updates.identity import STATEFUL
from localcloud import LocalCloud

#: A setting of each stack whose change replaces a resource or interrupts one, and the resource.
CHANGES = {
    StackName.TERMINATION_ALARM: ("termination_alarm.instance_type", "t3.small", "LaunchTemplate"),
    StackName.TRAINING: ("training.volume_gib", "101", "GpuSpot"),
    StackName.DEVOPS_METRICS: ("devops_metrics.influxdb_instance_type", "db.influx.large", "InfluxDB"),
    StackName.DATA_ECOSYSTEM: ("data_ecosystem.database_instance_type", "db.t4g.small", "Ledger"),
    StackName.WEB_APP: ("web_app.instance_type", "t3.medium", "Instance"),
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
    cloud.deploy(context={setting: value for setting, value, _ in CHANGES.values()})
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


@pytest.mark.parametrize("stack", [StackName.TRAINING, StackName.WEB_APP])
def test_what_a_setting_replaces_is_another_resource(first: Seen, changed: Seen, stack: StackName) -> None:
    name = CHANGES[stack][2]
    assert changed.identifiers[stack][name] != first.identifiers[stack][name]


def test_the_address_of_the_site_moves_to_the_new_instance(cloud: LocalCloud, changed: Seen) -> None:
    [address] = cloud.client("ec2").describe_addresses(PublicIps=[changed.identifiers[StackName.WEB_APP]["Address"]])[
        "Addresses"
    ]
    assert address["InstanceId"]


@pytest.mark.parametrize("stack", CHANGES)
def test_a_failed_update_leaves_everything_as_it_was(changed: Seen, failed: Seen, stack: str) -> None:
    assert failed.statuses[stack] == "UPDATE_ROLLBACK_COMPLETE"
    assert failed.identifiers[stack] == changed.identifiers[stack]


@pytest.mark.parametrize("stack", CHANGES)
def test_a_stack_can_be_deployed_again_beside_the_data_that_stayed(failed: Seen, again: Seen, stack: str) -> None:
    assert again.statuses[stack] == "CREATE_COMPLETE"
    assert not set(failed.data[stack].values()) & set(again.data[stack].values())
