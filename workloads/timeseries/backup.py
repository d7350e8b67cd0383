"""Back up an InfluxDB database as line protocol, one compressed file for each measurement and day (UTC).

Only the token of the database is needed, which may read and write its bucket: InfluxDB's own backup takes an operator
token, which may do everything. `manifest.json` says what each file must be. It is written after every file, so that the
same command goes on where an interrupted one ended.

What was saved stays saved: where the database no longer has a point of a day, or has another value, the line of the
earlier backup stays in the file, before those that the database has now. So a backup that runs after a loss does not
repeat the loss, and a restore writes the newest value last.
"""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import itertools
import json
from collections import Counter
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from contract.errors import InputError
from contract.services import overloaded
from contract.timeseries import field_key, line, series

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from workloads.storage import Location
    from workloads.timeseries.influxdb import InfluxDB

MANIFEST = "manifest.json"
_FORMAT = 1
_ENDING = ".json.gz"  # a JSON array of lines, because a line may hold a line break
_RECENT = timedelta(days=2)  # days that are read again although as many values are there as were saved
_DAY = timedelta(days=1)
_HOUR = 3_600 * 10**9  # nanoseconds: what one answer of InfluxDB holds at most
#: How values of a type come back from JSON, which writes a whole float without a point.
_VALUES: Mapping[str, Callable[[Any], float | bool | str]] = {
    "float": float,
    "integer": int,
    "string": str,
    "boolean": bool,
}
_NUMBERS = ("float", "integer")


class Field(NamedTuple):
    """A field of a measurement, with one of its types.

    Attributes:
        name: Its name.
        kind: The type.
        selected: How a statement selects its values of this type.
    """

    name: str
    kind: str
    selected: str


@dataclass(frozen=True)
class SavedDay:
    """A measurement's points of one day, as the manifest lists them.

    Attributes:
        measurement: Name of the measurement.
        day: The day, in UTC.
        file: Name of its file below the backup.
        sha256: What the file must be.
        rows: Lines in the file.
        values: How many values of each field the database had, at most.
    """

    measurement: str
    day: date
    file: str
    sha256: str
    rows: int
    values: Mapping[str, int]


@dataclass
class BackedUp:
    """What a backup did.

    Attributes:
        saved: Days whose files were written.
        unchanged: Days that were in the backup already.
        kept: Days that only the backup has.
        rows: Lines in all files.
    """

    saved: int = 0
    unchanged: int = 0
    kept: int = 0
    rows: int = 0


@dataclass
class Restored:
    """What a restore did.

    Attributes:
        days: Days that were written.
        rows: Lines that the database took.
        problems: What is missing, for a person: a damaged file, refused lines, or fewer values than were saved.
    """

    days: int = 0
    rows: int = 0
    problems: list[str] = dataclasses.field(default_factory=list)


