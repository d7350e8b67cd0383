"""The commands as the stack's jobs: from the code bundle, in a process that knows nothing but its outputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from workloads.__main__ import main

from .conftest import STACK, Stack

SOURCE = "postgresql:///legacy"


@pytest.fixture(scope="module")
def bundle(stack: Stack, code_bundle: Path) -> Iterator[None]:
    """The code where the stack's parameter says."""
    s3 = stack.cloud.client("s3")
    s3.create_bucket(Bucket="code")
    s3.upload_file(str(code_bundle), "code", "code.zip")
    yield
    stack.search.indices.delete(index="movies")


@pytest.fixture
def job(stack: Stack, bundle: None, eventually: Any) -> Callable[[str], tuple[str, str]]:
    """Runs a task to its end: its status, and what it printed."""

    def run(task: str) -> tuple[str, str]:
        batch, logs = stack.cloud.client("batch"), stack.cloud.client("logs")
        identity = batch.submit_job(
            jobName=task,
            jobQueue=stack.outputs["JobQueueArn"],
            jobDefinition=stack.outputs["JobDefinitionArn"],
            parameters={"task": task},
            containerOverrides={"environment": [{"name": "MOVIE_RENTAL_SOURCE", "value": SOURCE}]},
        )["jobId"]

        def ended() -> Any:
            [found] = batch.describe_jobs(jobs=[identity])["jobs"]
            return found["status"] in {"SUCCEEDED", "FAILED"} and found

        done = eventually(ended, 120)
        events = logs.filter_log_events(
            logGroupName=stack.outputs["LogGroupName"], logStreamNames=[done["container"]["logStreamName"]]
        )["events"]
        return done["status"], "\n".join(event["message"] for event in events)

    return run


def test_a_job_moves_the_old_database(
    stack: Stack, job: Callable[[str], tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in stack.cloud.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("GROUNDWORK_DATA", raising=False)
    monkeypatch.setattr(
        "sys.argv", ["workloads", "movie-rental", "load-source", "--into", SOURCE, "--stack", STACK, "--scale", "0.02"]
    )
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code in {0, None}
    status, said = job("migrate")
    assert status == "SUCCEEDED", said
    assert stack.graph("MATCH (:Customer)-[r:RENTED]->(:Movie) RETURN count(r) > 100 AS many") == [{"many": True}]
