"""Which engine versions and instance classes RDS and Neptune offer, and in which zones.

moto gaps: it knows the classes of Neptune and Aurora PostgreSQL only, without any of the last years, and no versions.
cfn-lint ships what AWS offers in each region: the versions of each engine, and the classes of each engine. RDS does not
offer each class for each version; the local cloud does not know that, and offers all pairs.
"""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.models import ec2_backends
from moto.rds.responses import RDSResponse

from localcloud.cloud.account import ACCOUNT
from localcloud.cloudformation.schemas import SCHEMAS
from localcloud.hooks import add, wrap

_EXTENSIONS = SCHEMAS / "extensions"
#: Versions of Neptune from its release notes: cfn-lint has none of them.
#: See https://docs.aws.amazon.com/neptune/latest/userguide/engine-releases.html.
NEPTUNE_VERSIONS = ("1.2.1.2", "1.3.4.0", "1.3.5.0", "1.4.0.0", "1.4.1.0", "1.4.2.0", "1.4.3.0", "1.4.4.0", "1.4.5.0")
#: Where a part of the version names the family of parameter groups: 8.4 of 8.4.10, and 18 of 18.1.
_FAMILIES = {
    "mysql": r"\d+\.\d+",
    "mariadb": r"\d+\.\d+",
    "postgres": r"9\.\d+|\d+",
    "neptune": r"\d+\.\d+",
}
_ORDER = re.compile(r"\d+")


@cache
def versions(engine: str) -> tuple[str, ...]:
    """Return the versions of an engine, the oldest first; empty for an engine that is not offered here."""
    if engine == "neptune":
        return NEPTUNE_VERSIONS
    if engine not in _FAMILIES:
        return ()
    rules = json.loads((_EXTENSIONS / "aws_rds_dbinstance" / "engine_version.json").read_text())["allOf"]
    offered = next(
        rule["then"]["properties"]["EngineVersion"]["enum"]
        for rule in rules
        if rule["if"]["properties"]["Engine"].get("const") == engine
    )
    full_versions = [version for version in offered if "." in version]  # `18` means the default version of 18
    return tuple(sorted(full_versions, key=lambda version: [int(number) for number in _ORDER.findall(version)]))


@cache
def classes(engine: str, region: str) -> tuple[str, ...]:
    """Return the instance classes of an engine in a region."""
    if engine == "neptune":
        by_region = json.loads((_EXTENSIONS / "aws_neptune_dbinstance" / "dbinstanceclass_enum.json").read_text())
        return tuple(by_region.get(region, {}).get("enum", ()))
    by_region = json.loads((_EXTENSIONS / "aws_rds_dbinstance" / "dbinstanceclass_enum.json").read_text())
    for rule in by_region.get(region, {}).get("allOf", ()):
        properties = rule["if"]["properties"]
        if properties["Engine"].get("const") == engine and properties.get("LicenseModel") is False:
            return tuple(rule["then"]["properties"]["DBInstanceClass"]["enum"])
    return ()


def family(engine: str, version: str) -> str:
    """Return the family of parameter groups of a version, such as `mysql8.4`."""
    major = re.match(_FAMILIES[engine], version)
    return f"{engine}{major[0] if major else version}"


def _matching(engine: str, version: str | None) -> list[str]:
    """Return the versions that a request selects: all, one, or those of a major version."""
    return [
        offered
        for offered in versions(engine)
        if not version or offered == version or offered.startswith(f"{version}.")
    ]


def _page(self: RDSResponse, name: str, items: list[dict[str, Any]]) -> ActionResult:
    """Return a page of a list; its marker is the number of items before the next one."""
    start, size = int(self.params.get("Marker") or 0), int(self.params.get("MaxRecords") or 100)
    more = {"Marker": str(start + size)} if len(items) > start + size else {}
    return ActionResult({name: items[start : start + size], **more})


@add(RDSResponse, "describe_db_engine_versions")
def _describe_db_engine_versions(self: RDSResponse) -> ActionResult:
    requested_engine, version = self.params.get("Engine"), self.params.get("EngineVersion")
    engines = [requested_engine] if requested_engine else list(_FAMILIES)
    described = [
        {
            "Engine": engine,
            "EngineVersion": offered,
            "DBParameterGroupFamily": family(engine, offered),
            "Status": "available",
            "MajorEngineVersion": family(engine, offered).removeprefix(engine),
        }
        for engine in engines
        for offered in _matching(engine, version)
    ]
    if group := self.params.get("DBParameterGroupFamily"):
        described = [row for row in described if row["DBParameterGroupFamily"] == group]
    if self.params.get("DefaultOnly"):
        described = described[-1:]
    return _page(self, "DBEngineVersions", described)


@wrap(RDSResponse, "describe_orderable_db_instance_options")
def _describe_orderable_db_instance_options(original: Any, self: RDSResponse) -> ActionResult:
    engine, instance_class = self.params.get("Engine"), self.params.get("DBInstanceClass")
    if engine not in _FAMILIES:
        result: ActionResult = original(self)
        return result
    zones = [zone.name for zone in ec2_backends[ACCOUNT][self.region].describe_availability_zones()]
    options: list[dict[str, Any]] = [
        {
            "Engine": engine,
            "EngineVersion": version,
            "DBInstanceClass": name,
            "AvailabilityZones": [{"Name": zone} for zone in zones],
            "Vpc": True,
            "MultiAZCapable": engine != "neptune",
            "SupportsStorageEncryption": True,
        }
        for version in _matching(engine, self.params.get("EngineVersion"))
        for name in classes(engine, self.region)
        if instance_class in {None, name}
    ]
    return _page(self, "OrderableDBInstanceOptions", options)
