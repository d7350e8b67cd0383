"""The lock of a cloud's folder: one holder, who is known, and no trace of those that were killed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from localcloud import LocalCloudError
from localcloud.cloud import lock

HOLD = """
import sys; from pathlib import Path; from localcloud.cloud.lock import Lock
Lock(Path(sys.argv[1])).sign(); print("held", flush=True); sys.stdin.read()
"""


def test_only_one_process_holds_it_and_is_known(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout
        assert other.stdout.readline() == b"held\n"
        assert lock.is_held(tmp_path)
        assert lock.holder(tmp_path) == other.pid
        with pytest.raises(lock.HeldError):
            lock.Lock(tmp_path)
        other.kill()
    assert not lock.is_held(tmp_path)
    assert lock.holder(tmp_path) is None
    with lock.Lock(tmp_path) as taken:
        assert lock.is_held(tmp_path)
        assert taken.is_in_place()


@pytest.mark.parametrize("content", ["", "not a number\n", "99999999\n", "1\n", "-5\n"])
def test_a_process_that_does_not_hold_it_is_never_named(tmp_path: Path, content: str) -> None:
    with lock.Lock(tmp_path):
        (tmp_path / lock.NAME).write_text(content)
        assert lock.holder(tmp_path) is None


def test_looking_at_it_keeps_nobody_from_taking_it(tmp_path: Path) -> None:
    look = "import sys; from pathlib import Path; from localcloud.cloud.lock import is_held\n"
    looking = f"{look}while True: is_held(Path(sys.argv[1]))"
    with lock.Lock(tmp_path):
        pass
    with subprocess.Popen([sys.executable, "-c", looking, str(tmp_path)]) as other:
        for _ in range(50):
            with lock.Lock(tmp_path):
                pass
        other.kill()


def test_it_is_no_longer_in_place_when_the_folder_was_removed_or_made_again(tmp_path: Path) -> None:
    folder = tmp_path / "cloud"
    folder.mkdir()
    with lock.Lock(folder) as taken:
        (folder / lock.NAME).unlink()
        assert not taken.is_in_place()
        (folder / lock.NAME).touch()
        assert not taken.is_in_place()


def test_a_lock_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / lock.NAME).mkdir()
    with pytest.raises(LocalCloudError, match=r"cloud\.lock cannot be written: Is a directory\."):
        lock.Lock(tmp_path)
