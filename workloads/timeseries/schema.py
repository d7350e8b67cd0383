"""What the columns of a CSV file mean: the time, the dimensions that name a series, and the measures."""

from __future__ import annotations

import difflib
import tomllib
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from contract.errors import InputError, phrase

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

MeasureType = Literal["DOUBLE", "BIGINT", "BOOLEAN", "VARCHAR"]
Precision = Literal["MICROSECONDS", "NANOSECONDS"]


#: What LiveAnalytics calls its own columns, and InfluxDB 2 its own tags.
_RESERVED = {"time", "measure_name", "_field", "_measurement"}


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"{name} is not a time zone. Write one such as Europe/Berlin or UTC.") from error
    return name


#: Both engines take these in any position without quoting rules of their own.
Name = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]{0,63}$")]
_FixedValue = Annotated[str, Field(min_length=1, max_length=2048, pattern=r"^[^\x00-\x1f\x7f]*$")]


class Schema(BaseModel):
    """The columns of a file, by the names they have in the store.

    The defaults are the standard columns; a mapping file changes or extends them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    precision: ClassVar[Precision] = "MICROSECONDS"  # what the time of a row counts; files are read in microseconds

    time: str = Field("Time_Stamp", description="The column that holds the time.")
    timezone: Annotated[str, AfterValidator(_known_zone)] = Field("UTC", description="Zone of times that name none.")
    time_format: str = Field("", description="strptime format of the times, where they have none of the known forms.")
    decimal: Literal["", ".", ","] = Field("", description="What stands before decimals, where no number proves it.")
    dimensions: tuple[Name, ...] = Field(("Application_ID", "Application_Name"), min_length=1, max_length=128)
    measures: dict[Name, MeasureType] = Field(
        {"CPU_Usage": "DOUBLE", "Memory_Usage": "DOUBLE", "Network_Throughput": "DOUBLE", "HTTP_Status": "BIGINT"},
        min_length=1,
        max_length=256,
    )
    columns: dict[Name, str] = Field({}, description="The file's own header of a column, where it differs.")
    fixed: dict[Name, _FixedValue] = Field(
        {}, description="Dimensions with one value in all rows; they need no column."
    )

    @model_validator(mode="after")
    def _names_are_distinct(self) -> Self:
        names = [*self.dimensions, *self.measures]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"The name {twice[0]} stands twice among dimensions and measures.")
        if reserved := _RESERVED & set(names):
            raise ValueError(f"The name {reserved.pop()} is one that the stores keep for themselves.")
        if strange := sorted(set(self.columns) - set(names)):
            raise ValueError(f"The table columns names {strange[0]}, which is neither a dimension nor a measure.")
        if strange := sorted(set(self.fixed) - set(self.dimensions)):
            raise ValueError(f"The table fixed names {strange[0]}, which is not one of the dimensions.")
        return self

    @classmethod
    def load(cls, mapping: Path | None = None, fixed: Mapping[str, str] | None = None) -> Self:
        """Load the schema of a mapping file (TOML), or the standard one.

        Args:
            mapping: The file; None for the standard schema.
            fixed: Dimensions with one value in all rows. They are added to those of the schema, or replace its columns.

        Raises:
            InputError: The file cannot be read, or it or `fixed` says something that is not allowed.
        """
        try:
            fields = tomllib.loads(mapping.read_text(encoding="utf-8")) if mapping else {}
        except OSError as error:
            raise InputError(f"{mapping}: The file cannot be read: {error.strerror}.") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InputError(f"{mapping}: The file is not TOML: {phrase(error)}.") from error
        schema = cls.checked(str(mapping), **fields)
        if not fixed:
            return schema
        dimensions = (*schema.dimensions, *(name for name in fixed if name not in schema.dimensions))
        return cls.checked("--dimension", **{**fields, "dimensions": dimensions, "fixed": {**schema.fixed, **fixed}})

    @classmethod
    def checked(cls, source: str, **fields: Any) -> Self:
        """Return a schema of fields that a person wrote.

        Raises:
            InputError: A field is not allowed; the message names the source and the field.
        """
        try:
            return cls(**fields)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(key) for key in first["loc"])
            message = first["msg"].removeprefix("Value error, ")
            raise InputError(f"{source}{', ' + place if place else ''}: {phrase(message)}.") from error

    def positions(self, header: Sequence[str]) -> list[int]:
        """Return the positions in a header of time, dimensions that are not fixed, and measures, in this order.

        Raises:
            InputError: A column is missing or occurs twice.
        """
        cleaned = [name.strip().lower() for name in header]
        dimensions = [name for name in self.dimensions if name not in self.fixed]
        required = [self.columns.get(name, name) for name in (self.time, *dimensions, *self.measures)]
        strange = [name for name in cleaned if name not in {name.lower() for name in required}]
        for name in required:
            if cleaned.count(name.lower()) > 1:
                raise InputError(f"line 1: The column {name} stands twice in the header.")
            if name.lower() not in cleaned:
                near = difflib.get_close_matches(name.lower(), strange, n=1, cutoff=0.5)
                similar = header[cleaned.index(near[0])].strip() if near else ""
                meant = f"If it is {similar}, say so in a mapping file." if near else ""
                if not near and name in dimensions:
                    meant = f"If all rows have one value for it, give it: --dimension {name}=VALUE."
                raise InputError(
                    f"line 1: There is no column {name}; the header has {', '.join(header)}. {meant}".rstrip()
                )
        return [cleaned.index(name.lower()) for name in required]

    def with_fixed(self, values: Sequence[str]) -> tuple[str, ...]:
        """Return all dimensions of a row, in their order, from the values of those that have a column."""
        if not self.fixed:
            return tuple(values)
        remaining = iter(values)
        return tuple([self.fixed[name] if name in self.fixed else next(remaining) for name in self.dimensions])
