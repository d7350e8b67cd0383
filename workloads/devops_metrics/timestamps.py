"""Times as log files write them, to microseconds since 1970 in UTC."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from functools import lru_cache
from zoneinfo import ZoneInfo

#: Until here a time in nanoseconds fits into 64 bits, which is how both engines keep it.
_LATEST = datetime(2262, 1, 1, tzinfo=UTC)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_LONGEST = 100  # characters; no form of a time has more
#: Microseconds of a unit as a power of ten, by how many digits the time in this unit has from 1973 to 2262.
_UNITS = {9: 6, 10: 6, 12: 3, 13: 3, 15: 0, 16: 0, 18: -3, 19: -3}

_MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
#: A date, a clock and whatever follows, such as a zone: `Tue, 02 Jun 2026 12:30:00 +0200`.
_WRITTEN = re.compile(
    r"(?P<weekday>(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*[.,]?\s+)?"
    r"(?P<date>\S(?:.*?\S)?)(?:\s*[T,:]\s*|\s+)"
    r"(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,](?P<fraction>\d+))?)?"
    r"(?:\s*(?P<half>[ap])\.?m\b\.?)?(?P<rest>\D.*)?",
    re.ASCII | re.IGNORECASE,
)
_DATES = [
    re.compile(form, re.ASCII)
    for form in (
        r"(?P<year>\d{4})([-/])(?P<month>\d{1,2})\2(?P<day>\d{1,2})",
        r"(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)",
        r"(?P<day>\d{1,2})\.(?P<month>\d{1,2})\.(?P<year>\d{4})",
        r"(?P<day>\d{1,2})(?:[-/]|\s+)(?P<month>[A-Za-z]{3,9})\.?(?:[-/]|,?\s+)(?P<year>\d{4}|\d\d)",
        r"(?P<month>[A-Za-z]{3,9})\.?\s+(?P<day>\d{1,2})(?:,?\s+(?P<year>\d{4}))?",
    )
]
#: 20260131, with or without minutes and seconds behind it. One of twelve digits is also a Unix time of 1976 or 1977.
_DIGITS_OF_A_DATE = re.compile(
    r"(19|2[012])\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(([01]\d|2[0-3])[0-5]\d([0-5]\d)?)?"
)
_DAY_OR_MONTH_FIRST = re.compile(r"\d{1,2}([-/])\d{1,2}\1\d{4}\b", re.ASCII)
_YEAR = re.compile(r"(?<![\w+:-])\d{4}(?![\w:])", re.ASCII)
_ISO = re.compile(r"[\dW-]+([T ].*)?", re.ASCII | re.IGNORECASE)

#: A zone's name, an offset, or both; behind an offset a comment: `GMT+0200 (Central European Summer Time)`.
_ZONE = re.compile(
    r"(?P<name>[A-Za-z][\w/+-]*/[\w+-]+|[A-Za-z]+)?\s*"
    r"(?:(?P<sign>[+-])(?P<hours>\d\d?):?(?P<minutes>[0-5]\d)?(?P<comment>\s+[A-Za-z]+|\s*\([^()]*\)|\s*\[[^\[\]]*\])?)?",
    re.ASCII,
)
_UTC = ("Z", "UTC", "GMT", "UT")
_AMERICAN = {"EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7}  # RFC 2822, 4.3
_EUROPEAN = {"WET": 0, "WEST": 1, "CET": 1, "CEST": 2, "EET": 2, "EEST": 3}
_PACIFIC = {"JST": 9, "AEST": 10, "AEDT": 11, "NZST": 12, "NZDT": 13}
#: Hours ahead of UTC of abbreviations that stand for one offset. IST, BST, MSK and many others stand for several zones,
#: or have changed: a time with one of these is refused.
_ABBREVIATIONS = _AMERICAN | _EUROPEAN | _PACIFIC


class Timestamps:
    """Reads times.

    Known forms: ISO 8601 (with `T` or a blank, fraction, `Z` or offset), Unix time in seconds, milli-, micro- or
    nanoseconds, Apache's log time, RFC 2822, what `date` and JavaScript print, `2026/01/31 12:00:00`,
    `31.01.2026 12:00:00`, `31-Jan-2026 12:00:00`; all with AM or PM, an offset, a zone's name (`Europe/Berlin`) or an
    abbreviation that stands for one offset (`CEST`) behind the clock.

    Args:
        zone: IANA name of the zone of times that name none.
        time_format: The strptime format to read times by, for files whose times have none of these forms.
    """

    def __init__(self, zone: str = "UTC", time_format: str = "") -> None:
        self._zone = ZoneInfo(zone)
        self._format = time_format

    @property
    def has_format(self) -> bool:
        """Whether times are read by a strptime format, and not in one of the known forms."""
        return bool(self._format)

    def offset(self, first: int, last: int) -> int | None:
        """Return how far clocks are ahead of UTC, in microseconds, in a span without a zone that is an hour at most.

        Args:
            first: Where it begins on the clocks, in microseconds since 1970.
            last: Where it ends.

        Returns:
            None where the clocks change, so that a time may not be one moment.
        """
        try:
            offsets = {
                local - (_one_moment(local.replace(tzinfo=None), self._zone))
                for local in (_EPOCH + first * _MICROSECOND, _EPOCH + last * _MICROSECOND)
            }
        except (ValueError, OverflowError):
            return None
        return offsets.pop() // _MICROSECOND if len(offsets) == 1 else None

    def microseconds(self, text: str) -> int:
        """Microseconds since 1970-01-01 UTC; finer digits are cut.

        Raises:
            ValueError: The text is not a time, or not one moment; the message says why.
        """
        if len(text) > _LONGEST:
            raise ValueError(f"{text[:_LONGEST]!r}… is not a time")
        moment = self._in_given_format(text) if self._format else self._in_known_form(text)
        if moment.tzinfo is None:
            moment = _one_moment(moment, self._zone)
        if not _EPOCH <= moment < _LATEST:
            raise ValueError(f"{text!r} is not between 1970 and 2262")
        return (moment - _EPOCH) // _MICROSECOND

    def _in_given_format(self, text: str) -> datetime:
        try:
            if "%Z" in self._format:
                return self._with_zone_name(text)
            return datetime.strptime(text, self._format)  # noqa: DTZ007 - the zone comes after
        except ValueError as error:
            raise ValueError(str(error) if " zone " in str(error) else self._mismatch(text)) from None

    def _mismatch(self, text: str) -> str:
        return f"{text!r} is not a time of the form {self._format}"

    def _with_zone_name(self, text: str) -> datetime:
        """Read %Z. Python takes only GMT, UTC and this machine's own zone for it, and drops the zone."""
        for word in re.finditer(r"[A-Za-z][A-Za-z_]*(/[\w+-]+)*", text):
            try:
                moment = datetime.strptime(f"{text[: word.start()]}GMT{text[word.end() :]}", self._format)  # noqa: DTZ007
            except ValueError:
                continue
            return moment if moment.tzinfo else _in_zone(moment, _zone(word[0]))
        raise ValueError(self._mismatch(text))

    def _in_known_form(self, text: str) -> datetime:
        if text[:1].isdigit() and text.replace(".", "", 1).isdecimal() and text.isascii():
            return _EPOCH + _unix(text) * _MICROSECOND
        if _ISO.fullmatch(text):
            try:
                return datetime.fromisoformat(text)
            except ValueError:
                pass
        if match := _WRITTEN.fullmatch(text):
            return _written(text, match)
        raise ValueError(f"{text!r} is not a time" if text else "no time")


