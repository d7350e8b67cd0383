"""Questions that write are refused before an engine sees them; those that read are not."""

from __future__ import annotations

import pytest

from contract.questions import refusal

READING = [
    ("postgresql", "SELECT count(*) FROM rentals -- DELETE"),
    ("postgresql", "  WITH few AS (SELECT 1) SELECT * FROM few;"),
    ("postgresql", "SELECT ';' AS sign"),
    ("postgresql", "(SELECT 1) UNION (SELECT 2)"),
    ("mysql", "DESCRIBE films"),
    ("neptune", "MATCH (m:Movie {title: 'CREATE'}) RETURN m.set, m.title // DELETE"),
    ("neptune", "MATCH (n:Set)-[:MERGE]->(m) WHERE m.`delete` = 1 RETURN $remove"),
    ("neptune", "MATCH (m:Movie) CALL { WITH m RETURN 1 AS one } RETURN one"),
    ("timestream", "SELECT sum(value) FROM \"into\" WHERE category = 'drop'"),
    ("timestream", "SHOW MEASUREMENTS"),
    ("dynamodb", "select MovieID from {table}"),
]
WRITING = [
    ("postgresql", "DELETE FROM rentals"),
    ("postgresql", "/* SELECT */ DROP TABLE rentals"),
    ("postgresql", "SELECT 1; DELETE FROM rentals"),
    ("postgresql", "COPY rentals TO PROGRAM 'cat'"),
    ("postgresql", ""),
    ("mysql", "CALL refill()"),
    ("mysql", "SHOW TABLES; DROP TABLE films"),
    ("neptune", "MATCH (m) SET m.title = 1"),
    ("neptune", "MATCH (m) DETACH DELETE m"),
    ("neptune", "MATCH (m) WHERE m.title = 'it\\'s' REMOVE m.title"),
    ("neptune", "merge (m:Movie {id: '1'}) RETURN m"),
    ("neptune", "CALL neptune.load() YIELD x RETURN x"),
    ("timestream", "SELECT * INTO other FROM rentals"),
    ("timestream", "DROP MEASUREMENT rentals"),
    ("timestream", "UNLOAD (SELECT 1) TO 's3://bucket'"),
    ("dynamodb", "DELETE FROM {table} WHERE MovieID = '1'"),
    ("dynamodb", "INSERT INTO {table} VALUE {'MovieID': '1'}"),
]


@pytest.mark.parametrize(("engine", "text"), READING)
def test_a_question_that_reads_is_asked(engine: str, text: str) -> None:
    assert refusal(engine, text) == ""


@pytest.mark.parametrize(("engine", "text"), WRITING)
def test_a_question_that_may_write_is_refused_with_a_sentence(engine: str, text: str) -> None:
    assert refusal(engine, text).endswith(".")
