"""Columns of text, put together."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from workloads.timeseries.columns import Assembly


@given(st.lists(st.integers(-(2**62), 2**62), min_size=1))
def test_numbers_are_written_as_python_writes_them(numbers: list[int]) -> None:
    """Times before 1970 are negative, and must keep their sign."""
    text = Assembly(b"", len(numbers))
    text.add_number(np.array(numbers, np.int64))
    text.add_text(b"\n")
    written, ends = text.finish()
    assert written.decode().split() == [str(number) for number in numbers]
    assert ends.tolist() == np.cumsum([len(str(number)) + 1 for number in numbers]).tolist()
