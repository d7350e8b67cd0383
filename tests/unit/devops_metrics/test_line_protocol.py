"""Line protocol: one row is one line, whatever its dimensions and texts hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract import timeseries as line_protocol


def test_a_line_has_measurement_tags_fields_and_time() -> None:
    start = line_protocol.series("my metrics", {"host": "a b,c=d", "zone": "eu"})
    fields = (("cpu", 1.5), ("status", 200), ("up", True), ("note", 'say "hi" \\ bye'), ("none", None))
    assert line_protocol.line(start, fields, 1_769_860_800_000_000_000) == (
        r"my\ metrics,host=a\ b\,c\=d,zone=eu "
        r'cpu=1.5,status=200i,up=true,note="say \"hi\" \\ bye" 1769860800000000000'
    )


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("", "an empty value"),
        ("Film\nnoir", "a line break or another control character: 'Film\\\\nnoir'"),
        ("\r", "a line break or another control character"),
        ("nul\x00", "a line break or another control character"),
        ("end\\", "a backslash before"),
        ("a\\,b", "a backslash before"),
        ("a\\=b", "a backslash before"),
        ("a\\ b", "a backslash before"),
    ],
)
def test_what_influxdb_cannot_hold_is_refused_wherever_a_name_stands(value: str, reason: str) -> None:
    with pytest.raises(ValueError, match=f"^category: InfluxDB cannot hold {reason}"):
        line_protocol.series("rentals", {"category": value})
    with pytest.raises(ValueError, match=f"^tag: InfluxDB cannot hold {reason}"):
        line_protocol.series("rentals", {value: "x"})
    with pytest.raises(ValueError, match=f"^measurement: InfluxDB cannot hold {reason}"):
        line_protocol.series(value, {"category": "x"})


@given(st.text())
def test_no_dimension_can_end_its_line_or_begin_another_tag_or_field(value: str) -> None:
    try:
        start = line_protocol.series("m", {"a": value, "b": "c"})
    except ValueError:
        return
    assert "\n" not in start
    unescaped = start.replace("\\\\", "").replace("\\,", "").replace("\\=", "").replace("\\ ", "")
    assert (unescaped.count(","), unescaped.count("="), unescaped.count(" ")) == (2, 2, 0)
