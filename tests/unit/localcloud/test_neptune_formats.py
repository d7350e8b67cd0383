"""Neptune's two CSV formats: headers, rows, values, and what is wrong with them."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.engines.neptune_formats import (
    GREMLIN,
    OPENCYPHER,
    Edge,
    Fault,
    FormatError,
    Vertex,
    cells,
    entries,
    layout,
)


def read(text: str, form: str = GREMLIN, *, keep_empty: bool = False, **options: Any) -> list[Any]:
    lines = iter(text.splitlines(keepends=True))
    header = layout(lines, form, **options)
    return [] if header is None else [*entries(lines, header, keep_empty=keep_empty)]


def value(kind: str, text: str, form: str = GREMLIN) -> Any:
    [entry] = read(f"~id,p:{kind}\na,{text}\n" if form == GREMLIN else f":ID,p:{kind}\na,{text}\n", form)
    return entry.properties["p"][0] if isinstance(entry, Vertex) else entry


def test_the_example_of_the_documentation() -> None:
    assert read(
        '~id,name:String,age:Int,lang:String,interests:String[],~label\nv1,"marko",29,,"sailing;graphs",person\n'
        'v2,"lop",,"java",,software\n'
    ) == [
        Vertex("v1", ("person",), {"name": ["marko"], "age": [29], "interests": ["sailing", "graphs"]}),
        Vertex("v2", ("software",), {"name": ["lop"], "lang": ["java"]}),
    ]
    assert read("~id,~from,~to,~label,weight:Double\r\ne1,v1,v2,created,0.4\r\n") == [
        Edge("e1", "v1", "v2", "created", {"weight": [0.4]})
    ]


def test_the_example_of_opencypher_with_spaces_of_ids() -> None:
    assert read('\nname:ID(person),age:Int,:LABEL\n"marko",29,person\n', OPENCYPHER) == [
        Vertex("person:marko", ("person",), {"name": ["marko"], "age": [29]})
    ]
    assert read(
        '\n:ID,:START_ID(person),:END_ID(software),:TYPE,weight:Double\ne1,"marko","lop",created,0.4\n', OPENCYPHER
    ) == [Edge("e1", "person:marko", "software:lop", "created", {"weight": [0.4]})]
    assert read(":START_ID,:END_ID\na,b\n", OPENCYPHER, with_edge_ids=False) == [Edge(None, "a", "b", "edge", {})]


def test_labels_and_types_have_defaults() -> None:
    assert read("~id,name\na,x\n") == [Vertex("a", ("vertex",), {"name": ["x"]})]
    assert read("~id,~from,~to\ne,a,b\n") == [Edge("e", "a", "b", "edge", {})]


def test_each_label_and_each_value_is_a_record() -> None:
    [vertex] = read("~id,~label,name,tags:String[]\na,X;Y,n,1;2;3\n")
    [edge] = read("~id,~from,~to,w\ne,a,b,1\n")
    assert (vertex.records, edge.records) == (6, 2)


def test_cells_follow_rfc_4180() -> None:
    assert cells(' a , "b, ""c""" ,"",,"x\ny"') == ["a", 'b, "c"', "", None, "x\ny"]
    assert read('~id,name\na,"two\nlines"\n')[0].properties == {"name": ["two\nlines"]}


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_categories=("Cs",))), min_size=1))
def test_what_is_in_quotation_marks_comes_back(values: list[str]) -> None:
    assert cells(",".join('"' + text.replace('"', '""') + '"' for text in values)) == values


@pytest.mark.parametrize("text", ['"a', 'a"', '"a"b', 'a,"b"c,d', '"a""'])
def test_a_quotation_mark_in_the_wrong_place_is_refused(text: str) -> None:
    with pytest.raises(FormatError, match="quotation mark"):
        cells(text)


def test_an_empty_string_is_a_value_only_if_the_request_says_so() -> None:
    text = '~id,a,b,c:String[]\nx,"",,"u;;v"\n'
    assert read(text)[0].properties == {"c": ["u", "v"]}
    assert read(text, keep_empty=True)[0].properties == {"a": [""], "c": ["u", "", "v"]}
    assert read('~id\n""\n') == [Vertex("", ("vertex",), {})]


