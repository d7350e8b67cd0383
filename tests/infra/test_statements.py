"""Every statement of every policy is needed: by the demonstration, by code, or for a reason that somebody gave."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from infra.check.statements import BEGIN, END, PAGE, UNUSED, USED, faults, statements, written
from infra.console.templates import TEMPLATES
from localcloud.access.policies import documents
from localcloud.access.policies.evaluation import Policies, Request, evaluate
from localcloud.access.policies.principals import Principal

from .conftest import Json, Synthesised

STACKS = [stack.__name__ for stack in TEMPLATES.values()]
ACCOUNT = "123456789012"
SOMEBODY = Principal(f"arn:aws:sts::{ACCOUNT}:assumed-role/any/any", ACCOUNT, f"arn:aws:iam::{ACCOUNT}:role/any")
EVERYTHING = documents.read('{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}')


@pytest.fixture(scope="module")
def templates(synthesised: Synthesised) -> dict[str, Json]:
    return {stack: synthesised.templates[stack] for stack in STACKS}


def test_nothing_is_allowed_for_nothing(templates: dict[str, Json]) -> None:
    assert faults(templates) == []


def test_the_page_lists_every_statement(templates: dict[str, Json]) -> None:
    assert written(templates) == PAGE.read_text("utf-8")
    table = PAGE.read_text("utf-8").partition(BEGIN)[2].partition(END)[0]
    count = sum(1 for stack, template in templates.items() for _ in statements(stack, template))
    assert len([line for line in table.splitlines() if line.startswith("| ")]) == count + 1


def test_the_record_and_the_reasons_are_about_statements_that_there_are(templates: dict[str, Json]) -> None:
    labels = {
        (statement.stack, statement.policy, statement.label)
        for stack, template in templates.items()
        for statement in statements(stack, template)
    }
    used = yaml.safe_load(USED.read_text("utf-8"))
    assert {
        (stack, policy, label) for stack, policies in used.items() for policy in policies for label in policies[policy]
    } <= labels


def test_another_statement_and_another_action_need_somebody(templates: dict[str, Json]) -> None:
    changed = copy.deepcopy(templates)
    topic = changed["Training"]["Resources"]["TopicPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    topic.append({"Effect": "Allow", "Action": "sns:Publish", "Principal": {"Service": "s3.amazonaws.com"}})
    role = changed["Training"]["Resources"]["OneOffRoleDefaultPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    role.append({"Effect": "Allow", "Action": "sts:TagSession", "Resource": "*"})
    assert [fault.partition(": remove")[0] for fault in faults(changed)] == [
        "Training: OneOffRoleDefaultPolicy: sts:TagSession: nothing needs sts:TagSession",
        "Training: Topic: sns:Publish by s3.amazonaws.com: nothing needs sns:Publish",
    ]


def test_a_reason_for_nothing_is_found(
    templates: dict[str, Json], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    reasons = tmp_path / "unused.yaml"
    reasons.write_text(UNUSED.read_text("utf-8") + '"Training/Nothing/*": because\n')
    monkeypatch.setattr("infra.check.statements.UNUSED", reasons)
    assert faults(templates) == ["unused.yaml explains Training/Nothing/* for nothing"]


def denials(templates: dict[str, Json]) -> Iterator[tuple[str, Json]]:
    """The statements that deny, with the names of their stack and resource."""
    for stack, template in templates.items():
        for name, body in template["Resources"].items():
            document = body.get("Properties", {}).get("PolicyDocument", {})
            for statement in document.get("Statement", []):
                if statement["Effect"] == "Deny":
                    yield f"{stack}/{name}", statement


def test_each_denial_refuses_what_would_be_allowed_without_it(templates: dict[str, Json]) -> None:
    found = [*denials(templates)]
    assert len(found) > 15
    for name, statement in found:
        keys = {key: value for test in statement["Condition"].values() for key, value in test.items()}
        plain = {**statement, "Resource": "*"}  # what it is on is a reference
        policy = documents.read(json.dumps({"Version": "2012-10-17", "Statement": [plain]}), name)
        action = statement["Action"] if isinstance(statement["Action"], str) else statement["Action"][0]
        [(key, value)] = keys.items()
        guarded = value.replace("*", "x").replace("arn:x:", "arn:aws:") if key.startswith("lambda:") else value
        request = Request(SOMEBODY, action.replace("*", "Any"), "*", ACCOUNT, {key.lower(): guarded})
        other = Request(SOMEBODY, action.replace("*", "Any"), "*", ACCOUNT, {"aws:securetransport": "true"})
        policies = (
            Policies((EVERYTHING,), resource=policy) if "Principal" in statement else Policies((EVERYTHING, policy))
        )
        assert not evaluate(request, policies).allowed, name
        assert evaluate(request, policies.without(policy.statements[0])).allowed, name
        assert evaluate(other, policies).allowed, name
