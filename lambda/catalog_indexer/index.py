"""Keeps the search index in step with the film library: from the stream of its table to OpenSearch.

Records may come twice, and late. A document carries its item's Version, and OpenSearch refuses an older one, so every
record may be written again at any time. A batch is one request; what becomes of a record:

- Written, or refused because the index is further: done.
- Refused for now (throttled, unreachable, no index yet): this record and those after it are reported, and Lambda brings
  them again. Once a record is older than PATIENCE_SECONDS it is given up instead, so that it does not stop the others.
- Refused for good (an item without Version, a value that the index does not take): given up at once.

What is given up goes to the table of dead letters with its reason and one image of the film, unless that is too large
for the table. If there is not a time left for that, or the table cannot be written, the record comes again.
"""

import base64
import http.client
import json
import os
import ssl
import struct
import time
import urllib.error
import urllib.request
from decimal import Decimal
from typing import Any

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from contract.dead_letters import NotNowError, RefusedError, dead_letter, log_line
from contract.documents import REMOVED, document
from contract.projections import BULK_SECONDS, CHANGE_BYTES, CONNECT_SECONDS, READ_SECONDS, REQUEST_SECONDS
from contract.services import status_passes

ENDPOINT = os.environ["SEARCH_ENDPOINT"]
INDEX = os.environ["SEARCH_INDEX"]
PATIENCE_SECONDS = int(os.environ["PATIENCE_SECONDS"])
CONFLICT, MISSING = 409, 404

Json = dict[str, Any]

session = boto3.Session()
credentials: Any = session.get_credentials()
trusted = ssl.create_default_context()

# One attempt: what fails comes again from the stream.
config = Config(connect_timeout=CONNECT_SECONDS, read_timeout=READ_SECONDS, retries={"total_max_attempts": 1})
dynamodb: Any = session.client("dynamodb", config=config)


def handler(event: Json, context: Any) -> Json:
    """Write a batch; report from which record on it has to come again."""
    records, again = event["Records"], None
    problems = index(records)
    for record, (reason, may_pass) in zip(records, problems, strict=True):
        if reason and not is_given_up(record, reason, may_pass=may_pass, context=context):
            again = record["dynamodb"]["SequenceNumber"]
            break  # those behind it come again with it
    print(json.dumps({"event": "indexed", "records": len(records), "again": again, "reason": first(problems)}))
    return {"batchItemFailures": [{"itemIdentifier": again}] if again else []}


def index(records: list[Json]) -> list[tuple[str, bool]]:
    """Write records to the index: for each why it was refused (nothing if it was not), and whether that may pass."""
    lines, written, problems = list[Json](), list[int](), [("", False)] * len(records)
    for number, record in enumerate(records):
        try:
            lines += action(record)
            written.append(number)
        except RefusedError as error:
            problems[number] = str(error), False
    try:
        answers = write(lines) if written else []
    except NotNowError as error:
        answers = [(str(error), True)] * len(written)
    for number, answer in zip(written, answers, strict=True):
        problems[number] = answer
    return problems


def is_given_up(record: Json, reason: str, *, may_pass: bool, context: Any) -> bool:
    """Give a record up, unless it may still be written, or cannot be kept now; return whether it was."""
    if may_pass and age(record) < PATIENCE_SECONDS:
        return False
    if context.get_remaining_time_in_millis() < REQUEST_SECONDS * 1000:
        return False
    try:
        give_up(record, reason)
    except NotNowError as error:
        print(json.dumps({"event": "again", "reason": str(error)[:500]}))
        return False
    return True


def action(record: Json) -> list[Json]:
    """The lines of the bulk request for one change: the document as it is now, or its deletion."""
    change = record["dynamodb"]
    deleted = record["eventName"] == "REMOVE"
    image = change.get("OldImage" if deleted else "NewImage")
    try:
        item = document({name: plain(value) for name, value in image.items()})
        key, version = identity(item)
    except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError, struct.error) as error:
        raise RefusedError(f"not a movie: {type(error).__name__}: {error}") from error
    target = {"_index": INDEX, "_id": key}
    if REMOVED in item and not deleted:
        return [{"delete": target | {"version": version, "version_type": "external_gte"}}]
    if deleted:  # strictly newer than what was deleted: the same movie may have been written under another title
        return [{"delete": target | {"version": version + 1, "version_type": "external"}}]
    return [{"index": target | {"version": version, "version_type": "external_gte"}}, item]


