"""The tables of resource types agree with the models of the services that create the resources."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest
import yaml
from botocore import xform_name

import localcloud.services

DEFAULT = 255  # of `longest` in `localcloud.cloudformation.api.Row`


def names() -> Iterator[Any]:
    """Every type whose name CloudFormation makes up: the row's limit, and that of the service's model."""
    session = botocore.session.Session()
    for table in sorted(Path(localcloud.services.__file__).parent.glob("*/types.yaml")):
        for kind, row in yaml.safe_load(table.read_text()).items():
            if "name" not in row or "create" not in row:
                continue
            service = session.get_service_model(row["service"])
            operations = {xform_name(name): name for name in service.operation_names}
            parameters = service.operation_model(operations[row["create"]]).input_shape
            assert parameters is not None
            member = {name.lower(): shape for name, shape in parameters.members.items()}.get(row["name"].lower())
            if member is not None and "max" in member.metadata:
                yield pytest.param(row.get("longest", DEFAULT), member.metadata["max"], id=kind)


@pytest.mark.parametrize(("longest", "most"), [*names()])
def test_a_generated_name_is_no_longer_than_the_service_takes(longest: int, most: int) -> None:
    assert longest <= most
