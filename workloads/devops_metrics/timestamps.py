"""Times as log files write them, to microseconds since 1970 in UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import parsedate_to_datetime
from zoneinfo import ZoneInfo

#: Until here a time in nanoseconds fits into 64 bits, which is how both engines keep it.
_LATEST = datetime(2262, 1, 1, tzinfo=UTC)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
#: Microseconds of a unit as a power of ten, by how many digits the time in this unit has from 1973 to 2262.
_UNITS = {9: 6, 10: 6, 12: 3, 13: 3, 15: 0, 16: 0, 18: -3, 19: -3}
_FORMATS = (
    "%d/%b/%Y:%H:%M:%S %z",  # Apache and nginx
    "%Y/%m/%d %H:%M:%S",
    "%Y/%m/%d %H:%M:%S.%f",
    "%d.%m.%Y %H:%M:%S",
    "%d.%m.%Y %H:%M",
    "%d-%b-%Y %H:%M:%S",
)
_NAMED_ZONE = re.compile(r"^(?P<time>.+?)\s*(?P<zone>UTC|GMT|[A-Z][A-Za-z_]+/[A-Za-z_/+-]+)$")


class Timestamps:
    """Reads times.

    Known forms: ISO 8601 (with `T` or a blank, fraction, `Z` or offset), the same with a zone's name behind it, Unix
    time in seconds, milli-, micro- or nanoseconds, Apache's log time, RFC 2822, `2026/01/31 12:00:00`,
    `31.01.2026 12:00:00`, `31-Jan-2026 12:00:00`.

    Args:
        zone: IANA name of the zone of times that name none.
        time_format: A strptime format that is tried alone, for files whose times have none of these forms.
    """

    def __init__(self, zone: str = "UTC", time_format: str = "") -> None:
        self._zone = ZoneInfo(zone)
        self._format = time_format

    def microseconds(self, text: str) -> int:
        """Microseconds since 1970-01-01 UTC; finer digits are cut.

        Raises:
            ValueError: The text is no time, or not one moment; the message says why.
        """
        moment = self._strptime(text) if self._format else self._guess(text)
        if isinstance(moment, int):
            moment = _EPOCH + moment * _MICROSECOND
        if moment.tzinfo is None:
            moment = _one_moment(moment, self._zone)
        if not _EPOCH <= moment < _LATEST:
            raise ValueError(f"{text!r} is not between 1970 and 2262")
        return (moment - _EPOCH) // _MICROSECOND

    def _strptime(self, text: str) -> datetime:
        try:
            return datetime.strptime(text, self._format)  # noqa: DTZ007 - the zone comes after
        except ValueError:
            raise ValueError(f"{text!r} is no time of the form {self._format}") from None

    def _guess(self, text: str) -> datetime | int:
        if text[:1].isdigit() and text.replace(".", "", 1).isdecimal() and text.isascii():
            return _unix(text)
        try:
            return datetime.fromisoformat(text)
        except ValueError:
            pass
        for form in _FORMATS:
            try:
                return datetime.strptime(text, form)  # noqa: DTZ007 - the zone comes after
            except ValueError:
                continue
        if named := _NAMED_ZONE.match(text):
            return self._in_named_zone(text, named["time"], named["zone"])
        try:
            return parsedate_to_datetime(text)
        except (ValueError, IndexError, TypeError):
            pass
        if re.match(r"\d{1,2}/\d{1,2}/\d{4}", text):
            raise ValueError(f"{text!r}: day or month first? say so by time_format in a mapping file")
        raise ValueError(f"{text!r} is no time" if text else "no time")

    def _in_named_zone(self, text: str, time: str, zone: str) -> datetime:
        try:
            moment = self._guess(time)
            if isinstance(moment, datetime) and moment.tzinfo is None:
                return _one_moment(moment, ZoneInfo(zone))
        except (ValueError, KeyError, OSError):  # no such time, no such zone
            pass
        raise ValueError(f"{text!r} is no time")


def _unix(text: str) -> int:
    whole = text.partition(".")[0]
    if len(whole) not in _UNITS:
        raise ValueError(f"{text!r} has {len(whole)} digits: no Unix time in seconds, milli-, micro- or nanoseconds")
    return int(Decimal(text).scaleb(_UNITS[len(whole)]))


def _one_moment(local: datetime, zone: ZoneInfo) -> datetime:
    """The moment at which clocks of the zone show a time; a change of the clocks leaves none, or two."""
    first, second = (local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if first.astimezone(zone).replace(tzinfo=None) != local:
        raise ValueError(f"{local} does not exist in {zone.key}: clocks went forward")
    if first != second:
        raise ValueError(f"{local} happens twice in {zone.key}: clocks went back; write the offset")
    return first
