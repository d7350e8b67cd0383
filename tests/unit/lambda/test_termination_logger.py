"""The termination logger: one line for each terminated instance, with why it went, whatever happens on the way."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.functions import load

from .conftest import run

INSTANCE = "i-0123456789abcdef0"
GROUP = "web"
Json = dict[str, Any]


def state_change(state: str = "terminated", instance_id: str = INSTANCE, event_id: str = "7bf73129") -> Json:
    """An event as EC2 sends it (Amazon EC2 User Guide, state change events)."""
    return {
        "id": event_id,
        "detail-type": "EC2 Instance State-change Notification",
        "source": "aws.ec2",
        "account": "123456789012",
        "time": "2026-11-11T21:29:54Z",
        "region": "us-east-1",
        "resources": [f"arn:aws:ec2:us-east-1:123456789012:instance/{instance_id}"],
        "detail": {"instance-id": instance_id, "state": state},
    }


def described(code: str = "", *, tags: Json | None = None, message: str = "") -> Json:
    """A terminated instance, as EC2 describes it."""
    tags = {"aws:autoscaling:groupName": GROUP} if tags is None else tags
    return {
        "InstanceId": INSTANCE,
        "State": {"Name": "terminated"},
        "StateReason": {"Code": code, "Message": message},
        "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
    }


def terminating(cause: str, instance_id: str = INSTANCE) -> Json:
    """An activity of a group, as Auto Scaling describes it."""
    return {"Description": f"Terminating EC2 instance: {instance_id}", "Cause": f"At 2026-11-11T21:29:20Z {cause}"}


SCALE_IN = terminating(
    "a user request update of AutoScalingGroup constraints to min: 0, max: 2, desired: 1 changing the desired capacity "
    "from 2 to 1. At 2026-11-11T21:29:20Z an instance was taken out of service in response to a difference between "
    f"desired and actual capacity, shrinking the capacity from 2 to 1. At 2026-11-11T21:29:20Z instance {INSTANCE} was "
    "selected for termination."
)
NOTICED = terminating(
    "an instance was taken out of service in response to an EC2 health check indicating it has been terminated or "
    "stopped."
)
ELB = terminating("an instance was taken out of service in response to an ELB system health check failure.")
STATUS_CHECK = terminating("an instance was taken out of service in response to an EC2 instance status checks failure.")
MARKED_UNHEALTHY = terminating("an instance was taken out of service in response to a user health-check.")
BY_REQUEST = terminating("an instance was taken out of service in response to a user request.")
REFRESH = terminating("an instance was taken out of service in response to an instance refresh.")

BY_USER = described("Client.UserInitiatedShutdown", message="Client.UserInitiatedShutdown: User initiated shutdown")
BY_SPOT = described("Server.SpotInstanceTermination", message="Server.SpotInstanceTermination: Spot termination")


class Account:
    """What EC2 and Auto Scaling answer."""

    def __init__(self) -> None:
        self.instances: list[Json] = []
        self.activities: list[Json] = []
        self.listed: list[Json] = []
        self.not_found = False
        self.groups: dict[tuple[str, str], list[str]] = {}

    def get_paginator(self, operation: str) -> Any:
        """Pages of groups by tag, of which each has one."""

        def paginate(Filters: list[Json]) -> list[Json]:  # noqa: N803 - boto3's name
            assert operation == "describe_auto_scaling_groups"
            [tag] = Filters
            names = self.groups.get((tag["Name"].removeprefix("tag:"), *tag["Values"]), [])
            return [{"AutoScalingGroups": [{"AutoScalingGroupName": name}]} for name in names]

        return SimpleNamespace(paginate=paginate)

    def describe_instances(self, **_: Any) -> Json:
        if self.not_found:
            raise ClientError({"Error": {"Code": "InvalidInstanceID.NotFound", "Message": ""}}, "DescribeInstances")
        return {"Reservations": [{"Instances": self.instances}] if self.instances else []}

    def describe_scaling_activities(self, **_: Any) -> Json:
        return {"Activities": self.activities}

    def describe_auto_scaling_instances(self, **_: Any) -> Json:
        return {"AutoScalingInstances": self.listed}


@pytest.fixture
def account() -> Account:
    return Account()


@pytest.fixture(scope="module")
def loaded(aws: None) -> ModuleType:
    return load("termination_logger")


@pytest.fixture
def logger(loaded: ModuleType, table: Any, account: Account, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setattr(loaded, "ec2", account)
    monkeypatch.setattr(loaded, "autoscaling", account)
    return loaded


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Callable[[], list[Json]]:
    return lambda: [json.loads(line) for line in capsys.readouterr().out.splitlines()]


Lines = Callable[[], list[Json]]


@pytest.mark.parametrize(
    ("instance", "activity", "outcome"),
    [
        (BY_USER, SCALE_IN, ("scale-in", True)),
        (BY_USER, REFRESH, ("refresh", True)),
        (BY_USER, ELB, ("unhealthy", False)),
        (BY_USER, STATUS_CHECK, ("unhealthy", False)),
        (BY_USER, MARKED_UNHEALTHY, ("unhealthy", False)),
        (BY_USER, NOTICED, ("person-or-program", False)),
        (BY_USER, BY_REQUEST, ("person-or-program", False)),
        (BY_USER, None, ("person-or-program", False)),
        (BY_SPOT, NOTICED, ("spot-interruption", False)),
        (BY_SPOT, None, ("spot-interruption", False)),
        (described("Client.InstanceInitiatedShutdown"), None, ("person-or-program", False)),
        (described("Server.InternalError"), None, ("aws", False)),
        (described("Server.ScheduledStop"), None, ("aws", False)),
        (described("Client.VolumeLimitExceeded"), None, ("launch-failure", False)),
        (described(""), None, ("unknown", False)),
    ],
)
def test_each_termination_has_its_class_and_whether_it_was_expected(
    logger: ModuleType,
    account: Account,
    lines: Lines,
    instance: Json,
    activity: Json | None,
    outcome: tuple[str, bool],
) -> None:
    account.instances, account.activities = [instance], [activity] if activity else []

    logger.handler(state_change(), run("1"))

    [line] = lines()
    assert (line["class"], line["expected"]) == outcome
    assert line["counted"] is not line["expected"]
    assert (line["instanceId"], line["group"], line["terminatedAt"]) == (INSTANCE, GROUP, "2026-11-11T21:29:54Z")


def test_the_line_quotes_what_aws_says(logger: ModuleType, account: Account, lines: Lines) -> None:
    account.instances, account.activities = [BY_USER], [NOTICED]
    logger.handler(state_change(), run("1"))
    assert lines()[0]["reason"] == "Client.UserInitiatedShutdown: User initiated shutdown"


@pytest.mark.parametrize(("value", "expected"), [("true", True), ("", True), ("yes", True), ("false", False)])
def test_a_tag_makes_a_termination_expected(
    logger: ModuleType, account: Account, lines: Lines, value: str, expected: bool
) -> None:
    tags = {"aws:autoscaling:groupName": GROUP, "groundwork:expected-termination": value}
    account.instances = [described("Client.UserInitiatedShutdown", tags=tags)]
    logger.handler(state_change(), run("1"))
    assert [(line["expected"], line["counted"]) for line in lines()] == [(expected, not expected)]


def test_a_setting_counts_expected_terminations_too(
    logger: ModuleType, account: Account, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logger, "COUNT_EXPECTED", True)
    account.instances, account.activities = [BY_USER], [SCALE_IN]
    logger.handler(state_change(), run("1"))
    assert [(line["expected"], line["counted"]) for line in lines()] == [(True, True)]


# Which instances ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tags", [{"aws:autoscaling:groupName": "other"}, {"Name": "mine"}, {}])
def test_instances_outside_the_group_are_passed_over(
    logger: ModuleType, account: Account, lines: Lines, tags: Json
) -> None:
    account.instances, account.activities = [described("Client.UserInitiatedShutdown", tags=tags)], []
    logger.handler(state_change(), run("1"))
    assert lines() == []


def test_instances_of_another_group_are_passed_over_though_that_group_tells_why_they_went(
    logger: ModuleType, account: Account, lines: Lines
) -> None:
    account.instances = [described("Client.UserInitiatedShutdown", tags={"aws:autoscaling:groupName": "other"})]
    account.activities = [NOTICED]
    logger.handler(state_change(), run("1"))
    assert lines() == []


@pytest.mark.parametrize("tags", [{"aws:autoscaling:groupName": "other"}, {"Name": "mine"}, {}])
def test_all_instances_are_watched_when_asked_for(
    logger: ModuleType, account: Account, lines: Lines, monkeypatch: pytest.MonkeyPatch, tags: Json
) -> None:
    monkeypatch.setattr(logger, "WATCH", "all")
    account.instances = [described("Client.UserInitiatedShutdown", tags=tags)]
    logger.handler(state_change(), run("1"))
    [line] = lines()
    assert (line["class"], line["counted"]) == ("person-or-program", True)
    assert line["group"] == tags.get("aws:autoscaling:groupName", "")


@pytest.mark.parametrize("watch", ["groups:api,jobs", "tag:Team=shop"])
@pytest.mark.parametrize(("group", "counts"), [("api", True), ("jobs", True), ("web", False), ("other", False)])
def test_existing_groups_are_watched_by_name_or_tag(
    logger: ModuleType,
    account: Account,
    lines: Lines,
    monkeypatch: pytest.MonkeyPatch,
    watch: str,
    group: str,
    counts: bool,
) -> None:
    monkeypatch.setattr(logger, "WATCH", watch)
    monkeypatch.setattr(logger, "GROUP", "")
    account.groups = {("Team", "shop"): ["api", "jobs"], ("Team", "bank"): ["other"]}
    account.instances = [described("Client.UserInitiatedShutdown", tags={"aws:autoscaling:groupName": group})]
    logger.handler(state_change(), run("1"))
    assert [line["group"] for line in lines()] == ([group] if counts else [])


def test_an_untagged_instance_is_known_by_the_activities_of_a_watched_group(
    logger: ModuleType, account: Account, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logger, "WATCH", "groups:api")
    monkeypatch.setattr(logger, "GROUP", "")
    account.instances, account.activities = [described("Client.UserInitiatedShutdown", tags={})], [SCALE_IN]
    logger.handler(state_change(), run("1"))
    assert [(line["class"], line["group"]) for line in lines()] == [("scale-in", "api")]


@pytest.mark.parametrize("not_found", [True, False])
def test_an_instance_that_ec2_does_not_know_is_not_lost(
    logger: ModuleType, account: Account, lines: Lines, not_found: bool
) -> None:
    account.not_found = not_found
    logger.handler(state_change(), run("1"))
    assert [(line["class"], line["counted"]) for line in lines()] == [("unknown", True)]


def test_an_instance_whose_tags_are_gone_is_known_by_the_groups_activities(
    logger: ModuleType, account: Account, lines: Lines
) -> None:
    account.instances, account.activities = [described("Client.UserInitiatedShutdown", tags={})], [SCALE_IN]
    logger.handler(state_change(), run("1"))
    assert [(line["class"], line["group"]) for line in lines()] == [("scale-in", GROUP)]


def test_an_instance_whose_tags_are_gone_is_known_by_the_groups_list(
    logger: ModuleType, account: Account, lines: Lines
) -> None:
    account.instances = [described("", tags={})]
    account.listed = [{"InstanceId": INSTANCE, "AutoScalingGroupName": GROUP}]
    logger.handler(state_change(), run("1"))
    assert [(line["class"], line["counted"]) for line in lines()] == [("unknown", True)]


def test_another_instances_activity_says_nothing(logger: ModuleType, account: Account, lines: Lines) -> None:
    account.instances = [BY_USER]
    account.activities = [terminating(SCALE_IN["Cause"], "i-0fedcba9876543210")]
    logger.handler(state_change(), run("1"))
    assert [line["class"] for line in lines()] == ["person-or-program"]


class Pages:
    """A group's activities as Auto Scaling lists them: a hundred in a page, the latest first."""

    def __init__(self, activities: list[Json], *, size: int = 100) -> None:
        self.activities, self.size, self.read = activities, size, 0

    def describe_scaling_activities(self, MaxRecords: int, NextToken: str = "0", **_: Any) -> Json:  # noqa: N803
        start, end = int(NextToken), int(NextToken) + min(MaxRecords, self.size)
        self.read += 1
        more = {"NextToken": str(end)} if end < len(self.activities) else {}
        return {"Activities": self.activities[start:end], **more}


