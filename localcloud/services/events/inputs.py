"""What a target gets of an event: all of it, one field, a constant, or what an input transformer makes of it.

moto gap: its transformer knows two of the five predefined variables, puts texts without quotes and keeps a placeholder
of a field that the event does not have; PutTargets checks nothing.

Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from jsonpath_ng.exceptions import JSONPathError
from jsonpath_ng.ext.parser import parse as json_path
from moto.events.exceptions import ValidationException
from moto.events.models import EventsBackend

from localcloud.hooks import wrap

Json = dict[str, Any]

PLACEHOLDER = re.compile(r"<([\w.@-]+)>")
#: Texts and placeholders of a template, one by one: a text in quotes is rendered differently from JSON.
TOKENS = re.compile(r'"(?:[^"\\]|\\.)*"|<[\w.@-]+>|[^"<]+|.', re.DOTALL)
PREDEFINED = {
    "aws.events.event",
    "aws.events.event.ingestion-time",
    "aws.events.event.json",
    "aws.events.rule-arn",
    "aws.events.rule-name",
}
ALTERNATIVES = ("Input", "InputPath", "InputTransformer")


def check(target: Json) -> None:
    """Refuse a target whose input EventBridge does not take.

    Raises:
        ValidationException: Names the target and the setting.
    """
    name = target["Id"]
    if sum(key in target for key in ALTERNATIVES) > 1:
        message = f"Only one of Input, InputPath, or InputTransformer must be provided for target {name}."
        raise ValidationException(message)
    if "Input" in target:
        _check_json(target["Input"], "Input", name)
    if "InputPath" in target:
        _check_path(target["InputPath"], name)
    if transformer := target.get("InputTransformer"):
        _check_transformer(transformer, name)


def _check_json(text: str, setting: str, name: str) -> None:
    try:
        _parse(text)
    except ValueError as error:
        raise ValidationException(f"Invalid {setting} for target {name} : {error}.") from None


def _check_path(path: str, name: str) -> None:
    try:
        json_path(path)
    except (JSONPathError, AttributeError) as error:  # the parser raises both
        raise ValidationException(f"Invalid InputPath for target {name} : {error}.") from None


def _check_transformer(transformer: Json, name: str) -> None:
    template, paths = transformer.get("InputTemplate"), transformer.get("InputPathsMap") or {}
    if not template:
        raise ValidationException(f"InputTemplate for target {name} must not be empty.")
    for variable, path in paths.items():
        if variable.lower().startswith("aws"):
            raise ValidationException(f"InputPathsMap for target {name} contains the reserved name {variable}.")
        _check_path(path, name)
    for variable in PLACEHOLDER.findall(template):
        if variable not in paths and variable not in PREDEFINED:
            raise ValidationException(f"InputTemplate for target {name} contains invalid placeholder {variable}.")
    _check_json(_render(template, lambda _variable: ""), "InputTemplate", name)


def render(target: Json, event: Json, rule: Json) -> str:
    """Return what the target receives, as text.

    Args:
        target: The target, as PutTargets takes it.
        event: The event in its public form, with ``ingestion-time`` beside it.
        rule: The rule's ``name`` and ``arn``.

    Raises:
        ValueError: The path matches nothing, or the transformer's result is not JSON.
    """
    plain_event = {name: value for name, value in event.items() if name != "ingestion-time"}
    if transformer := target.get("InputTransformer"):
        return _transformed(transformer, event, plain_event, rule)
    if "Input" in target:
        return str(target["Input"])
    if "InputPath" in target:
        matches = json_path(target["InputPath"]).find(plain_event)
        if not matches:
            raise ValueError(f"the event has nothing at the input path {target['InputPath']}")
        return _compact(matches[0].value)
    return _compact(plain_event)


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def _transformed(transformer: Json, event: Json, plain_event: Json, rule: Json) -> str:
    paths = transformer.get("InputPathsMap") or {}
    head = {
        "detailType" if name == "detail-type" else name: value
        for name, value in plain_event.items()
        if name != "detail"
    }
    predefined = {
        "aws.events.event": head,
        "aws.events.event.ingestion-time": event["ingestion-time"],
        "aws.events.event.json": plain_event,
        "aws.events.rule-arn": rule["arn"],
        "aws.events.rule-name": rule["name"],
    }

    def value(variable: str) -> Any:
        if variable not in paths:
            return predefined[variable]
        matches = json_path(paths[variable]).find(plain_event)
        return matches[0].value if matches else ""

    text = _render(transformer["InputTemplate"], value)
    _parse(text)
    return text


def _render(template: str, value: Callable[[str], Any]) -> str:
    """Return the template with its placeholders replaced, as JSON outside quotes and as text within them."""
    plain = template.lstrip().startswith('"')
    return "".join(_pieces(template, value, plain=plain))


def _pieces(template: str, value: Callable[[str], Any], *, plain: bool) -> Iterator[str]:
    for token in TOKENS.findall(template):
        if token.startswith('"'):
            yield PLACEHOLDER.sub(lambda match: _within_quotes(value(match[1]), plain=plain), token)
        elif match := PLACEHOLDER.fullmatch(token):
            yield json.dumps(value(match[1]))
        else:
            yield token


def _within_quotes(value: Any, *, plain: bool) -> str:
    """Return a value inside a text. Of an object, a template that is a text gets the JSON without its quotes."""
    if isinstance(value, str):
        return json.dumps(value)[1:-1]
    text = _compact(value)
    return text.replace('"', "") if plain else text


def _parse(text: str) -> None:
    """Check that a text is JSON, or that each of its lines is.

    Raises:
        ValueError: It is neither.
    """
    try:
        json.loads(text)
    except ValueError:
        lines = [line for line in text.splitlines() if line.strip()]
        if len(lines) < 2:  # noqa: PLR2004 - lines, in the plural
            raise
        for line in lines:
            json.loads(line)


@wrap(EventsBackend, "put_targets")
def _put_targets(original: Any, self: EventsBackend, name: str, event_bus_arn: str | None, targets: list[Json]) -> None:
    for target in targets:
        check(target)
    original(self, name, event_bus_arn, targets)