def identity(item: Json) -> tuple[str, int]:
    """The document's id and version."""
    key, version = item["MovieID"], item["Version"]
    if not isinstance(key, str) or not isinstance(version, int) or version < 0:
        raise ValueError(f"MovieID {key!r}, Version {version!r}")
    return key, version


def plain(value: Json) -> Any:  # noqa: PLR0911 - one for each type
    """The value of an attribute of a stream record, as boto3 would give it."""
    [(kind, content)] = value.items()
    match kind:
        case "N":
            return Decimal(content)
        case "B":
            return base64.b64decode(content)
        case "L":
            return [plain(item) for item in content]
        case "M":
            return {key: plain(item) for key, item in content.items()}
        case "NS":
            return {Decimal(item) for item in content}
        case "BS":
            return {base64.b64decode(item) for item in content}
        case "NULL":
            return None
        case _:
            return content


def write(lines: list[Json]) -> list[tuple[str, bool]]:
    """Send one bulk request: for each action why it was refused (nothing if it was not), and whether that may pass."""
    status, _ = send("HEAD", f"/{INDEX}", b"", REQUEST_SECONDS / 2)
    if status == MISSING:  # a write would make an index without its mapping
        raise NotNowError(f"there is no index {INDEX} yet: migrate first")
    body = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode()
    status, content = send("POST", "/_bulk", body, BULK_SECONDS)
    if status != 200:  # noqa: PLR2004
        raise NotNowError(f"OpenSearch answered {status}: {content[:500].decode(errors='replace')}")
    return [problem(kind, result) for item in json.loads(content)["items"] for kind, result in item.items()]


def problem(kind: str, result: Json) -> tuple[str, bool]:
    """What is wrong with one result of a bulk request, and whether it may pass."""
    status = result["status"]
    if status < 300 or status == CONFLICT or (kind == "delete" and status == MISSING):  # noqa: PLR2004
        return "", False
    error = result.get("error") or {}
    cause = error.get("caused_by") or {}
    reason = f"OpenSearch answered {status}: {error.get('type')}: {error.get('reason')} {cause.get('reason', '')}"
    return reason.strip(), status_passes(status) or status == MISSING


def send(method: str, path: str, body: bytes, timeout: float) -> tuple[int, bytes]:
    """One signed request, with a timeout in seconds for connection and answer each: status and answer."""
    request = AWSRequest(method, ENDPOINT + path, {"Content-Type": "application/x-ndjson"}, body)
    SigV4Auth(credentials, "es", session.region_name).add_auth(request)
    prepared = urllib.request.Request(ENDPOINT + path, body or None, dict(request.headers), method=method)  # noqa: S310
    try:
        with urllib.request.urlopen(prepared, timeout=timeout, context=trusted) as response:  # noqa: S310
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()
    except (OSError, http.client.HTTPException) as error:
        raise NotNowError(f"OpenSearch cannot be reached: {error}") from error


def age(record: Json) -> float:
    """Seconds since the change."""
    return float(time.time() - record["dynamodb"]["ApproximateCreationDateTime"])


def give_up(record: Json, reason: str) -> None:
    """Keep a record that will not be written, and say so; an alarm counts these lines."""
    change = record["dynamodb"]
    item = dead_letter("catalog_indexer", change["SequenceNumber"], reason, kept(record))
    try:
        dynamodb.put_item(TableName=os.environ["DEAD_LETTERS"], Item=item)
    except (BotoCoreError, ClientError) as error:
        raise NotNowError(f"the table of dead letters cannot be written: {error}") from error
    print(log_line(reason, keys=change.get("Keys")))


def kept(record: Json) -> Json:
    """A record with the image that counts: the item as it was left, or before it was deleted.

    An image too large for the table is left out; the keys say which film to look up in the film library.
    """
    superseded = "NewImage" if record["eventName"] == "REMOVE" else "OldImage"
    change = {name: value for name, value in record["dynamodb"].items() if name != superseded}
    letter = {**record, "dynamodb": change}
    if len(json.dumps(letter, ensure_ascii=False).encode()) <= CHANGE_BYTES:
        return letter
    change = {name: value for name, value in change.items() if name not in ("NewImage", "OldImage")}
    return {**record, "dynamodb": change, "left_out": "the image: too large"}


def first(problems: list[tuple[str, bool]]) -> str:
    """The first reason, for the log."""
    return next((reason for reason, _ in problems if reason), "")[:500]
