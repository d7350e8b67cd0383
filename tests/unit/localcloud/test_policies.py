"""Policies are judged as AWS documents it: a table of cases, and what must hold for all policies."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from localcloud.access.policies import documents
from localcloud.access.policies.documents import Policy, PolicyError
from localcloud.access.policies.evaluation import Decision, Policies, Request, evaluate
from localcloud.access.policies.patterns import Context
from localcloud.access.policies.principals import Principal

Json = dict[str, Any]
TABLE: Json = yaml.safe_load(Path(__file__).with_name("policy_cases.yaml").read_text(encoding="utf-8"))
DEFAULTS: Json = TABLE["defaults"]
CONDITIONS = [(group["source"], *case) for group in TABLE["conditions"] for case in group["cases"]]
DECISIONS = [case | {"source": group["source"]} for group in TABLE["decisions"] for case in group["cases"]]


def policy(statements: list[Json], version: str = "2012-10-17", name: str = "policy") -> Policy:
    whole = [{**DEFAULTS["statement"], **statement} for statement in statements]
    kept = [{key: value for key, value in statement.items() if value is not None} for statement in whole]
    return documents.read(json.dumps({"Version": version, "Statement": kept}), name)


def context(values: Json) -> Context:
    return {key.lower(): tuple(value) if isinstance(value, list) else str(value) for key, value in values.items()}


def decide(case: Json) -> Decision:
    """The decision over a case of the table, or over one of the same form."""
    case = DEFAULTS | case
    version = case.get("version", "2012-10-17")
    policies = Policies(
        identity=(policy(case["own"], version),) if "own" in case else (),
        boundary=policy(case["boundary"], version) if "boundary" in case else None,
        session=(policy(case["session"], version),) if "session" in case else None,
        resource=policy(case["resource"], version) if "resource" in case else None,
        resource_decides=case.get("resource_decides", False),
    )
    caller = Principal(**DEFAULTS["callers"][case["caller"]])
    request = Request(caller, case["action"], case["of"], case["account"], context(case["context"]))
    return evaluate(request, policies)


def test_the_table_is_long_enough_and_every_case_has_a_source() -> None:
    assert len(CONDITIONS) + len(DECISIONS) >= 120
    assert all(group["source"] for kind in ("conditions", "decisions") for group in TABLE[kind])
    names = [case["name"] for case in DECISIONS]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("source", "holds", "operator", "expected", "actual"),
    CONDITIONS,
    ids=[f"{case[2]} {case[3]} {case[4]}" for case in CONDITIONS],
)
def test_a_condition_holds_as_documented(source: str, holds: bool, operator: str, expected: Any, actual: Any) -> None:
    sent = {} if actual is None else {"x:key": actual}
    assert decide({"own": [{"Condition": {operator: {"x:key": expected}}}], "context": sent}).allowed is holds, source


@pytest.mark.parametrize("case", DECISIONS, ids=[case["name"] for case in DECISIONS])
def test_a_request_is_decided_as_documented(case: Json) -> None:
    decision = decide(case)
    reason = "" if decision.allowed else decision.because(str((DEFAULTS | case)["action"]))
    assert reason == case.get("because", ""), case["source"]


def test_a_decision_names_its_statement() -> None:
    decision = decide({"own": [{"Sid": "Read"}, {"Sid": "Never", "Effect": "Deny", "Action": "s3:Get*"}]})
    assert decision.statement is not None
    assert json.loads(decision.statement.text)["Sid"] == "Never"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "invalid Json"),
        ("[]", "must be an object"),
        ('{"Version": "2013-01-01", "Statement": []}', "valid version string"),
        ('{"Statement": ["s3:*"]}', "must be an object"),
        ('{"Statement": {"Effect": "allow", "Action": "*", "Resource": "*"}}', "Effect"),
        ('{"Statement": {"Effect": "Allow", "Resource": "*"}}', "must contain actions"),
        ('{"Statement": {"Effect": "Allow", "Action": "*", "NotAction": "*"}}', "either Action or NotAction"),
        ('{"Statement": {"Effect": "Allow", "Action": "*", "Resources": "*"}}', "no element Resources"),
        ('{"Statement": {"Effect": "Allow", "Action": [1], "Resource": "*"}}', "Action must be text"),
        ('{"Statement": {"Effect": "Allow", "Action": "*", "Condition": {"StringIs": {}}}}', "operator StringIs"),
        ('{"Statement": {"Effect": "Allow", "Action": "*", "Condition": {"NullIfExists": {}}}}', "NullIfExists"),
        ('{"Statement": {"Effect": "Allow", "Action": "*", "Condition": {"Bool": "true"}}}', "Condition must be"),
        ('{"Statement": {"Effect": "Allow", "Action": "*", "Principal": null}}', "Principal must be"),
    ],
)
def test_what_is_no_policy_is_refused(text: str, words: str) -> None:
    with pytest.raises(PolicyError, match=words):
        documents.read(text)


PEOPLE = ["arn:aws:iam::111122223333:user/alice", "arn:aws:iam::111122223333:role/jobs", "111122223333", "*"]
CONDITION = st.builds(
    lambda operator, values: {operator: {"x:key": values}},
    st.sampled_from(["StringEquals", "StringNotEquals", "StringEqualsIfExists", "ForAllValues:StringLike", "ArnLike"]),
    st.lists(st.sampled_from(["red", "blue", "*", "${x:other}"]), min_size=1, max_size=2),
)
STATEMENT = st.fixed_dictionaries(
    {
        "Effect": st.sampled_from(["Allow", "Allow", "Deny"]),
        "Action": st.sampled_from(["s3:GetObject", "s3:Get*", "*", "sqs:*"]),
        "Resource": st.sampled_from(["*", "arn:aws:s3:::bucket/*", "arn:aws:s3:::other/*"]),
    },
    optional={"Condition": CONDITION},
)
FOR_SOMEBODY = st.builds(
    lambda statement, who: {**statement, "Principal": {"AWS": who}}, STATEMENT, st.sampled_from(PEOPLE)
)
CASES = st.fixed_dictionaries(
    {
        "own": st.lists(STATEMENT, max_size=3),
        "resource": st.lists(FOR_SOMEBODY, max_size=3),
        "caller": st.sampled_from(["user", "session", "root", "stranger", "service", "anonymous"]),
        "context": st.sampled_from([{}, {"x:key": "red"}, {"x:key": ["red", "blue"], "x:other": "red"}]),
        "resource_decides": st.booleans(),
    },
    optional={"boundary": st.lists(STATEMENT, max_size=2), "session": st.lists(STATEMENT, max_size=2)},
)
KINDS = ("own", "resource", "boundary", "session")


@given(CASES, STATEMENT, st.sampled_from(KINDS), st.integers(0, 3))
def test_another_deny_never_allows_more(case: Json, statement: Json, kind: str, place: int) -> None:
    if kind not in case:
        return
    denial = statement | {"Effect": "Deny"} | ({"Principal": "*"} if kind == "resource" else {})
    changed = case | {kind: [*case[kind][:place], denial, *case[kind][place:]]}
    assert decide(changed).allowed <= decide(case).allowed


@given(CASES, st.sampled_from(KINDS), st.integers(0, 2))
def test_an_allow_less_never_allows_more(case: Json, kind: str, place: int) -> None:
    statements = case.get(kind, [])
    if place >= len(statements) or statements[place]["Effect"] == "Deny":
        return
    changed = case | {kind: statements[:place] + statements[place + 1 :]}
    assert decide(changed).allowed <= decide(case).allowed


@given(CASES)
def test_boundaries_and_session_policies_never_allow_more(case: Json) -> None:
    without = {key: value for key, value in case.items() if key not in {"boundary", "session"}}
    assert decide(case).allowed <= decide(without).allowed


@given(CASES)
def test_the_order_of_statements_decides_nothing(case: Json) -> None:
    backwards = case | {kind: case[kind][::-1] for kind in KINDS if kind in case}
    assert decide(backwards).allowed == decide(case).allowed
