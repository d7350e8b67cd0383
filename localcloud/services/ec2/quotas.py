"""EC2 refuses what goes beyond a quota of the account, with AWS's own errors.

moto gap: an account may have any number of VPCs, internet gateways, Elastic IP addresses and vCPUs.
See https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html for the codes.
"""

from __future__ import annotations

from typing import Any

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models import EC2Backend
from moto.ec2.models.elastic_ip_addresses import ElasticAddress, ElasticAddressBackend
from moto.ec2.models.instances import Instance, InstanceBackend, Reservation
from moto.ec2.models.internet_gateways import InternetGateway, InternetGatewayBackend
from moto.ec2.models.vpcs import VPC, VPCBackend

from contract.quotas import ADDRESSES, INTERNET_GATEWAYS, VPCS, Quota, vcpu_quota
from localcloud.cloud.context import Cloud
from localcloud.hooks import wrap
from localcloud.services.ec2.instance_types import requested, vcpus
from localcloud.services.servicequotas.behaviour import value


def _check(cloud: Cloud, backend: EC2Backend, quota: Quota, used: int, code: str) -> None:
    """Refuse one more of something.

    Raises:
        EC2ClientError: The account has as many as it may have.
    """
    if used >= value(cloud, quota, backend.region_name):
        raise EC2ClientError(code, f"The maximum number of {quota.used_for} has been reached.")


@wrap(VPCBackend, "create_vpc")
def _create_vpc(cloud: Cloud, original: Any, self: EC2Backend, *args: Any, **kwargs: Any) -> VPC:
    _check(cloud, self, VPCS, len(self.vpcs), "VpcLimitExceeded")
    vpc: VPC = original(self, *args, **kwargs)
    return vpc


@wrap(InternetGatewayBackend, "create_internet_gateway")
def _create_internet_gateway(
    cloud: Cloud, original: Any, self: EC2Backend, *args: Any, **kwargs: Any
) -> InternetGateway:
    _check(cloud, self, INTERNET_GATEWAYS, len(self.internet_gateways), "InternetGatewayLimitExceeded")
    gateway: InternetGateway = original(self, *args, **kwargs)
    return gateway


@wrap(ElasticAddressBackend, "allocate_address")
def _allocate_address(cloud: Cloud, original: Any, self: EC2Backend, *args: Any, **kwargs: Any) -> ElasticAddress:
    _check(cloud, self, ADDRESSES, len(self.addresses), "AddressLimitExceeded")
    address: ElasticAddress = original(self, *args, **kwargs)
    return address


@wrap(InstanceBackend, "run_instances")
def _run_instances(
    cloud: Cloud, original: Any, self: EC2Backend, image_id: str, count: int, *args: Any, **kwargs: Any
) -> Reservation:
    kind = requested(self, kwargs)
    spot = bool(kwargs.get("instance_market_options")) or kwargs.get("lifecycle") == "spot"
    if quota := vcpu_quota(kind, spot=spot):
        limit = value(cloud, quota, self.region_name)
        running = sum(
            vcpus(instance.instance_type)
            for instance in self.all_instances()
            if instance.state in {"pending", "running"}
            and vcpu_quota(instance.instance_type, spot=_spot(instance)) == quota
        )
        if running + count * vcpus(kind) > limit:
            raise _too_many_spot() if spot else _too_many_vcpus(limit)
    reservation: Reservation = original(self, image_id, count, *args, **kwargs)
    return reservation


def _spot(instance: Instance) -> bool:
    return instance.lifecycle == "spot"


def _too_many_spot() -> EC2ClientError:
    return EC2ClientError("MaxSpotInstanceCountExceeded", "Max spot instance count exceeded")


def _too_many_vcpus(limit: float) -> EC2ClientError:
    return EC2ClientError(
        "VcpuLimitExceeded",
        f"You have requested more vCPU capacity than your current vCPU limit of {limit:g} allows for the instance "
        "bucket that the specified instance type belongs to. Please visit "
        "http://aws.amazon.com/contact-us/ec2-request to request an adjustment to this limit.",
    )
