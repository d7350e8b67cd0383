"""How files are shared out among several processes."""

from __future__ import annotations

import pytest

from contract.errors import InputError
from workloads.devops_metrics.parts import Part, share
from workloads.objects import ObjectFile
from workloads.storage import Object

FILES = [ObjectFile("bucket", Object(f"{number}.csv", "etag", size)) for number, size in enumerate([9, 1, 7, 3, 3, 5])]


@pytest.mark.parametrize("of", range(1, 9))
def test_each_file_is_in_one_part(of: int) -> None:
    parts = [share(FILES, Part(number, of)) for number in range(1, of + 1)]
    assert sorted(file.key for part in parts for file in part) == sorted(file.key for file in FILES)


def test_parts_are_about_equally_large_and_do_not_depend_on_the_order_of_the_list() -> None:
    parts = [share(FILES, Part(number, 2)) for number in (1, 2)]
    assert [sum(file.size for file in part) for part in parts] == [15, 13]
    assert [share(FILES[::-1], Part(number, 2)) for number in (1, 2)] == parts


def test_a_child_of_an_array_takes_its_own_part_and_any_other_process_takes_all() -> None:
    child = {"AWS_BATCH_JOB_ARRAY_INDEX": "0", "AWS_BATCH_JOB_ARRAY_SIZE": "3"}
    assert Part.of_job(child) == Part(1, 3)
    assert Part.of_job({}) == Part(1, 1)
    assert Part.parse("2/3") == Part(2, 3)


@pytest.mark.parametrize("text", ["0/2", "3/2", "1", "a/b", "1/2/3", "-1/2", ""])
def test_what_is_no_part_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="This is not a part"):
        Part.parse(text)