def named(number: int) -> str:
    return f"i-{number:017x}"


@pytest.mark.parametrize("size", [100, 30])
def test_of_a_group_that_shrinks_to_nothing_no_termination_is_counted(
    logger: ModuleType, account: Account, lines: Lines, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    activities = [terminating(SCALE_IN["Cause"], named(number)) for number in range(1000)]
    monkeypatch.setattr(logger, "autoscaling", Pages(activities, size=size))
    for number in range(0, 1000, 9):
        account.instances = [BY_USER | {"InstanceId": named(number)}]
        logger.handler(state_change(instance_id=named(number)), run("1"))
    told = lines()
    assert len(told) == 112
    assert {(line["class"], line["counted"]) for line in told} == {("scale-in", False)}


@pytest.mark.parametrize(("number", "pages"), [(0, 1), (99, 1), (100, 2), (999, 10)])
def test_activities_are_read_until_they_name_the_instance(
    logger: ModuleType, monkeypatch: pytest.MonkeyPatch, number: int, pages: int
) -> None:
    group = Pages([terminating(SCALE_IN["Cause"], named(other)) for other in range(1000)])
    monkeypatch.setattr(logger, "autoscaling", group)
    assert len(logger.find_activities(GROUP, named(number))) == 1
    assert group.read == pages


def test_an_instance_that_no_activity_terminated_is_looked_for_until_its_launch(
    logger: ModuleType, account: Account, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    launched = {"Description": f"Launching a new EC2 instance: {INSTANCE}", "Cause": "At ... was launched"}
    others = [terminating(SCALE_IN["Cause"], named(other)) for other in range(1000)]
    group = Pages([*others[:150], launched, *others[150:]])
    monkeypatch.setattr(logger, "autoscaling", group)
    account.instances = [BY_USER]
    logger.handler(state_change(), run("1"))
    assert [(line["class"], line["counted"]) for line in lines()] == [("person-or-program", True)]
    assert group.read == 2


def test_activities_from_long_before_the_termination_are_not_read(
    logger: ModuleType, account: Account, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminated = datetime(2026, 11, 11, 21, 29, 54, tzinfo=UTC)
    others = [
        terminating(SCALE_IN["Cause"], named(other)) | {"StartTime": terminated - timedelta(hours=other)}
        for other in range(1000)
    ]
    group = Pages(others)
    monkeypatch.setattr(logger, "autoscaling", group)
    account.instances = [BY_USER]
    logger.handler(state_change(), run("1"))
    assert [line["class"] for line in lines()] == ["person-or-program"]
    assert group.read == 1
    group.read, account.instances = 0, [BY_USER | {"InstanceId": named(60)}]
    logger.handler(state_change(instance_id=named(60)), run("1"))  # delayed by a lifecycle hook for two days and a half
    assert [line["class"] for line in lines()] == ["scale-in"]


def test_a_page_without_activities_is_not_the_last_one(
    logger: ModuleType, account: Account, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([{"Activities": [], "NextToken": "more"}, {"Activities": [SCALE_IN]}])
    monkeypatch.setattr(logger, "autoscaling", SimpleNamespace(describe_scaling_activities=lambda **_: next(answers)))
    account.instances = [BY_USER]
    logger.handler(state_change(), run("1"))
    assert [line["class"] for line in lines()] == ["scale-in"]


def test_a_failing_service_fails_the_run_and_the_next_attempt_succeeds(
    logger: ModuleType, account: Account, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    def throttled(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "RequestLimitExceeded", "Message": ""}}, "DescribeInstances")

    monkeypatch.setattr(logger, "ec2", SimpleNamespace(describe_instances=throttled))
    with pytest.raises(ClientError, match="RequestLimitExceeded"):
        logger.handler(state_change(), run("1"))
    monkeypatch.setattr(logger, "ec2", account)
    account.instances = [BY_USER]
    logger.handler(state_change(), run("1"))
    assert len(lines()) == 1


# Events that are not a termination -------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["pending", "running", "stopping", "stopped", "shutting-down"])
def test_the_other_states_are_refused(logger: ModuleType, lines: Lines, state: str) -> None:
    with pytest.raises(ValueError, match=f"not the termination of an instance: '{INSTANCE}' became '{state}'"):
        logger.handler(state_change(state), run("1"))
    assert lines() == []


@pytest.mark.parametrize(
    ("event", "message"),
    [
        ({}, "'detail' is missing"),
        ({"detail": None}, "not an EC2 state change"),
        ({"detail": {"instance_id": INSTANCE, "state": "terminated"}, "time": "t"}, "'instance-id' is missing"),
        ({"detail": {"instance-id": INSTANCE}, "time": "t"}, "'state' is missing"),
        ({"detail": {"instance-id": INSTANCE, "state": "terminated"}}, "'time' is missing"),
        ({"detail": {"instance-id": 7, "state": "terminated"}, "time": "t"}, "not the termination of an instance: 7"),
        ([], "not an EC2 state change"),
    ],
)
def test_malformed_events_fail_and_say_what_is_wrong(
    logger: ModuleType, lines: Lines, event: Any, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        logger.handler(event, run("1"))
    assert lines() == []


def test_a_spot_warning_is_not_taken_for_a_termination(logger: ModuleType) -> None:
    warning = state_change() | {
        "detail-type": "EC2 Spot Instance Interruption Warning",
        "detail": {"instance-id": INSTANCE, "instance-action": "terminate"},
    }
    with pytest.raises(ValueError, match="'state' is missing"):
        logger.handler(warning, run("1"))


# Once, and only once ------------------------------------------------------------------------------------------------


def test_an_event_delivered_twice_gives_one_line(logger: ModuleType, account: Account, lines: Lines) -> None:
    account.instances = [BY_USER]
    answers = [logger.handler(state_change(event_id=run_id), run(run_id)) for run_id in ("1", "2", "2")]
    assert answers == ["recorded", "recorded already", "recorded already"]
    assert len(lines()) == 1


class Atomic:
    """A table whose calls are atomic, as DynamoDB's are; moto's are not, between threads of one process."""

    def __init__(self, table: Any) -> None:
        self.table, self.meta, self.lock = table, table.meta, threading.Lock()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(**arguments: Any) -> Any:
            with self.lock:
                return getattr(self.table, name)(**arguments)

        return call


def test_events_delivered_at_the_same_time_give_one_line(
    logger: ModuleType, account: Account, lines: Lines, table: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    account.instances = [BY_USER]
    monkeypatch.setattr(logger, "table", Atomic(table))
    barrier = threading.Barrier(8)

    def deliver(request_id: str) -> str:
        barrier.wait()
        try:
            answer: str = logger.handler(state_change(), run(request_id))
        except RuntimeError:
            answer = "to be tried again"
        return answer

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(deliver, map(str, range(8))))

    assert answers.count("recorded") == 1
    assert len(lines()) == 1
    for number, answer in enumerate(answers):  # Lambda repeats what failed
        if answer == "to be tried again":
            assert logger.handler(state_change(), run(str(number))) == "recorded already"
    assert lines() == []


def test_a_run_that_dies_after_its_claim_is_repeated_by_its_next_attempt(
    logger: ModuleType, account: Account, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    account.instances = [BY_USER]
    with monkeypatch.context() as patch:
        patch.setattr(logger, "classify", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            logger.handler(state_change(), run("1"))
    assert logger.handler(state_change(), run("1")) == "recorded"
    assert len(lines()) == 1


def test_a_duplicate_waits_for_the_run_that_holds_the_claim(logger: ModuleType, account: Account, lines: Lines) -> None:
    account.instances = [BY_USER]
    assert logger.claim(INSTANCE, "1")
    with pytest.raises(RuntimeError, match="is claimed by run 1: to be tried again"):
        logger.handler(state_change(), run("2"))
    assert lines() == []


def test_a_claim_that_lapsed_is_taken_over(
    logger: ModuleType, account: Account, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    account.instances = [BY_USER]
    with monkeypatch.context() as patch:
        patch.setattr(logger, "CLAIM_SECONDS", -1)
        assert logger.claim(INSTANCE, "1")
    assert logger.handler(state_change(), run("2")) == "recorded"
    assert len(lines()) == 1


def test_records_expire_after_failed_events_have_left_the_dead_letter_queue(logger: ModuleType, table: Any) -> None:
    logger.claim(INSTANCE, "1")
    record = table.get_item(Key={"instanceId": INSTANCE})["Item"]
    fourteen_days = 14 * 86400
    assert record["expiresAt"] - record["claimedUntil"] > fourteen_days
