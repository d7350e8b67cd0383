"""What the documentation shows of queries and schema is what the code has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from workloads.movie_rental import queries
from workloads.movie_rental.database import SCHEMA
from workloads.movie_rental.diagram import documented, entity_relationships

PAGE = Path(__file__).parents[3] / "docs" / "workloads" / "movie-rental.md"
FILES = [path for path in queries.FOLDER.iterdir() if path.suffix in queries.LANGUAGES]


def test_the_page_has_the_diagram_and_the_list_that_the_code_gives() -> None:
    page = PAGE.read_text()
    assert documented(page) == page, "run python -m workloads.movie_rental.diagram docs/workloads/movie-rental.md"


def test_the_diagram_has_every_table_and_every_reference() -> None:
    statements = "".join(path.read_text() for path in sorted(SCHEMA.glob("*.sql")))
    diagram = entity_relationships()
    tables = re.findall(r"CREATE TABLE (\w+)", statements)
    for dropped in re.findall(r"DROP TABLE (\w+)", statements):
        tables.remove(dropped)  # the one that was created first
    assert re.findall(r"^    (\w+) \{", diagram, re.MULTILINE) == tables
    assert len(re.findall("--", diagram)) == len(re.findall("REFERENCES", statements))
    assert "rentals }o--o| customers : customer_id" in diagram
    assert "payments }o--o| rentals : rental_id" in diagram  # made optional by a later version


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.name)
def test_every_query_says_what_it_answers_and_is_used(file: Path) -> None:
    query = queries.load(file.name)
    assert query.answers.endswith(".")
    assert query.text
    code = "".join(path.read_text() for path in queries.FOLDER.parent.glob("*.py"))
    assert f'"{file.name}"' in code


def test_a_json_query_wants_all_its_values() -> None:
    filled = queries.load("search_nearest.json").filled(vector=[1.0], limit=3)
    assert filled["query"]["knn"]["Embedding"] == {"vector": [1.0], "k": 3}
    with pytest.raises(KeyError):
        queries.load("search_nearest.json").filled(vector=[1.0])
