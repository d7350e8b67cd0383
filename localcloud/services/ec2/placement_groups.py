"""Placement groups, which decide nothing here.

moto gap: it has none.
"""

from __future__ import annotations

from uuid import uuid4

from moto.core.responses import ActionResult, EmptyResult
from moto.ec2.responses import EC2Response

from localcloud.hooks import add


@add(EC2Response, "create_placement_group")
def _create_placement_group(self: EC2Response) -> ActionResult:
    """Return a new placement group."""
    name, strategy = self._get_param("GroupName"), self._get_param("Strategy")
    group = {"GroupId": f"pg-{uuid4().hex[:17]}", "GroupName": name, "Strategy": strategy, "State": "available"}
    return ActionResult({"PlacementGroup": group})


@add(EC2Response, "delete_placement_group")
def _delete_placement_group(_self: EC2Response) -> ActionResult:
    return EmptyResult()
