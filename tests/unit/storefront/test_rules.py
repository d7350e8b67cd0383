"""The shop's rules, its settings, and how it writes things."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from gunicorn.config import Config as GunicornConfig
from hypothesis import given
from hypothesis import strategies as st

from contract.errors import InputError
from workloads.storefront.assets import STATIC, packaged, static
from workloads.storefront.gunicorn_settings import AnonymousLogger
from workloads.storefront.pages.membership import _local
from workloads.storefront.rentals import late_fee, titled
from workloads.storefront.schema import UtcTime
from workloads.storefront.settings import Settings
from workloads.storefront.telemetry import JsonLines, _rounded

DUE = datetime(2026, 1, 31, 12, tzinfo=UTC)
COST = Decimal("19.99")
ENVIRONMENT = {
    "STOREFRONT_DATABASE_SECRET": "database",
    "STOREFRONT_DATABASE_CA": "ca.pem",
    "STOREFRONT_SESSION_SECRET": "session",
    "STOREFRONT_BUCKET": "bucket",
}


@pytest.mark.parametrize(
    ("late", "fee"),
    [
        (timedelta(days=-3), "0"),
        (timedelta(0), "0"),
        (timedelta(seconds=1), "1"),
        (timedelta(days=1), "1"),
        (timedelta(days=1, seconds=1), "2"),
        (timedelta(days=19), "19"),
        (timedelta(days=20), "19.99"),
        (timedelta(days=4000), "19.99"),
    ],
)
def test_each_day_begun_costs_a_dollar_and_no_film_costs_more_than_a_new_one(late: timedelta, fee: str) -> None:
    assert late_fee(DUE, DUE + late, COST) == Decimal(fee)


@given(st.timedeltas(timedelta(-400), timedelta(400)), st.decimals(0, 500, places=2))
def test_a_late_fee_is_exact_and_never_negative_or_above_the_films_cost(late: timedelta, cost: Decimal) -> None:
    fee = late_fee(DUE, DUE + late, cost)
    assert isinstance(fee, Decimal)
    assert 0 <= fee <= cost


def test_names_are_written_as_people_write_them() -> None:
    assert titled("ACADEMY DINOSAUR") == "Academy Dinosaur"
    assert titled("  o'brien  SAYS it's ") == "O'brien Says It's"
    assert titled("") == ""


@given(st.text())
def test_a_way_back_is_a_path_of_this_site_or_none(text: str) -> None:
    goal = _local(text)
    assert goal in {text, ""}
    assert not goal or (goal[0] == "/" and goal[:2] not in {"//", "/\\"} and goal.isprintable())


def test_times_go_to_the_database_in_utc_to_the_second_and_come_back_with_their_zone() -> None:
    column = UtcTime()
    there = datetime(2026, 1, 31, 14, 0, 0, 999_999, tzinfo=timezone(timedelta(hours=2)))
    kept = column.process_bind_param(there, None)  # type: ignore[arg-type]
    assert kept == datetime(2026, 1, 31, 12)  # noqa: DTZ001 - as MySQL keeps it
    assert column.process_result_value(kept, None) == datetime(2026, 1, 31, 12, tzinfo=UTC)  # type: ignore[arg-type]
    assert column.process_bind_param(None, None) is None  # type: ignore[arg-type]


def test_settings_come_from_the_environment_and_go_back_into_one() -> None:
    settings = Settings.from_environment(ENVIRONMENT | {"STOREFRONT_PROXIES": "2", "STOREFRONT_LOG_GROUP": "logs"})
    assert settings == Settings("database", "ca.pem", "session", "bucket", "logs", proxies=2)
    assert Settings.from_environment(settings.environment()) == settings


@pytest.mark.parametrize("missing", ENVIRONMENT)
def test_a_setting_that_is_missing_is_named(missing: str) -> None:
    with pytest.raises(InputError, match=f"The environment does not set {missing}"):
        Settings.from_environment({name: value for name, value in ENVIRONMENT.items() if name != missing})


@pytest.mark.parametrize("value", ["x", "-1", "1.5", "1000001", "²"])
def test_a_number_that_is_none_is_told(value: str) -> None:
    with pytest.raises(InputError, match=r"STOREFRONT_WRITES_PER_MINUTE=.*This is not a whole number"):
        Settings.from_environment(ENVIRONMENT | {"STOREFRONT_WRITES_PER_MINUTE": value})


def test_static_files_are_named_after_their_content_and_come_with_the_program() -> None:
    assert {path.name for path in STATIC.iterdir()} == {"site.css", "icon.svg"}
    assert static("site.css").startswith("static/site-")
    assert packaged()[static("site.css")].content == (STATIC / "site.css").read_bytes()


def test_a_line_of_the_log_is_json_with_what_was_added_and_where_an_exception_came_from() -> None:
    try:
        fail(ValueError('quo"te\nand what a visitor typed'))
    except ValueError as error:
        details = {"route": "/", "exc_info": (type(error), error, error.__traceback__)}
    record = logging.makeLogRecord({"msg": "it %s", "args": ("broke",), "levelname": "ERROR", **details})
    line = JsonLines().format(record)
    assert "\n" not in line
    event = json.loads(line)
    assert (event["message"], event["level"], event["route"]) == ("it broke", "error", "/")
    assert "in fail\n" in event["exception"]
    assert event["exception"].endswith("\nbuiltins.ValueError")
    assert datetime.fromisoformat(event["time"]).tzinfo


def fail(error: Exception) -> None:
    raise error


def test_gunicorn_logs_no_request_but_says_why_a_worker_does_not_start(caplog: pytest.LogCaptureFixture) -> None:
    logger = AnonymousLogger(GunicornConfig())
    logger.error_log.addHandler(caplog.handler)
    for known in ("1.2.3.4", "/?q=private", "private words"):
        refusal = f"Invalid request from ip={known}"  # as gunicorn puts it together
        logger.warning(refusal)
        try:
            fail(ValueError(known))
        except ValueError:
            logger.exception("Error handling request %s %s", "GET", known)
        assert known not in caplog.text
    assert "in fail\n" in caplog.text
    try:
        fail(InputError("not set: STOREFRONT_BUCKET"))
    except InputError:
        logger.exception("Exception in worker process")
    assert "not set: STOREFRONT_BUCKET" in caplog.text
    logger.error_log.removeHandler(caplog.handler)


@given(st.floats(0, 1e6))
def test_latencies_are_kept_to_two_digits(milliseconds: float) -> None:
    assert _rounded(milliseconds) == pytest.approx(milliseconds, rel=0.051, abs=1e-300)
