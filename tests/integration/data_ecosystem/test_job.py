"""The commands as the stack's jobs: from the code bundle, in a process that knows nothing but its outputs."""

from __future__ import annotations

import re
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
def job(stack: Stack, bundle: None, eventually: Any) -> Callable[..., tuple[str, str]]:
    """Runs a task to its end, as one job or as an array: its status, and what was printed."""

    def run(task: str, jobs: int = 1, **variables: str) -> tuple[str, str]:
        batch, logs = stack.cloud.client("batch"), stack.cloud.client("logs")
        array: Any = {"arrayProperties": {"size": jobs}} if jobs > 1 else {}
        identity = batch.submit_job(
            jobName=task,
            jobQueue=stack.outputs["JobQueueArn"],
            jobDefinition=stack.outputs["JobDefinitionArn"],
            parameters={"task": task},
            containerOverrides={
                "environment": [
                    {"name": name, "value": value}
                    for name, value in {"MOVIE_RENTAL_SOURCE": SOURCE, **variables}.items()
                ]
            },
            **array,
        )["jobId"]

        def ended() -> Any:
            [found] = batch.describe_jobs(jobs=[identity])["jobs"]
            return found["status"] in {"SUCCEEDED", "FAILED"} and found

        done = eventually(ended, 120 * jobs)
        described = [done]
        if jobs > 1:
            described = batch.describe_jobs(jobs=[f"{identity}:{index}" for index in range(jobs)])["jobs"]
        events = logs.filter_log_events(
            logGroupName=stack.outputs["LogGroupName"],
            logStreamNames=[one["container"]["logStreamName"] for one in described],
        )["events"]
        return done["status"], "\n".join(event["message"] for event in events)

    return run


def empty(stack: Stack) -> None:
    """Remove what is in library and graph."""
    with stack.movies.batch_writer() as batch:
        for film in stack.movies.scan(ProjectionExpression="MovieID, MovieTitle")["Items"]:
            batch.delete_item(Key=film)
    stack.graph("MATCH (n) DETACH DELETE n")


@pytest.fixture(scope="module")
def legacy(stack: Stack) -> None:
    """The old database; the engines hold nothing of what other tests left in them."""
    empty(stack)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in stack.cloud.environment().items():
            patch.setenv(name, value)
        patch.delenv("GROUNDWORK_DATA", raising=False)
        words = ["load-source", "--into", SOURCE, "--stack", STACK, "--scale", "0.02"]
        patch.setattr("sys.argv", ["workloads", "movie-rental", *words])
        with pytest.raises(SystemExit) as end:
            main()
    assert end.value.code in {0, None}


@pytest.mark.usefixtures("legacy")
def test_a_job_moves_the_old_database(stack: Stack, job: Callable[..., tuple[str, str]]) -> None:
    status, said = job("migrate")
    assert status == "SUCCEEDED", said
    assert stack.graph("MATCH (:Customer)-[r:RENTED]->(:Movie) RETURN count(r) > 100 AS many") == [{"many": True}]


@pytest.mark.usefixtures("legacy")
def test_each_job_of_an_array_moves_a_partition_and_the_last_one_reports(job: Callable[..., tuple[str, str]]) -> None:
    status, said = job("migrate", jobs=2)
    assert status == "SUCCEEDED", said
    rows = dict(re.findall(r"^(shared|0|1|all) .*?([\d,]+)$", said, re.MULTILINE))
    shared, first, second, every = (int(rows[name].replace(",", "")) for name in ("shared", "0", "1", "all"))
    assert shared + first + second == every
    assert min(first, second) > 100
    status, said = job("verify")
    assert (status, "everything is equal" in said) == ("SUCCEEDED", True), said


@pytest.mark.usefixtures("legacy")
def test_jobs_fill_empty_engines_by_bulk_loads_with_the_permissions_of_the_stack(
    stack: Stack, job: Callable[..., tuple[str, str]], eventually: Any
) -> None:
    empty(stack)
    eventually(lambda: stack.search.count(index="movies")["count"] == 0)  # the library's stream has told of it
    stack.search.indices.delete(index="movies")  # it remembers the versions of what was deleted
    status, said = job("migrate", jobs=2, MOVIE_RENTAL_BULK="always")
    assert status == "SUCCEEDED", said
    assert "Neptune and DynamoDB were filled by their bulk loaders" in said
    assert stack.graph("MATCH (:Customer)-[r:RENTED]->(:Movie) RETURN count(r) > 100 AS many") == [{"many": True}]
    status, said = job("verify")
    assert (status, "everything is equal" in said) == ("SUCCEEDED", True), said
    listed = stack.cloud.client("s3").list_objects_v2(Bucket=stack.outputs["BulkLoadBucketName"])
    assert listed.get("Contents", []) == []
