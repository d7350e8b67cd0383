"""Every row of a dump, with exact types; or the file, line and column that is wrong."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.errors import InputError
from workloads.rental_company import PAGILA, open_company
from workloads.rental_company.pagila import PagilaDump, elements, unescape

FILM = (
    "COPY public.film (film_id, title, description, release_year, language_id, original_language_id, rental_duration, "
    "rental_rate, length, replacement_cost, rating, last_update, special_features, fulltext) FROM stdin;\n"
    "7\tA\\tTAB\t\\N\t2006\t1\t\\N\t3\t0.99\t48\t9.90\tPG-13\t2022-09-10 17:46:03.905795+01\t"
    "{Trailers,\"Deleted Scenes\"}\t'a':1\n\\.\n"
)
CUSTOMER = (
    "COPY public.customer (customer_id, store_id, first_name, last_name, email, address_id, activebool, create_date, "
    "last_update, active) FROM stdin;\n1\t2\tANA\tPAZ\t\\N\t5\tf\t2022-02-14\t2022-02-15 09:57:20+00\t0\n\\.\n"
)


def payments(month: str, *numbers: int) -> str:
    rows = "".join(f"{number}\t1\t1\t{number}\t2.99\t2022-01-29 01:58:52+00\n" for number in numbers)
    columns = "payment_id, customer_id, staff_id, rental_id, amount, payment_date"
    return f"COPY public.payment_p2022_{month} ({columns}) FROM stdin;\n{rows}\\.\n"


def test_a_time_without_a_zone_as_sakila_has_it_is_in_utc(path: Path) -> None:
    [film] = dump(path, FILM.replace("17:46:03.905795+01", "17:46:03.905795"), CUSTOMER).rows("film")
    assert film["last_update"] == datetime(2022, 9, 10, 17, 46, 3, 905795, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data.sql"


def dump(path: Path, *blocks: str) -> PagilaDump:
    path.write_text("SET client_encoding = 'UTF8';\n\n" + "\n".join(blocks), encoding="utf-8")
    return PagilaDump(path)


def test_a_row_has_the_columns_of_its_table_with_exact_types(path: Path) -> None:
    company = dump(path, FILM, CUSTOMER)
    assert list(company.rows("film")) == [
        {
            "film_id": 7,
            "title": "A\tTAB",
            "description": None,
            "release_year": 2006,
            "language_id": 1,
            "original_language_id": None,
            "rental_duration": 3,
            "rental_rate": Decimal("0.99"),
            "length": 48,
            "replacement_cost": Decimal("9.90"),
            "rating": "PG-13",
            "last_update": datetime(2022, 9, 10, 16, 46, 3, 905795, tzinfo=UTC),
            "special_features": ["Trailers", "Deleted Scenes"],
        }
    ]
    [customer] = company.rows("customer")
    assert customer["create_date"] == date(2022, 2, 14)
    assert customer["activebool"] is False
    assert customer["email"] is None


def test_the_months_of_payments_come_as_one_table(path: Path) -> None:
    company = dump(path, payments("01", 1, 2), payments("02"), payments("03", 3))
    assert [row["payment_id"] for row in company.rows("payment")] == [1, 2, 3]
    assert company.count("payment") == 3


def test_padded_characters_lose_their_blanks_and_windows_lines_are_read(path: Path) -> None:
    path.write_bytes(
        b"COPY public.language (language_id, name, last_update) FROM stdin;\r\n"
        b"1\tEnglish             \t2022-02-15 10:02:19+00\r\n\\.\r\n"
    )
    assert [row["name"] for row in PagilaDump(path).rows("language")] == ["English"]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("0.99", "NaN", "line 4, column rental_rate: The value is not of type numeric."),
        ("0.99", "a lot", "line 4, column rental_rate: The value is not of type numeric."),
        ("\t48\t", "\t4.8\t", "line 4, column length: The value is not of type integer."),
        ("2022-09-10 17:46:03.905795+01", "infinity", "line 4, column last_update: The value is not of type time."),
        ("{Trailers", "Trailers", "line 4, column special_features: The value is not of type texts."),
        ("\t48\t", "\t", "line 4: There are 13 values for 14 columns."),
        (", rating,", ", stars,", "line 3: Table film lacks rating."),
        ("\\.\n", "", "The file ends within table film, so it is not complete."),
    ],
)
def test_what_is_wrong_is_told_by_line_and_column(path: Path, old: str, new: str, told: str) -> None:
    with pytest.raises(InputError) as error:
        list(dump(path, FILM.replace(old, new)).rows("film"))
    assert str(error.value) == f"{path}{',' if told.startswith('line') else ':'} {told}"


def test_bytes_that_are_no_text_are_told(path: Path) -> None:
    path.write_bytes(FILM.encode().replace(b"A\\tTAB", b"\xff"))
    with pytest.raises(InputError, match="line 2, column title: The value is not of type text"):
        list(PagilaDump(path).rows("film"))


def test_missing_tables_and_files_are_told(path: Path) -> None:
    with pytest.raises(InputError, match="There are no rows of table actor"):
        list(dump(path, FILM).rows("actor"))
    with pytest.raises(InputError, match="No such file"):
        PagilaDump(path.with_name("other.sql"))


def test_pagila_is_chosen_where_it_is_and_a_generated_company_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GROUNDWORK_DATA", str(tmp_path))
    assert open_company().origin == "generated company (scale 1, seed 0)"
    (tmp_path / "pagila").mkdir()
    dump(tmp_path / PAGILA, FILM)
    assert open_company().origin == "Pagila"
    assert open_company(scale=10).origin == "generated company (scale 10, seed 0)"


def copied(text: str) -> bytes:
    """As PostgreSQL's COPY TO writes text."""
    escapes = {"\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v"}
    return "".join(escapes.get(character, character) for character in text).encode()


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_comes_back(text: str) -> None:
    assert unescape(copied(text)) == text


def test_bytes_may_be_written_as_numbers() -> None:
    assert unescape(rb"caf\303\251 \x41\x9") == "café A\t"


def array(texts: list[str | None]) -> str:
    """As PostgreSQL writes an array, each element quoted."""
    quoted = ("NULL" if text is None else '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"' for text in texts)
    return "{" + ",".join(quoted) + "}"


@given(st.lists(st.none() | st.text()))
def test_any_array_comes_back(texts: list[str | None]) -> None:
    assert elements(array(texts)) == texts


@pytest.mark.parametrize("text", ["", "{", "a", "{a", "{a,}", "{,a}", "{{a},{b}}", '{"a"b}', '{"a}'])
def test_what_is_no_array_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no array"):
        elements(text)
