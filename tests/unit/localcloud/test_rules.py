"""What the services refuse, in templates: each rule has a fault planted here, and what is right passes.

A test counts the faults: a rule without one fails it.
"""

from __future__ import annotations

import re
from typing import Any

import pytest
from moto.core.utils import get_service_model

from localcloud.cloudformation import json_schema
from localcloud.cloudformation.schemas import PropertyError
from localcloud.services import rooms, rules
from tests.planted_faults import DATABASE, FAULTS, MYSQL, POSTGRES


def refusal(kind: str, properties: dict[str, Any]) -> tuple[rules.Rule, str]:
    """The first rule that refuses properties, and what it says."""
    return next((rule, message) for rule in rules.rules(kind) for message in rule.breaches(properties))


@pytest.mark.parametrize(("kind", "right", "fault", "code", "words"), FAULTS)
def test_a_rule_refuses_its_fault_with_the_services_code_and_words(
    kind: str, right: dict[str, Any], fault: dict[str, Any], code: str, words: str
) -> None:
    rules.check(kind, right)
    with pytest.raises(PropertyError, match=re.escape(words)) as refused:
        rules.check(kind, right | fault)
    rule, message = refusal(kind, right | fault)
    assert str(refused.value) == message
    assert message.endswith(f"See {rule.source}")
    assert (rule.code if rule.operations else "") == code
    assert message.startswith(words) if rule.says else words in message


def test_every_rule_has_a_planted_fault() -> None:
    planted = [(kind, refusal(kind, right | fault)[0]) for kind, right, fault, *_ in FAULTS]
    for room in rooms():
        for kind in room.table("rules.yaml"):
            missing = [rule for rule in rules.rules(kind) if (kind, rule) not in planted]
            assert missing == [], f"plant a fault of {kind} in FAULTS"


def test_every_answer_of_aws_has_the_address_where_it_is_quoted() -> None:
    for room in rooms():
        for kind in room.table("rules.yaml"):
            for rule in rules.rules(kind):
                assert bool(rule.says) == rule.words.startswith("https://"), (kind, rule)
                assert rule.says or rule.words == "undocumented", (kind, rule)
                assert not json_schema.SECRET.search(" ".join(rules.PLACEHOLDER.findall(rule.says)))


def test_no_message_repeats_a_password() -> None:
    with pytest.raises(PropertyError) as refusal:
        rules.check(DATABASE, {"MasterUserPassword": "hunter/2"})
    assert "hunter" not in str(refusal.value)


def test_what_is_not_known_yet_is_left_alone() -> None:
    rules.check(DATABASE, {"Engine": {"Ref": "Engine"}, "EngineVersion": "1", "DBInstanceClass": {"Ref": "Class"}})
    rules.check(DATABASE, POSTGRES | {"MasterUserPassword": "{{resolve:secretsmanager:s:SecretString:password}}"})


def test_many_allowed_values_are_not_all_listed() -> None:
    with pytest.raises(PropertyError, match=r"none of the \d+ values there are, such as .*db\.t4g\.micro"):
        rules.check(DATABASE, MYSQL | {"DBInstanceClass": "db.t4g.mikro"})


def test_every_rule_has_a_source_and_every_row_is_a_type_that_the_room_has() -> None:
    for room in rooms():
        for kind, row in room.table("rules.yaml").items():
            assert kind in room.table("types.yaml")
            for rule in rules.rules(kind):
                assert rule.source.startswith("https://docs.aws.amazon.com/")
                assert rule.schema not in ({}, True), rule.source
                assert rule.code or not rule.operations
            assert row["rules"]


def test_every_row_of_requests_is_an_operation_and_has_a_source() -> None:
    for room in rooms():
        for operation, row in room.table("requests.yaml").items():
            service, _, name = operation.partition(".")
            assert name in get_service_model(service).operation_names
            assert row["code"]
            assert row["rules"]
            for rule in rules.rules(operation):
                assert rule.source.startswith("https://docs.aws.amazon.com/")
                assert rule.schema not in ({}, True), rule.source
