"""What CloudFormation changes in place, but not without an interruption."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]
#: Properties by type. Source: the lines "Update requires: Some interruptions" of the types in the CloudFormation
#: template reference, and for InfluxDB the user guide of Timestream, whose changes of a class restart the instance.
INTERRUPTING = {
    "AWS::EC2::Instance": {"InstanceType"},
    "AWS::Neptune::DBCluster": {"DBClusterParameterGroupName", "EngineVersion"},
    "AWS::Neptune::DBInstance": {"DBInstanceClass"},
    "AWS::RDS::DBInstance": {"DBInstanceClass", "DBParameterGroupName", "EngineVersion", "StorageType"},
    "AWS::Timestream::InfluxDBCluster": {"DbInstanceType", "DbParameterGroupIdentifier"},
    "AWS::Timestream::InfluxDBInstance": {"DbInstanceType", "DbParameterGroupIdentifier", "DeploymentType"},
}


def interrupting(before: Json, after: Json) -> list[str]:
    """Return the properties of a resource whose change interrupts it.

    Args:
        before: The resource in the template that is deployed.
        after: The resource in the new template.
    """
    old, new = before.get("Properties", {}), after.get("Properties", {})
    return sorted(name for name in INTERRUPTING.get(after["Type"], ()) if old.get(name) != new.get(name))


#: Properties that only grow: AWS refuses less. Sources: ModifyDBInstance of RDS, UpdateDbInstance of Timestream for
#: InfluxDB.
ONLY_GROWING = {
    "AWS::RDS::DBInstance": "AllocatedStorage",
    "AWS::Timestream::InfluxDBInstance": "AllocatedStorage",
}


def shrinking(before: Json, after: Json) -> tuple[int, int] | None:
    """Return the storage of a resource before and after, in GiB, where it would shrink; None where it would not.

    Args:
        before: The resource in the template that is deployed.
        after: The resource in the new template, which updates it in place.
    """
    name = ONLY_GROWING.get(after["Type"], "")
    sizes = [body.get("Properties", {}).get(name) for body in (before, after)]
    if not all(str(size).isdecimal() for size in sizes):
        return None
    old, new = map(int, sizes)
    return (old, new) if new < old else None
