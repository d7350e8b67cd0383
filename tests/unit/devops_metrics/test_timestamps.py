"""Times in the forms that log files have, to one moment in UTC."""

from __future__ import annotations

import contextlib
import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads.devops_metrics.timestamps import Timestamps

NOON = 1_769_860_800_000_000  # 2026-01-31T12:00:00Z


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-31T12:00:00Z",
        "2026-01-31 12:00:00",
        "2026-01-31 12:00:00.000000",
        "2026-01-31T13:00:00+01:00",
        "2026-01-31 07:00:00 America/New_York",
        "2026-01-31 12:00:00 UTC",
        "20260131T120000Z",
        "1769860800",
        "1769860800.000",
        "1769860800000",
        "1769860800000000",
        "1769860800000000000",
        "31/Jan/2026:13:00:00 +0100",
        "Sat, 31 Jan 2026 12:00:00 +0000",
        "2026/01/31 12:00:00",
        "31.01.2026 12:00:00",
        "31.01.2026 12:00",
        "31-Jan-2026 12:00:00",
        "31 Jan 2026 12:00",
        "January 31, 2026 12:00:00",
        "2026-01-31 12:00:00 PM",
        "2026-01-31 12:00:00,000",
        "Jan 31 2026 07:00:00 a.m. EST",
        "Sat Jan 31 12:00:00 2026",  # ctime
        "Sat Jan 31 12:00:00 UTC 2026",  # date
        "Sat 31 Jan 2026 01:00:00 PM CET",  # date, in American English
        "Sat Jan 31 13:00:00 2026 +0100",  # git log
        "Sat Jan 31 2026 13:00:00 GMT+0100 (Central European Standard Time)",  # JavaScript
        "Saturday, 31-Jan-26 12:00:00 GMT",  # RFC 850
        "Sat, 31 Jan 2026 12:00:00 -0000",
        "Sat, 31 Jan 2026 13:00:00 +0100 (CET)",
        "2026-01-31 13:00:00.000000000 +0100 CET",  # Go
        "2026-01-31T13:00+01:00[Europe/Berlin]",  # Java
        "2026-01-31 12:00:00 GMT",
        "2026-01-31 17:30 UTC+05:30",
        "2026-01-31 10:00 Etc/GMT+2",
        "2026-01-31 21:00 JST",
        "2026-01-31T04:00:00 PST",
    ],
)
def test_every_known_form_names_the_same_moment(text: str) -> None:
    assert Timestamps().microseconds(text) == NOON


def test_a_time_without_a_zone_is_of_the_given_one() -> None:
    assert Timestamps("Asia/Tokyo").microseconds("2026-01-31 21:00:00") == NOON
    assert Timestamps("Asia/Tokyo").microseconds("2026-01-31 12:00:00Z") == NOON


@pytest.mark.parametrize("zone", ["EDT", "CEST", "+0200", "GMT+2", "America/New_York", "-0000"])
def test_a_zone_in_the_text_wins_over_the_given_one(zone: str) -> None:
    text = f"Tue, 02 Jun 2026 12:30:00 {zone}"
    assert Timestamps("Asia/Tokyo").microseconds(text) == Timestamps().microseconds(text)


@pytest.mark.parametrize("zone", ["IST", "BST", "MSK", "AST", "CCT", "XYZ", "A", "EST5EDT", "GMT+2500", "EST+0100"])
@pytest.mark.parametrize("form", ["Tue Jun  2 12:30:00 {} 2026", "Tue, 02 Jun 2026 12:30:00 {}", "2026-06-02T12:30 {}"])
def test_an_ambiguous_or_unknown_zone_is_refused_by_name(form: str, zone: str) -> None:
    with pytest.raises(ValueError, match=rf"the zone {re.escape(zone)} is unknown or stands for several"):
        Timestamps().microseconds(form.format(zone))


def test_a_form_of_ones_own_is_read_alone() -> None:
    times = Timestamps(time_format="%m/%d/%Y %I:%M %p")
    assert times.microseconds("01/31/2026 12:00 PM") == NOON
    with pytest.raises(ValueError, match=r"not a time of the form %m/%d/%Y"):
        times.microseconds("2026-01-31T12:00:00Z")


def test_a_form_of_ones_own_may_have_a_zone_by_name() -> None:
    times = Timestamps("Asia/Tokyo", "%d/%m/%Y %I:%M %p %Z")
    for text in ("31/01/2026 01:00 PM CET", "31/01/2026 12:00 PM GMT", "31/01/2026 07:00 AM America/New_York"):
        assert times.microseconds(text) == NOON
    with pytest.raises(ValueError, match="the zone IST is unknown or stands for several"):
        times.microseconds("31/01/2026 01:00 PM IST")
    with pytest.raises(ValueError, match="not a time of the form"):
        times.microseconds("31/01/2026 01:00 PM")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no time"),
        ("yesterday", "is not a time"),
        ("2026-02-30 12:00:00", "is not a time"),
        ("01/02/2026 12:00", "day or month first"),
        ("12345", "5 digits"),
        ("202601311200", "may be a date without marks"),  # as well as a moment of 1976 in milliseconds
        ("20260131120000", "may be a date without marks"),
        ("20260131", "may be a date without marks"),
        ("1969-12-31 23:59:59", "not between 1970 and 2262"),
        ("9999-01-01 00:00:00", "not between 1970 and 2262"),
        ("2026-01-31 12:00:00 Mars/Olympus", "the zone Mars/Olympus is unknown"),
        ("infinity", "is not a time"),
        ("2026-01-31 13:00 PM", "is not a time"),
        ("2026-01-31+01:00", "is not a time"),  # Python would read one o'clock
        ("Jan 31 12:00:00", "is not a time"),  # of which year?
        ("31-Jan-26 12:00:00", "is not a time"),
        ("1/31/2026, 12:00:00 PM", "day or month first"),
        ("x" * 1_000_000, "is not a time"),
    ],
)
def test_what_is_no_time_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Timestamps().microseconds(text)


def test_a_local_time_that_a_clock_change_skips_or_repeats_is_refused() -> None:
    berlin = Timestamps("Europe/Berlin")
    with pytest.raises(ValueError, match="does not exist in Europe/Berlin"):
        berlin.microseconds("2026-03-29 02:30:00")
    with pytest.raises(ValueError, match=r"happens twice in Europe/Berlin.*write the offset"):
        berlin.microseconds("2026-10-25 02:30:00")
    first, second = (berlin.microseconds(f"2026-10-25 02:30:00+0{hours}:00") for hours in (2, 1))
    assert second - first == 3600 * 10**6


moments = st.datetimes(datetime(1973, 3, 4), datetime(2261, 12, 30))  # noqa: DTZ001 - the zone is drawn apart
offsets = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(moments, offsets)
def test_iso_times_are_read_to_the_microsecond_whatever_their_offset(moment: datetime, zone: timezone) -> None:
    there = moment.replace(tzinfo=UTC).astimezone(zone)
    expected = (there - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    assert Timestamps().microseconds(there.isoformat()) == expected
    assert Timestamps().microseconds(str(expected)) == expected


@given(st.text(max_size=40))
def test_any_text_is_a_moment_or_refused(text: str) -> None:
    moment = -1
    with contextlib.suppress(ValueError):
        moment = Timestamps("Europe/Berlin").microseconds(text)
    assert -1 <= moment < 9_223_372_036_854_775
