"""From events of rentals to graph and trends: each customer's in order, even if some come twice or late."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from .conftest import Stack

NOWHERE = "https://localhost:9"  # nothing listens there
RENTED = (
    "MATCH (c:Customer {id: $id})-[r:RENTED]->(m:Movie) RETURN m.id AS movie, m.title AS title, r.rentalId AS rental"
)
AT = "2026-05-24T21:54:33.000Z"
NANOSECONDS = 1_779_659_673_000_000_000  # the same moment


def rented(customer: str, rental: int, **more: Any) -> dict[str, Any]:
    """An event as the outbox writes it."""
    event = {"event_id": f"event-{rental}", "type": "rented", "customer_id": customer, "at": AT, "rental_id": rental}
    return {**event, "film_id": "p7", "store_id": 1, "title": "Amélie", "category": None, "amount": "2.99", **more}


def erased(customer: str) -> dict[str, Any]:
    event = {"event_id": f"erasure-{customer}", "type": "customer_erased", "customer_id": customer, "at": AT}
    return event | dict.fromkeys(("rental_id", "film_id", "store_id", "title", "category", "amount"))


def test_a_rental_is_one_relationship_and_one_point_however_often_it_comes(stack: Stack, eventually: Any) -> None:
    for copy in range(3):
        stack.rent("p1", rented("p1", 101, category="Sci-Fi, old"), f"a{copy}")
    stack.rent("p1", rented("p1", 102, category="Sci-Fi, old", amount="0.99", store_id=2), "b")
    stack.rent("p1", {**rented("p1", 102), "type": "returned"}, "c")
    assert eventually(lambda: len(stack.graph(RENTED, id="p1")) == 2)
    assert sorted(row["rental"] for row in stack.graph(RENTED, id="p1")) == [101, 102]
    assert {row["title"] for row in stack.graph(RENTED, id="p1")} == {"Amélie"}
    points = eventually(lambda: len(found := stack.points("Sci-Fi, old")) == 2 and found)
    assert points == [[NANOSECONDS + 101, 299, "1", 1], [NANOSECONDS + 102, 99, "2", 1]]


def test_an_erased_customer_leaves_a_number_and_never_comes_back(stack: Stack, eventually: Any) -> None:
    stack.rent("p2", rented("p2", 201), "e1")
    assert eventually(lambda: stack.graph(RENTED, id="p2"))
    stack.rent("p2", erased("p2"), "e2")
    stack.rent("p2", rented("p2", 201), "e3")
    stack.rent("p2", rented("p2", 202), "e4")
    stack.rent("p3", rented("p3", 301), "e5")
    assert eventually(lambda: stack.graph(RENTED, id="p3"))
    left = "MATCH (n {id: $id}) RETURN labels(n) AS labels, properties(n) AS properties"
    assert eventually(
        lambda: (
            stack.graph(left, id="p2") == [{"labels": ["ErasedCustomer"], "properties": {"id": "p2"}}]
            and stack.cloud.client("sqs").get_queue_attributes(
                QueueUrl=stack.outputs["RentalEventsQueueUrl"], AttributeNames=["ApproximateNumberOfMessages"]
            )["Attributes"]["ApproximateNumberOfMessages"]
            == "0"
        )
    )
    assert stack.graph(RENTED, id="p2") == []


def test_what_is_no_event_is_kept_with_its_reason_and_stops_nobody(stack: Stack, eventually: Any) -> None:
    stack.rent("p4", rented("p4", 401), "p1")
    stack.rent("p4", "not JSON", "p2")
    stack.rent("p4", rented("p4", 402, amount="2.999"), "p3")
    stack.rent("p4", {**rented("p4", 403), "type": "lost"}, "p4")
    stack.rent("p4", rented("p4", 404), "p5")
    assert eventually(lambda: len(stack.graph(RENTED, id="p4")) == 2)
    letters = eventually(lambda: len(found := stack.dead_letters("rental_projector")) == 3 and found)
    assert sorted(letter["Reason"] for letter in letters) == [
        "not an event of a rental: JSONDecodeError: Expecting value: line 1 column 1 (char 0)",
        "not an event of a rental: ValueError: 2.999 has fractions of a cent",
        "not an event of a rental: type 'lost'",
    ]
    kept = [json.loads(letter["Record"]) for letter in letters]
    assert {"body": "not JSON", "group": "p4"} in kept


def test_behind_an_event_that_waits_those_of_its_customer_wait_and_keep_their_order(
    stack: Stack, told: Callable[..., None], eventually: Any
) -> None:
    told("RentalProjector", GRAPH_ENDPOINT=NOWHERE)
    stack.rent("p5", rented("p5", 501), "w1")
    stack.rent("p5", erased("p5"), "w2")
    stack.rent("p6", rented("p6", 601), "w3")
    assert eventually(lambda: any("Neptune cannot be reached" in line for line in stack.log("RentalProjector")))
    told("RentalProjector", GRAPH_ENDPOINT=stack.outputs["GraphEndpoint"])
    assert eventually(lambda: stack.graph(RENTED, id="p6"))
    assert eventually(lambda: stack.graph("MATCH (e:ErasedCustomer {id: 'p5'}) RETURN e.id AS id"))
    assert stack.graph(RENTED, id="p5") == []


def test_after_its_attempts_an_event_is_given_up_with_the_last_reason(
    stack: Stack, told: Callable[..., None], eventually: Any
) -> None:
    told("RentalProjector", INFLUXDB_ENDPOINT="localhost:9", ATTEMPTS="2")
    stack.rent("p7", rented("p7", 701), "g1")

    def letters() -> list[str]:
        return [letter["Reason"] for letter in stack.dead_letters("rental_projector") if "attempts" in letter["Reason"]]

    [reason] = eventually(letters)
    assert reason.startswith("after 2 attempts: InfluxDB cannot be reached")
    assert stack.graph(RENTED, id="p7")


def test_liveanalytics_gets_the_same_points(stack: Stack, told: Callable[..., None], eventually: Any) -> None:
    write, query = stack.cloud.client("timestream-write"), stack.cloud.client("timestream-query")
    function = stack.cloud.client("lambda").get_function_configuration(FunctionName=stack.function("RentalProjector"))
    statement = {"Effect": "Allow", "Action": "timestream:*", "Resource": "*"}  # the stack is for the other engine
    stack.cloud.client("iam").put_role_policy(
        RoleName=function["Role"].rpartition("/")[2],
        PolicyName="LiveAnalytics",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
    )
    write.create_database(DatabaseName="trends")
    retention = {"MemoryStoreRetentionPeriodInHours": 24, "MagneticStoreRetentionPeriodInDays": 3650}
    late = {"EnableMagneticStoreWrites": True}
    write.create_table(
        DatabaseName="trends", TableName="rentals", RetentionProperties=retention, MagneticStoreWriteProperties=late
    )
    nowhere = {"AWS_ENDPOINT_URL_TIMESTREAM_WRITE": "https://ingest-cell1.timestream.us-east-1.amazonaws.com"}
    told("RentalProjector", ENGINE="liveanalytics", DATABASE="trends", TABLE="rentals", **nowhere)
    for copy in range(2):
        stack.rent("p8", rented("p8", 801), f"l{copy}")
    asked = 'SELECT to_milliseconds(time), category, store, value, amount FROM "trends"."rentals"'

    def rows(question: str) -> list[list[str]]:
        found = query.query(QueryString=question)["Rows"]
        return [[cell["ScalarValue"] for cell in row["Data"]] for row in found]

    # Before its first point, a table has no columns to ask for.
    assert eventually(lambda: rows('SELECT count(*) FROM "trends"."rentals"') != [["0"]])
    assert rows(asked) == [[str(NANOSECONDS // 10**6), "none", "1", "1", "299"]]
