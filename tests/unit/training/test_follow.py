"""A one-off instance is followed until its training has ended; a command that only watched leaves it running."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from contract.errors import InputError, UnavailableError
from contract.tags import RUN
from workloads.training.jobs import commands, follow
from workloads.training.jobs.stack import TrainingStack

GROUP = "jobs"
STACK = TrainingStack("Training", {"LogGroupName": GROUP})


class Instance:
    """EC2, with one instance."""

    name = "i-0123456789abcdef0"

    def __init__(self) -> None:
        self.description: dict[str, Any] = {
            "InstanceId": self.name,
            "State": {"Name": "running"},
            "LaunchTime": datetime.now(UTC),
            "Tags": [{"Key": RUN, "Value": "digit-gan-train"}],
        }
        self.reachable = True

    def describe_instances(self, **asked: list[str]) -> dict[str, Any]:
        if not self.reachable:
            raise EndpointConnectionError(endpoint_url="https://ec2")
        if asked["InstanceIds"] != [self.name]:
            raise ClientError({"Error": {"Code": "InvalidInstanceID.NotFound"}}, "DescribeInstances")
        return {"Reservations": [{"Instances": [self.description]}]}

    def terminate_instances(self, **_: list[str]) -> None:
        self.description["State"] = {"Name": "terminated"}
        self.description["StateReason"] = {"Message": "Client.InstanceInitiatedShutdown: Instance initiated shutdown"}

    def say(self, *lines: str) -> None:
        """Lines in its log."""
        logs, stream = boto3.client("logs"), f"one-off/{self.name}"
        if not logs.describe_log_streams(logGroupName=GROUP)["logStreams"]:
            logs.create_log_stream(logGroupName=GROUP, logStreamName=stream)
        events = [{"timestamp": int(time.time() * 1000), "message": line} for line in lines]
        logs.put_log_events(logGroupName=GROUP, logStreamName=stream, logEvents=events)


@pytest.fixture
def instance(aws: None, monkeypatch: pytest.MonkeyPatch) -> Instance:
    boto3.client("logs").create_log_group(logGroupName=GROUP)
    made = Instance()
    for module in (follow, commands):
        monkeypatch.setattr(module, "client", lambda service: {"ec2": made, "logs": boto3.client("logs")}[service])
    return made


@pytest.fixture
def between_looks(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Sets what happens between the looks of whoever follows, one after the other."""

    def happens(*moments: Callable[[], object]) -> None:
        remaining = iter(moments)
        clock = SimpleNamespace(sleep=lambda _: next(remaining)(), time=time.time)
        monkeypatch.setattr(follow, "time", clock)

    return happens


@pytest.mark.parametrize("code", [0, 75])
def test_an_instance_is_followed_with_its_state_log_time_and_exit_code(
    instance: Instance, between_looks: Callable[..., None], code: int
) -> None:
    told = list[str]()
    between_looks(
        lambda: instance.say("epoch 1/2"),
        lambda: instance.say("epoch 2/2", f"the training ended with exit code {code}"),
        instance.terminate_instances,
    )
    ended = follow.follow_instance(STACK, instance.name, told.append)
    assert told == [
        "running (its first line comes when the image is pulled, in about five minutes)",
        "  epoch 1/2",
        "  epoch 2/2",
        f"  the training ended with exit code {code}",
        f"terminated (exit code {code})",
    ]
    assert ended.code == code
    assert len(ended.seconds) == 1


def test_the_time_of_an_instance_that_has_ended_is_that_of_ec2(instance: Instance) -> None:
    instance.terminate_instances()
    assert follow.instance_seconds(instance.description) is None
    instance.description["LaunchTime"] = datetime(2026, 1, 1, 12, tzinfo=UTC)
    instance.description["StateTransitionReason"] = "User initiated (2026-01-01 12:30:00 GMT)"
    assert follow.instance_seconds(instance.description) == 1800


def test_an_instance_that_ends_without_a_word_has_failed_and_where_to_look_is_told(
    instance: Instance, between_looks: Callable[..., None]
) -> None:
    told = list[str]()
    between_looks(instance.terminate_instances)
    assert follow.follow_instance(STACK, instance.name, told.append).code == 1
    assert told[1] == "terminated (Client.InstanceInitiatedShutdown: Instance initiated shutdown)"
    assert told[2].endswith(f"aws ec2 get-console-output --instance-id {instance.name}")


def test_ctrl_c_leaves_the_instance_running_and_says_how_to_come_back(
    instance: Instance, between_looks: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    between_looks(interrupt)
    assert commands.followed(STACK, instance.name) is None
    last = capsys.readouterr().out.splitlines()[-1]
    assert f"groundwork logs {instance.name} --follow" in last
    assert f"groundwork cancel {instance.name}" in last
    assert instance.description["State"]["Name"] == "running"


def test_the_way_back_to_a_job_of_another_stack_names_the_stack(
    instance: Instance, between_looks: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    between_looks(interrupt)
    assert commands.followed(replace(STACK, name="Mine"), instance.name) is None
    assert f"groundwork logs {instance.name} --follow --stack Mine`" in capsys.readouterr().out


def test_who_cannot_ask_aws_any_more_is_told_how_to_come_back(
    instance: Instance, between_looks: Callable[..., None]
) -> None:
    between_looks(lambda: setattr(instance, "reachable", False))
    with pytest.raises(UnavailableError, match="AWS cannot be reached") as left:
        commands.followed(STACK, instance.name)
    assert "groundwork logs i-0123456789abcdef0 --follow" in left.value.advice


def test_a_log_is_read_to_its_end_though_a_page_before_it_is_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    pages = {None: (["first"], "1"), "1": ([], "2"), "2": (["last"], "3"), "3": ([], "3")}

    class Logs:
        def get_log_events(self, nextToken: str | None = None, **_: Any) -> dict[str, Any]:  # noqa: N803
            messages, token = pages[nextToken]
            return {"events": [{"message": message} for message in messages], "nextForwardToken": token}

    monkeypatch.setattr(follow, "client", lambda _: Logs())
    assert list(follow.Log(GROUP).of_instance(Instance.name)) == ["first", "last"]


def test_only_instances_of_ours_are_cancelled(instance: Instance) -> None:
    with pytest.raises(InputError, match="i-0000: This is not a one-off instance of the stack"):
        commands.cancel("i-0000")
    instance.description["Tags"] = [{"Key": "Name", "Value": "server"}]
    with pytest.raises(InputError, match="This is not a one-off instance of the stack"):
        commands.cancel(instance.name)
    assert instance.description["State"]["Name"] == "running"
    instance.description["Tags"] = [{"Key": RUN, "Value": "digit-gan-train"}]
    commands.cancel(instance.name)
    assert instance.description["State"]["Name"] == "terminated"
