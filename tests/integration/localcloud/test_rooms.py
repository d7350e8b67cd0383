"""A room of another distribution is installed beside the local cloud's own."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from localcloud import LocalCloud
from localcloud.cloud.inventory import inventory

ROOM = {
    "__init__.py": "",
    "room.py": """
import sys

from moto.sts.models import STSBackend

from localcloud.hooks import after, install as add_to_moto


@after(STSBackend, "get_caller_identity")
def _asked(cloud, *_arguments):
    (cloud.folder / "asked").touch()


def install(cloud):
    add_to_moto(cloud, sys.modules[__name__])
    (cloud.folder / "installed").touch()
""",
    "types.yaml": """
AWS::SES::ConfigurationSet:
  {gap: skipped in silence,
   service: ses, create: create_configuration_set, delete: delete_configuration_set,
   name: ConfigurationSetName, ref: ConfigurationSetName, adapt: configuration_set,
   attributes: {Owner: '''${AWS::AccountId} in ${AWS::Region}'''}}
""",
    "adapters.py": """
def configuration_set(values):
    return {"ConfigurationSet": {"Name": values["ConfigurationSetName"]}, **values}
""",
    "inventory.yaml": """
mail settings:
  service: ses
  operation: list_configuration_sets
  names: ConfigurationSets[].Name
""",
}
TEMPLATE = {
    "Resources": {"Mail": {"Type": "AWS::SES::ConfigurationSet", "Properties": {}}},
    "Outputs": {"Owner": {"Value": {"Fn::GetAtt": ["Mail", "Owner"]}}},
}


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalCloud]:
    """A cloud in an environment that has the room installed, as a wheel would leave it there."""
    site = tmp_path / "site"
    (site / "visiting").mkdir(parents=True)
    for name, text in ROOM.items():
        (site / "visiting" / name).write_text(text)
    metadata = site / "visiting-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: visiting\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[localcloud.services]\nvisiting = visiting\n")
    monkeypatch.syspath_prepend(site)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")]))
    with LocalCloud(tmp_path / "cloud") as cloud:
        yield cloud


def test_a_room_of_another_distribution_is_installed(cloud: LocalCloud) -> None:
    assert (cloud.folder / "installed").exists()
    assert not (cloud.folder / "asked").exists()
    cloud.client("sts").get_caller_identity()
    assert (cloud.folder / "asked").exists()


def test_a_room_of_another_distribution_brings_resource_types_and_their_inventory(cloud: LocalCloud) -> None:
    cloudformation = cloud.client("cloudformation")
    assert inventory(cloud.client)["mail settings"] == set()
    cloudformation.create_stack(StackName="mail", TemplateBody=json.dumps(TEMPLATE))
    cloudformation.get_waiter("stack_create_complete").wait(StackName="mail", WaiterConfig={"Delay": 1})
    [stack] = cloudformation.describe_stacks(StackName="mail")["Stacks"]
    assert stack["Outputs"][0]["OutputValue"] == "123456789012 in us-east-1"
    [kept] = inventory(cloud.client)["mail settings"]
    assert kept.startswith("mail-")
    cloudformation.delete_stack(StackName="mail")
    cloudformation.get_waiter("stack_delete_complete").wait(StackName="mail", WaiterConfig={"Delay": 1})
    assert inventory(cloud.client)["mail settings"] == set()