def back_up(
    store: InfluxDB,
    place: Location,
    stack: str,
    *,
    everything: bool = False,
    tell: Callable[[str], None] = lambda _text: None,
) -> BackedUp:
    """Save what a database holds and the place does not.

    A day that ended more than two days ago is not read again while it has as many values as were saved.

    Args:
        store: The database.
        place: Folder or prefix for this stack only. Two backups into it must not run at the same time.
        stack: Name of the stack; the place is refused if it holds the backup of another one.
        everything: Read all days again, also for values that were corrected since.
        tell: Tells a person of each file.

    Raises:
        InputError: The place holds something else, a file of it is damaged, or the database refuses.
        UnavailableError: The database or S3 is not available; the same command goes on later.
    """
    listed = _read_manifest(place, stack)
    present = set(place.names())
    if listed is None:
        if present:
            raise InputError(f"{place}: Files are there that are not a backup. Choose another --to.")
        _write_manifest(place, stack, ())  # so that a backup that ends before its first day can go on
    days = {(saved.measurement, saved.day): saved for saved in listed or () if saved.file in present}
    result, seen = BackedUp(), set[tuple[str, date]]()
    settled = (datetime.now(UTC) - _RECENT).date()
    for measurement in _measurements(store):
        fields = _fields(store, measurement)
        for day, values in _values_by_day(store, measurement, fields).items():
            seen.add((measurement, day))
            before = days.get((measurement, day))
            if before and not everything and day < settled and before.values == values:
                result.unchanged += 1
                continue
            lines = _read_lines(place, before) if before else []
            current = _lines_of_day(store, measurement, fields, day, values)
            now = set(current)
            merged = [text for text in lines if text not in now] + current
            saved = _saved_day(place, measurement, day, merged, _at_least(values, before))
            days[measurement, day] = saved
            if before != saved:
                _write_manifest(place, stack, days.values())
            if before and before.file == saved.file:
                result.unchanged += 1
                continue
            result.saved += 1
            tell(f"{place / saved.file}  {saved.rows:,} rows")
    for name in place.names():  # what later files took the place of, also in a run that was interrupted
        if name.endswith(_ENDING) and name not in {saved.file for saved in days.values()}:
            (place / name).delete()
    result.kept = len(days.keys() - seen)
    result.rows = sum(saved.rows for saved in days.values())
    return result


def restore(store: InfluxDB, place: Location, *, tell: Callable[[str], None] = lambda _text: None) -> Restored:
    """Write a backup into a database, and count what is there then. Running it again changes nothing.

    Args:
        store: The database. Points that it has already stay, unless the backup has another value for them.
        place: Where the backup is.
        tell: Tells a person of each file.

    Raises:
        InputError: There is no backup, or the database refuses.
        UnavailableError: The database or S3 is not available; the same command completes it.
    """
    listed = _read_manifest(place)
    if listed is None:
        raise InputError(f"{place}: There is no {MANIFEST}, so this is not a backup. Choose another --from.")
    result = Restored()
    for saved in listed:
        try:
            lines = _read_lines(place, saved)
        except InputError as error:
            result.problems.append(str(error))
            continue
        written = store.write_lines(lines)
        result.days += 1
        result.rows += written.rows
        if written.rejected:
            reason = written.rejected[0][1]
            count = len(written.rejected)
            result.problems.append(f"{place / saved.file}: InfluxDB refuses {count:,} rows. The reason is: {reason}.")
        tell(f"{place / saved.file}  {written.rows:,} rows")
    store.complete()
    for measurement, days in itertools.groupby(listed, key=lambda saved: saved.measurement):
        fields = _fields(store, measurement)
        there = _values_by_day(store, measurement, fields)
        for saved in days:
            values = there.get(saved.day, Counter())
            if missing := [name for name, count in saved.values.items() if values.get(name, 0) < count]:
                name = missing[0]
                result.problems.append(
                    f"{saved.measurement}, {saved.day}: The database has {values.get(name, 0):,} values of {name}, "
                    f"and {saved.values[name]:,} were saved. Run the same command again."
                )
    return result


def _measurements(store: InfluxDB) -> list[str]:
    return [row["name"] for row in _rows(store, "SHOW MEASUREMENTS")]


def _rows(store: InfluxDB, statement: str) -> Iterator[dict[str, Any]]:
    for group in store.query(statement):
        for values in group["values"]:
            yield dict(zip(group["columns"], values, strict=True))


def _fields(store: InfluxDB, measurement: str) -> list[Field]:
    """Return the fields. One can have different types on different days; then whole numbers become floats.

    Raises:
        InputError: A type is not known.
    """
    types: dict[str, set[str]] = {}
    for row in _rows(store, f"SHOW FIELD KEYS FROM {_quoted(measurement)}"):
        name, kind = row["fieldKey"], row["fieldType"]
        if kind not in _VALUES:
            raise InputError(f"{measurement}: The field {name} has the type {kind}, which backups do not support.")
        types.setdefault(name, set()).add(kind)
    fields = []
    for name, kinds in types.items():
        chosen = [kind for kind in _NUMBERS if kind in kinds][:1] + sorted(kinds - {*_NUMBERS})
        if len(chosen) == 1:  # without a cast, InfluxDB selects one of several types
            fields.append(Field(name, chosen[0], _quoted(name)))
        else:
            fields += [Field(name, kind, f"{_quoted(name)}::{kind}") for kind in chosen]
    return fields


