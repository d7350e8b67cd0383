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
from localcloud.services.timestreaminfluxdb.behaviour import Servers as InfluxServers

SHOWN = 100
DYNAMODB, INFLUXDB, OPENSEARCH, TIMESTREAM = "dynamodb", "influxdb", "opensearch", "timestream"
LANGUAGES = dict.fromkeys([*POSTGRESQL, *MYSQL], "SQL") | {
    "neptune": "openCypher",
    OPENSEARCH: "a query string, or the JSON of a search",
    DYNAMODB: "PartiQL",
    INFLUXDB: "InfluxQL",
    TIMESTREAM: "SQL",
}
#: What a question is put to within a database, where there is a choice.
PLACES = {OPENSEARCH: "Index", INFLUXDB: "Bucket"}
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
        OPENSEARCH: "*",
        DYNAMODB: 'SELECT * FROM "{name}"',
        INFLUXDB: "SHOW MEASUREMENTS",
        TIMESTREAM: 'SHOW TABLES FROM "{name}"',
    }
)


def ask(database: Database, text: str, place: str = "") -> Rows:
    """Ask a database a question.

    Args:
        database: The database.
        text: The question, in the database's language.
        place: The index of OpenSearch, or all if it is empty; the bucket of InfluxDB, or the first.

    Raises:
        LocalCloudError: The question may write, or the engine refuses it; the message says why.
    """
    match database.engine:
        case "neptune":
            _check("neptune", text)
            answer = _send(f"https://{database.address}/openCypher", "neptune-db", urlencode({"query": text}).encode())
            return table(answer["results"])
        case "opensearch":
            return _search(database.address, text, place)
        case "dynamodb":
            _check(DYNAMODB, text)
            return _items(text)
        case "influxdb":
            _check(TIMESTREAM, text)
            return _influxql(database, text, place or next(iter(places(database)), ""))
        case "timestream":
            _check(TIMESTREAM, text)
            return _timestream(text)
        case engine:
            _check("postgresql" if engine in POSTGRESQL else "mysql", text)
            return _sql(database.name, text)


def places(database: Database) -> list[str]:
    """Return the indices of OpenSearch, without those that it keeps for itself, or the buckets of InfluxDB."""
    match database.engine:
        case "opensearch":
            rows = _send(f"https://{database.address}/_cat/indices?format=json", "es")
            return sorted(row["index"] for row in rows if not row["index"].startswith("."))
        case "influxdb":
            return [str(row[-1]) for row in _influxql(database, "SHOW DATABASES", "").rows]
        case _:
            return []


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
            for name, aggregation in answer.get("aggregations", {}).items()
            for bucket in aggregation.get("buckets", [aggregation])
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


def _influxql(database: Database, text: str, bucket: str) -> Rows:
    """Return the rows of all series that InfluxDB answers with, by the token that its set-up made."""
    listed = reading.client("timestream-influxdb").list_db_instances()["items"]
    identity = next(row["id"] for row in listed if row["name"] == database.name)
    server = reading.cloud().state(InfluxServers).running[identity]
    url = f"http://{database.address}/query?{urlencode({'q': text, 'db': bucket})}"
    [result] = _answer(url, {"Authorization": f"Token {server.token}"})["results"]
    if "error" in result:
        raise LocalCloudError(f"InfluxDB says: {result['error']}")
    return table(
        {
            "series": series.get("name", ""),
            **series.get("tags", {}),
            **dict(zip(series["columns"], row, strict=True)),
        }
        for series in result.get("series", [])
        for row in series.get("values", [])
    )


def _timestream(text: str) -> Rows:
    try:
        answer = reading.client("timestream-query").query(QueryString=text, MaxRows=SHOWN)
    except ClientError as error:
        raise LocalCloudError(f"Timestream says: {error.response['Error']['Message']}") from error
    columns = [column.get("Name", "") for column in answer["ColumnInfo"]]
    cells = [
        [None if "NullValue" in datum else datum.get("ScalarValue", datum) for datum in row["Data"]]
        for row in answer["Rows"]
    ]
    return Rows(columns, cells[:SHOWN], more=len(cells) > SHOWN or "NextToken" in answer)


def _send(url: str, service: str, body: bytes | None = None, kind: str = "application/x-www-form-urlencoded") -> Any:
    """Return what an engine answers to a request that the cloud's key has signed."""
    cloud = reading.cloud()
    signed = AWSRequest("POST" if body else "GET", url, data=body, headers={"Content-Type": kind} if body else {})
    SigV4Auth(Credentials(ACCESS_KEY_ID, cloud.secret_access_key), service, REGION).add_auth(signed)
    return _answer(url, dict(signed.headers), body)


def _answer(url: str, headers: Mapping[str, str], body: bytes | None = None) -> Any:
    """Return the JSON document that an engine answers with.

    Raises:
        LocalCloudError: The engine refuses the request, or does not answer.
    """
    request = urllib.request.Request(url, body, dict(headers))  # noqa: S310 - an address of this cloud
    trusted = ssl.create_default_context(cafile=str(reading.cloud().folder / TRUSTED))
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
    error = document.get("detailedMessage") or document.get("error") or document.get("message") or document
    return str(error.get("reason", error) if isinstance(error, dict) else error)
