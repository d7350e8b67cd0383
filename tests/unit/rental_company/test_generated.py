"""A generated company is of Pagila's shape and size, consistent, and the same for the same seed."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from itertools import islice

import pytest

from contract.errors import InputError
from workloads.rental_company.generated import END, GeneratedCompany
from workloads.rental_company.tables import PYTHON_TYPES, TABLES, Row


@pytest.fixture(scope="module")
def company() -> dict[str, list[Row]]:
    made = GeneratedCompany(scale=0.1)
    return {table: list(made.rows(table)) for table in TABLES}


def keys(rows: list[Row], column: str) -> set[int]:
    return {row[column] for row in rows}


@pytest.mark.parametrize("table", TABLES)
def test_rows_have_the_columns_and_types_of_the_table(company: dict[str, list[Row]], table: str) -> None:
    columns = TABLES[table]
    for row in company[table]:
        assert list(row) == list(columns)
        assert all(row[name] is None or type(row[name]) is PYTHON_TYPES[kind] for name, kind in columns.items())
    assert GeneratedCompany(scale=0.1).count(table) == len(company[table]) > 0


def test_keys_are_unique_and_references_lead_somewhere(company: dict[str, list[Row]]) -> None:
    for table in ("language", "category", "actor", "film", "country", "city", "address", "store", "staff", "customer",
                  "inventory", "rental", "payment"):  # fmt: skip
        assert len(keys(company[table], f"{table}_id")) == len(company[table])
    for table, column, other in [
        ("film", "language_id", "language"),
        ("film_actor", "actor_id", "actor"),
        ("film_actor", "film_id", "film"),
        ("film_category", "category_id", "category"),
        ("city", "country_id", "country"),
        ("address", "city_id", "city"),
        ("store", "manager_staff_id", "staff"),
        ("store", "address_id", "address"),
        ("staff", "store_id", "store"),
        ("staff", "address_id", "address"),
        ("customer", "store_id", "store"),
        ("customer", "address_id", "address"),
        ("inventory", "film_id", "film"),
        ("inventory", "store_id", "store"),
        ("rental", "inventory_id", "inventory"),
        ("rental", "customer_id", "customer"),
        ("rental", "staff_id", "staff"),
        ("payment", "rental_id", "rental"),
    ]:
        key = "staff_id" if other == "staff" else f"{other}_id"
        assert keys(company[table], column) <= keys(company[other], key), (table, column)
    assert len({(row["actor_id"], row["film_id"]) for row in company["film_actor"]}) == len(company["film_actor"])


def test_titles_and_mail_addresses_are_unique_even_when_the_words_run_out() -> None:
    large = GeneratedCompany(scale=25)
    titles = [row["title"] for row in large.rows("film")]
    addresses = [row["email"] for row in large.rows("customer")]
    assert len(set(titles)) == len(titles) == 25_000
    assert len(set(addresses)) == len(addresses) == 14_975


def test_no_copy_is_out_twice_and_some_are_out_now(company: dict[str, list[Row]]) -> None:
    free = dict[int, object]()
    for rental in company["rental"]:
        copy = rental["inventory_id"]
        assert copy not in free or rental["rental_date"] > free[copy]
        free[copy] = rental["return_date"] or END + timedelta(days=365)
        assert rental["return_date"] is None or rental["rental_date"] < rental["return_date"]
    assert 0 < sum(rental["return_date"] is None for rental in company["rental"]) < len(company["rental"]) / 20


def test_every_rental_is_paid_at_the_films_rate_with_a_fee_for_late_days(company: dict[str, list[Row]]) -> None:
    films = {row["film_id"]: row for row in company["film"]}
    film_of = {row["inventory_id"]: films[row["film_id"]] for row in company["inventory"]}
    for rental, payment in zip(company["rental"], company["payment"], strict=True):
        film = film_of[rental["inventory_id"]]
        assert (payment["rental_id"], payment["customer_id"]) == (rental["rental_id"], rental["customer_id"])
        kept = (rental["return_date"] or rental["rental_date"]) - rental["rental_date"]
        assert payment["amount"] == film["rental_rate"] + max(kept.days - film["rental_duration"], 0)


def test_customers_have_a_favourite_category(company: dict[str, list[Row]]) -> None:
    category = {row["film_id"]: row["category_id"] for row in company["film_category"]}
    film = {row["inventory_id"]: row["film_id"] for row in company["inventory"]}
    liked = [rental["customer_id"] % 16 == category[film[rental["inventory_id"]]] - 1 for rental in company["rental"]]
    assert 0.5 < sum(liked) / len(liked) < 0.75


def test_the_size_is_pagilas_at_scale_1_and_grows_with_it() -> None:
    one = GeneratedCompany()
    assert one.count("film") == 1000
    assert one.count("customer") == 599
    assert one.count("address") == 603
    assert 4400 < one.count("inventory") < 4800
    assert 15_000 < one.count("rental") < 18_000
    assert GeneratedCompany(scale=100).count("film") == 100_000


@pytest.mark.parametrize("table", TABLES)
def test_the_same_seed_gives_the_same_company_and_another_another(table: str) -> None:
    def first(seed: int) -> list[Row]:
        return list(islice(GeneratedCompany(scale=100, seed=seed).rows(table), 50))

    assert first(1) == first(1)
    if table not in {"language", "category", "country", "store", "payment"}:
        assert first(1) != first(2)


@pytest.mark.parametrize("scale", [0, -1, 1001, float("nan")])
def test_sizes_that_make_no_sense_are_refused(scale: float) -> None:
    with pytest.raises(InputError, match="Choose a scale between"):
        GeneratedCompany(scale)


def test_something_is_rented_on_every_day_of_half_a_year() -> None:
    days = Counter(rental["rental_date"].date() for rental in GeneratedCompany().rows("rental"))
    assert len(days) == (max(days) - min(days)).days + 1 == 182
    assert min(days.values()) > 20
