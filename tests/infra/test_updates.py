"""No change of code or settings replaces what holds data unless the record and the stacks' pages say so."""

from __future__ import annotations

import json
import re
from copy import deepcopy
from typing import Any

import pytest

from infra import PROJECT
from infra.stacks import STACKS
from infra.updates import record, release, sweep
from infra.updates.identity import STATEFUL, create_only, identity, with_defaults

Json = dict[str, Any]


def template(**resources: Json) -> Json:
    return {"Resources": resources}


GROUP: Json = {"Type": "AWS::EC2::SecurityGroup", "Properties": {"GroupDescription": "Clients."}}
INFLUXDB: Json = {
    "Type": "AWS::Timestream::InfluxDBInstance",
    "Properties": {"AllocatedStorage": 20, "VpcSecurityGroupIds": [{"Fn::GetAtt": ["Group", "GroupId"]}]},
}


def test_the_record_is_what_the_stacks_say() -> None:
    assert record.differences(json.loads(record.FILE.read_text()), record.record()) == []


@pytest.mark.timeout(1200)  # it synthesises the stacks once for each setting
def test_the_pages_say_what_a_change_of_each_setting_does() -> None:
    for page, text in sweep.written_from().items():
        assert page.read_text() == text, f"{page.name}: Run `make templates`."


@pytest.mark.parametrize("stack", STACKS, ids=lambda stack: stack.__name__)
def test_every_page_has_a_table_of_changes(stack: Any) -> None:
    page = sweep.PAGES / f"{stack.SECTION.replace('_', '-')}.md"
    assert f"<!-- changes of {stack.SECTION} -->" in page.read_text()


def test_everything_that_is_kept_on_removal_is_in_the_record(all_templates: dict[str, Json]) -> None:
    """What a stack retains holds data, or is what such a resource needs, or is a log."""
    needed = {"AWS::IAM::ServiceLinkedRole", "AWS::Logs::LogGroup", "AWS::Neptune::DBInstance", "AWS::S3::BucketPolicy"}
    needed |= {"AWS::SQS::Queue"}
    for name, text in all_templates.items():
        for logical_id, body in text["Resources"].items():
            kind = body["Type"]
            if body.get("DeletionPolicy", "Delete") != "Delete" and not kind.startswith("AWS::EC2::"):
                known = kind in STATEFUL | needed or "SubnetGroup" in kind or "ParameterGroup" in kind
                assert known, f"{name}: {logical_id} ({kind})"


def test_another_description_of_a_security_group_replaces_the_database_behind_it() -> None:
    before = template(Group=GROUP, Influx=INFLUXDB)
    after = deepcopy(before)
    after["Resources"]["Group"]["Properties"]["GroupDescription"] = "The clients."
    assert sweep.change("x", "y", before, after).replaced == ("Group", "Influx")


def test_more_storage_updates_in_place() -> None:
    before = template(Group=GROUP, Influx=INFLUXDB)
    after = deepcopy(before)
    after["Resources"]["Influx"]["Properties"]["AllocatedStorage"] = 40
    change = sweep.change("x", "y", before, after)
    assert (change.replaced, change.updated) == ((), ("Influx",))


def test_a_new_version_of_a_launch_template_replaces_its_instance() -> None:
    version = {"LaunchTemplate": {"Version": {"Fn::GetAtt": ["Machine", "LatestVersionNumber"]}}}
    machine: Json = {
        "Type": "AWS::EC2::LaunchTemplate",
        "Properties": {"LaunchTemplateData": {"ImageId": {"Ref": "Image"}}},
    }
    before = {
        "Parameters": {"Image": {"Type": "String", "Default": "ami-1"}},
        **template(Machine=machine, Instance={"Type": "AWS::EC2::Instance", "Properties": version}),
    }
    after = deepcopy(before)
    after["Parameters"]["Image"]["Default"] = "ami-2"
    assert sweep.change("x", "y", with_defaults(before), with_defaults(after)).replaced == ("Instance",)


