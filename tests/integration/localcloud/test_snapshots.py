"""Snapshots of databases hold their data, the final ones too, and what is restored from them begins with the data."""

from __future__ import annotations

from typing import Any

import boto3
import psycopg
import pymysql
import pytest
from botocore.exceptions import ClientError

from localcloud import LocalCloud

Json = dict[str, Any]
PASSWORD = "long-enough"  # noqa: S105 - of databases that live for seconds
FILL = ("CREATE TABLE films (title VARCHAR(20))", "INSERT INTO films VALUES ('Metropolis'), ('M')")

INSTANCE = """
Resources:
  Database:
    Type: AWS::RDS::DBInstance
    DeletionPolicy: Snapshot
    UpdateReplacePolicy: Snapshot
    Properties:
      Engine: %s
      DBInstanceClass: db.t4g.micro
      AllocatedStorage: '20'
      BackupRetentionPeriod: 3
      %s
Outputs:
  Instance: {Value: !Ref Database}
"""
NEW = "StorageEncrypted: true\n      DBName: shop\n      MasterUsername: keeper\n      MasterUserPassword: long-enough"


def ask(cloud: LocalCloud, instance: Json, *statements: str, password: str = PASSWORD) -> list[tuple[Any, ...]]:
    """Run statements in an instance's database, and return the rows of the last one."""
    authority = str(cloud.certificate_authority)
    where = {"host": instance["Endpoint"]["Address"], "port": instance["Endpoint"]["Port"], "user": "keeper"}
    connection: Any
    if instance["Engine"] == "mysql":
        tls = {"ca": authority}
        connection = pymysql.connect(**where, password=password, database="shop", ssl=tls, autocommit=True)
    else:
        tls = {"sslmode": "verify-full", "sslrootcert": authority}
        connection = psycopg.connect(**where, password=password, dbname="shop", autocommit=True, **tls)
    with connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        return list(cursor.fetchall()) if statements[-1].startswith("SELECT") else []


def count(cloud: LocalCloud, instance: Json, password: str = PASSWORD) -> int:
    [(number,)] = ask(cloud, instance, "SELECT COUNT(*) FROM films", password=password)
    return int(number)


def describe(cloud: LocalCloud, name: str) -> Json:
    instance: Json = cloud.client("rds").describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]
    return instance


@pytest.fixture(scope="module", params=["mysql", "postgres"])
def source(cloud: LocalCloud, request: pytest.FixtureRequest) -> Json:
    """An instance with two films."""
    created: Json = cloud.client("rds").create_db_instance(
        DBInstanceIdentifier=f"{request.param}-source",
        DBInstanceClass="db.t4g.micro",
        Engine=request.param,
        AllocatedStorage=20,
        StorageEncrypted=True,
        BackupRetentionPeriod=1,
        DBName="shop",
        MasterUsername="keeper",
        MasterUserPassword=PASSWORD,
    )["DBInstance"]
    ask(cloud, created, *FILL)
    return created


def test_a_restored_instance_has_what_the_snapshot_had(cloud: LocalCloud, source: Json) -> None:
    rds, name = cloud.client("rds"), source["DBInstanceIdentifier"]
    rds.create_db_snapshot(DBInstanceIdentifier=name, DBSnapshotIdentifier=f"{name}-one")
    ask(cloud, source, "DELETE FROM films")
    rds.copy_db_snapshot(SourceDBSnapshotIdentifier=f"{name}-one", TargetDBSnapshotIdentifier=f"{name}-two")
    rds.delete_db_snapshot(DBSnapshotIdentifier=f"{name}-one")
    restored = rds.restore_db_instance_from_db_snapshot(
        DBInstanceIdentifier=f"{name}-restored", DBSnapshotIdentifier=f"{name}-two"
    )["DBInstance"]
    assert (count(cloud, restored), count(cloud, source)) == (2, 0)
    assert restored["StorageEncrypted"]
    assert (restored["DBName"], restored["MasterUsername"]) == ("shop", "keeper")
    ask(cloud, source, FILL[1])


def test_an_instance_is_restored_to_the_latest_time(cloud: LocalCloud, source: Json) -> None:
    rds, name = cloud.client("rds"), source["DBInstanceIdentifier"]
    target = {"SourceDBInstanceIdentifier": name, "TargetDBInstanceIdentifier": f"{name}-latest"}
    restored = rds.restore_db_instance_to_point_in_time(**target, UseLatestRestorableTime=True)["DBInstance"]
    assert count(cloud, restored) == count(cloud, source) == 2
    by_resource = {"SourceDbiResourceId": source["DbiResourceId"], "TargetDBInstanceIdentifier": f"{name}-again"}
    restored = rds.restore_db_instance_to_point_in_time(**by_resource, UseLatestRestorableTime=True)["DBInstance"]
    assert count(cloud, restored) == 2
    with pytest.raises(ClientError, match="restores to the latest time only"):
        rds.restore_db_instance_to_point_in_time(**target, RestoreTime="2026-01-01T00:00:00Z")


