"""Projects rentals from the queue into the graph (Neptune) and the time series (Timestream).

Events may come twice, at any distance, so writing them twice changes nothing: a rental is one relationship, by its
number, and one point, by its time. An erased customer leaves a mark with only their number in the graph, and what
comes late for them is counted in the time series only. The queue keeps the order of each customer: while an event has
to come again, later events of the same customer are not tried.

- An engine cannot be reached or is throttled: the event comes again. After ATTEMPTS attempts it is given up. Attempts
  are counted in the table of dead letters: the queue's own count also grows while an event waits behind another. From
  the second receipt on they are counted beforehand, so that an event that ends its run is given up as well.
- It is not an event, or an engine refuses it for good: it is given up at once.
- The time left may not suffice for another event: the rest of the batch comes again without an attempt.

What is given up goes to the table of dead letters, with its reason and the message. If the table cannot be written,
the event comes again.
"""

import http.client
import json
import os
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from contract.dead_letters import EXPIRY, KEEP_SECONDS, NotNowError, RefusedError, dead_letter, key, log_line
from contract.projections import CONNECT_SECONDS, MESSAGE_SECONDS, READ_SECONDS, REQUEST_SECONDS
from contract.rentals import NOBODY, category_dimension, cents, point_time
from contract.services import passes
from contract.timeseries import LINES_REFUSED, MEASURE_NAME, address, authorization, line, series, token_in

ATTEMPTS = int(os.environ["ATTEMPTS"])
DATABASE, TABLE = os.environ["DATABASE"], os.environ["TABLE"]
RENT = """
OPTIONAL MATCH (gone:ErasedCustomer {id: $customer})
WITH gone WHERE gone IS NULL
MERGE (c:Customer {id: $customer})
MERGE (m:Movie {id: $movie})
ON CREATE SET m.title = $title
MERGE (c)-[r:RENTED {rentalId: $rental}]->(m)
SET r.at = $at
"""
ERASE = "MERGE (:ErasedCustomer {id: $customer}) WITH 1 AS one MATCH (c:Customer {id: $customer}) DETACH DELETE c"

Json = dict[str, Any]

# One attempt: what fails comes again from the queue.
config = Config(connect_timeout=CONNECT_SECONDS, read_timeout=READ_SECONDS, retries={"total_max_attempts": 1})
neptune: Any = boto3.client("neptunedata", endpoint_url=os.environ["GRAPH_ENDPOINT"], config=config)
trusted = ssl.create_default_context()


@cache
def client(service: str) -> Any:
    """A client of a service that not every run needs."""
    return boto3.client(service, config=config)  # type: ignore[call-overload]


def handler(event: Json, context: Any) -> Json:
    """Project a batch; report which messages have to come again."""
    again: list[str] = []
    waiting: set[str] = set()  # customers with an event that comes again
    for message in event["Records"]:
        group = message["attributes"].get("MessageGroupId", "")
        if context.get_remaining_time_in_millis() < MESSAGE_SECONDS * 1000:
            reason = "no time left"
        elif group in waiting:
            reason = "behind another"
        else:
            reason = attempt(message)
        if reason:
            waiting.add(group)
            again.append(message["messageId"])
            print(json.dumps({"event": "again", "message": message["messageId"], "reason": reason}))
    return {"batchItemFailures": [{"itemIdentifier": identity} for identity in again]}


def attempt(message: Json) -> str:
    """Project a message, or give it up; return why it has to come again, or nothing."""
    attempts = 0
    try:
        if int(message["attributes"]["ApproximateReceiveCount"]) > 1 and (attempts := count(message)) > ATTEMPTS:
            give_up(message, f"after {ATTEMPTS} attempts: the function ended before it could say why")
            return ""
        try:
            project(read(message["body"]))
        except RefusedError as error:
            give_up(message, str(error))
        except NotNowError as error:
            if (attempts or count(message)) < ATTEMPTS:
                return str(error)
            give_up(message, f"after {ATTEMPTS} attempts: {error}")
    except NotNowError as error:  # the table of dead letters cannot be written
        return str(error)
    return ""


def read(body: str) -> Json:
    """The event in a message, with the time as such and the amount in whole cents."""
    try:
        event = json.loads(body)
        event |= {"customer": str(event["customer_id"]), "type": str(event["type"])}
        if event["type"] == "rented":
            event |= {"cents": cents(Decimal(event["amount"])), "rental": int(event["rental_id"])}
            event |= {"moment": moment(event["at"]), "category": category_dimension(event.get("category"))}
            event |= {"movie": str(event["film_id"]), "store": int(event["store_id"]), "title": str(event["title"])}
    except (ArithmeticError, KeyError, TypeError, ValueError) as error:
        raise RefusedError(f"not an event of a rental: {type(error).__name__}: {error}") from error
    if event["type"] not in ("rented", "returned", "customer_erased"):
        raise RefusedError(f"not an event of a rental: type {event['type']!r}")
    return dict(event)


def moment(at: str) -> datetime:
    """The time of an event; one without a zone is in UTC."""
    written = datetime.fromisoformat(at)
    return written.astimezone(UTC) if written.tzinfo else written.replace(tzinfo=UTC)


