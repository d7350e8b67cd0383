"""What `groundwork deploy` says of a deployment, and when it stops."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from contract.errors import InputError
from contract.stacks import StackName
from groundwork.deploy.plan import Action, Plan, plan
from groundwork.deploy.protection import refuse_loss, refuse_shrinking
from groundwork.deploy.settings import taken_over
from infra.config import Config
from infra.updates.record import templates

Json = dict[str, Any]
GROUP: Json = {"Type": "AWS::EC2::SecurityGroup", "Properties": {"GroupDescription": "Clients."}}
DATABASE: Json = {
    "Type": "AWS::RDS::DBInstance",
    "Properties": {"DBInstanceClass": "db.t4g.micro", "AllocatedStorage": "20", "DBName": "shop"},
    "DeletionPolicy": "Snapshot",
    "UpdateReplacePolicy": "Snapshot",
}


def template(**resources: Json) -> Json:
    return deepcopy({"Resources": resources})


def changed(body: Json, **properties: Any) -> Json:
    return {**body, "Properties": {**body["Properties"], **properties}}


def said(resource: str, action: str, replacement: str = "") -> Json:
    """A change as DescribeChangeSet lists it."""
    return {"ResourceChange": {"LogicalResourceId": resource, "Action": action, "Replacement": replacement}}


def actions(made: Plan) -> dict[str, Action]:
    return {step.resource: step.action for step in made.steps}


def test_a_new_stack_only_adds() -> None:
    made = plan("Shop", None, template(Group=GROUP, Database=DATABASE), ())
    assert actions(made) == {"Database": Action.ADD, "Group": Action.ADD}
    assert (made.month_before, made.lost) == (0, [])
    assert made.month_after is not None
    assert made.month_after > 10


@pytest.mark.parametrize(
    ("properties", "action", "data"),
    [
        ({"DBName": "other"}, Action.REPLACE, "the old one is deleted, and a snapshot stays"),
        ({"DBInstanceClass": "db.t4g.small"}, Action.INTERRUPT, ""),
        ({"AllocatedStorage": "40"}, Action.CHANGE, ""),
    ],
)
def test_a_changed_property_replaces_interrupts_or_changes(properties: Json, action: Action, data: str) -> None:
    made = plan("Shop", template(Database=DATABASE), template(Database=changed(DATABASE, **properties)), ())
    [step] = made.steps
    assert (step.action, step.data, step.loses_data) == (action, data, action is Action.REPLACE)


def test_storage_does_not_shrink() -> None:
    grown = template(Database=changed(DATABASE, AllocatedStorage="40"))
    refusal = refuse_shrinking(plan("Shop", grown, template(Database=DATABASE), ()))
    assert "The storage of Database cannot shrink from 40 to 20 GiB." in str(refusal)
    assert refuse_shrinking(plan("Shop", template(Database=DATABASE), grown, ())) is None
    assert refuse_shrinking(plan("Shop", grown, template(Database=changed(DATABASE, DBName="new")), ())) is None


def test_a_plan_begins_with_what_loses_data() -> None:
    made = plan("Shop", template(Group=GROUP, Database=DATABASE), template(Another=GROUP), ())
    assert [step.resource for step in made.steps] == ["Database", "Group", "Another"]
    assert "2 to delete, 1 to add" in made.table().title


@pytest.mark.parametrize(
    ("replacement", "action"),
    [("True", Action.REPLACE), ("False", Action.CHANGE), ("Conditional", Action.CHANGE)],
)
def test_where_cloudformation_is_sure_it_is_right(replacement: str, action: Action) -> None:
    after = template(Database=changed(DATABASE, AllocatedStorage="40"))
    made = plan("Shop", template(Database=DATABASE), after, [said("Database", "Modify", replacement)])
    assert actions(made) == {"Database": action}


def test_the_templates_decide_where_cloudformation_is_not_sure() -> None:
    after = template(Database=changed(DATABASE, DBName="other"))
    made = plan("Shop", template(Database=DATABASE), after, [said("Database", "Modify", "Conditional")])
    assert actions(made) == {"Database": Action.REPLACE}


def test_a_group_changes_with_its_launch_template() -> None:
    data: Json = {"InstanceType": "t3.micro", "BlockDeviceMappings": []}
    machine = {"Type": "AWS::EC2::LaunchTemplate", "Properties": {"LaunchTemplateData": data}}
    launched = {"LaunchTemplateId": {"Ref": "Machine"}, "Version": {"Fn::GetAtt": ["Machine", "LatestVersionNumber"]}}
    group = {
        "Type": "AWS::AutoScaling::AutoScalingGroup",
        "Properties": {"MinSize": "0", "LaunchTemplate": launched, "VPCZoneIdentifier": ["subnet-0a1b2c3d"]},
    }
    other = changed(machine, LaunchTemplateData={**data, "InstanceType": "t3.small"})
    after = template(Machine=other, Group=group)
    made = plan("Shop", template(Machine=machine, Group=group), after, [said("Machine", "Modify", "False")])
    assert actions(made) == {"Group": Action.CHANGE, "Machine": Action.CHANGE}


def test_a_secret_that_is_generated_again_counts_as_lost() -> None:
    secret = {"Type": "AWS::SecretsManager::Secret", "Properties": {"GenerateSecretString": {"PasswordLength": 40}}}
    after = template(Password=changed(secret, GenerateSecretString={"PasswordLength": 41}))
    made = plan("Shop", template(Password=secret), after, [said("Password", "Modify", "False")])
    [step] = made.lost
    assert (step.action, step.data) == (Action.REPLACE, "it gets another value, which what it opens does not know")


def test_what_stays_outside_the_stack_goes_on_billing() -> None:
    kept = {**DATABASE, "DeletionPolicy": "Retain"}
    made = plan("Shop", template(Database=kept), template(Group=GROUP), ())
    assert made.month_left == made.month_before
    assert made.month_left
    assert f"goes on billing {made.month_left:.2f}" in made.cost()
    assert plan("Shop", template(Database=DATABASE), template(Group=GROUP), ()).month_left == 0


def test_without_a_price_the_cost_is_said_to_be_unknown() -> None:
    made = plan("Shop", None, template(Odd={"Type": "AWS::Odd::Thing", "DeletionPolicy": "Retain"}), ())
    assert (made.month_after, "not known" in made.cost()) == (None, True)


class TestProtection:
    lossy = plan("Shop", template(Database=DATABASE), template(Database=changed(DATABASE, DBName="other")), ())

    def test_data_that_nobody_named_stops_the_deployment(self) -> None:
        refusal = refuse_loss(self.lossy, [], {"Database": "shop-db"})
        assert isinstance(refusal, InputError)
        for part in (
            "Database (AWS::RDS::DBInstance shop-db) would be replaced: the old one is deleted, and a snapshot stays.",
            "aws rds create-db-snapshot --db-instance-identifier shop-db",
            "Nothing was deployed.",
            "--replace Database",
        ):
            assert part in str(refusal)

    def test_data_that_was_named_may_go(self) -> None:
        assert refuse_loss(self.lossy, ["Database"], {}) is None

    def test_a_name_that_the_plan_does_not_touch_is_refused(self) -> None:
        assert "--replace Databse: The plan neither replaces nor deletes it." in str(
            refuse_loss(self.lossy, ["Databse"], {})
        )


class TestSettings:
    def deployed(self, **settings: str) -> Json:
        context = {f"web_app.{name}": value for name, value in settings.items()}
        return templates(context)[StackName.WEB_APP]

    def test_a_template_remembers_what_differs_from_the_defaults(self) -> None:
        context = {"training.vpc_id": "vpc-0a1b2c3d", "training.subnet_ids": "subnet-0a1b2c3d,subnet-1a2b3c4d"}
        context |= {"training.job_vcpus": "8", "training.delete_data": "true", "allow_data_deletion": "true"}
        chosen = Config.from_context({**context, "web_app.backup_days": "9"}).chosen("training")
        assert chosen == context
        assert taken_over({"Metadata": {"groundwork:settings": chosen}}, {}) == context

    def test_the_next_deployment_takes_them_over(self) -> None:
        deployed = self.deployed(backup_days="9", database_two_zones="true")
        assert taken_over(deployed, {}) == {"web_app.backup_days": "9", "web_app.database_two_zones": "true"}

    def test_what_is_given_holds_instead(self) -> None:
        deployed = self.deployed(backup_days="9")
        assert taken_over(deployed, {"web_app": {"backup_days": 7}}) == {}
        assert taken_over(deployed, {"web_app.backup_days": "7"}) == {}

    def test_a_setting_may_fall_back_if_it_is_named(self) -> None:
        deployed = self.deployed(backup_days="9", database_two_zones="true")
        assert taken_over(deployed, {}, ["web_app.backup_days"]) == {"web_app.database_two_zones": "true"}
        with pytest.raises(InputError, match=r"--accept-default web_app.email: .* Those that differ are web_app.data"):
            taken_over(deployed, {}, ["web_app.email"])

    def test_a_setting_that_no_longer_exists_stops_the_deployment(self) -> None:
        deployed = {"Metadata": {"groundwork:settings": {"web_app.colour": "red"}}}
        with pytest.raises(
            InputError, match=r"web_app.colour: .* with the value red.* --accept-default web_app.colour"
        ):
            taken_over(deployed, {}, stack="WebApp")
        assert taken_over(deployed, {}, ["web_app.colour"]) == {}

    def test_a_stack_with_the_defaults_remembers_nothing(self) -> None:
        assert "groundwork:settings" not in self.deployed().get("Metadata", {})
        assert taken_over(None, {}) == {}