def test_a_semicolon_and_a_colon_can_be_escaped() -> None:
    assert read("~id,a\\:b:String[],c\nx,1\\;2;3,4;5\n")[0].properties == {"a:b": ["1;2", "3"], "c": ["4;5"]}


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("Byte", "-128", -128),
        ("SHORT", "32767", 32767),
        ("int", "+5", 5),
        ("Long", str(-(1 << 63)), -(1 << 63)),
        ("Float", "0.1", 0.1),
        ("Float", "16777217", 16777216.0),
        ("Float", "1e60", math.inf),
        ("Double", "-1.5e-3", -0.0015),
        ("Double", "-Infinity", -math.inf),
        ("Bool", "true", True),
        ("Boolean", "yes", False),
        ("Date", "2024-02-29", datetime(2024, 2, 29, tzinfo=UTC)),
        ("Datetime", "2024-02-29T10:11", datetime(2024, 2, 29, 10, 11, tzinfo=UTC)),
        ("Date", "2024-02-29T10:11:12Z", datetime(2024, 2, 29, 10, 11, 12, tzinfo=UTC)),
        ("Date", "2024-02-29T10:11:12+0200", datetime(2024, 2, 29, 8, 11, 12, tzinfo=UTC)),
    ],
)
def test_values_have_the_types_of_their_columns(kind: str, text: str, expected: Any) -> None:
    found = value(kind, text)
    assert (type(found), found) == (type(expected), expected)


def test_not_a_number_is_a_number() -> None:
    assert math.isnan(value("Double", "NaN"))


@pytest.mark.parametrize("kind", ["Char", "Date", "LocalDate", "LocalDateTime", "Duration", "Point"])
def test_opencypher_keeps_some_types_as_texts(kind: str) -> None:
    assert value(kind, "P1D", OPENCYPHER) == "P1D"


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("Byte", "128"),
        ("Int", "2147483648"),
        ("Int", "1_000"),
        ("Int", "1.0"),
        ("Long", "x"),
        ("Double", "INF"),
        ("Double", "1,5".replace(",", " ")),
        ("Date", "2023-02-29"),
        ("Date", "29.02.2024"),
    ],
)
def test_a_value_of_another_type_is_a_mismatch(kind: str, text: str) -> None:
    fault = value(kind, text)
    assert isinstance(fault, Fault)
    assert fault.is_mismatch
    assert repr(text) in fault.message


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("a", "1 columns, its header 2"),
        (",X", "id is blank"),
        ('a,""', "label is empty"),
        ('a,x"y', "quotation mark"),
        ("a,X;", "label is empty"),
    ],
)
def test_a_row_that_is_not_in_the_format_is_a_fault_with_its_number(row: str, words: str) -> None:
    first, fault, *rest = read(f"~id,~label\nx,X\n{row}\n")
    assert (first.id, rest) == ("x", [])
    assert (fault.row, fault.is_mismatch) == (2, False)
    assert words in fault.message


@pytest.mark.parametrize(
    ("header", "form", "words"),
    [
        ("~label,name", GREMLIN, "lacks the system column '~id'"),
        ("~from,~to", GREMLIN, "lacks the system column '~id'"),
        ("~id,~from", GREMLIN, "lacks the system column '~to'"),
        ("~id,~id", GREMLIN, "more than once"),
        ("~id,~name", GREMLIN, "unknown system column"),
        ("~id,age:Number", GREMLIN, "unknown type"),
        ("~id,tags:String(single)[]", GREMLIN, "array of single cardinality"),
        ("~id,~from,~to,tags:String[]", GREMLIN, "is an array"),
        ("~id,first name", GREMLIN, "spaces"),
        (":START_ID,:END_ID", OPENCYPHER, "lacks the system column ':ID'"),
        (":LABEL", OPENCYPHER, "lacks the system column ':ID'"),
        (":ID,tags:String[]", OPENCYPHER, "cardinality or an array"),
    ],
)
def test_a_header_that_the_format_does_not_allow_is_refused(header: str, form: str, words: str) -> None:
    with pytest.raises(FormatError, match=words.replace("(", r"\(")):
        read(f"{header}\n", form)


def test_relationships_have_no_ids_where_the_request_says_so() -> None:
    with pytest.raises(FormatError, match="userProvidedEdgeIds is FALSE"):
        read(":ID,:START_ID,:END_ID\n", OPENCYPHER, with_edge_ids=False)


def test_an_empty_file_has_no_rows() -> None:
    assert read("") == read("\n\n") == []
