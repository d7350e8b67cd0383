"""Start the engines of a film rental company, empty, for `movie_rental.py`."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3

from localcloud import LocalCloud
from localcloud.cloud import processes
from localcloud.engines import postgresql
from localcloud.services.opensearch import behaviour as opensearch
from localcloud.services.timestreaminfluxdb import behaviour as influxdb
from workloads.storage import s3

if TYPE_CHECKING:
    from collections.abc import Iterator

ACCESS = {"username": "admin", "password": "benchmark"}
_BUCKET = "bulk-loads"


@contextlib.contextmanager
def servers() -> Iterator[dict[str, Any]]:
    """Start every engine, empty, and yield their addresses."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.chmod(0o755)
        (folder / "opensearch").mkdir()
        server = postgresql.start(folder / "postgresql", **ACCESS, database="new", parameters={"rds.force_ssl": "0"})
        stack.callback(server.stop)
        process, port = opensearch.start(folder / "opensearch")
        stack.callback(processes.end, process)
        rentals = influxdb.start(folder / "influxdb", **ACCESS, bucket="rental")
        stack.callback(processes.end, rentals.process)
        cloud = stack.enter_context(LocalCloud(folder / "cloud"))
        os.environ.update(cloud.environment())
        boto3.setup_default_session()  # each cloud has a key of its own
        s3.cache_clear()
        make_table()
        yield {
            "new": f"postgresql://{ACCESS['username']}:{ACCESS['password']}@localhost:{server.port}/new",
            "search": f"http://localhost:{port}",
            "series": f"http://localhost:{rentals.port}",
            "token": rentals.token,
            "table": "movies",
            **_graph(),
        }


def make_table() -> None:
    """Make the table of films, without its indexes."""
    keys = [("MovieID", "HASH"), ("MovieTitle", "RANGE")]
    boto3.client("dynamodb").create_table(
        TableName="movies",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in keys],
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key, _ in keys],
    )


def _graph() -> dict[str, Any]:
    """Make a cluster of Neptune, a bucket, and a role that loads from it."""
    boto3.client("s3").create_bucket(Bucket=_BUCKET)
    ec2, iam, neptune = boto3.client("ec2"), boto3.client("iam"), boto3.client("neptune")
    [network] = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]
    routes = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [network["VpcId"]]}])["RouteTables"]
    ec2.create_vpc_endpoint(
        VpcId=network["VpcId"],
        ServiceName="com.amazonaws.us-east-1.s3",
        RouteTableIds=[table["RouteTableId"] for table in routes],
    )
    trust = {"Effect": "Allow", "Principal": {"Service": "rds.amazonaws.com"}, "Action": "sts:AssumeRole"}
    role = iam.create_role(RoleName="loader", AssumeRolePolicyDocument=_policy(trust))["Role"]["Arn"]
    objects = [f"arn:aws:s3:::{_BUCKET}", f"arn:aws:s3:::{_BUCKET}/*"]
    reading = {"Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket"], "Resource": objects}
    iam.put_role_policy(RoleName="loader", PolicyName="Read", PolicyDocument=_policy(reading))
    cluster = neptune.create_db_cluster(DBClusterIdentifier="graph", Engine="neptune")["DBCluster"]
    neptune.create_db_instance(
        DBInstanceIdentifier="graph", DBClusterIdentifier="graph", Engine="neptune", DBInstanceClass="db.r6g.large"
    )
    neptune.add_role_to_db_cluster(DBClusterIdentifier="graph", RoleArn=role)
    return {"graph": f"https://{cluster['Endpoint']}:{cluster['Port']}", "role": role, "bucket": _BUCKET}


def _policy(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