def _values_by_day(store: InfluxDB, measurement: str, fields: Sequence[Field]) -> dict[date, Counter[str]]:
    """Return how many values of each field each day has, for days that have any."""
    source = _quoted(measurement)
    edges = [
        int(group["values"][0][0])
        for field in fields
        for function in ("first", "last")
        for group in store.query(f"SELECT {function}({field.selected}) FROM {source}", "ns")  # noqa: S608 - quoted
    ]
    if not edges:
        return {}
    start, end = _nanoseconds(_day_of(min(edges))), _nanoseconds(_day_of(max(edges)) + _DAY)
    counts = _counts(store, measurement, fields, (start, end), "1d")
    return {_day_of(moment): values for moment, values in counts.items()}


def _counts(
    store: InfluxDB, measurement: str, fields: Sequence[Field], span: tuple[int, int], window: str
) -> dict[int, Counter[str]]:
    """Return how many values of each field each window of a span has, by its start; those without any are left out."""
    counts = ", ".join(f"count({field.selected})" for field in fields)
    source = f"{_quoted(measurement)} WHERE time >= {span[0]} AND time < {span[1]}"
    statement = f"SELECT {counts} FROM {source} GROUP BY time({window}) fill(none)"  # noqa: S608 - quoted
    windows: dict[int, Counter[str]] = {}
    for group in store.query(statement, "ns"):
        for moment, *numbers in group["values"]:
            values: Counter[str] = Counter()
            for field, number in zip(fields, numbers, strict=True):
                values[field.name] += int(number or 0)
            if values.total():
                windows[int(moment)] = +values
    return windows


def _lines_of_day(
    store: InfluxDB, measurement: str, fields: Sequence[Field], day: date, values: Mapping[str, int]
) -> list[str]:
    """Return the lines of a day, in which there are at least as many values as InfluxDB counted before.

    Raises:
        UnavailableError: There are fewer, because points were deleted meanwhile or an answer was not complete.
    """
    read: Counter[str] = Counter()
    lines = list(_lines(store, measurement, fields, day, read))
    if missing := [name for name, count in values.items() if read[name] < count]:
        name = missing[0]
        why = f"{measurement}, {day}: It counted {values[name]:,} values of {name} and answered with {read[name]:,}"
        raise overloaded(store.url, "InfluxDB", why)
    return lines


def _lines(store: InfluxDB, measurement: str, fields: Sequence[Field], day: date, read: Counter[str]) -> Iterator[str]:
    """Yield the lines of a day, and count the values of each field."""
    keys = [field_key(field.name) for field in fields]
    for group in _series_of_day(store, measurement, fields, day):
        tags = {name: value for name, value in group.get("tags", {}).items() if value}
        try:
            beginning = series(measurement, tags)
        except ValueError as error:
            raise InputError(f"{measurement}: The series cannot be saved, because {error}.") from error
        for moment, *values in group["values"]:
            point = []
            for key, field, value in zip(keys, fields, values, strict=True):
                if value is not None:
                    point.append((key, _VALUES[field.kind](value)))
                    read[field.name] += 1
            if point:
                yield line(beginning, point, int(moment))


