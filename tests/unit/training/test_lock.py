"""Two processes that write one run: the second is refused, and what a dead one left is taken over."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from contract.errors import InputError
from workloads.storage import Location, locate
from workloads.training.runtime import lock as locks
from workloads.training.runtime.lock import lock

from .test_run import go, line

HOLDER = """
import os, sys, time
from pathlib import Path
from workloads.training.runtime.lock import lock
from workloads.storage import locate
lock(locate(sys.argv[1]), lambda: None)
print("held", flush=True)
time.sleep(600)
"""


@pytest.fixture(params=["folder", "s3"])
def run(request: pytest.FixtureRequest, tmp_path: Path, aws: None) -> Location:
    if request.param == "folder":
        return locate(str(tmp_path / "run"))
    boto3.client("s3").create_bucket(Bucket="bucket")
    return locate("s3://bucket/run")


def lost() -> None:
    pytest.fail("the lock was lost")


def test_a_second_writer_is_refused_until_the_first_has_finished(run: Location) -> None:
    first = lock(run, lost)
    with pytest.raises(InputError, match=r"run: Another process writes this run.*give another --output") as refused:
        lock(run, lost)
    assert refused.value.exit_code == 2
    first.release()
    assert run.names() == []
    lock(run, lost).release()


def test_a_training_holds_its_runs_lock(tmp_path: Path) -> None:
    def another(epoch: int, batch: int) -> None:
        if (epoch, batch) == (1, 0):
            with pytest.raises(InputError, match="Another process writes this run"):
                go(tmp_path / "run")

    go(tmp_path / "run", line(another))
    assert "run.lock" not in {path.name for path in (tmp_path / "run").iterdir()}


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path / "run")], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_killed_process_leaves_no_lock_in_a_folder(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    place = locate(str(tmp_path / "run"))
    with pytest.raises(InputError, match="Another process"):
        lock(place, lost)
    holder.kill()
    holder.wait()
    lock(place, lost).release()


@pytest.fixture
def held(aws: None) -> Location:
    boto3.client("s3").create_bucket(Bucket="bucket")
    return locate("s3://bucket/run")


def left_behind(place: Location, **owner: object) -> None:
    (place / "run.lock").write(json.dumps({"job": "", "host": "elsewhere", "process": 1, **owner}).encode())


def test_the_lock_of_a_live_job_says_whose_it_is_and_when_it_would_lapse(held: Location) -> None:
    left_behind(held, job="1234")
    with pytest.raises(InputError, match=r"\(job 1234 on elsewhere\); if that has died, its lock lapses in 1[78]\d s"):
        lock(held, lost)


def test_the_lock_of_the_same_jobs_earlier_attempt_is_taken_over(
    held: Location, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_BATCH_JOB_ID", "1234")
    left_behind(held, job="1234")
    lock(held, lost).release()


def test_the_lock_of_a_process_of_this_machine_that_is_gone_is_taken_over(held: Location) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        pass
    left_behind(held, host=locks.platform.node(), process=gone.pid)
    lock(held, lost).release()


def test_a_lock_that_was_not_renewed_is_taken_over(held: Location, monkeypatch: pytest.MonkeyPatch) -> None:
    left_behind(held)
    monkeypatch.setattr(locks, "STALE_SECONDS", -1)
    lock(held, lost).release()


def test_who_was_cut_off_and_replaced_stops(held: Location, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "RENEW_SECONDS", 0.05)
    lost = threading.Event()
    cut_off = lock(held, lost.set)
    left_behind(held)
    assert lost.wait(30)
    cut_off.release()
    assert held.names() == ["run.lock"]  # the other one's
