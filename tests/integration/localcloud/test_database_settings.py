"""Settings of databases that templates change in place."""

from __future__ import annotations

from typing import Any

from localcloud import LocalCloud
from tests.stacks import Stack, resource

Json = dict[str, Any]


def database(**properties: Any) -> Json:
    fixed = {"Engine": "mysql", "EngineVersion": "8.4.10", "DBInstanceClass": "db.t4g.micro", "AllocatedStorage": "20"}
    access = {"MasterUsername": "me", "MasterUserPassword": "correct-horse"}
    body = resource("RDS::DBInstance", **fixed, **access, **properties)
    return {**body, "DeletionPolicy": "Delete"}


def test_a_database_has_performance_insights_while_its_template_says_so(cloud: LocalCloud) -> None:
    def is_enabled() -> bool:
        found = cloud.client("rds").describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]
        return bool(found["PerformanceInsightsEnabled"])

    stack = Stack(cloud, Database=database(EnablePerformanceInsights=True))
    name = stack.physical("Database")
    assert is_enabled()
    assert stack.update(Database=database(EnablePerformanceInsights=False)) == "UPDATE_COMPLETE"
    assert not is_enabled()
    assert stack.update(Database=database(EnablePerformanceInsights=True)) == "UPDATE_COMPLETE"
    assert is_enabled()
    assert stack.update(Database=database()) == "UPDATE_COMPLETE"
    assert not is_enabled()
    assert stack.physical("Database") == name
    stack.delete()
