"""Intrinsic functions that moto lacks, or gets wrong.

moto gaps: Fn::Cidr and Fn::Length are left as they stand; Fn::GetAZs takes no function; Fn::FindInMap takes neither a
function as the map's name nor a default; Fn::Join writes "None" for AWS::NoValue; an index or a key that is not there
ends in a traceback.

The URL of an API of API Gateway, which templates write by AWS's own host name, becomes the API's address here.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Any

from moto.cloudformation import parsing
from moto.cloudformation.exceptions import ValidationError
from moto.cloudformation.parsing import ResourceMap

from localcloud.cloud import hosts
from localcloud.cloud.account import REGION
from localcloud.cloud.context import Cloud
from localcloud.hooks import wrap

Resolve = Callable[[Any], Any]
#: The letters of the zones that CloudFormation gives.
ZONES = "abcd"

SELECT = "Template error: Fn::Select requires a list argument with two elements: an integer index and a list"
GET_ATT = (
    "Template error: every Fn::GetAtt object requires two non-empty parameters, the resource name and the resource "
    "attribute"
)


class NoValueError(ValidationError):
    """A function has no value, whatever the resources turn out to be."""


def check(node: Any) -> None:
    """Refuse functions whose arguments do not have the form that they need.

    Raises:
        ValidationError: Says what the function needs.
    """
    if isinstance(node, list):
        for item in node:
            check(item)
    elif isinstance(node, dict):
        for name, argument in node.items():
            if name in FORMS and len(node) == 1 and not FORMS[name][1](argument):
                raise ValidationError(message=FORMS[name][0])
            check(argument)


def _is_attribute(argument: Any) -> bool:
    if not (isinstance(argument, list) and len(argument) == 2):  # noqa: PLR2004 - a resource and its attribute
        return False
    resource, attribute = argument
    return isinstance(resource, str) and bool(resource) and bool(attribute)


def _is_selection(argument: Any) -> bool:
    if not (isinstance(argument, list) and len(argument) == 2):  # noqa: PLR2004 - an index and a list
        return False
    index, items = argument
    if isinstance(index, dict) or isinstance(items, dict):
        return isinstance(items, list | dict) and (isinstance(index, dict) or str(index).isdecimal())
    return isinstance(items, list) and str(index).isdecimal() and int(index) < len(items)


#: What a function needs, by its name, and whether an argument has that form.
FORMS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "Fn::GetAtt": (GET_ATT, _is_attribute),
    "Fn::Select": (SELECT, _is_selection),
}


@wrap(parsing, "clean_json")
def _clean_json(cloud: Cloud, original: Any, node: Any, resources: ResourceMap) -> Any:
    resolved = _resolved(original, node, resources)
    is_joined = isinstance(resolved, str) and isinstance(node, dict) and node.keys() & {"Fn::Join", "Fn::Sub"}
    return hosts.localized(cloud, resolved) if is_joined else resolved


def _resolved(original: Any, node: Any, resources: ResourceMap) -> Any:
    if isinstance(node, dict) and len(node) == 1:
        ((name, argument),) = node.items()
        if name == "Fn::GetAtt" and isinstance(argument[1], dict):
            return original({name: [argument[0], parsing.clean_json(argument[1], resources)]}, resources)
        if name == "Fn::FindInMap":
            return _find_in_map(argument, resources)
        if name in FUNCTIONS:
            return FUNCTIONS[name](argument, lambda operand: parsing.clean_json(operand, resources))
    return original(node, resources)


def _cidr(argument: Any, resolve: Resolve) -> list[str]:
    block, count, *bits = (resolve(operand) for operand in argument)
    try:
        network = ipaddress.ip_network(str(block))
        prefix = network.max_prefixlen - int(bits[0] if bits else 8)
        subnets = network.subnets(new_prefix=prefix)
        return [str(subnet) for subnet, _ in zip(subnets, range(int(count)), strict=False)]
    except ValueError as error:
        raise ValidationError(message=f"Template error: Fn::Cidr: {error}") from None


def _zones(argument: Any, resolve: Resolve) -> list[str]:
    """Return the zones of the region; CloudFormation gives none of another."""
    region = resolve(argument) or REGION
    return [f"{REGION}{letter}" for letter in ZONES] if region == REGION else []


def _length(argument: Any, resolve: Resolve) -> int:
    items = resolve(argument)
    if not isinstance(items, list):
        raise ValidationError(message="Template error: Fn::Length needs a list")
    return len(items)


def _join(argument: Any, resolve: Resolve) -> str:
    separator, items = argument
    items = resolve(items)
    if not isinstance(items, list):
        raise ValidationError(message="Template error: every Fn::Join object requires a list of values")
    return str(separator).join(str(item) for item in items if item is not None)


def _select(argument: Any, resolve: Resolve) -> Any:
    index, items = str(resolve(argument[0])), resolve(argument[1])
    if isinstance(items, str):
        items = items.split(",")
    if not index.isdecimal() or int(index) >= len(items):
        raise ValidationError(message=f"Template error: Fn::Select cannot select nonexistent value at index {index}")
    return items[int(index)]


FUNCTIONS: dict[str, Callable[[Any, Resolve], Any]] = {
    "Fn::Cidr": _cidr,
    "Fn::GetAZs": _zones,
    "Fn::Join": _join,
    "Fn::Length": _length,
    "Fn::Select": _select,
}


def _find_in_map(argument: Any, resources: ResourceMap) -> Any:
    """Return a value of the template's Mappings, or the default."""
    *keys, last = argument if len(argument) > 3 else [*argument, {}]  # noqa: PLR2004 - map, two keys, default
    path = [str(parsing.clean_json(key, resources)) for key in keys]
    # conditions are evaluated with a plain map, where the mappings are beside the parameters
    value: Any = resources._template.get("Mappings") if isinstance(resources, ResourceMap) else resources  # noqa: SLF001
    for key in path:
        if not isinstance(value, dict) or key not in value:
            if isinstance(last, dict) and "DefaultValue" in last:
                return parsing.clean_json(last["DefaultValue"], resources)
            raise NoValueError(message=f"Template error: Unable to get mapping for {'::'.join(path)}")
        value = value[key]
    return value
