"""What is attached to instances: volumes, which change their size, and network interfaces.

moto gaps: it attaches a volume that another instance has or that is in another zone, wants to be told from which
instance to detach one, and makes volumes smaller. It gives an interface security groups that do not exist, and leaves
it the description that is to go.
See https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html for the codes.
"""

from __future__ import annotations

from typing import Any

from moto.ec2.exceptions import EC2ClientError, InvalidSecurityGroupNotFoundError
from moto.ec2.models.elastic_block_store import EBSBackend, VolumeAttachment
from moto.ec2.models.elastic_network_interfaces import NetworkInterfaceBackend

from localcloud.hooks import wrap


@wrap(EBSBackend, "attach_volume")
def _attach_volume(original: Any, self: Any, volume_id: str, instance_id: str, *rest: Any) -> Any:
    volume, instance = self.get_volume(volume_id), self.get_instance(instance_id)
    if volume.attachment:
        raise EC2ClientError("VolumeInUse", f"{volume_id} is already attached to an instance")
    if volume.availability_zone != instance.availability_zone:
        message = f"The volume '{volume_id}' is not in the same availability zone as instance '{instance_id}'"
        raise EC2ClientError("InvalidVolume.ZoneMismatch", message)
    return original(self, volume_id, instance_id, *rest)


@wrap(EBSBackend, "detach_volume")
def _detach_volume(original: Any, self: Any, volume_id: str, instance_id: str | None, device: str) -> VolumeAttachment:
    attachment = self.get_volume(volume_id).attachment
    instance = instance_id or (attachment.instance.id if attachment else None)
    if instance is None:
        raise EC2ClientError("IncorrectState", f"Volume '{volume_id}' is in the 'available' state.")
    detached: VolumeAttachment = original(self, volume_id, instance, device)
    return detached


@wrap(EBSBackend, "modify_volume")
def _modify_volume(original: Any, self: Any, volume_id: str, target_size: int | None = None, *rest: Any) -> Any:
    if target_size and target_size < self.get_volume(volume_id).size:
        raise EC2ClientError("InvalidParameterValue", "New size cannot be smaller than existing size")
    return original(self, volume_id, target_size, *rest)


@wrap(NetworkInterfaceBackend, "modify_network_interface_attribute")
def _modify_network_interface(
    original: Any, self: NetworkInterfaceBackend, eni_id: str, group_ids: list[str], *rest: Any
) -> None:
    for group in group_ids:
        if self.get_security_group_from_id(group) is None:  # type: ignore[attr-defined]
            raise InvalidSecurityGroupNotFoundError(group)
    original(self, eni_id, group_ids, *rest)
    _source_dest_check, description = rest
    if description is not None:
        self.get_network_interface(eni_id).description = description
