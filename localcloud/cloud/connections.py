"""Databases: what runs, and the line that connects a client to it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from localcloud.cloud.certificates import TRUSTED

POSTGRESQL = ("postgres", "aurora-postgresql")
MYSQL = ("mysql", "mariadb", "aurora-mysql")
INFLUXDB_PORT = 8086

Client = Callable[[str], Any]


@dataclass(frozen=True)
class Database:
    """A database, and how to reach it.

    Attributes:
        name: Its identifier.
        engine: Its engine, as AWS calls it.
        version: The engine's version.
        status: The service's word for its state.
        address: Host and port.
        command: What a person types to connect; it asks for the password.
    """

    name: str
    engine: str
    version: str
    status: str
    address: str
    command: str


def all_databases(client: Client, folder: Path) -> list[Database]:
    """Return the databases of every service, by engine and name.

    Args:
        client: Makes a boto3 client of a service of the cloud.
        folder: The cloud's, which has the certificates to trust.
    """
    databases = [
        *_rds(client, folder),
        *_neptune(client),
        *_opensearch(client),
        *_influxdb(client),
        *_timestream(client),
    ]
    return sorted(databases, key=lambda database: (database.engine, database.name))


def _rds(client: Client, folder: Path) -> Iterator[Database]:
    trusted = folder / TRUSTED
    for row in _listed(client("rds"), "describe_db_instances", "DBInstances"):
        if row["Engine"] not in {*POSTGRESQL, *MYSQL}:
            continue  # RDS lists the instances of Neptune, too
        endpoint, user, name = row.get("Endpoint", {}), row.get("MasterUsername", ""), row.get("DBName", "")
        host, port = endpoint.get("Address", ""), endpoint.get("Port", "")
        if row["Engine"] in POSTGRESQL:
            options = f"host={host} port={port} dbname={name or 'postgres'} user={user}"
            command = f"psql '{options} sslmode=verify-full sslrootcert={trusted}'"
        else:
            command = f"mysql --host={host} --port={port} --user={user} --ssl-ca='{trusted}' --password {name}".rstrip()
        yield _database(row["DBInstanceIdentifier"], row, row["DBInstanceStatus"], f"{host}:{port}", command)


def _neptune(client: Client) -> Iterator[Database]:
    for row in _listed(client("neptune"), "describe_db_clusters", "DBClusters"):
        if row["Engine"] == "neptune":
            address = f"{row.get('Endpoint')}:{row.get('Port')}"
            query = "MATCH (n) RETURN labels(n) AS kind, count(*) AS number"
            yield _database(row["DBClusterIdentifier"], row, row["Status"], address, _curl(
                f"https://{address}/openCypher", f"--data-urlencode 'query={query}'"
            ))  # fmt: skip


def _opensearch(client: Client) -> Iterator[Database]:
    asked = client("opensearch")
    for name in [row["DomainName"] for row in asked.list_domain_names()["DomainNames"]]:
        row = asked.describe_domain(DomainName=name)["DomainStatus"]
        address = row.get("Endpoint") or next(iter(row.get("Endpoints", {}).values()), "")
        status = "creating" if row.get("Processing") and not address else "available"
        engine = {"Engine": "opensearch", "EngineVersion": row.get("EngineVersion", "")}
        yield _database(name, engine, status, address, _curl(f"https://{address}/_cat/indices?v", ""))


def _influxdb(client: Client) -> Iterator[Database]:
    for summary in _listed(client("timestream-influxdb"), "list_db_instances", "items"):
        row = client("timestream-influxdb").get_db_instance(identifier=summary["id"])
        address = row.get("endpoint") or ""
        address = address if ":" in address else f"{address}:{row.get('port', INFLUXDB_PORT)}"
        login = {"organization": "ORGANIZATION", "username": "USERNAME"}  # to be filled in, if no secret is named
        if secret := row.get("influxAuthParametersSecretArn"):
            login = json.loads(client("secretsmanager").get_secret_value(SecretId=secret)["SecretString"])
        command = (
            f"influx config create --active --config-name {row['name']} --host-url http://{address} "
            f"--org {login['organization']} --username-password {login['username']}"
        )
        yield _database(row["name"], {"Engine": "influxdb"}, row["status"], address, command)


def _timestream(client: Client) -> Iterator[Database]:
    try:
        names = [row["DatabaseName"] for row in client("timestream-write").list_databases()["Databases"]]
    except ClientError:
        return  # the service is closed to new accounts
    for name in names:
        command = f"aws timestream-query query --query-string 'SHOW TABLES FROM \"{name}\"'"
        yield _database(name, {"Engine": "timestream"}, "available", "", command)


def _listed(asked: Any, operation: str, key: str) -> list[Any]:
    return list(asked.get_paginator(operation).paginate().build_full_result().get(key, []))


def _curl(address: str, options: str) -> str:
    """A request that is signed with the cloud's key, which a shell that uses this cloud has in its environment."""
    signed = '--aws-sigv4 "aws:amz:$AWS_REGION:{}" --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY"'
    service = "neptune-db" if address.endswith("/openCypher") else "es"
    return f"curl --cacert \"$SSL_CERT_FILE\" {signed.format(service)} {options} '{address}'".replace("  ", " ")


def _database(name: str, row: dict[str, Any], status: str, address: str, command: str) -> Database:
    return Database(name, row["Engine"], str(row.get("EngineVersion", "")), status, address, command)
