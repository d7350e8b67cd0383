"""Placement groups, and where an instance is placed. Nothing here decides on which hardware an instance runs.

moto gaps: it has no placement groups, forgets the group and the tenancy that a launch or its template asks for, and
takes a zone in which the subnet is not.
See https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html for the codes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from moto.core.responses import ActionResult, EmptyResult
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models import EC2Backend
from moto.ec2.responses import EC2Response
from moto.ec2.responses.instances import InstanceResponse

from localcloud.cloud.context import Cloud
from localcloud.hooks import add, wrap
from localcloud.services.ec2.dependencies import GONE


@dataclass
class PlacementGroups:
    """The placement groups of an account as DescribePlacementGroups describes them, by name."""

    by_name: dict[str, dict[str, Any]] = field(default_factory=dict)


@add(EC2Response, "create_placement_group")
def _create_placement_group(cloud: Cloud, self: EC2Response) -> ActionResult:
    name, groups = self._get_param("GroupName"), cloud.state(PlacementGroups).by_name
    if name in groups:
        raise EC2ClientError("InvalidPlacementGroup.Duplicate", f"The Placement Group '{name}' already exists.")
    tags = self._parse_tag_specification("placement-group").get("placement-group", {})
    groups[name] = {
        "GroupId": f"pg-{uuid4().hex[:17]}",
        "GroupName": name,
        "Strategy": self._get_param("Strategy") or "cluster",
        "State": "available",
        "PartitionCount": self._get_param("PartitionCount"),
        "SpreadLevel": self._get_param("SpreadLevel"),
        "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
    }
    return ActionResult({"PlacementGroup": groups[name]})


@add(EC2Response, "describe_placement_groups")
def _describe_placement_groups(cloud: Cloud, self: EC2Response) -> ActionResult:
    if self._get_param("Filters"):
        raise NotImplementedError("DescribePlacementGroups with filters")
    names, ids = self._get_param("GroupNames", []), self._get_param("GroupIds", [])
    for name in names:
        check(cloud, name)
    groups = cloud.state(PlacementGroups).by_name.values()
    wanted = [group for group in groups if group["GroupName"] in names or group["GroupId"] in ids]
    return ActionResult({"PlacementGroups": wanted if names or ids else [*groups]})


@add(EC2Response, "delete_placement_group")
def _delete_placement_group(cloud: Cloud, self: EC2Response) -> ActionResult:
    name, backend = self._get_param("GroupName"), self.ec2_backend
    check(cloud, name)
    placed = [one for one in backend.all_instances() if one.placement.group_name == name and one.state not in GONE]
    if placed:
        message = f"The placement group '{name}' is in use and may not be deleted."
        raise EC2ClientError("InvalidPlacementGroup.InUse", message)
    del cloud.state(PlacementGroups).by_name[name]
    return EmptyResult()


def check(cloud: Cloud, name: str) -> None:
    """Refuse the name of a placement group that does not exist.

    Raises:
        EC2ClientError: There is no such group.
    """
    if name not in cloud.state(PlacementGroups).by_name:
        raise EC2ClientError("InvalidPlacementGroup.Unknown", f"The Placement Group '{name}' is unknown.")


@wrap(InstanceResponse, "run_instances")
def _run_instances(cloud: Cloud, original: Any, self: InstanceResponse) -> ActionResult:
    """Check where a launch wants its instances, and say of each where it is."""
    wanted = _placement(self)
    if group := wanted.get("GroupName"):
        check(cloud, group)
    if subnet := self._get_param("SubnetId"):
        _check_zone(self.ec2_backend, self._get_param("Placement.AvailabilityZone"), subnet)
    result: ActionResult = original(self)
    for instance in result.result.instances:  # type: ignore[attr-defined]
        instance.placement.group_name = wanted.get("GroupName") or ""
        instance.placement.tenancy = wanted.get("Tenancy") or "default"
    return result


def _placement(self: InstanceResponse) -> dict[str, Any]:
    """Return where a launch wants its instances, by itself or else by its template."""
    template = self._get_param("LaunchTemplate")
    data = self.ec2_backend._get_template_from_args(template).data if template else {}  # noqa: SLF001 - as moto launches
    return {**data.get("Placement", {}), **(self._get_param("Placement") or {})}


def _check_zone(backend: EC2Backend, zone: str | None, subnet: str) -> None:
    its_zone = backend.get_subnet(subnet).availability_zone
    if zone and zone != its_zone:
        raise EC2ClientError(
            "InvalidParameterValue",
            f"Value ({zone}) for parameter availabilityZone is invalid. Subnet '{subnet}' is in the availability zone "
            f"{its_zone}",
        )
