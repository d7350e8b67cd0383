"""CSV files: what is read comes out as it is meant, and what cannot be read is named with its place."""

from __future__ import annotations

import csv
import gzip
import io
import math
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contract.errors import InputError
from workloads.storage import Folder
from workloads.training.tabular.table import (
    Column,
    amount,
    known_spellings,
    number,
    outside_training,
    read_table,
    without_values,
    word,
)

COLUMNS = [Column("km", amount), Column("sky", word)]
NUMBERS = st.floats(-1e12, 1e12)


def read(path: Path, content: str | bytes, columns: list[Column] = COLUMNS) -> list[list[object]]:
    file = path / "orders.csv"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_table(Folder(file), columns).drop(columns="line").to_numpy(dtype=object).tolist()


@given(NUMBERS)
def test_a_number_is_read_as_it_was_written(value: float) -> None:
    assert number(repr(value)) == value
    assert number(f" {value!r} ") == value


@given(st.integers(-(10**12), 10**12), st.integers(0, 3))
def test_thousands_may_be_set_apart_by_commas(value: int, decimals: int) -> None:
    assert number(f"{value:,.{decimals}f}") == value


@given(st.text(max_size=12))
def test_any_cell_is_a_finite_number_or_missing_or_refused(cell: str) -> None:
    try:
        value = number(cell)
    except ValueError:
        return
    assert math.isnan(value) or abs(value) <= 1e12
    assert math.isnan(value) or any(character.isdigit() for character in cell)


@pytest.mark.parametrize(
    "cell", ["1,23", "12,34,567", "1_000", "٣", "0x10", "1e999", "1e13", "inf", "1.2.3", "twelve", "+", "."]
)
def test_what_only_looks_like_a_number_is_refused(cell: str) -> None:
    with pytest.raises(ValueError, match=r"is not a number|is too large"):
        number(cell)


@pytest.mark.parametrize("cell", ["", "  ", "--", "NA", "nan", "null"])
def test_an_empty_cell_is_missing(cell: str) -> None:
    assert math.isnan(number(cell))
    assert word(cell) is None


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("csv")


WORDS = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=12).filter(
    lambda text: word(text) == text
)


@settings(max_examples=50)
@given(
    rows=st.lists(st.tuples(st.floats(0, 1e6), WORDS), min_size=1, max_size=8),
    mark=st.sampled_from(["", "\ufeff"]),
    line_end=st.sampled_from(["\n", "\r\n"]),
    quotes=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_byte_order_mark_line_ends_and_quotes_change_nothing(
    folder: Path, rows: list[tuple[float, str]], mark: str, line_end: str, quotes: int
) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=quotes, lineterminator=line_end)  # type: ignore[arg-type]
    writer.writerows([["sky", "other", "km"], *([sky, "x", repr(km)] for km, sky in rows)])
    assert read(folder, mark + text.getvalue()) == [[km, sky] for km, sky in rows]


def test_quoted_cells_hold_commas_quotes_and_line_breaks(tmp_path: Path) -> None:
    assert read(tmp_path, 'km,sky\n1,"a ""b"", c\nd"\n\n2,e\n') == [[1.0, 'a "b", c\nd'], [2.0, "e"]]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "orders.csv: The file is empty"),
        ("km,sky\n", "orders.csv: There are no rows"),
        (
            "distance,sky\n1,a\n",
            "orders.csv: There is no column 'km'. The columns, separated by commas, are distance, sky.",
        ),
        ("km,km,sky\n1,2,a\n", "column 'km' is there 2 times"),
        ("km,sky\n1,a\nfar,b\n", "orders.csv, line 3, column 'km': 'far' is not a number"),
        ("km,sky\n1,a\n\n-2,b\n", "orders.csv, line 4, column 'km': '-2' is negative"),
        ("km,sky\n1,a\n2\n", "orders.csv, line 3: The line has 1 cells, but the first line names 2 columns"),
        ("km,sky\n1,a,b\n", "orders.csv, line 2: The line has 3 cells"),
        ('km,sky\n1,"a\n', "orders.csv, line 2: The line is not CSV"),
        (b"km,sky\n1,\xff\n", "orders.csv: The file is not text in UTF-8"),
        (b"PK\x03\x04\0\0", "orders.csv: The file is a workbook or a ZIP archive"),
        (b"km,sky\n1,\0\n", "orders.csv: The file is not a CSV file"),
    ],
)
def test_what_cannot_be_read_is_named_with_file_line_and_column(
    tmp_path: Path, content: str | bytes, complaint: str
) -> None:
    with pytest.raises(InputError) as error:
        read(tmp_path, content)
    assert complaint in str(error.value)


def test_a_cell_that_must_have_a_value_may_not_be_empty(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="line 3, column 'km': The cell is empty"):
        read(tmp_path, "km\n1\n--\n", [Column("km", amount, filled=True)])


