"""A followed file to which anything happens while its reader waits: every line comes once, and none is spoilt."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import TextIO

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from workloads.devops_metrics import reader
from workloads.devops_metrics.reader import Reader
from workloads.timeseries.schema import Schema

from .test_reader import HEADER

#: A longer search, such as 250 examples, is asked for by this variable.
EXAMPLES = int(os.environ.get("INTERLEAVINGS", "20"))
STEPS = 40
WRITE = st.tuples(st.just("write"), st.integers(1, 3))
PART = st.tuples(st.just("part"), st.integers(1, 20))
#: Rotations: by renaming, with how many lines that still go to the former file; by copying and cutting.
RENAME = st.tuples(st.just("rename"), st.integers(0, 3))
CUT = st.tuples(st.sampled_from(["cut", "cut, no header"]), st.just(0))
Step = list[tuple[str, int]]


class Writer:
    """Writes lines, each with a host of its own, and rotates its file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rotations = 0
        self.written: list[str] = []
        self.part = ""  # what is missing of the last line
        self.rows = self.seen = 0  # lines of the file, and those that were there when the reader last looked
        self.was_empty = False  # when the reader last looked
        self.former: TextIO | None = None
        self.late = 0  # lines that are still to be written to it
        path.write_text(f"{HEADER}\n")
        self.file = path.open("a")

    def line(self) -> str:
        """A line that nobody has written."""
        number = len(self.written)
        self.rows += 1
        self.written.append(f"web-{number}")
        return f"web-{number},web,{1_769_860_800 + number},1,2,3,200\n"

    def put(self, file: TextIO, text: str) -> None:
        """Write now."""
        file.write(text)
        file.flush()

    def complete(self) -> None:
        """Write the rest of the last line."""
        self.put(self.file, self.part)
        self.part = ""

    def do(self, action: str, count: int) -> None:
        """Write, or rotate the file."""
        match action:
            case "write":
                self.complete()
                self.put(self.file, "".join(self.line() for _ in range(count)))
            case "part":
                self.complete()
                line = self.line()
                self.put(self.file, line[:count])
                self.part = line[count:]
            case "rename":
                self.complete()
                self.rotations += 1
                self.path.rename(self.path.with_name(f"metrics.csv.{self.rotations}"))
                self.former, self.late, self.rows = self.file, count, 0
                self.file = self.path.open("a")
                self.put(self.file, f"{HEADER}\n")
            # Nobody can tell a file that was cut from one that looked the same before: only its header, or nothing.
            case "cut" if not self.seen:
                pass
            case "cut, no header" if self.was_empty:
                pass
            case _:
                self.complete()
                self.rows = 0
                self.rotations += 1
                shutil.copy(self.path, self.path.with_name(f"metrics.csv.{self.rotations}"))
                os.truncate(self.path, 0)
                if action == "cut":
                    self.put(self.file, f"{HEADER}\n")

    def write_late(self) -> None:
        """Write a line to the former file, or close it."""
        if self.former and self.late:
            self.put(self.former, self.line())
            self.rows -= 1  # which are those of the new file
            self.late -= 1
        elif self.former:
            self.former.close()
            self.former = None


@given(
    st.lists(
        st.tuples(st.lists(WRITE | PART, max_size=2), st.none() | RENAME | CUT, st.lists(WRITE, max_size=2)),
        max_size=STEPS,
    )
)
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[*HealthCheck])
def test_every_line_of_a_followed_file_comes_once(
    tmp_path_factory: pytest.TempPathFactory, script: list[tuple[Step, tuple[str, int] | None, Step]]
) -> None:
    path = tmp_path_factory.mktemp("followed") / "metrics.csv"
    writer, remaining, idle = Writer(path), [*script], 0

    def sleep(seconds: float) -> None:
        """Let the writer do something: rotate at most once before the reader looks, and write while it is patient."""
        nonlocal idle
        if seconds == reader._GRACE_SECONDS:
            writer.write_late()
        elif remaining:
            before, rotation, after = remaining.pop(0)
            writer.seen = writer.rows - bool(writer.part)
            writer.was_empty = not path.stat().st_size
            for action in [*before, *([rotation] if rotation else []), *after]:
                writer.do(*action)
        else:
            writer.complete()
            idle += 1

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "sleep", sleep)
        batches = [*Reader(path, Schema(), follow=True, stop=lambda: idle > 1).batches()]
    for file in filter(None, (writer.file, writer.former)):
        file.close()
    assert [fault for batch in batches for fault in batch.faults] == []
    assert sorted(row.dimensions[0] for batch in batches for row in batch.rows) == sorted(writer.written)