def test_references_in_a_circle_end() -> None:
    circle = template(
        One={"Type": "AWS::EC2::SecurityGroup", "Properties": {"GroupName": {"Ref": "Two"}}},
        Two={"Type": "AWS::EC2::SecurityGroup", "Properties": {"GroupName": {"Ref": "One"}}},
    )
    assert identity(circle, "One")["GroupName > Two.GroupName"] == {"Ref": "One"}


@pytest.mark.parametrize(
    ("policy", "fate"), [("Retain", "stays"), ("Snapshot", "a snapshot stays"), (None, "it is deleted")]
)
def test_the_fate_of_data_follows_from_the_policies(policy: str | None, fate: str) -> None:
    bucket = {"Type": "AWS::S3::Bucket"} | ({"DeletionPolicy": policy} if policy else {})
    change = sweep.change("x", "y", template(Bucket=bucket), template())
    assert change.removed == ("Bucket",)
    assert fate in change.fates["Bucket"]
    assert f"removes **Bucket** ({change.fates['Bucket']})" in sweep.table((change,))


def test_the_record_names_what_would_be_replaced_and_removed() -> None:
    recorded = {"Shop": {"defaults": {"Data": {"DBName": "old"}, "Gone": {"Type": "AWS::S3::Bucket"}}}}
    replaced, removed = record.differences(recorded, {"Shop": {"defaults": {"Data": {"DBName": "new"}}}})
    assert replaced.startswith("Shop (defaults), Data: DBName was 'old' and is 'new'. An update would replace it.")
    assert removed.startswith("Shop (defaults), Gone: An update would remove it")
    [new] = record.differences({"Shop": {"defaults": {}}}, {"Shop": {"defaults": {"Data": {}}}})
    assert "is new" in new


def test_an_upgrade_replaces_no_data_unless_the_changelog_tells_how_it_is_brought_over() -> None:
    migrations = re.findall(r"^- Migration: .*$", (PROJECT / "CHANGELOG.md").read_text(), re.MULTILINE)
    for upgrade in release.upgrades(json.loads(release.FILE.read_text()), release.record("")):
        stack = upgrade.stack.partition(" ")[0]
        assert not upgrade.stateful or any(f"`{stack}`" in line for line in migrations), upgrade


def test_upgrade_notes_say_what_becomes_of_each_resource() -> None:
    def recorded(**resources: str) -> Json:
        values = {name: {"type": "AWS::S3::Bucket", "identity": text, "all": text} for name, text in resources.items()}
        return {"version": "1.0", "stacks": {"Shop (defaults)": values}}

    before, after = recorded(Data="a", Gone="a", Same="a"), recorded(Data="b", Same="a", New="a")
    after["stacks"]["Shop (defaults)"]["Same"]["all"] = "b"
    [upgrade] = release.upgrades(before, after)
    assert upgrade.stateful == ("Data", "Gone")
    assert release.notes(before, after).splitlines()[2:] == [
        "- Shop (defaults):",
        "  - replaced, or with another engine or password: **Data**",
        "  - removed: **Gone**",
        "  - added: New",
        "  - updated in place: Same",
    ]
    assert "No resource changes." in release.notes(before, before)


def test_new_code_alone_is_no_change_of_a_resource() -> None:
    def function(code: str) -> Json:
        return template(F={"Type": "AWS::Lambda::Function", "Properties": {"Code": {"S3Key": f"{code * 64}.zip"}}})

    assert release.recorded(function("a"), "F") == release.recorded(function("b"), "F")


def test_a_setting_without_another_value_is_named() -> None:
    with pytest.raises(KeyError, match="colour"):
        sweep.others("colour", {"type": "string", "default": "red"})


def test_nested_properties_that_cannot_change_are_known() -> None:
    assert ("EncryptionAtRestOptions", "Enabled") in create_only("AWS::OpenSearchService::Domain")


def test_the_check_reports_a_record_that_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "MODES", {"defaults": {"data_ecosystem.engine": "liveanalytics"}})
    lines = record.differences(json.loads(record.FILE.read_text()), record.record())
    assert any("DataEcosystem (defaults), TrendsInfluxDB: An update would remove it" in line for line in lines)
