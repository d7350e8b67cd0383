"""Files of S3, ingested by one process, by several, and by jobs of AWS Batch: each file once, and one report."""

from __future__ import annotations

import csv
import gzip
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest

from localcloud import LocalCloud
from tests.processes import command_line, started_by
from workloads.timeseries.connection import connect

from .conftest import Run, as_writer, create_stack, environment, new_network, put, totals

STACK = "Metrics"
HEADER = "Application_ID,Application_Name,Time_Stamp,CPU_Usage,Memory_Usage,Network_Throughput,HTTP_Status\n"
START = datetime.now(UTC).replace(microsecond=0) - timedelta(days=20)
Eventually = Callable[..., Any]


@pytest.fixture(scope="module", autouse=True)
def stack(cloud: LocalCloud, code: str) -> Iterator[None]:
    create_stack(cloud, STACK, **new_network(cloud), Engine="influxdb", Email="me@example.com", Code=code)
    with environment(cloud):
        yield


def rows(host: str, count: int, seconds: int = 60) -> str:
    lines = (
        f"{host},web,{(START + timedelta(seconds=seconds * number)).isoformat()},{number % 100},50,3,200\n"
        for number in range(count)
    )
    return HEADER + "".join(lines)


def held(host_prefix: str) -> int:
    """How many rows the database has of hosts whose names begin so."""
    statement = f'SELECT "CPU_Usage" FROM "metrics" WHERE "Application_ID" =~ /^{host_prefix}/'  # noqa: S608
    return sum(len(group["values"]) for group in connect(STACK).query(statement))  # type: ignore[attr-defined]


def reports(cloud: LocalCloud, name: str) -> dict[str, Any]:
    """When each report on the files of a test was written, by key."""
    bucket = cloud.outputs(STACK)["ReportBucketName"]
    listed = cloud.client("s3").list_objects_v2(Bucket=bucket, Prefix="ingestion/files/").get("Contents", [])
    return {item["Key"]: item["LastModified"] for item in listed if f"/{name}/" in item["Key"]}


def test_a_prefix_is_ingested_once_with_every_line_accounted_for(
    cloud: LocalCloud, run: Run, prefix: str, tmp_path: Path
) -> None:
    put(cloud, prefix, "a.csv", rows("once-a", 30) + "broken line\n")
    put(cloud, prefix, "day/b.csv.gz", gzip.compress(rows("once-b", 20).encode()))
    put(cloud, prefix, "day/_SUCCESS", "")
    code, out, errors = run("ingest", f"{prefix}/", "--json")
    assert code == 0, errors
    first = totals(out)
    assert (first["files"], first["earlier"], first["lines"], first["written"]) == (2, 0, 51, 50)
    name = f"{prefix.rpartition('/')[2]}.quarantine.csv"
    [bad] = csv.DictReader((tmp_path / name).read_text().splitlines())
    expected = {"file": f"{prefix}/a.csv", "line": "32", "reason": "1 cells, the header has 7", "text": "broken line"}
    assert bad == expected
    assert held("once-") == 50
    before = reports(cloud, prefix.rpartition("/")[2])
    put(cloud, prefix, "day/b.csv.gz", rows("once-b", 25))
    again = totals(run("ingest", prefix, "--json")[1])
    assert (again["files"], again["earlier"], again["lines"], again["written"]) == (2, 1, 56, 55)
    assert held("once-") == 55
    after = reports(cloud, prefix.rpartition("/")[2])
    assert {key: after[key] for key in before} == before
    assert (tmp_path / name).read_text().count("\n") == 2


def test_parts_share_the_files_and_the_report_is_of_all(cloud: LocalCloud, run: Run, prefix: str) -> None:
    for number in range(5):
        put(cloud, prefix, f"{number}.csv", rows(f"part-{number}", 10 * (number + 1)))
    parts = [totals(run("ingest", prefix, "--part", f"{number}/2", "--json")[1]) for number in (1, 2)]
    assert sum(part["files"] for part in parts) == 5
    assert sum(part["written"] for part in parts) == 150
    assert totals(run("ingest", prefix, "--part", "6/6", "--json")[1])["files"] == 0
    whole = totals(run("ingest", prefix, "--json")[1])
    assert (whole["files"], whole["earlier"], whole["written"]) == (5, 5, 150)
    assert held("part-") == 150


@pytest.mark.parametrize("jobs", [1, 3])
def test_jobs_share_the_files(cloud: LocalCloud, run: Run, prefix: str, jobs: int) -> None:
    for number in range(4):
        put(cloud, prefix, f"{number}.csv", rows(f"jobs{jobs}-{number}", 20) + "broken\n")
    with as_writer(cloud, STACK):
        code, out, errors = run("ingest", prefix, "--jobs", str(jobs), "--dimension", "Region=eu", "--json")
    assert code == 0, errors
    printed = totals(out)
    assert (printed["files"], printed["lines"], printed["written"], printed["quarantined"]) == (4, 84, 80, 4)
    assert held(f"jobs{jobs}-") == 80
    [job] = cloud.client("batch").describe_jobs(jobs=[printed["job"]])["jobs"]
    assert job.get("arrayProperties", {}).get("size") == (jobs if jobs > 1 else None)
    assert totals(run("ingest", prefix, "--jobs", "2", "--dimension", "Region=eu", "--json")[1])["job"] is None


