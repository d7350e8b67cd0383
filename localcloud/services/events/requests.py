"""What EventBridge refuses of a request, and says about event buses.

moto gaps: it takes targets and events beyond EventBridge's limits, fails for an event bus that does not exist where
EventBridge drops the event, and leaves out what a bus is for and when it was made.
"""

from __future__ import annotations

import json
import re
from typing import Any, cast
from uuid import uuid4

from moto.core.exceptions import JsonRESTError
from moto.events.exceptions import ResourceNotFoundException, ValidationException
from moto.events.models import EventBus, EventsBackend
from moto.events.responses import EventsHandler

from localcloud.access import service_calls
from localcloud.cloud.context import Cloud
from localcloud.hooks import wrap
from localcloud.services.events.behaviour import SERVICE, is_deliverable

Json = dict[str, Any]

TARGETS_OF_A_RULE = 5
LONGEST_ID = 64
ID = re.compile(r"[.\-_A-Za-z0-9]+")
#: The size of the entries of a request in bytes, and what counts for the time of one.
LARGEST, TIME = 256 * 1024, 14


@wrap(EventsBackend, "put_targets")
def _put_targets(cloud: Cloud, original: Any, self: EventsBackend, name: str, *place: str | list[Json]) -> None:
    [event_bus_arn, targets] = cast("tuple[str | None, list[Json]]", place)
    for number, target in enumerate(targets, start=1):
        _check_id(target["Id"], f"targets.{number}.member.id")
        if not is_deliverable(target["Arn"]):
            raise ValidationException(
                f"Parameter {target['Arn']} is not valid. Reason: The local cloud delivers events only to functions, "
                "queues, topics, log groups, state machines and event buses."
            )
        if ":states:" in target["Arn"] and not target.get("RoleArn"):
            raise ValidationException(f"RoleArn is required for target {target['Arn']}.")
        _check_trust(cloud, target.get("RoleArn", ""))
    bus = self._get_event_bus(self._normalize_event_bus_arn(event_bus_arn))
    rule = bus.rules.get(name)
    ids = {target["Id"] for target in [*(rule.targets if rule else []), *targets]}
    if len(ids) > TARGETS_OF_A_RULE:
        raise JsonRESTError("LimitExceededException", "The requested resource exceeds the maximum number allowed.")
    original(self, name, event_bus_arn, targets)


def _check_trust(cloud: Cloud, role: str) -> None:
    """Refuse a target's role that EventBridge may not assume; no role at all is not judged."""
    try:
        service_calls.check_trust(cloud, SERVICE, role)
    except PermissionError as error:
        message = f"Provided role '{role}' cannot be assumed by principal '{SERVICE}'."
        raise ValidationException(message) from error


def _check_id(identifier: str, place: str) -> None:
    refusal = (
        f"1 validation error detected: Value '{identifier}' at '{place}' failed to satisfy constraint: Member must"
    )
    if not ID.fullmatch(identifier):
        raise ValidationException(rf"{refusal} satisfy regular expression pattern: [\.\-_A-Za-z0-9]+")
    if len(identifier) > LONGEST_ID:
        raise ValidationException(f"{refusal} have length less than or equal to {LONGEST_ID}")


@wrap(EventsBackend, "put_events")
def _put_events(original: Any, self: EventsBackend, events: list[Json]) -> list[Json]:
    if sum(map(_size, events)) > LARGEST:
        raise ValidationException("Total size of the entries in the request is over the limit.")
    if len(events) > 10:  # noqa: PLR2004 - moto refuses them all
        refused: list[Json] = original(self, events)
        return refused
    return [entry for event in events for entry in _put_event(original, self, event)]


def _put_event(original: Any, backend: EventsBackend, event: Json) -> list[Json]:
    complete = all(event.get(name) for name in ("Source", "DetailType", "Detail"))
    if complete and not _is_object(event["Detail"]):
        return [{"ErrorCode": "MalformedDetail", "ErrorMessage": "Detail is malformed."}]
    bus = backend._normalize_event_bus_arn(event.get("EventBusName"))  # noqa: SLF001 - as moto's put_events
    if complete and bus not in backend.event_buses:
        return [{"EventId": str(uuid4())}]
    return [*original(backend, [event])]


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def _size(event: Json) -> int:
    """Return the size of an entry in bytes, as the user guide computes it."""
    texts = [event.get(name) or "" for name in ("Source", "DetailType", "Detail")] + (event.get("Resources") or [])
    return sum(len(text.encode()) for text in texts) + (TIME if event.get("Time") else 0)


@wrap(EventsBackend, "describe_rule")
def _describe_rule(original: Any, self: EventsBackend, name: str, event_bus_arn: str | None) -> Any:
    bus = self._normalize_event_bus_arn(event_bus_arn)
    if bus in self.event_buses and name not in self.event_buses[bus].rules:
        raise ResourceNotFoundException(f"Rule {name} does not exist on EventBus {bus}.")
    return original(self, name, event_bus_arn)


@wrap(EventsHandler, "list_event_buses")
def _list_event_buses(original: Any, self: EventsHandler) -> tuple[str, Json]:
    text, headers = original(self)
    listed = json.loads(text)
    buses = self.events_backend.event_buses
    listed["EventBuses"] = [described | _details(buses[described["Name"]]) for described in listed["EventBuses"]]
    return json.dumps(listed), headers


def _details(bus: EventBus) -> Json:
    times = {"CreationTime": bus.creation_time, "LastModifiedTime": bus.last_modified_time}
    return times | ({"Description": bus.description} if bus.description else {})


@wrap(EventsHandler, "create_event_bus")
def _create_event_bus(original: Any, self: EventsHandler) -> tuple[str, Json]:
    text, headers = original(self)
    described = json.loads(text)
    if description := self._get_param("Description"):
        described["Description"] = description
    return json.dumps(described), headers
