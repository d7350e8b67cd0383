"""The backups that the stack makes by itself: from the schedule to the restore, and who is told when one fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from localcloud import LocalCloud
from workloads.storage import locate
from workloads.timeseries.backup import MANIFEST, restore
from workloads.timeseries.connection import connect
from workloads.timeseries.influxdb import InfluxDB

from .conftest import create_stack, environment, new_network

STACK = "Metrics"
LINES = [f"metrics,host=web-{host} load={number} {number * 86_400 * 10**9}" for host in range(2) for number in range(3)]
Eventually = Callable[..., Any]


@pytest.fixture(scope="module")
def deploy(cloud: LocalCloud, code: str) -> Iterator[Callable[[], None]]:
    """Creates the stack from its console template."""
    parameters = new_network(cloud) | {"Engine": "influxdb", "Email": "me@example.com", "Code": code}

    def create() -> None:
        create_stack(cloud, STACK, **parameters)
        events = cloud.client("cloudformation").describe_stack_events(StackName=STACK)["StackEvents"]
        reasons = [event["ResourceStatusReason"] for event in events if event["ResourceStatus"].endswith("_FAILED")]
        assert reasons == []

    with environment(cloud):
        create()
        yield create


@pytest.fixture
def backup(cloud: LocalCloud, deploy: Callable[[], None], eventually: Eventually) -> Callable[[], tuple[str, str]]:
    """Makes the schedule due, waits for its job, and gives its status and what it printed."""

    def run() -> tuple[str, str]:
        scheduler, batch, logs = cloud.client("scheduler"), cloud.client("batch"), cloud.client("logs")
        [found] = scheduler.list_schedules()["Schedules"]
        schedule = scheduler.get_schedule(Name=found["Name"])
        soon = datetime.now(UTC) + timedelta(seconds=1)
        scheduler.update_schedule(
            Name=schedule["Name"],
            ScheduleExpression=f"at({soon:%Y-%m-%dT%H:%M:%S})",
            FlexibleTimeWindow=schedule["FlexibleTimeWindow"],
            Target=schedule["Target"],
        )
        queue = physical(cloud, "BackupsJobsQueue")

        def jobs(*statuses: str) -> list[str]:
            return [
                job["jobId"]
                for status in statuses
                for job in batch.list_jobs(jobQueue=queue, jobStatus=status)["jobSummaryList"]
            ]

        before = {*jobs("SUCCEEDED", "FAILED")}
        [job] = eventually(lambda: {*jobs("SUCCEEDED", "FAILED")} - before, 120)
        [done] = batch.describe_jobs(jobs=[job])["jobs"]
        events = logs.filter_log_events(
            logGroupName=physical(cloud, "BackupsJobsLogs"), logStreamNames=[done["container"]["logStreamName"]]
        )["events"]
        return done["status"], "\n".join(event["message"] for event in events)

    return run


def physical(cloud: LocalCloud, resource: str) -> str:
    """What AWS calls a resource of the stack."""
    detail = cloud.client("cloudformation").describe_stack_resource(StackName=STACK, LogicalResourceId=resource)
    return str(detail["StackResourceDetail"]["PhysicalResourceId"])


def store() -> InfluxDB:
    found = connect(STACK)
    assert isinstance(found, InfluxDB)
    return found


def rows() -> int:
    return sum(len(group["values"]) for group in store().query('SELECT * FROM "metrics"'))


def alarm(cloud: LocalCloud) -> str:
    name = cloud.outputs(STACK)["BackupAlarmName"]
    [found] = cloud.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"]
    return str(found["StateValue"])


def test_the_alarm_rings_until_a_scheduled_backup_succeeds(
    cloud: LocalCloud, backup: Callable[[], tuple[str, str]], eventually: Eventually
) -> None:
    assert store().write_lines(LINES).rejected == []
    assert eventually(lambda: alarm(cloud) == "ALARM")
    status, said = backup()
    assert (status, "3 days saved" in said) == ("SUCCEEDED", True), said
    assert eventually(lambda: alarm(cloud) == "OK")


def test_a_backup_that_fails_is_mailed_with_its_log(
    cloud: LocalCloud, backup: Callable[[], tuple[str, str]], eventually: Eventually
) -> None:
    place = locate(cloud.outputs(STACK)["BackupLocation"])
    manifest = (place / MANIFEST).read()
    (place / MANIFEST).write(b"no manifest")
    status, said = backup()
    assert (status, "This is not the manifest of a backup" in said) == ("FAILED", True), said
    sent = eventually(lambda: [p for p in cloud.mailbox.glob("*.eml") if "backup of InfluxDB failed" in p.read_text()])
    assert len(sent) == 1
    (place / MANIFEST).write(manifest)


def test_what_was_lost_with_the_stack_comes_back_from_its_bucket(cloud: LocalCloud, deploy: Callable[[], None]) -> None:
    place = locate(cloud.outputs(STACK)["BackupLocation"])
    assert rows() == len(LINES)
    cloud.client("cloudformation").delete_stack(StackName=STACK)
    deploy()
    assert cloud.outputs(STACK)["BackupLocation"] != place.uri
    assert rows() == 0
    assert restore(store(), place).problems == []
    assert rows() == len(LINES)