def _series_of_day(store: InfluxDB, measurement: str, fields: Sequence[Field], day: date) -> Iterator[dict[str, Any]]:
    """Yield the series that InfluxDB has for each hour of a day, or for less where it answers with a part of them.

    An InfluxDB with `max-row-limit` ends an answer there, and does not always mark it as partial. So what is in an
    answer is compared with what InfluxDB counts.
    """
    selected = f"SELECT {', '.join(field.selected for field in fields)} FROM {_quoted(measurement)}"  # noqa: S608 - quoted
    hours = _counts(store, measurement, fields, (_nanoseconds(day), _nanoseconds(day + _DAY)), "1h")
    spans = [(start, start + _HOUR, values.total()) for start, values in sorted(hours.items(), reverse=True)]
    while spans:
        start, end, count = spans.pop()
        groups = list(store.query(f"{selected} WHERE time >= {start} AND time < {end} GROUP BY *", "ns"))
        width = (end - start) // 2
        if width and sum(value is not None for group in groups for _, *row in group["values"] for value in row) < count:
            for half in ((start + width, end), (start, start + width)):
                counted = _counts(store, measurement, fields, half, "1d")
                spans.append((*half, sum(values.total() for values in counted.values())))
        else:
            yield from groups


def _saved_day(
    place: Location, measurement: str, day: date, lines: Sequence[str], values: Mapping[str, int]
) -> SavedDay:
    """Write the file of a day, unless it is there, and return what the manifest says of it."""
    content = gzip.compress(json.dumps(lines, ensure_ascii=False).encode(), mtime=0)
    digest = hashlib.sha256(content).hexdigest()
    name = f"{quote(measurement, safe='')}/{day}.{digest[:12]}{_ENDING}"
    if not (place / name).is_file():
        (place / name).write(content)
    return SavedDay(measurement, day, name, digest, len(lines), values)


def _read_lines(place: Location, saved: SavedDay) -> list[str]:
    """Return the lines of a file of the backup.

    Raises:
        InputError: The file is missing, or is not the one that was saved.
    """
    content = (place / saved.file).read()
    if hashlib.sha256(content).hexdigest() != saved.sha256:
        raise InputError(
            f"{place / saved.file}: The file is damaged, as its SHA-256 is another one than in {MANIFEST}. Bring back "
            "an earlier version of it; or delete it, and the next backup saves the day again."
        )
    lines: list[str] = json.loads(gzip.decompress(content))
    return lines


def _at_least(values: Mapping[str, int], before: SavedDay | None) -> Mapping[str, int]:
    """Return for each field the larger number of values."""
    earlier = before.values if before else {}
    return {name: max(values.get(name, 0), earlier.get(name, 0)) for name in sorted({*values, *earlier})}


def _read_manifest(place: Location, stack: str = "") -> list[SavedDay] | None:
    """Return the days that a backup holds, sorted; None if there is no backup.

    Raises:
        InputError: The manifest cannot be read, or it is of another stack than the one that is named.
    """
    if MANIFEST not in place.names():
        return None
    try:
        document = json.loads((place / MANIFEST).read())
        days = [SavedDay(**row | {"day": date.fromisoformat(row["day"])}) for row in document["days"]]
        of = str(document["stack"])
        version = document["format"]
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(
            f"{place / MANIFEST}: This is not the manifest of a backup. Bring back an earlier version of it."
        ) from error
    if version != _FORMAT:
        raise InputError(f"{place / MANIFEST}: The format is {version}, which this version does not know. Update it.")
    if stack and of != stack:
        raise InputError(f"{place}: The backup there is of the stack {of}. Choose another --to for {stack}.")
    return sorted(days, key=lambda saved: (saved.measurement, saved.day))


def _write_manifest(place: Location, stack: str, days: Iterable[SavedDay]) -> None:
    rows = [asdict(saved) | {"day": str(saved.day)} for saved in days]
    document = {"format": _FORMAT, "stack": stack, "days": sorted(rows, key=lambda row: str(row["file"]))}
    (place / MANIFEST).write(json.dumps(document, indent=1).encode())


def _quoted(name: str) -> str:
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _nanoseconds(day: date) -> int:
    return int(datetime.combine(day, time(), UTC).timestamp()) * 10**9


def _day_of(nanoseconds: int) -> date:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=nanoseconds // 1000)).date()