def _unix(text: str) -> int:
    digits = text.partition(".")[0]
    if _DIGITS_OF_A_DATE.fullmatch(text):
        raise ValueError(f"{text!r} may be a date without marks: say so by time_format in a mapping file")
    if len(digits) not in _UNITS:
        raise ValueError(f"{text!r} has {len(digits)} digits: no Unix time in seconds, milli-, micro- or nanoseconds")
    return int(Decimal(text).scaleb(_UNITS[len(digits)]))


def _written(text: str, match: re.Match[str]) -> datetime:
    """Return the time of a match of `_WRITTEN`; it has no zone if the text names none."""
    zone = (match["rest"] or "").strip()
    dated = match["date"]
    if _DAY_OR_MONTH_FIRST.match(dated):
        raise ValueError(f"{text!r}: day or month first? say so by time_format in a mapping file")
    if (year := _YEAR.search(zone)) and not _YEAR.search(dated):  # as `date` writes it: 12:30:00 CEST 2026
        dated, zone = f"{dated} {year[0]}", f"{zone[: year.start()]} {zone[year.end() :]}".strip()
    try:
        day = _date(dated, short_year=match["weekday"] is not None)
        hour = int(match["hour"])
        if match["half"]:
            if not 1 <= hour <= 12:  # noqa: PLR2004 - 13 PM is not a time
                raise ValueError(hour)  # noqa: TRY301
            hour = hour % 12 + (12 if match["half"] in "Pp" else 0)
        fraction = int((match["fraction"] or "")[:6].ljust(6, "0"))
        clock = (hour, int(match["minute"]), int(match["second"] or 0), fraction)
        moment = datetime(day.year, day.month, day.day, *clock)  # noqa: DTZ001 - the zone comes after
    except ValueError:
        raise ValueError(f"{text!r} is not a time") from None
    return _in_zone(moment, _zone(zone)) if zone else moment


