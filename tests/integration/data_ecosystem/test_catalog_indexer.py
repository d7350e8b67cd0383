"""From the film library's stream to the search index: in order, whatever comes twice, late, or cannot be written."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from .conftest import Stack

NOWHERE = "https://localhost:9"  # nothing listens there


def film(movie: str, version: int | None = 1, **more: Any) -> dict[str, Any]:
    item = {"MovieID": movie, "MovieTitle": f"Film {movie}", "Genres": [], **more}
    return item if version is None else {**item, "Version": version}


def record(movie: str, version: int, kind: str = "MODIFY", sequence: int = 1, created: float = 4e9) -> dict[str, Any]:
    """A change as the stream hands it over (the format of AWS's documentation)."""
    image = {"MovieID": {"S": movie}, "MovieTitle": {"S": f"version {version}"}, "Version": {"N": str(version)}}
    return {
        "eventID": f"{movie}-{version}",
        "eventName": kind,
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "dynamodb": {
            "ApproximateCreationDateTime": created,
            "Keys": {"MovieID": {"S": movie}, "MovieTitle": {"S": f"version {version}"}},
            ("OldImage" if kind == "REMOVE" else "NewImage"): image,
            "SequenceNumber": str(sequence),
            "SizeBytes": 100,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
        "eventSourceARN": "arn:aws:dynamodb:us-east-1:123456789012:table/Movies/stream/2026-01-01T00:00:00.000",
    }


def run(stack: Stack, *records: dict[str, Any]) -> Any:
    """Give the function a batch: which record it wants again."""
    payload = json.dumps({"Records": records})
    answer = stack.cloud.client("lambda").invoke(FunctionName=stack.function("CatalogIndexer"), Payload=payload)
    content = json.loads(answer["Payload"].read())
    assert "errorMessage" not in content, content
    return content["batchItemFailures"]


def test_what_the_library_holds_is_found_and_what_it_loses_is_not(index: Stack, eventually: Any) -> None:
    vector = struct.pack("<3f", 1, 0.5, -2)
    price = {"RentalRate": Decimal("2.99"), "Year": Decimal(1999), "Extra": {"Prizes": [Decimal(3), None]}}
    index.movies.put_item(Item=film("1", MovieTitle="Amélie 🎬", Embedding=vector, **price))
    assert eventually(lambda: index.document("1")) == {
        "MovieID": "1",
        "MovieTitle": "Amélie 🎬",
        "Genres": [],
        "Embedding": [1, 0.5, -2],
        "RentalRate": 2.99,
        "Year": 1999,
        "Extra": {"Prizes": [3, None]},
        "Version": 1,
    }
    found = index.search.search(index="movies", body={"query": {"knn": {"Embedding": {"vector": [1, 1, -2], "k": 1}}}})
    assert [hit["_id"] for hit in found["hits"]["hits"]] == ["1"]
    index.movies.put_item(Item=film("1", 2, MovieTitle="Amélie 🎬"))
    assert eventually(lambda: (index.document("1") or {}).get("Version") == 2)
    index.movies.delete_item(Key={"MovieID": "1", "MovieTitle": "Amélie 🎬"})
    assert eventually(lambda: index.document("1") is None)


def test_a_new_title_is_the_same_document_in_whatever_order_the_two_changes_come(index: Stack) -> None:
    """The title is part of the key: the item under the old one goes when the one under the new one comes."""
    assert run(index, record("t", 1, "INSERT")) == []
    assert run(index, record("t", 2, "INSERT"), record("t", 1, "REMOVE")) == []
    assert (index.document("t") or {})["MovieTitle"] == "version 2"
    assert run(index, record("t", 2, "REMOVE"), record("t", 3, "INSERT")) == []
    assert (index.document("t") or {})["MovieTitle"] == "version 3"


def test_records_that_come_twice_or_late_change_nothing(index: Stack) -> None:
    assert run(index, record("d", 3), record("d", 2), record("d", 3), record("d", 1, "INSERT")) == []
    assert (index.document("d") or {})["MovieTitle"] == "version 3"
    assert run(index, record("d", 3, "REMOVE")) == []
    assert run(index, record("d", 3, "REMOVE"), record("d", 2)) == []
    assert index.document("d") is None


def test_a_poison_record_is_kept_with_its_reason_and_stops_nobody(index: Stack, eventually: Any) -> None:
    index.movies.put_item(Item=film("p1"))
    index.movies.put_item(Item=film("p2", version=None))
    index.movies.put_item(Item=film("p3", Year="soon"))
    index.movies.put_item(Item=film("p4", Embedding=struct.pack("<2f", 1, 2)))
    index.movies.put_item(Item=film("p5"))
    assert eventually(lambda: index.document("p5"))
    assert index.document("p1")
    given_up = eventually(lambda: len(found := index.dead_letters("catalog_indexer")) == 3 and found)
    reasons = {json.loads(item["Record"])["dynamodb"]["Keys"]["MovieID"]["S"]: item["Reason"] for item in given_up}
    assert reasons.keys() == {"p2", "p3", "p4"}
    assert reasons["p2"] == "not a movie: KeyError: 'Version'"
    assert "failed to parse field [Year]" in reasons["p3"]
    assert "dimension" in reasons["p4"]
    alarms = index.cloud.client("cloudwatch")

    def ringing() -> list[str]:
        return [alarm["AlarmName"] for alarm in alarms.describe_alarms(StateValue="ALARM")["MetricAlarms"]]

    assert eventually(lambda: any("DeadLetters" in name for name in ringing()))
    assert eventually(lambda: [mail for mail in index.cloud.mailbox.glob("*.eml") if "DeadLetters" in mail.read_text()])


def test_what_cannot_be_written_now_comes_again_and_nothing_is_lost(
    index: Stack, told: Callable[..., None], eventually: Any
) -> None:
    told("CatalogIndexer", SEARCH_ENDPOINT=NOWHERE)
    for number in range(5):
        index.movies.put_item(Item=film(f"w{number}"))
    assert eventually(lambda: any("cannot be reached" in line for line in index.log("CatalogIndexer")))
    assert index.document("w0") is None
    told("CatalogIndexer", SEARCH_ENDPOINT=index.outputs["SearchEndpoint"])
    assert eventually(lambda: all(index.document(f"w{number}") for number in range(5)))


def test_it_starts_again_at_the_first_record_that_failed(index: Stack, told: Callable[..., None]) -> None:
    told("CatalogIndexer", SEARCH_INDEX="nowhere")
    again = run(index, record("a", 1, sequence=11), record("b", 1, sequence=12))
    assert again == [{"itemIdentifier": "11"}]
    assert not index.search.indices.exists(index="nowhere")


def test_what_waited_too_long_is_given_up_with_its_reason(index: Stack, told: Callable[..., None]) -> None:
    told("CatalogIndexer", SEARCH_INDEX="nowhere")
    assert run(index, record("old", 1, sequence=21, created=1e9)) == []
    [item] = [item for item in index.dead_letters("catalog_indexer") if item["Id"] == "21"]
    assert item["Reason"] == "there is no index nowhere yet: migrate first"
    assert json.loads(item["Record"]) == record("old", 1, sequence=21, created=1e9)
