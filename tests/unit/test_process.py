"""The end of a command line's process."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import atexit, sys, threading, time
from workloads.process import run

def main():
    atexit.register(print, "registered")
    threading.Thread(target=lambda: (time.sleep(0.1), print("waited for"))).start()
    print("said")
    {ending}

class Freed:
    def __del__(self):
        print("freed")

freed = Freed()
run(main)
"""


@pytest.mark.parametrize(
    ("ending", "code"),
    [
        ("", 0),
        ("return 75", 75),
        ("sys.exit(2)", 2),
        ("sys.exit()", 0),
        ("sys.exit('no')", 1),
        ("raise ValueError('no')", 1),
    ],
)
def test_it_ends_with_its_code_when_all_is_said_and_frees_nothing(ending: str, code: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(ending=ending)], capture_output=True, text=True, check=False
    )
    assert done.returncode == code
    assert done.stdout.split("\n") == ["said", "waited for", "registered", ""]
    assert ("no" in done.stderr) == ("no" in ending)


def test_a_reader_who_has_seen_enough_is_no_error() -> None:
    program = "from workloads.process import run; run(lambda: print('x' * 10))"
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, env={}, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 0
