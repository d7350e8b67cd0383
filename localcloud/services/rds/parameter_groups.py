"""Parameter groups of RDS and Neptune: what each family of engines lets one set (``parameter_groups.yaml``).

moto gap: it takes any name with any value.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from importlib.resources import files
from typing import Any

import yaml
from moto.rds.exceptions import DBParameterGroupNotFoundError, RDSClientError
from moto.rds.models import RDSBackend

from localcloud.hooks import wrap

#: By family and name: choices in one text, several of which may be set where they are a list; a range; or `any`.
ALLOWED: dict[str, dict[str, str | list[str]]] = yaml.load(
    files(__package__).joinpath("parameter_groups.yaml").read_text(), yaml.CSafeLoader
)
ANY = "any"
RANGE = re.compile(r"(-?[\d.e+]+)-(-?[\d.e+]+)")
FORMULA = re.compile(r"\{.+\}|(GREATEST|LEAST|SUM)\(.+\)")


def check(family: str, name: str, value: str) -> None:
    """Refuse what RDS refuses, in its words.

    Args:
        family: Of the parameter group, such as ``mysql8.4``.
        name: The parameter.
        value: Its value.

    Raises:
        RDSClientError: RDS has no such parameter, or does not allow the value; or the local cloud does not know the
            family.
    """
    if family not in ALLOWED:
        message = f"The local cloud knows the parameters of {', '.join(ALLOWED)}; it does not support those of {family}"
        raise RDSClientError("InvalidParameterValue", message)
    if name not in ALLOWED[family]:
        raise RDSClientError("InvalidParameterValue", f"Could not find parameter with name: {name}")
    allowed = ALLOWED[family][name]
    if not _allows(allowed, value):
        choices = ",".join(allowed) if isinstance(allowed, list) else allowed
        message = f"Invalid parameter value: {value} for: {name} allowed values are: {choices}"
        raise RDSClientError("InvalidParameterValue", message)


def is_formula(value: str) -> bool:
    """Return whether RDS computes a value from the instance's size."""
    return bool(FORMULA.fullmatch(value))


def _allows(allowed: str | list[str], value: str) -> bool:
    if allowed == ANY:
        return True
    if isinstance(allowed, list):
        return {item.strip() for item in value.split(",")} <= {*allowed}
    if limits := RANGE.fullmatch(allowed):
        try:
            return is_formula(value) or Decimal(limits[1]) <= Decimal(value) <= Decimal(limits[2])
        except InvalidOperation:
            return False
    return value in allowed.split(",")


@wrap(RDSBackend, "modify_db_parameter_group")
def _modify(original: Any, self: RDSBackend, name: str, parameters: Iterable[dict[str, Any]]) -> Any:
    if name not in self.db_parameter_groups:
        raise DBParameterGroupNotFoundError(name)
    return original(self, name, _checked(self.db_parameter_groups[name].family, parameters))


@wrap(RDSBackend, "modify_db_cluster_parameter_group")
def _modify_cluster(original: Any, self: RDSBackend, name: str, parameters: Iterable[dict[str, Any]]) -> Any:
    group = self.db_cluster_parameter_groups.get(name)
    return original(self, name, _checked(group.db_parameter_group_family, parameters) if group else parameters)


def _checked(family: str | None, parameters: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return all of the parameters, once each of them is right."""
    changes = list(parameters)
    for change in changes:
        check(str(family), change["ParameterName"], str(change.get("ParameterValue", "")))
    return changes
