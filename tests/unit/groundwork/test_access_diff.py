"""What a change of templates makes possible: by what statements admit, not by their text."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from contract.errors import InputError
from groundwork.__main__ import app
from groundwork.access_diff.grants import holders
from groundwork.access_diff.revisions import templates
from localcloud.access.actions import reference
from localcloud.access.policies.comparison import added

Json = dict[str, Any]
OBJECTS = {"Fn::Join": ["", [{"Fn::GetAtt": ["Bucket", "Arn"]}, "/*"]]}
READ: Json = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": OBJECTS}
SECURE = {"Bool": {"aws:SecureTransport": "true"}}


def template(*statements: Json, **more: Json) -> Json:
    policy = {"PolicyName": "own", "PolicyDocument": {"Version": "2012-10-17", "Statement": list(statements)}}
    return {"Resources": {"Role": {"Type": "AWS::IAM::Role", "Properties": {"Policies": [policy]}}, **more}}


def difference(folder: Path, old: Json, new: Json) -> list[tuple[str, str, str, str]]:
    """What is newly possible, as rows of principal, action, resource and condition."""
    for name, body in (("old", old), ("new", new)):
        (folder / f"{name}.json").write_text(json.dumps(body))
    found = added(holders(folder / "old.json"), holders(folder / "new.json"), reference.matching)
    return [(access.principal, access.action, access.resource, access.condition) for access in found]


NO_NEW_ACCESS = {
    "the same": ([READ], [READ]),
    "less": ([READ, {**READ, "Action": "s3:PutObject"}], [READ]),
    "a statement in two": (
        [{**READ, "Action": ["s3:GetObject", "s3:PutObject"]}],
        [READ, {**READ, "Action": "s3:PutObject"}],
    ),
    "another case of the letters": ([READ], [{**READ, "Action": "S3:getobject"}]),
    "a name instead of a wildcard": ([{**READ, "Action": "s3:Get*"}], [READ]),
    "a narrower resource": ([{**READ, "Resource": "*"}], [READ]),
    "a condition more": ([READ], [{**READ, "Condition": SECURE}]),
    "a value less": (
        [{**READ, "Condition": {"StringEquals": {"s3:prefix": ["a", "b"]}}}],
        [{**READ, "Condition": {"StringEquals": {"s3:prefix": "a"}}}],
    ),
    "a narrower pattern in a condition": (
        [{**READ, "Condition": {"StringLike": {"s3:prefix": "a*"}}}],
        [{**READ, "Condition": {"StringLike": {"s3:prefix": "ab*"}}}],
    ),
    "a forbidden value more": (
        [{**READ, "Condition": {"StringNotEquals": {"s3:prefix": "a"}}}],
        [{**READ, "Condition": {"StringNotEquals": {"s3:prefix": ["a", "b"]}}}],
    ),
    "a denial more": ([READ], [READ, {**READ, "Effect": "Deny"}]),
    "an allow of what is denied": ([], [READ, {**READ, "Effect": "Deny", "Resource": "*"}]),
}


@pytest.mark.parametrize(("old", "new"), NO_NEW_ACCESS.values(), ids=NO_NEW_ACCESS)
def test_no_new_access(tmp_path: Path, old: list[Json], new: list[Json]) -> None:
    assert difference(tmp_path, template(*old), template(*new)) == []


NEW_ACCESS = {
    "an action": ([], [READ], "s3:GetObject", "{Bucket.Arn}/*", ""),
    "a wider resource": ([READ], [{**READ, "Resource": "*"}], "s3:GetObject", "*", ""),
    "a condition less": ([{**READ, "Condition": SECURE}], [READ], "s3:GetObject", "{Bucket.Arn}/*", ""),
    "a value more": (
        [{**READ, "Condition": {"StringEquals": {"x:y": "a"}}}],
        [{**READ, "Condition": {"StringEquals": {"x:y": ["a", "b"]}}}],
        "s3:GetObject",
        "{Bucket.Arn}/*",
        "StringEquals x:y a, b",
    ),
    "a condition that may be absent": (
        [{**READ, "Condition": {"StringEquals": {"x:y": "a"}}}],
        [{**READ, "Condition": {"StringEqualsIfExists": {"x:y": "a"}}}],
        "s3:GetObject",
        "{Bucket.Arn}/*",
        "StringEqualsIfExists x:y a",
    ),
    "a denial less": (
        [READ, {**READ, "Effect": "Deny"}],
        [READ],
        "s3:GetObject",
        "{Bucket.Arn}/*",
        "what was denied before",
    ),
    "a narrower denial": (
        [{**READ, "Resource": "*"}, {**READ, "Effect": "Deny", "Resource": "*"}],
        [{**READ, "Resource": "*"}, {**READ, "Effect": "Deny"}],
        "s3:GetObject",
        "*",
        "what was denied before",
    ),
    "a wider NotResource": (
        [{"Effect": "Allow", "Action": "s3:GetObject", "NotResource": "arn:aws:s3:::a*"}],
        [{"Effect": "Allow", "Action": "s3:GetObject", "NotResource": "arn:aws:s3:::ab*"}],
        "s3:GetObject",
        "everything but arn:aws:s3:::ab*",
        "",
    ),
}


@pytest.mark.parametrize(("old", "new", "action", "resource", "condition"), NEW_ACCESS.values(), ids=NEW_ACCESS)
def test_new_access(
    tmp_path: Path, old: list[Json], new: list[Json], action: str, resource: str, condition: str
) -> None:
    assert difference(tmp_path, template(*old), template(*new)) == [("Role", action, resource, condition)]


def test_a_wildcard_is_told_by_the_actions_that_it_adds(tmp_path: Path) -> None:
    old, new = {**READ, "Action": ["sqs:GetQueueUrl"]}, {**READ, "Action": "sqs:Get*"}
    assert [row[1] for row in difference(tmp_path, template(old), template(new))] == ["sqs:GetQueueAttributes"]


def test_who_is_let_in_by_the_policy_of_a_resource(tmp_path: Path) -> None:
    statement = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage"}
    document = {"Version": "2012-10-17", "Statement": [{**statement, "Resource": "*"}]}
    properties = {"Queues": [{"Ref": "Queue"}], "PolicyDocument": document}
    policy = {"Type": "AWS::SQS::QueuePolicy", "Properties": properties}
    rows = difference(tmp_path, template(), template(Policy=policy))
    assert rows == [("events.amazonaws.com (by policy of {Queue})", "sqs:SendMessage", "*", "")]
    trust = {"AssumeRolePolicyDocument": {"Statement": [{**statement, "Action": "sts:AssumeRole"}]}}
    other = {"Type": "AWS::IAM::Role", "Properties": trust}
    rows = difference(tmp_path, template(), template(Other=other))
    assert rows == [("events.amazonaws.com (by policy of Other)", "sts:AssumeRole", "*", "")]


def test_a_permission_of_a_function(tmp_path: Path) -> None:
    properties = {"Action": "lambda:InvokeFunction", "FunctionName": {"Ref": "F"}, "Principal": "s3.amazonaws.com"}
    permission = {"Type": "AWS::Lambda::Permission", "Properties": {**properties, "SourceArn": "arn:aws:s3:::b"}}
    rows = difference(tmp_path, template(), template(Permission=permission))
    condition = "ArnLike aws:sourcearn arn:aws:s3:::b"
    assert rows == [("s3.amazonaws.com (by policy of {F})", "lambda:InvokeFunction", "{F}", condition)]


def test_the_command_ends_with_1_if_anything_is_newly_possible(tmp_path: Path) -> None:
    for name, body in (("old", template()), ("new", template(READ))):
        (tmp_path / f"{name}.json").write_text(json.dumps(body))
    old, new = str(tmp_path / "old.json"), str(tmp_path / "new.json")
    assert CliRunner().invoke(app, ["access-diff", old, old]).exit_code == 0
    result = CliRunner().invoke(app, ["access-diff", old, new, "--json"])
    assert result.exit_code == 1
    assert json.loads(result.stdout)["added"] == [
        {"principal": "Role", "action": "s3:GetObject", "resource": "{Bucket.Arn}/*", "condition": ""}
    ]


def test_the_templates_of_a_folder_are_compared_by_name(tmp_path: Path) -> None:
    for folder, body in (("old", template()), ("new", template(READ))):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "app.template.json").write_text(json.dumps(body))
    found = added(holders(tmp_path / "old"), holders(tmp_path / "new"), reference.matching)
    assert [access.principal for access in found] == ["app/Role"]


def test_what_is_no_template_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("Resources: 1")
    with pytest.raises(InputError, match="This is not a template with policies"):
        holders(tmp_path / "a.yaml")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="There is no template here"):
        holders(tmp_path / "empty")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of two commits, tagged old and new, the second of which allows more."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cloudformation").mkdir()
    (tmp_path / "cloudformation" / "README.md").write_text("no template")

    def git(*arguments: str) -> None:
        identity = ["-c", "user.name=any", "-c", "user.email=any@example.com"]
        subprocess.run(["git", *identity, *arguments], check=True, capture_output=True)

    git("init")
    for name, statements in (("old", [READ]), ("new", [READ, {**READ, "Action": "s3:PutObject"}])):
        (tmp_path / "cloudformation" / "app.json").write_text(json.dumps(template(*statements)))
        git("add", ".")
        git("commit", "--message", name)
        git("tag", name)
    return tmp_path


def test_two_revisions_are_compared_by_their_committed_templates(repository: Path) -> None:
    ended = CliRunner().invoke(app, ["access-diff", "old", "new", "--json"])
    assert ended.exit_code == 1
    assert [row["action"] for row in json.loads(ended.stdout)["added"]] == ["s3:PutObject"]
    assert CliRunner().invoke(app, ["access-diff", "new", "old"]).exit_code == 0
    (repository / "cloudformation" / "app.json").write_text(json.dumps(template(READ)))
    assert CliRunner().invoke(app, ["access-diff", "new", "cloudformation"]).exit_code == 0
    assert CliRunner().invoke(app, ["access-diff", "old", "cloudformation"]).exit_code == 0


def test_what_is_neither_a_place_nor_a_revision_is_said(repository: Path) -> None:
    assert repository.exists()
    with (
        pytest.raises(InputError, match="absent: There is no such file or folder, and no revision of git"),
        templates("absent", "cloudformation"),
    ):
        pass
    with pytest.raises(InputError, match="no revision of git that has others/"), templates("old", "others"):
        pass
