"""Questions that a person asks a database in the console, each in its engine's language. Nothing writes."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlencode

from boto3.dynamodb.types import TypeDeserializer
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from contract.questions import refusal
from localcloud.cloud.account import ACCESS_KEY_ID, REGION
from localcloud.cloud.certificates import TRUSTED
from localcloud.cloud.connections import MYSQL, POSTGRESQL, Database
from localcloud.console import reading
from localcloud.engines.database_server import LONGEST_SECONDS, Rows
from localcloud.errors import LocalCloudError
from localcloud.services.rds.behaviour import Servers

SHOWN = 100
DYNAMODB = "dynamodb"
LANGUAGES = dict.fromkeys([*POSTGRESQL, *MYSQL], "SQL") | {
    "neptune": "openCypher",
    "opensearch": "a query string, or the JSON of a search",
    DYNAMODB: "PartiQL",
}
#: Where a person begins: what is there.
EXAMPLES = (
    dict.fromkeys(
        POSTGRESQL,
        "SELECT table_schema, table_name\nFROM information_schema.tables\n"
        "WHERE table_schema NOT IN ('information_schema', 'pg_catalog')",
    )
    | dict.fromkeys(MYSQL, "SHOW TABLES")
    | {
        "neptune": "MATCH (n) RETURN labels(n) AS kind, count(*) AS number",
        "opensearch": "*",
        DYNAMODB: 'SELECT * FROM "{name}"',
    }
)


def ask(database: Database, text: str, index: str = "") -> Rows:
    """Ask a database a question.

    Args:
        database: The database.
        text: The question, in the database's language.
        index: The index of OpenSearch; all indices if it is empty.

    Raises:
        LocalCloudError: The question may write, or the engine refuses it; the message says why.
    """
    match database.engine:
        case "neptune":
            _check("neptune", text)
            answer = _send(f"https://{database.address}/openCypher", "neptune-db", urlencode({"query": text}).encode())
            return table(answer["results"])
        case "opensearch":
            return _search(database.address, text, index)
        case "dynamodb":
            _check(DYNAMODB, text)
            return _items(text)
        case engine:
            _check("postgresql" if engine in POSTGRESQL else "mysql", text)
            return _sql(database.name, text)


def indices(database: Database) -> list[str]:
    """Return the names of the indices of OpenSearch, without those that it keeps for itself."""
    rows = _send(f"https://{database.address}/_cat/indices?format=json", "es")
    return sorted(row["index"] for row in rows if not row["index"].startswith("."))


def table(rows: Iterable[Mapping[str, object]]) -> Rows:
    """Return rows, whose columns may differ, as a table: columns in the order in which they appear."""
    listed = list(rows)
    columns = list(dict.fromkeys(name for row in listed for name in row))
    cells = [[row.get(name) for name in columns] for row in listed[:SHOWN]]
    return Rows(columns, cells, more=len(listed) > SHOWN)


def _check(engine: str, text: str) -> None:
    if reason := refusal(engine, text):
        raise LocalCloudError(reason)


def _sql(name: str, text: str) -> Rows:
    instance = reading.client("rds").describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]
    server = reading.cloud().state(Servers).by_arn.get(instance["DBInstanceArn"])
    if server is None:
        raise LocalCloudError("The instance has no server of its own.")
    return server.ask(instance.get("DBName", ""), text, SHOWN)


def _search(address: str, text: str, index: str) -> Rows:
    """Return what a search finds: the documents, or the buckets of a search with `aggs` and `size` 0."""
    body: dict[str, Any] = {"query": {"query_string": {"query": text or "*"}}}
    if text.lstrip().startswith("{"):
        try:
            body = json.loads(text)
        except ValueError as error:
            raise LocalCloudError(f"This begins as JSON, but is not: {error}.") from error
    url = f"https://{address}/{urllib.request.pathname2url(index) + '/' if index else ''}_search"
    answer = _send(url, "es", json.dumps({"size": SHOWN, **body}).encode(), "application/json")
    if body.get("size") == 0:
        return table(
            {"aggregation": name, **bucket}
            for name, found in answer.get("aggregations", {}).items()
            for bucket in found.get("buckets", [found])
        )
    hits = answer["hits"]["hits"]
    rows = table({"_index": hit["_index"], "_score": hit.get("_score"), **_short(hit["_source"])} for hit in hits)
    return Rows(rows.columns, rows.rows, more=answer["hits"]["total"]["value"] > len(rows.rows))


def _short(document: dict[str, Any]) -> dict[str, Any]:
    """Return a document without its vectors, which nobody reads."""
    return {
        name: value
        for name, value in document.items()
        if not (isinstance(value, list) and value and isinstance(value[0], float))
    }


def _items(text: str) -> Rows:
    try:
        items = reading.client(DYNAMODB).execute_statement(Statement=text)["Items"]
    except ClientError as error:
        raise LocalCloudError(f"DynamoDB says: {error.response['Error']['Message']}") from error
    read = TypeDeserializer().deserialize
    return table({name: read(value) for name, value in item.items()} for item in items)


def _send(url: str, service: str, body: bytes | None = None, kind: str = "application/x-www-form-urlencoded") -> Any:
    """Return what an engine answers to a request that the cloud's key has signed."""
    cloud = reading.cloud()
    signed = AWSRequest("POST" if body else "GET", url, data=body, headers={"Content-Type": kind} if body else {})
    SigV4Auth(Credentials(ACCESS_KEY_ID, cloud.secret_access_key), service, REGION).add_auth(signed)
    request = urllib.request.Request(url, body, dict(signed.headers))  # noqa: S310 - an address of this cloud
    trusted = ssl.create_default_context(cafile=str(cloud.folder / TRUSTED))
    try:
        with urllib.request.urlopen(request, timeout=LONGEST_SECONDS, context=trusted) as response:  # noqa: S310
            return json.loads(response.read())
    except urllib.error.HTTPError as error:
        raise LocalCloudError(_reason(error.read())) from error
    except OSError as error:
        raise LocalCloudError(f"The database does not answer: {error}.") from error


def _reason(answer: bytes) -> str:
    """Return why an engine refuses a question, in its own words."""
    try:
        document = json.loads(answer)
    except ValueError:
        return answer.decode(errors="replace")[:500]
    found = document.get("detailedMessage") or document.get("error") or document
    return str(found.get("reason", found) if isinstance(found, dict) else found)
