"""Composite alarms: the states of other alarms, joined by AND, OR and NOT.

moto gap: it has none.

Syntax: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutCompositeAlarm.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator

from moto.cloudwatch.exceptions import ValidationError
from moto.cloudwatch.models import Alarm, CloudWatchBackend, cloudwatch_backends
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.responses import EmptyResult

from localcloud.cloud.account import ACCOUNT, REGION
from localcloud.hooks import add

Rule = Callable[[Callable[[str], str]], bool]

TOKEN = re.compile(
    r"""\s*(?:(?P<state>ALARM|OK|INSUFFICIENT_DATA)\s*\(\s*(?:"(?P<quoted>[^"]+)"|(?P<plain>[^\s"()]+))\s*\)
    |(?P<word>AND|OR|NOT|TRUE|FALSE)\b|(?P<bracket>[()]))""",
    re.VERBOSE,
)
LONGEST = 10_240
#: Settings that suppress the actions of a composite alarm.
SUPPRESSION = ("ActionsSuppressor", "ActionsSuppressorExtensionPeriod", "ActionsSuppressorWaitPeriod")


def names(rule: str) -> list[str]:
    """Return the alarms that a rule names, without the ARNs around them."""
    return [_name(match["quoted"] or match["plain"]) for match in TOKEN.finditer(rule) if match["state"]]


def _name(alarm: str) -> str:
    return alarm.partition(":alarm:")[2] or alarm


def parse(rule: str) -> Rule:
    """Return a function that tells whether a rule holds, given the states of alarms by their names.

    Raises:
        ValueError: It is not a rule.
    """
    tokens = [*_tokens(rule)]
    holds = _alternatives(tokens)
    if tokens:
        raise ValueError(f"unexpected {tokens[0][0]}")
    return holds


def _tokens(rule: str) -> Iterator[re.Match[str]]:
    place = 0
    while rule[place:].strip():
        match = TOKEN.match(rule, place)
        if not match:
            raise ValueError(f"cannot read {rule[place:].strip()}")
        yield match
        place = match.end()


def _next_is(tokens: list[re.Match[str]], text: str) -> bool:
    """Take the next token if it is this one."""
    if tokens and (tokens[0]["word"] or tokens[0]["bracket"]) == text:
        tokens.pop(0)
        return True
    return False


def _alternatives(tokens: list[re.Match[str]]) -> Rule:
    conjunctions = [_conjunction(tokens)]
    while _next_is(tokens, "OR"):
        conjunctions.append(_conjunction(tokens))
    return lambda state: any(conjunction(state) for conjunction in conjunctions)


def _conjunction(tokens: list[re.Match[str]]) -> Rule:
    terms = [_term(tokens)]
    while _next_is(tokens, "AND"):
        terms.append(_term(tokens))
    return lambda state: all(term(state) for term in terms)


def _term(tokens: list[re.Match[str]]) -> Rule:
    if _next_is(tokens, "NOT"):
        negated = _term(tokens)
        return lambda state: not negated(state)
    if _next_is(tokens, "("):
        inner = _alternatives(tokens)
        if not _next_is(tokens, ")"):
            raise ValueError("a closing parenthesis is missing")
        return inner
    if not tokens:
        raise ValueError("it ends too early")
    token = tokens.pop(0)
    if token["word"] in {"TRUE", "FALSE"}:
        return lambda _state: token["word"] == "TRUE"
    if not token["state"]:
        raise ValueError(f"unexpected {token[0]}")
    expected, name = token["state"], _name(token["quoted"] or token["plain"])
    return lambda state: state(name) == expected


@add(CloudWatchResponse, "put_composite_alarm")
def put_composite_alarm(self: CloudWatchResponse) -> EmptyResult:
    """Answer PutCompositeAlarm."""
    name, rule = self._get_param("AlarmName"), self._get_param("AlarmRule") or ""
    backend = self.cloudwatch_backend
    _check(backend, name, rule)
    if suppressing := [setting for setting in SUPPRESSION if self._get_param(setting)]:
        raise ValidationError(f"Alarm {name}: the local cloud does not suppress actions ({', '.join(suppressing)})")
    backend.put_metric_alarm(
        name=name,
        namespace="",
        metric_name="",
        comparison_operator="",
        evaluation_periods=0,
        period=0,
        threshold=0,
        statistic="",
        dimensions=[],
        description=self._get_param("AlarmDescription"),
        actions_enabled=self._get_param("ActionsEnabled"),
        alarm_actions=self._get_param("AlarmActions", []),
        ok_actions=self._get_param("OKActions", []),
        insufficient_data_actions=self._get_param("InsufficientDataActions", []),
        rule=rule,
        tags=self._get_param("Tags", []),
    )
    return EmptyResult()


def _check(backend: CloudWatchBackend, name: str, rule: str) -> None:
    """Refuse a rule that cannot be read, that names an alarm that is not there, or that leads back to itself."""
    if not 1 <= len(rule) <= LONGEST:
        raise ValidationError(f"AlarmRule is invalid: it must have from 1 to {LONGEST} characters")
    try:
        parse(rule)
    except ValueError as error:
        raise ValidationError(f"AlarmRule is invalid: {error}") from None
    if absent := [alarm for alarm in names(rule) if alarm not in backend.alarms and alarm != name]:
        raise ValidationError(f"AlarmRule contains alarms that do not exist: {', '.join(absent)}")
    reached, waiting = set[str](), names(rule)
    while waiting:
        alarm = waiting.pop()
        if alarm == name:
            raise ValidationError(f"AlarmRule of {name} leads back to {name}")
        if alarm not in reached:
            reached.add(alarm)
            waiting += names(backend.alarms[alarm].rule or "")


def evaluate(alarm: Alarm) -> None:
    """Bring a composite alarm's state up to date."""
    alarms = cloudwatch_backends[ACCOUNT][REGION].alarms

    def state_of(name: str) -> str:
        return str(alarms[name].state_value) if name in alarms else "INSUFFICIENT_DATA"

    rule = str(alarm.rule)
    state = "ALARM" if parse(rule)(state_of) else "OK"
    if state == alarm.state_value:
        return
    causes = [alarms[name] for name in dict.fromkeys(names(rule)) if name in alarms]
    latest = max(causes, key=lambda cause: cause.state_updated_timestamp, default=None)
    if latest is None:
        alarm.update_state(f"{rule} is {str(state == 'ALARM').lower()}", "{}", state)
        return
    time = latest.state_updated_timestamp
    trigger = {
        "arn": latest.alarm_arn,
        "state": {"value": latest.state_value, "timestamp": f"{time:%Y-%m-%dT%H:%M:%S}.000+0000"},
    }
    reason = f"{latest.alarm_arn} transitioned to {latest.state_value} at {time:%A %d %B, %Y %H:%M:%S} UTC"
    alarm.update_state(reason, json.dumps({"triggeringAlarms": [trigger]}), state)
