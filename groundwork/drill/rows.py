"""How many rows each engine of a stack holds, asked of the engine itself."""

from __future__ import annotations

import json
import ssl
import urllib.request
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import psycopg
import pymysql
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from contract.stacks import DataEcosystemOutput, StackName, TimeSeriesOutput, WebAppOutput
from contract.timeseries import address, authorization, token_in

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localcloud import LocalCloud

INDEX = "movies"


def mysql(cloud: LocalCloud) -> int:
    """Count the members of the storefront."""
    secret = login(cloud, cloud.outputs(StackName.WEB_APP)[WebAppOutput.DATABASE_SECRET_ARN])
    with (
        pymysql.connect(**secret, database="storefront", ssl={"ca": str(cloud.certificate_authority)}) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("SELECT COUNT(*) FROM member")
        return int(cursor.fetchall()[0][0])


def postgresql(cloud: LocalCloud) -> int:
    """Count the rentals of the film rental company's ledger."""
    secret = login(cloud, _ecosystem(cloud)[DataEcosystemOutput.DATABASE_SECRET_ARN])
    authority = str(cloud.certificate_authority)
    with psycopg.connect(**secret, dbname="rental", sslmode="verify-full", sslrootcert=authority) as connection:
        row = connection.execute("SELECT COUNT(*) FROM rentals").fetchone()
    return int(row[0]) if row else 0


def dynamodb(cloud: LocalCloud) -> int:
    """Count the films of the film library."""
    table = _ecosystem(cloud)[DataEcosystemOutput.MOVIES_TABLE_NAME]
    pages = cloud.client("dynamodb").get_paginator("scan").paginate(TableName=table, Select="COUNT")
    return sum(int(page["Count"]) for page in pages)


def neptune(cloud: LocalCloud) -> int:
    """Count the rentals of the graph."""
    [row] = cypher(cloud, "MATCH (:Customer)-[r:RENTED]->(:Movie) RETURN count(r) AS number")
    return int(row["number"])


def opensearch(cloud: LocalCloud) -> int:
    """Count the films of the search index."""
    endpoint = _ecosystem(cloud)[DataEcosystemOutput.SEARCH_ENDPOINT]
    return int(_asked(cloud, "es", f"{endpoint}/{INDEX}/_count")["count"])


def influxdb(cloud: LocalCloud) -> int:
    """Count the rows of monitoring data."""
    outputs = cloud.outputs(StackName.DEVOPS_METRICS)
    secret = cloud.client("secretsmanager").get_secret_value(SecretId=outputs[TimeSeriesOutput.SECRET_ARN])
    statement = f'SELECT count("CPU_Usage") FROM "{outputs[TimeSeriesOutput.TABLE_NAME]}"'  # noqa: S608 - names of the stack
    parameters = urlencode({"db": outputs[TimeSeriesOutput.DATABASE_NAME], "q": statement})
    url = f"{address(outputs[TimeSeriesOutput.ENDPOINT])}/query?{parameters}"
    headers = {"Authorization": authorization(token_in(secret["SecretString"]))}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - on this machine
    trusted = ssl.create_default_context(cafile=str(cloud.certificate_authority))
    with urllib.request.urlopen(request, timeout=60, context=trusted) as response:  # noqa: S310 - on this machine
        [result] = json.load(response)["results"]
    return sum(int(count) for group in result.get("series", []) for _, count in group["values"])


def cypher(cloud: LocalCloud, query: str) -> list[dict[str, Any]]:
    """Return the rows of an openCypher query over the film rental company's graph."""
    url = f"{_ecosystem(cloud)[DataEcosystemOutput.GRAPH_ENDPOINT]}/openCypher"
    answered: list[dict[str, Any]] = _asked(cloud, "neptune-db", url, {"query": query})["results"]
    return answered


def login(cloud: LocalCloud, secret: str) -> dict[str, Any]:
    """Return host, port, user and password of a database's secret, as the drivers take them."""
    value = json.loads(cloud.client("secretsmanager").get_secret_value(SecretId=secret)["SecretString"])
    return {
        "host": value["host"],
        "port": int(value["port"]),
        "user": value["username"],
        "password": value["password"],
    }


def _ecosystem(cloud: LocalCloud) -> dict[str, str]:
    return cloud.outputs(StackName.DATA_ECOSYSTEM)


def _asked(cloud: LocalCloud, service: str, url: str, body: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return what an engine answers to a signed request over HTTPS."""
    environment = cloud.environment()
    credentials = Credentials(environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"])
    headers = {"Content-Type": "application/json"}
    data = json.dumps(body).encode() if body else None
    signed = AWSRequest("POST" if body else "GET", url, headers, data)
    SigV4Auth(credentials, service, environment["AWS_DEFAULT_REGION"]).add_auth(signed)
    request = urllib.request.Request(url, data, dict(signed.headers))  # noqa: S310 - on this machine
    trusted = ssl.create_default_context(cafile=str(cloud.certificate_authority))
    with urllib.request.urlopen(request, timeout=60, context=trusted) as response:  # noqa: S310 - on this machine
        document: dict[str, Any] = json.load(response)
    return document
