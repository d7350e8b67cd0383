"""Corrections of what moto gets wrong for deployed stacks."""

from typing import Any
from uuid import uuid4

from moto.cloudtrail.responses import CloudTrailResponse
from moto.core.responses import ActionResult, EmptyResult
from moto.core.serialize import BaseJSONSerializer
from moto.ec2.responses import EC2Response
from moto.iam.access_control import IAMPolicyStatement, PermissionResult

from localcloud.hooks import instead


@instead(IAMPolicyStatement, "is_action_permitted")
def _is_action_permitted(original: Any, self: IAMPolicyStatement, *args: Any, **kwargs: Any) -> PermissionResult:
    """Judge a statement without its condition only where that cannot deny by mistake.

    moto gap: it ignores conditions, so "deny what is not TLS" denies everything. The local cloud is reached over plain
    HTTP and has one caller: a Deny under a condition is left to AWS.
    """
    if self._statement.get("Effect") == "Deny" and "Condition" in self._statement:
        return PermissionResult.NEUTRAL
    permitted: PermissionResult = original(self, *args, **kwargs)
    return permitted


@instead(BaseJSONSerializer, "_serialize_type_structure")
def _serialize_type_structure(original: Any, self: BaseJSONSerializer, *arguments: Any) -> None:
    """moto gap: it looks for eleven kinds of content in each of DynamoDB's values, under three names: slow."""  # noqa: D403
    serialized, value, shape, key = arguments
    match value:
        case {"S": str(text)} if shape.name == "AttributeValue":
            serialized[key] = {"S": text}
        case {"N": number} if shape.name == "AttributeValue":
            serialized[key] = {"N": str(number)}
        case _:
            original(self, *arguments)


def _lookup_events(_self: CloudTrailResponse) -> str:
    """moto gap: none; the CDK asks CloudTrail why a deployment failed, and retries for 20 s without an answer."""  # noqa: D403
    return '{"Events": []}'


setattr(CloudTrailResponse, "lookup_events", _lookup_events)  # noqa: B010 (moto has no such method)


def _create_placement_group(self: EC2Response) -> ActionResult:
    """moto gap: placement groups, which decide nothing here."""  # noqa: D403
    name, strategy = self._get_param("GroupName"), self._get_param("Strategy")
    group = {"GroupId": f"pg-{uuid4().hex[:17]}", "GroupName": name, "Strategy": strategy, "State": "available"}
    return ActionResult({"PlacementGroup": group})


def _delete_placement_group(_self: EC2Response) -> ActionResult:
    return EmptyResult()


setattr(EC2Response, "create_placement_group", _create_placement_group)  # noqa: B010
setattr(EC2Response, "delete_placement_group", _delete_placement_group)  # noqa: B010
