"""What does not exist is refused by its name: NAT gateways, prefix lists, associations, spot fleets, instance profiles.

moto gaps: it does not check these names, or answers with the error of another service. It takes no spot fleet without
an allocation strategy, and no change of one without a capacity.
See https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html for the codes.
"""

from __future__ import annotations

from typing import Any

from moto.ec2.exceptions import EC2ClientError, InvalidAssociationIdError
from moto.ec2.models import iam_instance_profile
from moto.ec2.models.managed_prefixes import ManagedPrefixListBackend
from moto.ec2.models.nat_gateways import NatGatewayBackend
from moto.ec2.models.network_acls import NetworkAclBackend
from moto.ec2.models.spot_requests import SpotRequestBackend
from moto.ec2.responses import instances
from moto.ec2.responses.spot_fleets import SpotFleets
from moto.iam.exceptions import NotFoundException

from localcloud.hooks import wrap


@wrap(NatGatewayBackend, "delete_nat_gateway")
def _delete_nat_gateway(original: Any, self: NatGatewayBackend, nat_gateway_id: str) -> Any:
    if nat_gateway_id not in self.nat_gateways:
        raise EC2ClientError("NatGatewayNotFound", f"NAT gateway {nat_gateway_id} was not found")
    return original(self, nat_gateway_id)


@wrap(ManagedPrefixListBackend, "delete_managed_prefix_list")
def _delete_managed_prefix_list(original: Any, self: ManagedPrefixListBackend, prefix_list_id: str) -> Any:
    _check_prefix_list(self, prefix_list_id)
    return original(self, prefix_list_id)


@wrap(ManagedPrefixListBackend, "modify_managed_prefix_list")
def _modify_managed_prefix_list(
    original: Any, self: ManagedPrefixListBackend, *args: Any, prefix_list_id: str, **kwargs: Any
) -> Any:
    _check_prefix_list(self, prefix_list_id)
    return original(self, *args, prefix_list_id=prefix_list_id, **kwargs)


def _check_prefix_list(backend: ManagedPrefixListBackend, prefix_list_id: str) -> None:
    if prefix_list_id not in backend.managed_prefix_lists:
        raise EC2ClientError("InvalidPrefixListID.NotFound", f"The prefix list ID '{prefix_list_id}' does not exist")


@wrap(NetworkAclBackend, "replace_network_acl_association")
def _replace_network_acl_association(
    original: Any, self: NetworkAclBackend, association_id: str, network_acl_id: str
) -> Any:
    associations = (acl._associations for acl in self.network_acls.values())  # noqa: SLF001 - moto's only record
    if not any(association_id in members for members in associations):
        raise InvalidAssociationIdError(association_id)
    return original(self, association_id, network_acl_id)


@wrap(SpotRequestBackend, "modify_spot_fleet_request")
def _modify_spot_fleet_request(
    original: Any, self: SpotRequestBackend, spot_fleet_request_id: str, target_capacity: int | None, *args: Any
) -> None:
    """Keep the capacity of a fleet whose new one is not given."""
    fleet = self.spot_fleet_requests[spot_fleet_request_id]
    capacity = fleet.target_capacity if target_capacity is None else target_capacity
    original(self, spot_fleet_request_id, capacity, *args)


@wrap(SpotFleets, "request_spot_fleet")
def _request_spot_fleet(original: Any, self: SpotFleets) -> Any:
    configuration = self.params["SpotFleetRequestConfig"]
    if "AllocationStrategy" not in configuration:
        configuration["AllocationStrategy"] = "lowestPrice"
    return original(self)


@wrap(instances, "filter_iam_instance_profiles")
@wrap(iam_instance_profile, "filter_iam_instance_profiles")
def _filter_iam_instance_profiles(original: Any, *args: Any, **kwargs: Any) -> Any:
    try:
        return original(*args, **kwargs)
    except NotFoundException as error:
        name = kwargs.get("iam_instance_profile_arn") or kwargs.get("iam_instance_profile_name")
        message = f"Value ({name}) for parameter iamInstanceProfile is invalid. Invalid IAM Instance Profile"
        raise EC2ClientError("InvalidParameterValue", message) from error