def test_a_column_that_is_not_required_may_be_absent(tmp_path: Path) -> None:
    rows = read(tmp_path, "km\n1\n", [Column("km", amount), Column("sky", word, required=False)])
    assert rows == [[1.0, None]]


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nothing\.csv: The file cannot be read"):
        read_table(Folder(tmp_path / "nothing.csv"), COLUMNS)


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("declared", [False, True])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_every_separator_and_encoding_of_a_spreadsheet_is_read(
    tmp_path: Path, separator: str, declared: bool, encoding: str
) -> None:
    lines = ["km,sky,note", "1.5,clear,a", "7,rain,b"]
    text = "\r\n".join([*([f"sep={separator}"] if declared else []), *(line.replace(",", separator) for line in lines)])
    assert read(tmp_path, text.encode(encoding)) == [[1.5, "clear"], [7.0, "rain"]]


def test_a_line_is_counted_from_the_first_of_the_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="line 4, column 'km': 'far' is not a number"):
        read(tmp_path, "sep=;\nkm;sky\n1;a\nfar;b\n")


def test_a_column_of_another_name_may_hold_the_separator_of_another_file(tmp_path: Path) -> None:
    assert read(tmp_path, "km,sky,a;b;c;d\n1,clear,x\n") == [[1.0, "clear"]]


def test_a_decimal_comma_that_one_cell_proves_holds_for_all(tmp_path: Path) -> None:
    assert read(tmp_path, "km;sky\n7,93;a\n1.234,5;b\n1,234;c\n12;d\n") == [
        [7.93, "a"],
        [1234.5, "b"],
        [1.234, "c"],
        [12.0, "d"],
    ]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("km;sky\n1,5;a\n2.5;b\n", "The number '1,5' in line 2, column 'km' has a decimal comma, and '2.5' in line 3"),
        (
            "km;sky\n1,234;a\n",
            "line 2, column 'km': The number '1,234' may have a decimal comma, or its",
        ),
    ],
)
def test_a_number_that_may_mean_two_things_is_refused(tmp_path: Path, content: str, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        read(tmp_path, content)


def test_a_row_of_empty_cells_is_no_row(tmp_path: Path) -> None:
    assert read(tmp_path, "km,sky\n1,a\n,\n  , \n,,,,\n2,b\n") == [[1.0, "a"], [2.0, "b"]]


def test_spellings_that_differ_in_case_or_blanks_are_one_category(tmp_path: Path) -> None:
    rows = read(tmp_path, "km,sky\n1,Clear\n1,Clear\n1, clear \n1,CLEAR\n1,very  windy\n1,Very windy\n1,Very windy\n")
    assert [sky for _, sky in rows] == ["Clear"] * 4 + ["Very windy"] * 3


def test_unknown_categories_are_named_with_their_counts() -> None:
    table = pd.DataFrame({"sky": ["clear", "RAIN", "hail", "hail", None]}, dtype="object")
    spelt, notes = known_spellings(table, {"sky": ["Clear", "Rain"]})
    assert spelt["sky"].tolist() == ["Clear", "Rain", "hail", "hail", None]
    assert notes == [
        "2 of 5 rows have a sky that was not there in training, and is taken as none of Clear, Rain: 'hail' (2)."
    ]


def test_numbers_outside_the_training_range_are_counted() -> None:
    [note] = outside_training(pd.DataFrame({"km": [1.0, 25.0, 90.0, math.nan]}), {"km": [0.5, 20.0]})
    assert note.startswith("2 of 4 rows have a km outside the 0.5 to 20 of the training, such as 90")


def test_columns_without_any_value_are_named() -> None:
    table = pd.DataFrame({"km": [math.nan, 2.0], "sky": [None, None], "road": [None, None]})
    [note] = without_values(table, ["km", "sky", "road"])
    assert note.startswith("No row has a value for sky, road")
    assert without_values(table, ["km"]) == []


@pytest.mark.parametrize("cell", ["#REF!", "#DIV/0!", "cle\x07ar", "\x1b[31mred"])
def test_a_category_that_is_an_error_or_has_control_characters_is_refused(tmp_path: Path, cell: str) -> None:
    with pytest.raises(InputError, match=r"orders\.csv, line 2, column 'sky': "):
        read(tmp_path, f"km,sky\n1,{cell}\n")


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("cell", ["1 234,5", "1\xa0234,5", "1.234,5", "1'234,5"])
def test_thousands_apart_in_a_file_with_decimal_commas(
    tmp_path: Path, cell: str, pack: Callable[[bytes], bytes]
) -> None:
    assert read(tmp_path, pack(f"km;sky\n{cell};a\n2,5;b\n".encode())) == [[1234.5, "a"], [2.5, "b"]]


def test_a_point_that_may_stand_between_thousands_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"line 2, column 'km': The number '1\.234' may have a decimal point"):
        read(tmp_path, "km;sky\n1.234;a\n")
    assert read(tmp_path, "km;sky\n1.234;a\n0.5;b\n") == [[1.234, "a"], [0.5, "b"]]
    assert read(tmp_path, "km,sky\n1.234,a\n") == [[1.234, "a"]]


def test_a_header_that_two_separators_split_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"may be separated by commas or semicolons\. Write a line such as sep=,"):
        read(tmp_path, "how far, in km;skies\n1,5;a\n")
    with pytest.raises(InputError, match=r"The columns, separated by semicolons, are how far, in km, skies"):
        read(tmp_path, "how far, in km;skies\n15;a\n")
    assert read(tmp_path, "sep=;\nkm;sky, or clouds\n1,5;a\n", [Column("km", amount)]) == [[1.5]]
