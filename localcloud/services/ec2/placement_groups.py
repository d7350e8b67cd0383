"""Placement groups, which decide nothing here."""

from uuid import uuid4

from moto.core.responses import ActionResult, EmptyResult
from moto.ec2.responses import EC2Response


def _create_placement_group(self: EC2Response) -> ActionResult:
    """moto gap: placement groups, which decide nothing here."""  # noqa: D403
    name, strategy = self._get_param("GroupName"), self._get_param("Strategy")
    group = {"GroupId": f"pg-{uuid4().hex[:17]}", "GroupName": name, "Strategy": strategy, "State": "available"}
    return ActionResult({"PlacementGroup": group})


def _delete_placement_group(_self: EC2Response) -> ActionResult:
    return EmptyResult()


setattr(EC2Response, "create_placement_group", _create_placement_group)  # noqa: B010
setattr(EC2Response, "delete_placement_group", _delete_placement_group)  # noqa: B010