def test_a_job_that_is_killed_goes_on_and_doubles_nothing(
    cloud: LocalCloud, run: Run, prefix: str, eventually: Eventually
) -> None:
    for number in range(6):
        put(cloud, prefix, f"{number}.csv", rows(f"killed-{number}", 20_000, seconds=30) + "broken\n")
    name = prefix.rpartition("/")[2]
    done: dict[str, Any] = {}

    def kill() -> None:
        done.update(eventually(lambda: reports(cloud, name)))
        eventually(lambda: jobs_of(cloud))[0].kill()

    with in_background(kill):
        code, out, errors = run("ingest", prefix, "--jobs", "2", "--no-rollups", "--json")
    assert (code, bool(done)) == (0, True), errors
    printed = totals(out)
    assert (printed["files"], printed["written"], printed["quarantined"]) == (6, 120_000, 6)
    assert held("killed-") == 120_000
    children = [f"{printed['job']}:{index}" for index in range(2)]
    attempts = [len(job["attempts"]) for job in cloud.client("batch").describe_jobs(jobs=children)["jobs"]]
    assert sorted(attempts) == [1, 2]
    after = reports(cloud, name)
    assert {key: after[key] for key in done} == done


def test_a_part_that_does_not_finish_is_named_and_the_same_command_completes_it(
    cloud: LocalCloud, run: Run, prefix: str, eventually: Eventually
) -> None:
    for number in range(2):
        put(cloud, prefix, f"{number}.csv", rows(f"ended-{number}", 100))
    batch, queue = cloud.client("batch"), cloud.outputs(STACK)["IngestionQueueArn"]

    def terminate() -> None:
        [array] = eventually(lambda: batch.list_jobs(jobQueue=queue, jobStatus="PENDING")["jobSummaryList"])
        batch.terminate_job(jobId=f"{array['jobId']}:1", reason="Somebody ended it.")

    with in_background(terminate):
        code, _, errors = run("ingest", prefix, "--jobs", "2")
    last = errors.splitlines()[-1]
    assert (code, "1 files are not ingested. Part 2 of 2 failed: Somebody ended it." in last) == (75, True), errors
    code, out, errors = run("ingest", prefix, "--jobs", "2", "--json")
    assert code == 0, errors
    assert (totals(out)["earlier"], totals(out)["written"], held("ended-")) == (1, 200, 200)


def test_a_file_that_cannot_be_read_keeps_no_other_from_being_written(cloud: LocalCloud, run: Run, prefix: str) -> None:
    put(cloud, prefix, "0.csv", "host,load\nweb-1,1\n")
    put(cloud, prefix, "1.csv", rows("others", 10))
    for jobs in ("0", "2"):
        code, out, errors = run("ingest", prefix, "--jobs", jobs, "--json")
        last = errors.splitlines()[-1]
        assert (code, f"{prefix}/0.csv, line 1: There is no column Time_Stamp" in last) == (2, True), errors
        assert (totals(out)["written"], len(totals(out)["problems"]), held("others")) == (10, 1, 10)


def test_files_that_the_role_may_not_read_are_named(cloud: LocalCloud, run: Run) -> None:
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket="closed")
    s3.put_object(Bucket="closed", Key="a/0.csv", Body=rows("closed", 10).encode())
    code, _, errors = run("ingest", "s3://closed/a/", "--jobs", "1")
    last = errors.splitlines()[-1]
    assert (code, "s3://closed/a/0.csv: Access is denied" in last) == (2, True), errors


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{files}/nothing/"], "There are no files below this prefix"),
        (["s3://no-such-bucket/x/"], "There is no bucket no-such-bucket"),
        (["{files}/x/", "--part", "3/2"], "--part 3/2: This is not a part"),
        (["{files}/x/", "--part", "1/2", "--jobs", "2"], "--jobs and --part: The jobs share the files"),
        (["{files}/x/", "--watch"], "--watch: Objects of S3 do not grow"),
        (["fleet.csv", "--jobs", "2"], "fleet.csv: --jobs and --part share out the files of S3"),
    ],
)
def test_what_cannot_be_ingested_is_said_in_one_line(
    cloud: LocalCloud, run: Run, arguments: list[str], message: str
) -> None:
    files = f"s3://{cloud.outputs(STACK)['FilesBucketName']}"
    code, _, errors = run("ingest", *(word.format(files=files) for word in arguments))
    assert (code, errors.count("\n"), message in errors) == (2, 1, True), errors


def test_what_is_no_plan_is_said_in_one_line(cloud: LocalCloud, run: Run, prefix: str) -> None:
    put(cloud, prefix, "plan.json", json.dumps({"files": 1}))
    code, _, errors = run("ingest-part", f"{prefix}/plan.json")
    assert (code, errors.count("\n"), "This is not the plan of an ingestion" in errors) == (2, 1, True), errors


@contextmanager
def in_background(work: Callable[[], None]) -> Iterator[None]:
    thread = threading.Thread(target=work)
    thread.start()
    yield
    thread.join()


def jobs_of(cloud: LocalCloud) -> list[psutil.Process]:
    """The processes that ingest a part, without those that watch over them."""
    ingesting = [process for process in started_by(cloud) if "ingest-part" in command_line(process)]
    return [process for process in ingesting if not process.children()]
