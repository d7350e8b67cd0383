"""What containers of jobs get from the machine on which the cloud runs."""

from __future__ import annotations

import pytest

from localcloud.services.batch.containers import base_environment


def test_waiting_threads_of_a_job_leave_the_processors_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    assert base_environment()["OMP_WAIT_POLICY"] == "PASSIVE"


def test_whoever_starts_the_cloud_decides_how_threads_of_jobs_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    assert base_environment()["OMP_WAIT_POLICY"] == "ACTIVE"