def test_a_deletion_names_its_final_snapshot_or_wants_none(cloud: LocalCloud, source: Json) -> None:
    name = source["DBInstanceIdentifier"]
    with pytest.raises(ClientError, match="FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot"):
        cloud.client("rds").delete_db_instance(DBInstanceIdentifier=name)
    assert count(cloud, source) == 2


@pytest.mark.parametrize("engine", ["mysql", "postgres"])
def test_a_stack_leaves_a_final_snapshot_from_which_another_is_created(cloud: LocalCloud, engine: str) -> None:
    rds, cloudformation = cloud.client("rds"), cloud.client("cloudformation")
    stack = f"Shop-{engine}"
    cloudformation.create_stack(StackName=stack, TemplateBody=INSTANCE % (engine, NEW))
    ask(cloud, describe(cloud, cloud.outputs(stack)["Instance"]), *FILL)
    cloudformation.delete_stack(StackName=stack)
    [snapshot] = [
        name
        for name in (row["DBSnapshotIdentifier"] for row in rds.describe_db_snapshots()["DBSnapshots"])
        if name.startswith(f"{stack}-snapshot-database-".lower())
    ]
    from_it = f"DBSnapshotIdentifier: {snapshot}\n      MasterUserPassword: another-one"
    cloudformation.create_stack(StackName=stack, TemplateBody=INSTANCE % (engine, from_it))
    instance = describe(cloud, cloud.outputs(stack)["Instance"])
    assert count(cloud, instance, password="another-one") == 2  # noqa: S106 - as the template says
    assert (instance["BackupRetentionPeriod"], instance["StorageEncrypted"]) == (3, True)
    # Without the snapshot's name the next update would create an empty database, as on AWS.
    cloudformation.update_stack(StackName=stack, TemplateBody=INSTANCE % (engine, NEW))
    assert cloud.outputs(stack)["Instance"] != instance["DBInstanceIdentifier"]


def test_a_type_without_snapshots_refuses_the_policy(cloud: LocalCloud) -> None:
    body = "Resources: {Queue: {Type: 'AWS::SQS::Queue', DeletionPolicy: Snapshot}}"
    cloudformation = cloud.client("cloudformation")
    cloudformation.create_stack(StackName="Queue", TemplateBody=body)
    [stack] = cloudformation.describe_stacks(StackName="Queue")["Stacks"]
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert "AWS::SQS::Queue does not support DeletionPolicy Snapshot" in stack["StackStatusReason"]


GRAPH = """
Resources:
  Graph: {Type: 'AWS::Neptune::DBCluster', DeletionPolicy: Snapshot, UpdateReplacePolicy: Snapshot, Properties: {%s}}
Outputs:
  Endpoint: {Value: !Sub 'https://${Graph.Endpoint}:${Graph.Port}'}
"""


def test_a_graph_comes_back_from_its_final_snapshot(cloud: LocalCloud) -> None:
    cloudformation, neptune = cloud.client("cloudformation"), cloud.client("neptune")
    environment = cloud.environment()

    def query(text: str) -> list[Json]:
        graph = boto3.client(
            "neptunedata",
            endpoint_url=cloud.outputs("Graph")["Endpoint"],
            verify=str(cloud.certificate_authority),
            region_name="us-east-1",
            aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        )
        rows: list[Json] = graph.execute_open_cypher_query(openCypherQuery=text)["results"]
        return rows

    cloudformation.create_stack(StackName="Graph", TemplateBody=GRAPH % "StorageEncrypted: true")
    query("CREATE (:Film {title: 'Metropolis'})-[:SAME_DIRECTOR]->(:Film {title: 'M'})")
    cloudformation.delete_stack(StackName="Graph")
    [snapshot] = neptune.describe_db_cluster_snapshots(SnapshotType="manual")["DBClusterSnapshots"]
    name = snapshot["DBClusterSnapshotIdentifier"]
    assert name.startswith("graph-snapshot-graph-")
    cloudformation.create_stack(StackName="Graph", TemplateBody=GRAPH % f"SnapshotIdentifier: {name}")
    assert query("MATCH (f:Film)-[:SAME_DIRECTOR]->() RETURN f.title AS title") == [{"title": "Metropolis"}]
    with pytest.raises(ClientError, match="FinalDBSnapshotIdentifier is required"):
        neptune.delete_db_cluster(
            DBClusterIdentifier=neptune.describe_db_clusters()["DBClusters"][0]["DBClusterIdentifier"]
        )
