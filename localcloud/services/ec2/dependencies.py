"""What is in use of a network cannot be deleted: subnets, security groups, gateways with addresses behind them.

moto gap: they go while instances, functions and databases are in them.
See https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html for the code.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from moto.awslambda.models import lambda_backends
from moto.ec2.exceptions import DependencyViolationError
from moto.ec2.models import EC2Backend
from moto.elbv2.models import elbv2_backends
from moto.rds.models import DBInstanceClustered, rds_backends

from localcloud.cloud.account import ACCOUNT, REGION
from localcloud.hooks import wrap

GONE = {"terminated", "deleted"}


@dataclass(frozen=True)
class Use:
    """What has network interfaces, and where.

    Attributes:
        subnets: The ids of its subnets.
        groups: The ids of its security groups.
    """

    subnets: frozenset[str]
    groups: frozenset[str]


def uses(backend: EC2Backend) -> Iterator[Use]:
    """Yield what has network interfaces: instances, NAT gateways, load balancers, functions and databases."""
    for instance in backend.all_instances():
        if instance._state.name not in GONE:  # noqa: SLF001 - moto's only record of it
            groups = [group for interface in instance.nics.values() for group in interface.group_set]
            groups += instance.security_groups
            subnets = [instance.subnet_id] if instance.subnet_id else []
            yield Use(frozenset(subnets), frozenset(group.id for group in groups))
    for gateway in backend.nat_gateways.values():
        if gateway.state not in GONE:
            yield Use(frozenset({gateway.subnet_id}), frozenset())
    for balancer in elbv2_backends[ACCOUNT][REGION].load_balancers.values():
        inside = (subnet if isinstance(subnet, str) else subnet.id for subnet in balancer.subnets)
        yield Use(frozenset(inside), frozenset(balancer.security_groups or []))
    for function in lambda_backends[ACCOUNT][REGION].list_functions():
        network = function.vpc_config or {}
        yield Use(frozenset(network.get("SubnetIds", [])), frozenset(network.get("SecurityGroupIds", [])))
    rds = rds_backends[ACCOUNT][REGION]
    for database in rds.databases.values():
        if isinstance(database, DBInstanceClustered):
            name: str | None = database.cluster.db_subnet_group_name
        else:
            name = database._db_subnet_group_name  # noqa: SLF001 - moto's only record of it
        subnet_group = rds.subnet_groups.get(name) if name else None
        places = (subnet["SubnetIdentifier"] for subnet in (subnet_group.subnets if subnet_group else []))
        yield Use(frozenset(places), frozenset(database.vpc_security_group_ids or []))


@wrap(EC2Backend, "delete_subnet")
def _delete_subnet(original: Any, self: EC2Backend, subnet_id: str) -> Any:
    if any(subnet_id in use.subnets for use in uses(self)):
        raise DependencyViolationError(f"The subnet '{subnet_id}' has dependencies and cannot be deleted.")
    return original(self, subnet_id)


@wrap(EC2Backend, "_delete_security_group")
def _delete_security_group(original: Any, self: EC2Backend, vpc_id: str | None, group_id: str) -> Any:
    others = [group for groups in self.groups.values() for group in groups.values() if group.id != group_id]
    rules = [rule for group in others for rule in (*group.ingress_rules, *group.egress_rules)]
    is_referenced = any((rule.source_group or {}).get("GroupId") == group_id for rule in rules)
    if is_referenced or any(group_id in use.groups for use in uses(self)):
        raise DependencyViolationError(f"resource {group_id} has a dependent object")
    return original(self, vpc_id, group_id)


@wrap(EC2Backend, "detach_internet_gateway")
def _detach_internet_gateway(original: Any, self: EC2Backend, internet_gateway_id: str, vpc_id: str) -> Any:
    addresses = [address for address in self.addresses if address.instance or address.eni]
    inside = [instance for instance in self.all_instances() if instance.vpc_id == vpc_id]
    public = [instance for instance in inside if instance._state.name not in GONE and instance.public_ip]  # noqa: SLF001
    if public or any(address.instance in inside for address in addresses):
        raise DependencyViolationError(
            f"Network {vpc_id} has some mapped public address(es). Please unmap those public address(es) before "
            "detaching the gateway."
        )
    return original(self, internet_gateway_id, vpc_id)
