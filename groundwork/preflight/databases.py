"""Databases: versions and instance classes that are offered together, storage, and services that are closed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from groundwork.preflight.checks import check, ok, refused
from groundwork.preflight.network import zones_of
from workloads.account.reader import NotPermittedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from groundwork.preflight.checks import Judgement, Questions
    from groundwork.preflight.template import Resource, Template

_CLOSED = "Only existing Timestream for LiveAnalytics customers"
_NUMBERS = re.compile(r"\d+")


def _engine_versions(engine: str, account: Questions) -> list[dict[str, Any]]:
    """Return the versions of an engine, the newest last."""
    response = account.ask("rds:DescribeDBEngineVersions", Engine=engine)
    return sorted(
        response["DBEngineVersions"],
        key=lambda version: [int(number) for number in _NUMBERS.findall(version["EngineVersion"])],
    )


def _version(stack: Template, resource: Resource, account: Questions) -> tuple[str, list[dict[str, Any]]]:
    """Return the version that a database asks for, and the versions of its engine that it means, the newest last."""
    requested = stack.text(resource.properties.get("EngineVersion"))
    engine = stack.text(resource.properties["Engine"])
    fitting = [
        version
        for version in _engine_versions(engine, account)
        if not requested
        or version["EngineVersion"] == requested
        or version["EngineVersion"].startswith(f"{requested}.")
    ]
    return requested, fitting


@check("engine version", "rds:DescribeDBEngineVersions")
def engine_versions(stack: Template, account: Questions) -> Iterator[Judgement]:
    """RDS has the engine's version, and its parameter group is of the version's family."""
    for resource in stack.resources("AWS::RDS::DBInstance"):
        requested, fitting = _version(stack, resource, account)
        engine = stack.text(resource.properties["Engine"])
        if not fitting:
            newest = _engine_versions(engine, account)[-3:]
            versions = ", ".join(version["EngineVersion"] for version in newest) or "no version of it"
            yield refused(
                f"{resource.name}: RDS does not have {engine} {requested} in {account.region}.",
                f"Change the version in infra/; RDS has {versions}.",
            )
            continue
        group = stack.resource(resource.properties.get("DBParameterGroupName"))
        family = stack.text(group.properties["Family"]) if group else ""
        needed_family = fitting[-1]["DBParameterGroupFamily"]
        if family and family != needed_family:
            yield refused(
                f"{resource.name}: its parameter group is for {family}, and {engine} {requested} needs one for "
                f"{needed_family}.",
                "Change version and family together in infra/.",
            )
        else:
            yield ok(f"{resource.name}: {engine} {requested}.")


@check(
    "database class",
    "rds:DescribeDBEngineVersions",
    "rds:DescribeOrderableDBInstanceOptions",
    "ec2:DescribeSubnets",
    "ec2:DescribeAvailabilityZones",
)
def classes(stack: Template, account: Questions) -> Iterator[Judgement]:
    """RDS offers the instance class for the engine's version, in the zones of the database."""
    for resource in stack.resources("AWS::RDS::DBInstance"):
        _, fitting = _version(stack, resource, account)
        if fitting:
            engine = stack.text(resource.properties["Engine"])
            yield _orderable(stack, resource, engine, fitting[-1]["EngineVersion"], account)
    for resource in stack.resources("AWS::Neptune::DBInstance"):
        cluster = stack.resource(resource.properties.get("DBClusterIdentifier"))
        version = stack.text(cluster.properties.get("EngineVersion")) if cluster else ""
        yield _orderable(stack, resource, "neptune", version, account)


