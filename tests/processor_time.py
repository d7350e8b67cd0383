"""Where the processor's time goes, by file: `pytest --processor-time tests/`.

A file's seconds are those of the tests' own process and of whatever it started: user and system time, of processes that
run and that have ended. What a session starts for all of its tests counts for the file whose test starts it.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Generator
from contextlib import suppress
from typing import Any

import psutil
import pytest

OPTION = "--processor-time"
SHOWN = 40
OUTPUT = "processor_time"


def used() -> float:
    """Return the CPU-seconds that this process and those below it have taken so far."""
    seconds = sum(os.times()[:4])
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):  # it has ended
            seconds += sum(process.cpu_times()[:4])
    return seconds


class ProcessorTime:
    """Adds up the CPU-seconds of each file, over all workers."""

    def __init__(self) -> None:
        self.by_file = defaultdict[str, float](float)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Measure a test with its fixtures."""
        begin = used()
        result = yield
        self.by_file[item.nodeid.partition("::")[0]] += max(0.0, used() - begin)
        return result

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Hand a worker's sums to the process that prints them."""
        if hasattr(session.config, "workeroutput"):
            session.config.workeroutput[OUTPUT] = dict(self.by_file)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take a worker's sums."""
        for file, seconds in getattr(node, "workeroutput", {}).get(OUTPUT, {}).items():
            self.by_file[file] += seconds

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the files that took most."""
        total = sum(self.by_file.values())
        files = sorted(self.by_file.items(), key=lambda item: item[1], reverse=True)
        terminalreporter.section(f"{total:.0f} CPU-seconds in {len(self.by_file)} files; the first {SHOWN}")
        for file, seconds in files[:SHOWN]:
            terminalreporter.write_line(f"{seconds:7.1f} s {seconds / total:4.0%}  {file}")
