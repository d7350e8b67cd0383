"""Whether a cluster may load from Amazon S3: its role, the role's trust, the bucket's region, the way to S3.

Sources: https://docs.aws.amazon.com/neptune/latest/userguide/bulk-load-tutorial-IAM.html,
https://docs.aws.amazon.com/neptune/latest/userguide/bulk-load-data.html (the VPC's endpoint) and
https://docs.aws.amazon.com/neptune/latest/userguide/load-api-reference-load-errors.html (the messages)
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

from moto.ec2.models import ec2_backends
from moto.rds.models import DBCluster, rds_backends
from moto.s3.models import s3_backends

from localcloud.access import service_calls, sessions
from localcloud.access.policies.patterns import Context
from localcloud.cloud.account import ACCOUNT, REGION
from localcloud.cloud.context import Cloud
from localcloud.hooks import address

HTTPS = 443
SESSION = "neptune-loader"


class Refused(Exception):  # noqa: N818 - an answer, with Neptune's name and status
    """Why a cluster may not load.

    Attributes:
        code: Neptune's name of the error.
        status: HTTP's status.
    """

    def __init__(self, code: str, message: str, status: int = HTTPStatus.BAD_REQUEST) -> None:
        super().__init__(message)
        self.code, self.status = code, status


def permission(cloud: Cloud, asked: Mapping[str, str]) -> dict[str, str]:
    """Return the variables with which the loader of a cluster signs as a role.

    Args:
        cloud: The cloud.
        asked: What the loader tells of a load: ``cluster`` and ``role``, their ARNs; ``source``, ``bucket``, and
            ``region``, the bucket's as the request has it.

    Raises:
        Refused: The cluster may not use the role, or does not reach the bucket.
    """
    cluster = rds_backends[ACCOUNT][REGION].clusters[asked["cluster"].rpartition(":")[2]]
    _check_role(cloud, cluster, asked["role"])
    source, region = asked["source"], asked["region"]
    for obstacle in [f"The cluster is in {REGION}"] if region != REGION else _obstacles(cluster):
        message = f"Unable to connect to S3 endpoint. Provided source = {source} and region = {region}. {obstacle}"
        raise Refused("InternalFailureException", message, HTTPStatus.INTERNAL_SERVER_ERROR)
    bucket = s3_backends[ACCOUNT]["aws"].buckets.get(asked["bucket"])
    if bucket is None:
        raise Refused("BadRequestException", "S3 bucket not found for source")
    if bucket.region_name != region:
        raise Refused("BadRequestException", f"Bucket is not in provided Region ({region})")
    return sessions.environment(cloud, asked["role"], SESSION)


def _check_role(cloud: Cloud, cluster: DBCluster, role: str) -> None:
    words = "Couldn't find the AWS credential for iam_role_arn"
    if not any(attached.role_arn == role for attached in cluster.associated_roles):
        name = cluster.db_cluster_identifier
        reason = f"{role} is not a role of the cluster {name}. Add it with AddRoleToDBCluster"
        raise Refused("BadRequestException", f"{words}: {reason}")
    if not sessions.exists(role):
        raise Refused("BadRequestException", f"{words}: {role} does not exist")
    try:
        source: Context = {"aws:sourcearn": str(cluster.db_cluster_arn), "aws:sourceaccount": ACCOUNT}
        service_calls.check_trust(cloud, "rds.amazonaws.com", role, source)
    except PermissionError as error:
        raise Refused("BadRequestException", f"{words}: {error}") from error


def _obstacles(cluster: DBCluster) -> Iterator[str]:
    """Yield what keeps a cluster from Amazon S3: subnets without a way there, or security groups."""
    ec2 = ec2_backends[ACCOUNT][REGION]
    group = rds_backends[ACCOUNT][REGION].subnet_groups.get(cluster.db_subnet_group_name)
    if group:
        subnets = [ec2.get_subnet(subnet["SubnetIdentifier"]) for subnet in group.subnets]
    else:
        subnets = [subnet for subnet in ec2.describe_subnets() if subnet.default_for_az]
    for subnet in subnets:
        if not _reaches_s3(ec2, subnet):
            yield (
                f"The subnet {subnet.id} has neither a route to a gateway endpoint for S3 nor one to a NAT gateway; "
                "a database has no public address, so an internet gateway does not suffice"
            )
    names = cluster.vpc_security_group_ids
    groups = [ec2.get_security_group_from_id(name) for name in names]
    if not names and subnets:
        groups = [ec2.get_default_security_group(subnets[0].vpc_id)]
    if not any(_allows_https(rule) for group in groups if group for rule in group.egress_rules):
        listed = ", ".join(group.id for group in groups if group)
        yield f"No rule of the security groups of the cluster ({listed}) allows HTTPS out to S3"


def _reaches_s3(ec2: Any, subnet: Any) -> bool:
    tables = [table for table in ec2.route_tables.values() if table.vpc_id == subnet.vpc_id]
    own = [table for table in tables if subnet.id in table._associations.values()]  # noqa: SLF001 - moto's only record
    table = next(iter(own or [table for table in tables if table.main_association_id]), None)
    if table is None:
        return False
    if any(route.nat_gateway or route.transit_gateway or route.instance for route in table.routes):
        return True
    return any(
        table.id in (endpoint.route_table_ids or [])
        for endpoint in ec2.vpc_end_points.values()
        if endpoint.service_name == f"com.amazonaws.{REGION}.s3"
        and endpoint.vpc_endpoint_type in {None, "Gateway"}  # the latter is EC2's default
        and endpoint.state == "available"
    )


def _allows_https(rule: Any) -> bool:
    protocol = str(rule.ip_protocol)
    if protocol not in {"-1", "tcp", "6"}:
        return False
    if protocol != "-1" and not int(rule.from_port) <= HTTPS <= int(rule.to_port):
        return False
    return bool(rule.prefix_list_id) or _has_public_addresses(rule.ip_range.get("CidrIp", ""))


def _has_public_addresses(block: str) -> bool:
    network = ipaddress.ip_network(block, strict=False) if block else None
    return network is not None and (network.prefixlen == 0 or not network.is_private)


@address("{0}/moto-api/neptune-loads$")
def _neptune_loads(cloud: Cloud, request: Any, _full_url: str, _headers: Any) -> tuple[int, dict[str, str], str]:
    """POST /moto-api/neptune-loads: the credentials of a loader, or Neptune's error."""
    if request.method != "POST":  # a GET would need no signature
        return HTTPStatus.METHOD_NOT_ALLOWED, {}, ""
    answer: dict[str, Any]
    try:
        answer = permission(cloud, json.loads(request.get_data()))
    except Refused as refusal:
        answer = {"code": refusal.code, "message": str(refusal), "status": refusal.status}
    return HTTPStatus.OK, {"Content-Type": "application/json"}, json.dumps(answer)
