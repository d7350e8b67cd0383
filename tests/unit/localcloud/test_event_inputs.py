"""What targets get of an event."""

from __future__ import annotations

import json
from typing import Any

import pytest
from moto.events.exceptions import ValidationException

from localcloud.services.events import inputs

RULE = {"name": "rule", "arn": "arn:aws:events:us-east-1:123456789012:rule/rule"}
EVENT = {
    "version": "0",
    "id": "1",
    "detail-type": "sold",
    "source": "shop",
    "time": "2026-01-02T03:04:05Z",
    "detail": {"id": "i-1", "said": 'a "word"\n', "list": ["x", "y"], "count": 3, "inner": {"k": "v"}},
    "ingestion-time": "2026-01-02T03:04:06Z",
}
PATHS = {
    "id": "$.detail.id",
    "said": "$.detail.said",
    "list": "$.detail.list",
    "count": "$.detail.count",
    "inner": "$.detail.inner",
    "absent": "$.detail.absent",
}


def made(template: str) -> str:
    target = {"Id": "t", "InputTransformer": {"InputTemplate": template, "InputPathsMap": PATHS}}
    inputs.check(target)
    return inputs.render(target, EVENT, RULE)


@pytest.mark.parametrize(
    ("template", "result"),
    [
        ('{"a": <id>}', {"a": "i-1"}),
        ('{"a": "<id>"}', {"a": "i-1"}),
        ('{"a": "users/<id>/<id>"}', {"a": "users/i-1/i-1"}),
        ('{"a": "it said <said>"}', {"a": 'it said a "word"\n'}),
        ('{"a": <said>}', {"a": 'a "word"\n'}),
        ('{"a": [<count>, <list>, <inner>]}', {"a": [3, ["x", "y"], {"k": "v"}]}),
        ('{"a": <absent>, "b": "<absent>!"}', {"a": "", "b": "!"}),
        ("<inner>", {"k": "v"}),
        ('"of <inner> and <list>"', "of {k:v} and [x,y]"),
        ('{"a": "<aws.events.rule-name>", "b": <aws.events.rule-arn>}', {"a": "rule", "b": RULE["arn"]}),
        ('{"a": <aws.events.event.ingestion-time>}', {"a": "2026-01-02T03:04:06Z"}),
    ],
)
def test_a_transformer_makes_json_of_values_and_text_of_values_in_quotes(template: str, result: Any) -> None:
    assert json.loads(made(template)) == result


def test_a_transformer_knows_the_event_with_and_without_its_detail() -> None:
    whole = json.loads(made('{"head": <aws.events.event>, "whole": <aws.events.event.json>}'))
    assert whole["whole"] == {name: value for name, value in EVENT.items() if name != "ingestion-time"}
    assert whole["head"]["detailType"] == "sold"
    assert "detail" not in whole["head"]


def test_each_line_of_a_template_can_be_a_text() -> None:
    assert made('"one <id>"\n"two <count>"') == '"one i-1"\n"two 3"'


def test_what_is_not_json_any_more_is_not_delivered() -> None:
    with pytest.raises(ValueError, match="delimiter"):
        made('{"a": "<inner>"}')


def test_a_target_gets_the_event_a_field_or_a_constant() -> None:
    assert "ingestion-time" not in json.loads(inputs.render({"Id": "t"}, EVENT, RULE))
    assert inputs.render({"Id": "t", "InputPath": "$.detail.list"}, EVENT, RULE) == '["x","y"]'
    assert inputs.render({"Id": "t", "Input": '{"a": 1}'}, EVENT, RULE) == '{"a": 1}'


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ({"Input": "{}", "InputPath": "$.detail"}, "Only one of Input, InputPath, or InputTransformer"),
        ({"Input": "{"}, "Invalid Input for target t"),
        ({"InputPath": "$.detail["}, "Invalid InputPath for target t"),
        ({"InputTransformer": {"InputTemplate": "<nobody>"}}, "contains invalid placeholder nobody"),
        ({"InputTransformer": {"InputTemplate": "plain words"}}, "Invalid InputTemplate for target t"),
        ({"InputTransformer": {"InputTemplate": ""}}, "must not be empty"),
        ({"InputTransformer": {"InputTemplate": "1", "InputPathsMap": {"aws.x": "$.id"}}}, "reserved name aws.x"),
    ],
)
def test_an_input_that_eventbridge_does_not_take_is_refused(target: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationException) as error:
        inputs.check({"Id": "t", **target})
    assert reason in str(error.value.message)
