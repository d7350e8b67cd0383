"""Files of items: they are read in pieces, whatever their size, and what is too large is refused."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moto.s3.models import FakeKey

from localcloud.services.dynamodb import bulk_put, item_files
from localcloud.services.dynamodb.item_files import Batch, Source, SourceError
from localcloud.services.dynamodb.items import Schema
from tests.unit.localcloud.test_dynamodb_items import KEY, table

SCHEMA = Schema(table())
LINE = json.dumps({"Item": KEY}).encode() + b"\n"


def stored(content: bytes) -> Iterator[FakeKey]:
    key = FakeKey("orders", content, "123456789012", "us-east-1", max_buffer_size=1)
    yield key
    key.dispose()


def batches(content: bytes, compression: str = "NONE", form: str = "DYNAMODB_JSON") -> Iterator[Batch]:
    for key in stored(content):
        reading = item_files._Reading(key, Source("bucket", form=form, compression=compression), SCHEMA)
        yield from iter(reading.next, None)


@given(st.integers(0, 3 * item_files.BATCH), st.sampled_from(["NONE", "GZIP"]))
@settings(max_examples=20)
def test_every_record_is_read_once_and_every_byte_is_counted(count: int, compression: str) -> None:
    content = LINE * count
    packed = gzip.compress(content) if compression == "GZIP" else content
    read = list(batches(packed, compression))
    assert sum(len(batch.items) for batch in read) == count
    assert all(len(batch.items) <= item_files.BATCH for batch in read)
    assert (sum(batch.stored for batch in read), sum(batch.unpacked for batch in read)) == (len(packed), len(content))


def test_memory_does_not_grow_with_an_object() -> None:
    def peak(count: int) -> int:
        content = gzip.compress(LINE * count, 1)
        tracemalloc.start()
        for _ in batches(content, "GZIP"):
            pass
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(10)
    assert peak(40_000) < 2 * peak(10_000)


def test_a_record_that_is_too_large_ends_its_object() -> None:
    [batch] = batches(LINE + b"[" * (item_files.LARGEST_RECORD + 10) + b"\n" + LINE)
    assert len(batch.items) == 1
    [rejected] = batch.rejected
    assert (rejected.index, rejected.message) == (1, f"A record has more than {item_files.LARGEST_RECORD} bytes")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"[" * 100_000, "Unexpected token"),
        (b"\xff\xfe\xfd", "Unexpected token"),
        (b'{"Item": 1} {', "Unexpected token"),
        (b"[]", "Expected 'Item' top level container"),
    ],
)
def test_what_is_not_json_is_refused(content: bytes, words: str) -> None:
    [batch] = batches(content)
    assert words in batch.rejected[-1].message


def test_csv_that_is_not_utf_8_is_refused() -> None:
    [batch] = batches(b"customer,number\n\xff,1\n", form="CSV")
    assert "The object is not CSV in UTF-8" in batch.rejected[0].message


def test_a_gzip_stream_that_is_cut_off_gives_what_was_before() -> None:
    packed = gzip.compress(LINE * 10_000, 0)
    read = list(batches(packed[: len(packed) // 2], "GZIP"))
    assert sum(len(batch.items) for batch in read) > 1000
    assert "cannot be read as GZIP" in read[-1].rejected[0].message


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ([("a", 1)] * (item_files.MOST_OBJECTS + 1), "has 50001 objects, and an operation takes 50000"),
        ([("a", item_files.LARGEST_OBJECT + 1)], "The object a has 5368709121 bytes"),
    ],
    ids=["objects", "bytes"],
)
def test_an_operation_takes_so_many_objects_of_such_a_size(sizes: list[tuple[str, int]], words: str) -> None:
    bulk_put._check_sizes([("a", item_files.LARGEST_OBJECT)] * item_files.MOST_OBJECTS)
    with pytest.raises(SourceError, match=words):
        bulk_put._check_sizes(sizes)