def _orderable(stack: Template, resource: Resource, engine: str, version: str, account: Questions) -> Judgement:
    kind = stack.text(resource.properties["DBInstanceClass"])
    exactly = {"EngineVersion": version} if version else {}
    options = account.ask("rds:DescribeOrderableDBInstanceOptions", Engine=engine, DBInstanceClass=kind, **exactly)[
        "OrderableDBInstanceOptions"
    ]
    name = f"{engine} {version}".strip()
    if not options:
        return refused(
            f"{resource.name}: {kind} cannot be had for {name} in {account.region}.",
            "Choose another class: aws rds describe-orderable-db-instance-options "
            f"--engine {engine} --query 'OrderableDBInstanceOptions[].DBInstanceClass'",
        )
    offered = {zone["Name"] for option in options for zone in option["AvailabilityZones"]}
    group = stack.resource(resource.properties.get("DBSubnetGroupName"))
    zones = set(zones_of(stack, group.properties["SubnetIds"], account)) if group else set()
    two_zones = stack.text(resource.properties.get("MultiAZ")).lower() == "true"
    if zones and len(zones & offered) < (2 if two_zones else 1):
        return refused(
            f"{resource.name}: {kind} cannot be had in {', '.join(sorted(zones - offered))}.",
            f"Choose another class, or subnets in {', '.join(sorted(offered))}.",
        )
    return ok(f"{resource.name}: {kind} for {name}.")


@check("OpenSearch", "es:ListVersions", "es:ListInstanceTypeDetails", "es:DescribeInstanceTypeLimits")
def opensearch(stack: Template, account: Questions) -> Iterator[Judgement]:
    """OpenSearch Service has the version and the instance type, which takes the storage."""
    for resource in stack.resources("AWS::OpenSearchService::Domain"):
        version = stack.text(resource.properties.get("EngineVersion"))
        kind = stack.text(resource.properties.get("ClusterConfig", {}).get("InstanceType"))
        if version and version not in account.ask("es:ListVersions")["Versions"]:
            versions = account.ask("es:ListVersions")["Versions"][:3]
            yield refused(
                f"{resource.name}: OpenSearch Service does not have {version}.",
                f"Change the version in infra/; it has {', '.join(versions)}.",
            )
            continue
        details = account.ask("es:ListInstanceTypeDetails", EngineVersion=version)["InstanceTypeDetails"]
        if kind not in {detail["InstanceType"] for detail in details}:
            yield refused(
                f"{resource.name}: OpenSearch Service has no {kind} for {version} in {account.region}.",
                "Choose another type: aws opensearch list-instance-type-details "
                f"--engine-version {version} --query 'InstanceTypeDetails[].InstanceType'",
            )
            continue
        yield _storage(stack, resource, version, kind, account)


def _storage(stack: Template, resource: Resource, version: str, kind: str, account: Questions) -> Judgement:
    response = account.ask("es:DescribeInstanceTypeLimits", EngineVersion=version, InstanceType=kind)
    values = {
        limit["LimitName"]: int(limit["LimitValues"][0])
        for storage in response["LimitsByRole"]["data"]["StorageTypes"]
        if storage["StorageTypeName"] == "ebs" and storage.get("StorageSubTypeName") in {"gp3", None}
        for limit in storage["StorageTypeLimits"]
        if limit["LimitName"] in {"MinimumVolumeSize", "MaximumVolumeSize"}
    }
    size = int(stack.text(resource.properties.get("EBSOptions", {}).get("VolumeSize")) or 0)
    least, most = values.get("MinimumVolumeSize", 0), values.get("MaximumVolumeSize", size)
    if size and not least <= size <= most:
        return refused(
            f"{resource.name}: {kind} takes from {least} to {most} GiB of storage, and not {size} GiB.",
            f"Set the storage from {least} to {most}, or choose a larger instance type.",
        )
    return ok(f"{resource.name}: {version} on {kind}, {size} GiB.")


@check("LiveAnalytics", "timestream:DescribeEndpoints")
def live_analytics(stack: Template, account: Questions) -> Iterator[Judgement]:
    """Timestream for LiveAnalytics, which is closed to new customers, is open to the account."""
    if not any(stack.resources("AWS::Timestream::Database")):
        return
    try:
        account.ask("timestream:DescribeEndpoints")
    except NotPermittedError as error:
        if not isinstance(error.__cause__, ClientError) or _CLOSED not in str(error.__cause__):
            raise
        yield refused(
            "This account may not use Timestream for LiveAnalytics, which has been closed to new customers since "
            "2025-06-20.",
            f"Choose the other engine: -c {stack.section}.engine=influxdb",
        )
        return
    yield ok("The account may use it.")
