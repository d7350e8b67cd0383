"""How the stacks with InfluxDB come to the token that their programs use."""

from __future__ import annotations

import pytest

from .conftest import Json, as_list, of_type

#: By stack: what the names of the token's resources begin with, and the secret of InfluxDB's first user.
STACKS = {"DevOpsMetrics": ("Token", "Access"), "DataEcosystem": ("TrendsToken", "TrendsAccess")}


def allowed(template: Json, role: str) -> dict[str, list[Json]]:
    """On what a role may do what, by actions."""
    found: dict[str, list[Json]] = {}
    for kind in ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"):
        for _, body in of_type(template, kind):
            if kind.endswith("ManagedPolicy") == (role == "") and (
                not role or {"Ref": role} in body["Properties"]["Roles"]
            ):
                for statement in body["Properties"]["PolicyDocument"]["Statement"]:
                    if statement["Effect"] == "Allow":
                        for action in as_list(statement["Action"]):
                            found.setdefault(action, []).append(statement["Resource"])
    return found


@pytest.fixture(params=STACKS)
def stack(request: pytest.FixtureRequest, all_templates: dict[str, Json]) -> tuple[Json, str, str]:
    return all_templates[request.param], *STACKS[request.param]


def test_only_the_keeper_reads_the_password_and_it_writes_only_the_token(stack: tuple[Json, str, str]) -> None:
    template, token, admin = stack
    assert {
        action: resources
        for action, resources in allowed(template, f"{token}KeeperRole").items()
        if not action.startswith("logs:")
    } == {
        "secretsmanager:GetSecretValue": [{"Ref": admin}],
        "secretsmanager:PutSecretValue": [{"Ref": f"{token}Secret"}],
        "lambda:InvokeFunction": [{"Fn::GetAtt": [f"{token}Maker", "Arn"]}],
    }
    readers = [role for role, _ in of_type(template, "AWS::IAM::Role") if role != f"{token}KeeperRole"]
    for role in [*readers, ""]:
        assert {"Ref": admin} not in allowed(template, role).get("secretsmanager:GetSecretValue", [])


def test_the_maker_may_call_nothing_and_reaches_only_influxdb(stack: tuple[Json, str, str]) -> None:
    template, token, _ = stack
    actions = {action.partition(":")[0] for action in allowed(template, f"{token}MakerRole")}
    assert actions == {"logs", "ec2"}  # its log, and what Lambda needs to put it into the network
    ways = [
        rule["Properties"]
        for _, rule in of_type(template, "AWS::EC2::SecurityGroupEgress")
        if rule["Properties"]["GroupId"] == {"Fn::GetAtt": [f"{token}Group", "GroupId"]}
    ]
    assert [(way["FromPort"], way["ToPort"]) for way in ways] == [(8086, 8086)]
    assert template["Resources"][f"{token}Maker"]["Properties"]["VpcConfig"]["SubnetIds"]


def test_programs_read_the_token(stack: tuple[Json, str, str]) -> None:
    template, token, _ = stack
    assert template["Outputs"]["SecretArn"]["Value"] == {"Ref": f"{token}Secret"}


def test_cloudformation_waits_longer_than_the_keeper_can_take_and_less_than_an_hour(
    stack: tuple[Json, str, str],
) -> None:
    template, token, _ = stack
    resources = template["Resources"]
    maker, keeper = (resources[f"{token}{name}"]["Properties"] for name in ("Maker", "Keeper"))
    waits = int(resources[f"{token}Made"]["Properties"]["ServiceTimeout"])
    calls = int(keeper["Environment"]["Variables"]["TOKEN_SECONDS"])
    assert maker["Timeout"] < calls < keeper["Timeout"] < waits < 3600


def test_the_token_is_made_when_everything_that_it_takes_is_there(stack: tuple[Json, str, str]) -> None:
    template, token, _ = stack
    made = template["Resources"][f"{token}Made"]
    assert {f"{token}FromMaker", f"{token}ToInfluxDB", f"{token}KeeperRoleDefaultPolicy"} <= set(made["DependsOn"])
    assert {"Endpoint", "Bucket", "Secret"} <= set(made["Properties"])  # another one gets another token
