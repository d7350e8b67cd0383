"""What a state machine's definition may say: what Step Functions refuses of it, and what is not here.

moto gap: it takes transitions to states that are not there, and tasks that it cannot do.

Sources: https://docs.aws.amazon.com/step-functions/latest/dg/concepts-amazon-states-language.html and
https://docs.aws.amazon.com/step-functions/latest/dg/integrate-services.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from moto.core.exceptions import ServiceException

from localcloud.cloud.account import ACCOUNT, REGION

Json = dict[str, Any]
FUNCTION = re.compile(rf"arn:aws:lambda:{REGION}:{ACCOUNT}:function:[\w-]+(?::[\w$-]+)?")
INTEGRATION = re.compile(
    r"arn:aws:states:::(?P<service>[\w-]+):(?P<action>\w+(?::\w+)?)(?P<pattern>\.sync(?::2)?|\.waitForTaskToken)?"
)
#: The operations of services that have integrations of their own here; those of the SDK are besides.
ACTIONS = {
    "batch": {"submitJob"},
    "dynamodb": {"deleteItem", "getItem", "putItem", "updateItem"},
    "events": {"putEvents"},
    "lambda": {"invoke"},
    "sns": {"publish"},
    "sqs": {"sendMessage"},
    "states": {"startExecution"},
}
#: The services whose work a task may wait for.
WAITED_FOR = {"batch", "states"}
#: Fields of a Map state that belong to its distributed mode.
DISTRIBUTED = ("ItemBatcher", "ItemReader", "ResultWriter", "ToleratedFailureCount", "ToleratedFailurePercentage")


class DefinitionError(ServiceException):
    """A state machine cannot have this definition."""

    code = "InvalidDefinition"

    def __init__(self, problem: str) -> None:
        super().__init__(f"Invalid State Machine Definition: '{problem}'")


def check(text: str) -> None:
    """Refuse a definition that Step Functions does not take, or of which a part is not here.

    Raises:
        DefinitionError: Names the problem and its place.
    """
    try:
        definition = json.loads(text)
    except ValueError as error:
        raise DefinitionError(f"INVALID_JSON_DESCRIPTION: {error}") from error
    if not isinstance(definition, dict):
        raise DefinitionError("INVALID_JSON_DESCRIPTION: The definition is not an object")
    for problem in _problems(definition, ""):
        raise DefinitionError(problem)


def _problems(machine: Json, place: str) -> Iterator[str]:
    """Yield what is wrong with a machine: the whole one, a branch, or what a Map state does for each item."""
    states = machine.get("States")
    if not isinstance(states, dict) or not states:
        yield f"SCHEMA_VALIDATION_FAILED: The field 'States' is required at {place or '/'}"
        return
    if machine.get("StartAt") not in states:
        yield f"MISSING_TRANSITION_TARGET: Missing 'StartAt' target: {machine.get('StartAt')} at {place}/StartAt"
    if machine.get("QueryLanguage") == "JSONata":
        yield f"The local cloud does not have the query language JSONata at {place}/QueryLanguage"
    for name, state in states.items():
        here = f"{place}/States/{name}"
        for field, target in _transitions(state):
            if target not in states:
                yield f"MISSING_TRANSITION_TARGET: Missing 'Next' target: {target} at {here}/{field}"
        yield from (f"The local cloud does not have {absent} at {here}" for absent in _absent(state))
        for number, branch in enumerate(state.get("Branches", [])):
            yield from _problems(branch, f"{here}/Branches[{number}]")
        for field in ("ItemProcessor", "Iterator"):
            if field in state:
                yield from _problems(state[field], f"{here}/{field}")


def _transitions(state: Json) -> Iterator[tuple[str, Any]]:
    """Yield the states that may follow a state, each with the field that names it."""
    yield from ((field, state[field]) for field in ("Next", "Default") if field in state)
    for field in ("Choices", "Catch"):
        for number, rule in enumerate(state.get(field, [])):
            if "Next" in rule:
                yield f"{field}[{number}]/Next", rule["Next"]


def _absent(state: Json) -> Iterator[str]:
    """Yield what is not here of a state."""
    if state.get("QueryLanguage") == "JSONata":
        yield "the query language JSONata"
    if "Credentials" in state:
        yield "tasks with Credentials of their own"
    mode = state.get("ItemProcessor", {}).get("ProcessorConfig", {}).get("Mode")
    if mode == "DISTRIBUTED" or any(field in state for field in DISTRIBUTED):
        yield "the distributed mode of Map states"
    if state.get("Type") == "Task" and not _is_here(str(state.get("Resource"))):
        yield f"the task {state.get('Resource')}"


def _is_here(resource: str) -> bool:
    if FUNCTION.fullmatch(resource):
        return True
    match = INTEGRATION.fullmatch(resource)
    if match is None:
        return False
    service, action, pattern = match["service"], match["action"], match["pattern"] or ""
    if service == "aws-sdk":
        return ":" in action and not pattern.startswith(".sync")
    return action in ACTIONS.get(service, ()) and (not pattern.startswith(".sync") or service in WAITED_FOR)