@lru_cache(maxsize=256)
def _date(text: str, *, short_year: bool) -> date:
    """Read a date. Years of two digits are those of mail headers (RFC 2822, section 4.3), which begin with a weekday.

    Raises:
        ValueError: The text is not a date.
    """
    for form in _DATES:
        if (match := form.fullmatch(text)) and match["year"]:
            year, month = int(match["year"]), match["month"]
            if len(match["year"]) == 2:  # noqa: PLR2004 - digits
                if not short_year:
                    break
                year += 2000 if year < 50 else 1900  # noqa: PLR2004 - as the RFC says
            months = [number for number, name in enumerate(_MONTHS, 1) if name.startswith(month.lower())]
            return date(year, int(month) if month.isdecimal() else months[0] if months else 0, int(match["day"]))
    raise ValueError(text)


@lru_cache(maxsize=256)
def _zone(text: str) -> tzinfo:
    """Return the zone that follows a time.

    Raises:
        ValueError: The text is not a zone, or is ambiguous; the message names it.
    """
    match = _ZONE.fullmatch(text)
    name = match["name"] or "" if match else ""
    if match and match["sign"]:
        offset = timedelta(hours=int(match["hours"]), minutes=int(match["minutes"] or 0))
        if name.upper() in ("", *_UTC[1:]) and offset < timedelta(days=1):
            return timezone(-offset if match["sign"] == "-" else offset)
    elif name.upper() in _UTC:
        return UTC
    elif name.upper() in _ABBREVIATIONS:
        return timezone(timedelta(hours=_ABBREVIATIONS[name.upper()]))
    elif "/" in name:
        try:
            return ZoneInfo(name)
        except (KeyError, ValueError, OSError):  # no such zone, or a folder of zones
            pass
    raise ValueError(
        f"the zone {text} is unknown or stands for several: write an offset (+02:00) or a place (Europe/Berlin)"
    )


def _in_zone(local: datetime, zone: tzinfo) -> datetime:
    return _one_moment(local, zone) if isinstance(zone, ZoneInfo) else local.replace(tzinfo=zone)


def _one_moment(local: datetime, zone: ZoneInfo) -> datetime:
    """Return the moment at which clocks of the zone show a time; a clock change skips a time or repeats it."""
    first, second = (local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if first.astimezone(zone).replace(tzinfo=None) != local:
        raise ValueError(f"{local} does not exist in {zone.key}: clocks went forward")
    if first != second:
        raise ValueError(f"{local} happens twice in {zone.key}: clocks went back; write the offset")
    return first
