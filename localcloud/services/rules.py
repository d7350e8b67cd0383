"""Rules of the services: what they refuse beyond CloudFormation's schemas. Each room has its own in ``rules.yaml``.

A row of the table is a resource type, with the operations that take its properties. So a rule holds for a template,
before anything is created and again when every value is known, and for a request, whoever sends it:

- ``operations``: operations by boto3's name of the service and theirs, each with a JMESPath expression that makes the
  resource's properties of the request's parameters; where it gives nothing, the request is about something else;
- ``code``: the service's error code;
- ``rules``: each with its ``source``, and with ``schema`` (JSON Schema), ``cfn-lint`` (a schema that cfn-lint ships, by
  its file), ``instance-types`` (those of EC2, which moto ships) or ``limits`` (the values that CloudFormation's schema
  of the type allows hold for requests, too). ``at`` is a JMESPath expression of what in the properties it is about; the
  rule does not hold for what follows the schema ``unless``; ``instead`` is what to write; ``code`` and ``operations``
  replace those of the row;
- ``says`` is what AWS answers, with ``{Property}`` for the value of a property and ``{value}`` for the refused one, and
  ``words`` is where that is quoted. Where nobody has published the answer, ``words`` is ``undocumented``, ``says`` is
  absent, and the message is the local cloud's own.

What a request must have although botocore's models leave it open, and no resource has it, is in ``requests.yaml``: a
row is an operation, with ``code`` and ``rules``.

moto gap: it checks few of what it is given.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import jmespath  # type: ignore[import-untyped]
from moto.core.exceptions import ServiceException
from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import determine_request_protocol
from moto.core.responses import ActionResult, BaseResponse
from moto.core.utils import get_service_model

from localcloud.cloud.account import REGION
from localcloud.cloudformation import json_schema, schemas
from localcloud.hooks import wrap
from localcloud.services import constraints, rooms
from localcloud.services.ec2 import instance_types

#: Of how many allowed values a message lists all; of more, it lists those that are most like the refused one.
FEW = 12
#: A value in what AWS answers.
PLACEHOLDER = re.compile(r"\{([A-Z][\w.]+|value)\}")
#: Columns of which a rule's schema is made.
_SCHEMAS = {"cfn-lint", "instance-types", "limits", "unless"}


class RuleError(ServiceException):
    """What a rule refuses: ``code`` is the service's, ``message`` a sentence."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Rule:
    """One rule of a resource type; the module explains the columns."""

    source: str
    schema: json_schema.Schema
    code: str
    operations: Mapping[str, str]
    at: str = ""
    says: str = ""
    words: str = ""
    instead: str = ""

    def breaches(self, properties: Mapping[str, Any]) -> Iterator[str]:
        """Yield a message for each breach: the property, its value, what to write instead, and the source."""
        selected = jmespath.search(self.at, properties) if self.at else properties
        place = self.at.removesuffix("[]")
        for value in selected if self.at.endswith("[]") and isinstance(selected, list) else [selected]:
            for fault in json_schema.faults(value, self.schema, path=place):
                problem = shortened(fault)
                sentences = [self._answer(fault, properties), f"{problem[0].upper()}{problem[1:]}", self.instead]
                yield " ".join(f"{text.rstrip('.')}." for text in sentences if text) + f" See {self.source}"

    def _answer(self, fault: json_schema.Fault, properties: Mapping[str, Any]) -> str:
        """Return what AWS says, with the values of the properties that it names."""
        values = {**properties, "value": fault.value}
        return PLACEHOLDER.sub(lambda name: json_schema.text(jmespath.search(name[1], values) or ""), self.says)


def shortened(fault: json_schema.Fault) -> str:
    """Return what is wrong, with the nearest of many allowed values."""
    start, among, allowed = fault.problem.partition(" is not one of ")
    choices = allowed.split(", ")
    if not among or len(choices) <= FEW:
        return fault.problem
    nearest = difflib.get_close_matches(fault.value, choices, n=5, cutoff=0)
    return f"{start} is none of the {len(choices)} values there are, such as {', '.join(nearest)}"


@cache
def rules(kind: str) -> tuple[Rule, ...]:
    """Return the rules of a resource type, or of an operation."""
    row = _rows().get(kind)
    return tuple(_rule(kind, row, columns) for columns in row["rules"]) if row else ()


@cache
def _rows() -> dict[str, dict[str, Any]]:
    rows = {kind: row for room in rooms() for kind, row in room.table("rules.yaml").items()}
    requests = {operation: row for room in rooms() for operation, row in room.table("requests.yaml").items()}
    return rows | {operation: {"operations": {operation: "@"}, **row} for operation, row in requests.items()}