def project(event: Json) -> None:
    """Write what an event means; that a film came back changes neither graph nor trends."""
    if event["type"] == "customer_erased":
        query(ERASE, customer=event["customer"])
    elif event["type"] == "rented":
        if event["customer"] != NOBODY:
            query(RENT, **{name: event[name] for name in ("customer", "movie", "title", "rental", "at")})
        if os.environ["ENGINE"] == "liveanalytics":
            write_record(event)
        else:
            write_line(event)


def query(text: str, **parameters: Any) -> None:
    """Run a query in the graph."""
    with_engine("Neptune", neptune.execute_open_cypher_query, openCypherQuery=text, parameters=json.dumps(parameters))


def with_engine(engine: str, call: Any, **arguments: Any) -> None:
    """Call a service; what it answers becomes a reason, now or for good."""
    try:
        call(**arguments)
    except ClientError as error:
        details = error.response["Error"]
        reason = f"{engine}: {details.get('Code')}: {details.get('Message')}"
        reason += f" {error.response.get('RejectedRecords') or ''}"
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        passing = passes(status, str(details.get("Code")))
        # A refused signature or a missing table is a fault of the deployment, not of the event.
        deployment = status in (401, 403, 404) or "AccessDenied" in reason or "ResourceNotFound" in reason
        raise (NotNowError if passing or deployment else RefusedError)(reason) from error
    except BotoCoreError as error:
        raise NotNowError(f"{engine} cannot be reached: {error}") from error


def write_record(event: Json) -> None:
    """Write the rental's point to Timestream for LiveAnalytics."""
    dimensions = {"category": event["category"], "store": str(event["store"])}
    values = {"value": 1, "amount": event["cents"]}
    record = {
        "Dimensions": [{"Name": name, "Value": value} for name, value in dimensions.items()],
        "MeasureName": MEASURE_NAME,
        "MeasureValueType": "MULTI",
        "MeasureValues": [{"Name": name, "Value": str(value), "Type": "BIGINT"} for name, value in values.items()],
        "Time": str(point_time(event["moment"], event["rental"])),
        "TimeUnit": "NANOSECONDS",
        "Version": 1,  # `migrate` and `rebuild` write later ones, which an event that comes late leaves as they are
    }
    write = client("timestream-write").write_records
    try:
        with_engine("Timestream", write, DatabaseName=DATABASE, TableName=TABLE, Records=[record])
    except RefusedError as error:
        refused: Any = getattr(error.__cause__, "response", {}).get("RejectedRecords")
        if not (refused and "ExistingVersion" in refused[0]):
            raise


def write_line(event: Json) -> None:
    """Write the rental's point to Timestream for InfluxDB, in line protocol."""
    start = series(TABLE, {"category": event["category"], "store": str(event["store"])})
    point = line(start, [("value", 1), ("amount", event["cents"])], point_time(event["moment"], event["rental"]))
    url = f"{address(os.environ['INFLUXDB_ENDPOINT'], os.environ['ENGINE'])}/write?"
    url += urllib.parse.urlencode({"db": DATABASE, "precision": "ns"})
    request = urllib.request.Request(url, point.encode(), {"Authorization": present()})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=REQUEST_SECONDS / 2, context=trusted):  # noqa: S310
            return
    except urllib.error.HTTPError as error:
        reason = f"InfluxDB answered {error.code}: {error.read()[:500].decode(errors='replace')}"
        raise (RefusedError if error.code in LINES_REFUSED else NotNowError)(reason) from error
    except (OSError, http.client.HTTPException) as error:
        raise NotNowError(f"InfluxDB cannot be reached: {error}") from error


def present() -> str:
    """How to present oneself to InfluxDB: with the token in its secret."""
    try:
        secret = client("secretsmanager").get_secret_value(SecretId=os.environ["INFLUXDB_SECRET"])["SecretString"]
    except (BotoCoreError, ClientError) as error:
        raise NotNowError(f"the secret of InfluxDB cannot be read: {error}") from error
    return authorization(token_in(secret))


def count(message: Json) -> int:
    """Count an attempt to project a message; return how many there were."""
    update = {
        "TableName": os.environ["DEAD_LETTERS"],
        "Key": key("rental_projector attempts", message["messageId"]),
        "UpdateExpression": f"ADD Attempts :one SET {EXPIRY} = :expires",
        "ExpressionAttributeValues": {":one": {"N": "1"}, ":expires": {"N": str(int(time.time()) + KEEP_SECONDS)}},
        "ReturnValues": "UPDATED_NEW",
    }
    return int(in_table(client("dynamodb").update_item, update)["Attributes"]["Attempts"]["N"])


def give_up(message: Json, reason: str) -> None:
    """Keep a message that will not be projected, and say so; an alarm counts these lines."""
    record = {"body": message["body"], "group": message["attributes"].get("MessageGroupId", "")}
    item = dead_letter("rental_projector", message["messageId"], reason, record)
    in_table(client("dynamodb").put_item, {"TableName": os.environ["DEAD_LETTERS"], "Item": item})
    print(log_line(reason, message=message["messageId"]))


def in_table(call: Any, arguments: Json) -> Json:
    """Write to the table of dead letters, or say that it cannot be written now."""
    try:
        return dict(call(**arguments))
    except (BotoCoreError, ClientError) as error:
        raise NotNowError(f"the table of dead letters cannot be written: {error}") from error
