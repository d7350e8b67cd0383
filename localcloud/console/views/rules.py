"""Event rules: what they match, when they run, whom they tell, and what they do with a test event."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, render_template, request

from localcloud.cloud.account import ACCOUNT, REGION
from localcloud.console import forms, reading
from localcloud.services.events.behaviour import publish

blueprint = Blueprint("rules", __name__)

#: Fields of an event that is sent; the rest of the envelope is EventBridge's to write.
SENT = ("source", "detail-type", "detail")


def all_rules() -> list[dict[str, Any]]:
    """Return the rules of all event buses, by bus and name."""
    buses = reading.listed("events", "list_event_buses", "EventBuses")
    rules = [
        rule for bus in buses for rule in reading.listed("events", "list_rules", "Rules", EventBusName=bus["Name"])
    ]
    return sorted(rules, key=lambda rule: (str(rule["EventBusName"]), str(rule["Name"])))


@blueprint.get("/rules")
def show_all() -> str:
    """Show all rules."""
    return render_template("rules.html", rules=all_rules())


@blueprint.get("/rules/<name>")
def show(name: str) -> str:
    """Show a rule."""
    return _page(_rule(name))


@blueprint.post("/rules/<name>")
def test(name: str) -> str:
    """Compare an event with the pattern of a rule, or send the event to the rule's bus."""
    forms.check()
    rule, text = _rule(name), request.form.get("event", "")
    try:
        event = json.loads(text)
    except ValueError as error:
        return _page(rule, text, problem=f"This is not JSON: {error}.")
    missing = [field for field in SENT if not isinstance(event, dict) or field not in event]
    if missing:
        return _page(rule, text, problem=f"The event is not a JSON object with {', '.join(missing)}.")
    if not isinstance(event["detail"], dict) or not isinstance(event.get("resources", []), list):
        return _page(rule, text, problem="Write detail as an object, and resources as a list.")
    envelope = {**_envelope(), **event}
    matches = reading.client("events").test_event_pattern(
        EventPattern=rule["EventPattern"], Event=json.dumps(envelope)
    )["Result"]
    if request.form.get("action") != "send":
        return _page(rule, text, matches=matches)
    problem = _send(rule["EventBusName"], event)
    return _page(rule, text, matches=matches, sent=not problem, problem=problem)


def _rule(name: str) -> dict[str, Any]:
    rule: dict[str, Any] | None = next((rule for rule in all_rules() if rule["Name"] == name), None)
    return reading.existing(rule, f"There is no rule {name}.")


def _page(rule: dict[str, Any], event: str = "", **answer: Any) -> str:
    chosen = {"Rule": rule["Name"], "EventBusName": rule["EventBusName"]}
    targets = reading.listed("events", "list_targets_by_rule", "Targets", **chosen)
    pattern = rule.get("EventPattern")
    event = event or (json.dumps(sample(json.loads(pattern)), indent=2, ensure_ascii=False) if pattern else "")
    return render_template("rule.html", rule=rule, targets=targets, event=event, token=forms.token(), answer=answer)


def _send(bus: str, event: dict[str, Any]) -> str:
    """Send an event; return why it was not taken, or nothing.

    Nobody but AWS sends events whose source begins with `aws.`, so the console sends those in the name of the service.
    """
    resources = event.get("resources", [])
    if str(event["source"]).startswith("aws."):
        publish(reading.cloud(), event["source"], event["detail-type"], event["detail"], resources)
        return ""
    entry = {
        "Source": str(event["source"]),
        "DetailType": str(event["detail-type"]),
        "Detail": json.dumps(event["detail"]),
        "Resources": resources,
        "EventBusName": bus,
    }
    [taken] = reading.client("events").put_events(Entries=[entry])["Entries"]
    return f"EventBridge refuses the event: {taken['ErrorMessage']}" if "ErrorCode" in taken else ""


def _envelope() -> dict[str, Any]:
    moment = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    known = {"version": "0", "id": str(uuid.uuid4()), "account": ACCOUNT, "region": REGION, "time": moment}
    return {**known, "resources": []}


def sample(pattern: dict[str, Any]) -> dict[str, Any]:
    """Return an event that a pattern matches, as far as its first alternatives tell it; a person changes the rest."""
    event = {"source": "example", "detail-type": "Example", "detail": {}}
    return {**event, **{name: _value(wanted) for name, wanted in pattern.items() if not name.startswith("$")}}


def _value(wanted: Any) -> Any:
    if isinstance(wanted, dict):
        return {name: _value(inner) for name, inner in wanted.items() if not name.startswith("$")}
    first = next(iter(wanted), "example")
    if not isinstance(first, dict):
        return first
    [(operator, operand)] = first.items()
    match operator:
        case "prefix" | "suffix" | "equals-ignore-case" if isinstance(operand, str):
            return operand
        case "wildcard":
            return str(operand).replace("*", "example")
        case "numeric":
            return operand[1]
        case _:
            return "example"