@cache
def _kinds() -> dict[str, list[str]]:
    """Return the rows by the operations that they are about."""
    kinds: dict[str, list[str]] = {}
    for kind, row in _rows().items():
        for operation in row.get("operations", {}):
            kinds.setdefault(operation, []).append(kind)
    return kinds


def _rule(kind: str, row: Mapping[str, Any], columns: Mapping[str, Any]) -> Rule:
    fields = {key: item for key, item in columns.items() if key not in _SCHEMAS}
    schema = _schema(kind, columns)
    if "unless" in columns:
        schema = {"if": columns["unless"], "else": schema}
    shared = {"code": row.get("code", ""), "operations": row.get("operations", {})}
    return Rule(**{**shared, **fields, "schema": schema})


def _schema(kind: str, columns: Mapping[str, Any]) -> json_schema.Schema:
    if columns.get("limits"):
        type_schema = schemas.schema(kind) or {}
        tags = type_schema.get("tagging", {}).get("tagProperty", "").rpartition("/")[2]  # requests have another form
        limited = {name: limits for name, limits in type_schema.get("properties", {}).items() if name != tags}
        return {"properties": limited, "definitions": type_schema.get("definitions", {})}
    if "cfn-lint" in columns:
        shipped: dict[str, Any] = json.loads((schemas.SCHEMAS / f"extensions/{columns['cfn-lint']}.json").read_text())
        regional: dict[str, Any] = shipped.get(REGION, shipped)
        return regional
    if "instance-types" in columns:
        return {"enum": instance_types.choices(columns["instance-types"])}
    own: dict[str, Any] = columns.get("schema", {})
    return own


def check(kind: str, properties: Mapping[str, Any]) -> None:
    """Refuse properties of a resource in a template that a rule of its type forbids.

    Raises:
        PropertyError: Names the property, its value, what to write instead, and the rule's source.
    """
    for rule in rules(kind):
        for problem in rule.breaches(properties):
            raise schemas.PropertyError(problem)


@wrap(BaseResponse, "call_action")
def _call_action(original: Any, self: BaseResponse) -> Any:
    """Refuse a request whose parameters a rule or the API's own description forbids, with the service's code."""
    operation = BaseResponse._get_action(self)  # noqa: SLF001 - Batch's responses have a name of their own for it
    try:
        _check_response(self, operation)
    except RuleError as error:
        status, headers, body = self.serialized(ActionResult(error))
        return status, {**headers, "status": status}, body
    return original(self)


def _check_response(response: BaseResponse, operation: str) -> None:
    """Refuse the request that moto is about to answer.

    Raises:
        RuleError: A rule or a constraint of the API's description forbids it.
    """
    service = response.boto3_service_name
    name = f"{service}.{operation}"
    is_described = service in constraints.CODES and operation not in constraints.OF_DATA
    if not is_described and name not in _kinds():
        return
    shape, parameters = _parameters(response, operation)
    for kind in _kinds().get(name, ()):
        check_request(kind, name, _capitalized(parameters, shape))
    if is_described and (problem := constraints.problem(shape, parameters)):
        raise RuleError(constraints.CODES[service], problem)


def check_request(kind: str, operation: str, parameters: Mapping[str, Any]) -> None:
    """Refuse a request that a rule forbids.

    Args:
        kind: The resource type.
        operation: Of the request, such as `sqs.CreateQueue`.
        parameters: Of the request; names of structures' members begin with a capital letter.

    Raises:
        RuleError: Has the code with which the service refuses it.
    """
    for rule in rules(kind):
        expression = rule.operations.get(operation)
        properties = jmespath.search(expression, parameters) if expression else None
        for problem in rule.breaches(properties) if properties or properties == {} else ():
            raise RuleError(rule.code, problem)


def _parameters(response: BaseResponse, operation: str) -> tuple[Any, dict[str, Any]]:
    """Return botocore's model of an operation's input, and the parameters of a request, as it names them."""
    service, request = get_service_model(response.boto3_service_name), response.normalized_request
    model = service.operation_model(operation)
    parser = PROTOCOL_PARSERS[determine_request_protocol(service, request.content_type)](model, map_type=dict)
    parameters: dict[str, Any] = parser.parse(
        {
            "method": request.method,
            "values": request.values,
            "headers": request.headers,
            "body": request.data,
            "url_path": request.path,
            "url_params": response.uri_match,
        }
    )
    return model.input_shape, parameters


def _capitalized(value: Any, shape: Any) -> Any:
    """Return a value whose members begin with capitals, as the properties of CloudFormation do."""
    if isinstance(value, Mapping) and shape and shape.type_name == "structure":
        return {
            f"{name[0].upper()}{name[1:]}": _capitalized(item, shape.members.get(name)) for name, item in value.items()
        }
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, list) and shape:
        return [_capitalized(item, shape.member) for item in value]
    return value.decode(errors="replace") if isinstance(value, bytes) else value
