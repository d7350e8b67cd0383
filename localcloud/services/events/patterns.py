"""TestEventPattern: whether an event matches a pattern, by the matcher that decides for rules, too.

moto gap: it answers nothing.
"""

import json
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.events.models import EventPattern, EventPatternParser
from moto.events.responses import EventsHandler

from localcloud.hooks import instead

#: Fields that an event must have here, as the API reference of TestEventPattern lists them.
MANDATORY = ("id", "account", "source", "time", "region", "resources", "detail-type")


@instead(EventsHandler, "test_event_pattern")
def _test_event_pattern(_: Any, self: EventsHandler) -> str:
    raw = self._get_param("EventPattern")
    pattern = EventPattern(raw, EventPatternParser(raw).parse())
    return json.dumps({"Result": pattern.matches_event(_event(self._get_param("Event")))})


def _event(text: str) -> Any:
    try:
        event = json.loads(text)
    except ValueError as error:
        raise _invalid(f"it is not JSON: {error}") from None
    if not isinstance(event, dict):
        raise _invalid("it is not a JSON object")
    if absent := [name for name in MANDATORY if name not in event]:
        raise _invalid(f"it lacks {', '.join(absent)}")
    return event


def _invalid(reason: str) -> JsonRESTError:
    return JsonRESTError("ValidationException", f"Parameter Event is not valid. Reason: {reason}.")
