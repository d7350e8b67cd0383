"""The indexer against an OpenSearch that is throttled, broken, or refuses: what becomes of each record."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import ModuleType
from typing import Any

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.functions import load, with_time

Json = dict[str, Any]
PLENTY = with_time(60)


class OpenSearch(BaseHTTPRequestHandler):
    """Answers bulk requests as it is told; the real one cannot be made to be throttled."""

    statuses: tuple[int, ...] = ()
    whole = 200
    requests: tuple[bytes, ...] = ()

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.end_headers()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        OpenSearch.requests += (body,)
        assert self.headers["Authorization"].startswith("AWS4-HMAC-SHA256 ")
        items = [{"index": {"_id": "x", "status": status, **problem(status)}} for status in self.statuses]
        answer = json.dumps({"errors": True, "items": items}).encode()
        self.send_response(self.whole)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_args: Any) -> None:
        """Say nothing."""


def problem(status: int) -> Json:
    error = {"type": "some_exception", "reason": "why", "caused_by": {"reason": "deeper"}}
    return {"error": error} if status >= 300 else {}


@pytest.fixture(scope="module")
def indexer(aws: None) -> Iterator[ModuleType]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), OpenSearch)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    boto3.client("dynamodb").create_table(
        TableName="letters",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("Source", "Id")],
        KeySchema=[{"AttributeName": "Source", "KeyType": "HASH"}, {"AttributeName": "Id", "KeyType": "RANGE"}],
        BillingMode="PAY_PER_REQUEST",
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEARCH_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        patch.setenv("SEARCH_INDEX", "movies")
        patch.setenv("PATIENCE_SECONDS", "3600")
        patch.setenv("DEAD_LETTERS", "letters")
        yield load("catalog_indexer")
    server.shutdown()
    server.server_close()


@pytest.fixture
def letters(indexer: ModuleType) -> Any:
    """Reasons by sequence number; empty before each test."""
    table = boto3.resource("dynamodb").Table("letters")
    for item in table.scan()["Items"]:
        table.delete_item(Key={"Source": item["Source"], "Id": item["Id"]})
    OpenSearch.requests, OpenSearch.whole = (), 200
    return lambda: {item["Id"]: item["Reason"] for item in table.scan()["Items"]}


def record(sequence: int, *, age: float = 0) -> Json:
    image = {"MovieID": {"S": str(sequence)}, "MovieTitle": {"S": "a"}, "Version": {"N": "1"}}
    change = {"ApproximateCreationDateTime": time.time() - age, "NewImage": image, "SequenceNumber": str(sequence)}
    return {"eventName": "INSERT", "dynamodb": {**change, "Keys": {"MovieID": {"S": str(sequence)}}}}


def test_throttled_records_and_those_behind_them_come_again(indexer: ModuleType, letters: Any) -> None:
    OpenSearch.statuses = (201, 429, 400, 201)
    answer = indexer.handler({"Records": [record(1), record(2), record(3), record(4)]}, PLENTY)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "2"}]}
    assert letters() == {}  # the third comes again behind the second


def test_what_is_refused_for_good_is_given_up_with_all_that_is_known(indexer: ModuleType, letters: Any) -> None:
    OpenSearch.statuses = (400, 409, 201)
    assert indexer.handler({"Records": [record(1), record(2), record(3)]}, PLENTY) == {"batchItemFailures": []}
    assert letters() == {"1": "OpenSearch answered 400: some_exception: why deeper"}


def test_a_function_that_stays_warm_makes_no_client_for_a_record_that_it_gives_up(
    indexer: ModuleType, letters: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexer, "session", None)
    monkeypatch.setattr(indexer, "write", lambda _lines: [("refused", False)])
    assert indexer.handler({"Records": [record(1)]}, PLENTY) == {"batchItemFailures": []}
    assert letters() == {"1": "refused"}


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_request_that_fails_as_a_whole_comes_again_until_patience_ends(
    indexer: ModuleType, letters: Any, status: int
) -> None:
    OpenSearch.whole, OpenSearch.statuses = status, ()
    answer = indexer.handler({"Records": [record(1, age=9999), record(2)]}, PLENTY)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "2"}]}
    assert letters().keys() == {"1"}
    assert letters()["1"].startswith(f"OpenSearch answered {status}")


@pytest.mark.parametrize("kind", ["INSERT", "MODIFY", "REMOVE"])
@pytest.mark.parametrize("size", [1_000, 390_000])
def test_a_film_of_any_size_is_given_up_and_does_not_block_the_shard(
    indexer: ModuleType, letters: Any, kind: str, size: int
) -> None:
    """The stream brings both images, each of up to 400 KB."""
    large = record(1)
    image = {"MovieID": {"S": "1"}, "Plot": {"S": "é" * (size // 2)}}  # without Version
    large["eventName"] = kind
    large["dynamodb"] |= {"NewImage": image, "OldImage": image}
    OpenSearch.statuses = (201,)
    assert indexer.handler({"Records": [large, record(2)]}, PLENTY) == {"batchItemFailures": []}
    assert letters().keys() == {"1"}
    [item] = boto3.resource("dynamodb").Table("letters").scan()["Items"]
    change = json.loads(item["Record"])["dynamodb"]
    assert change["Keys"] == {"MovieID": {"S": "1"}}
    kept = {"OldImage" if kind == "REMOVE" else "NewImage"} if size < 300_000 else set()
    assert change.keys() & {"NewImage", "OldImage"} == kept


def test_what_a_removed_film_leaves_in_the_library_removes_its_document(indexer: ModuleType) -> None:
    removed = record(1)
    removed["eventName"] = "MODIFY"
    removed["dynamodb"]["NewImage"] |= {"Removed": {"BOOL": True}, "Version": {"N": "3"}}
    target = {"_index": "movies", "_id": "1", "version": 3, "version_type": "external_gte"}
    assert indexer.action(removed) == [{"delete": target}]


def test_records_that_cannot_be_kept_in_the_time_left_come_again(indexer: ModuleType, letters: Any) -> None:
    OpenSearch.statuses = (400, 400, 400)
    records = [record(1), record(2), record(3)]
    assert indexer.handler({"Records": records}, with_time(60, 1)) == {"batchItemFailures": [{"itemIdentifier": "2"}]}
    assert letters().keys() == {"1"}


def test_records_come_again_while_the_table_of_dead_letters_cannot_be_written(
    indexer: ModuleType, letters: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    OpenSearch.statuses = (201, 400)
    monkeypatch.setenv("DEAD_LETTERS", "absent")
    answer = indexer.handler({"Records": [record(1), record(2)]}, PLENTY)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "2"}]}


@pytest.mark.parametrize(
    "image",
    [
        {},
        {"MovieID": {"S": "1"}},
        {"MovieID": {"S": "1"}, "Version": {"S": "1"}},
        {"MovieID": {"S": "1"}, "Version": {"N": "1.5"}},
        {"MovieID": {"S": "1"}, "Version": {"N": "NaN"}},
        {"MovieID": {"N": "1"}, "Version": {"N": "1"}},
        {"MovieID": {"S": "1"}, "Version": {"N": "1"}, "Embedding": {"B": "AAA="}},
        {"MovieID": {"S": "1"}, "Version": {"N": "1"}, "Year": {}},
        None,
    ],
)
def test_what_is_no_movie_never_gets_to_opensearch(indexer: ModuleType, letters: Any, image: Json | None) -> None:
    bad = record(1)
    bad["dynamodb"]["NewImage"] = image
    assert indexer.handler({"Records": [bad]}, PLENTY) == {"batchItemFailures": []}
    assert OpenSearch.requests == ()
    assert letters()["1"].startswith("not a movie: ")


@given(st.binary(max_size=40).filter(lambda data: len(data) % 4))
def test_bytes_that_are_no_vector_are_no_accident(indexer: ModuleType, data: bytes) -> None:
    import base64

    with pytest.raises(Exception, match="unpack"):
        indexer.document({"Embedding": indexer.plain({"B": base64.b64encode(data).decode()})})


@given(st.decimals(allow_nan=False, allow_infinity=False, places=2, min_value=-(10**9), max_value=10**9))
def test_prices_keep_their_cents(indexer: ModuleType, price: Any) -> None:
    document = indexer.document({"RentalRate": indexer.plain({"N": str(price)})})
    assert f"{document['RentalRate']:.2f}" == f"{price + 0:.2f}"


def test_sets_and_bytes_become_what_json_can_say(indexer: ModuleType) -> None:
    image = {"Reels": {"NS": ["2.5", "1"]}, "Logo": {"B": "YQ=="}, "Parts": {"BS": ["Yg==", "YQ=="]}}
    document = indexer.document({name: indexer.plain(value) for name, value in image.items()})
    assert document == {"Reels": [1, 2.5], "Logo": "YQ==", "Parts": ["YQ==", "Yg=="]}
    assert json.dumps(document)
