"""EventBridge Scheduler: schedules call their targets as their roles, and those that cannot are refused."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localcloud import LocalCloud
from tests.integration.localcloud.test_events import function, logged, queue, receive
from tests.policies import allow, trust


def role(cloud: LocalCloud, service: str = "scheduler", actions: str = "*") -> str:
    name, iam = f"r-{uuid.uuid4().hex}", cloud.client("iam")
    arn = str(iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust(service))["Role"]["Arn"])
    iam.put_role_policy(RoleName=name, PolicyName="allowed", PolicyDocument=allow(actions))
    return arn


def schedule(cloud: LocalCloud, arn: str, expression: str = "", **target: Any) -> str:
    """The name of a new schedule that is due at once, unless it is told otherwise."""
    name, soon = f"s-{uuid.uuid4().hex}", datetime.now(UTC) + timedelta(seconds=1)
    cloud.client("scheduler").create_schedule(
        Name=name,
        ScheduleExpression=expression or f"at({soon:%Y-%m-%dT%H:%M:%S})",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": arn, "RoleArn": role(cloud), **target},
        ActionAfterCompletion="DELETE",
    )
    return name


def refusal(cloud: LocalCloud, arn: str, expression: str = "rate(1 day)", **target: Any) -> str:
    with pytest.raises(ClientError) as error:
        schedule(cloud, arn, expression, **target)
    assert error.value.response["Error"]["Code"] == "ValidationException"
    return str(error.value.response["Error"]["Message"])


def test_a_schedule_sends_its_input_once_and_is_deleted(cloud: LocalCloud, eventually: Any) -> None:
    url, arn = queue(cloud)
    name = schedule(cloud, arn, Input='{"by": "<aws.scheduler.schedule-arn>"}')
    ((message),) = eventually(lambda: receive(cloud, url))
    assert message["by"].endswith(f":schedule/default/{name}")
    with pytest.raises(ClientError, match="does not exist"):
        cloud.client("scheduler").get_schedule(Name=name)


def test_a_schedule_calls_a_function_with_an_event_of_its_own(cloud: LocalCloud, eventually: Any) -> None:
    name = function(cloud, "def handler(event, context): print(event['source'], event['detail-type'])")
    arn = cloud.client("lambda").get_function(FunctionName=name)["Configuration"]["FunctionArn"]
    schedule(cloud, arn)
    assert eventually(lambda: "aws.scheduler Scheduled Event" in logged(cloud, f"/aws/lambda/{name}"))


def test_a_universal_target_is_any_operation_of_a_service(cloud: LocalCloud, eventually: Any) -> None:
    name = f"/{uuid.uuid4().hex}"
    text = json.dumps({"Name": name, "Value": "made", "Type": "String"})
    schedule(cloud, "arn:aws:scheduler:::aws-sdk:ssm:putParameter", Input=text)
    described = cloud.client("ssm").get_parameters
    assert eventually(lambda: [parameter["Value"] for parameter in described(Names=[name])["Parameters"]] == ["made"])


def test_what_a_schedule_cannot_deliver_goes_to_its_dead_letter_queue(cloud: LocalCloud, eventually: Any) -> None:
    url, arn = queue(cloud)
    gone = arn.replace(arn.rpartition(":")[2], "gone")
    schedule(cloud, gone, Input='{"a": 1}', DeadLetterConfig={"Arn": arn})
    assert eventually(lambda: receive(cloud, url)) == [{"a": 1}]


def test_a_schedule_that_cannot_act_is_refused(cloud: LocalCloud) -> None:
    _, arn = queue(cloud)
    assert refusal(cloud, arn, "every(day)") == "Invalid Schedule Expression every(day)."
    assert "at(2030-02-30T00:00:00)" in refusal(cloud, arn, "at(2030-02-30T00:00:00)")
    for unknown in ("arn:aws:ecs:us-east-1:123456789012:cluster/a", "arn:aws:scheduler:::aws-sdk:sqs:fly"):
        assert unknown in refusal(cloud, unknown)


def test_a_schedule_of_a_group_that_is_not_there_is_refused(cloud: LocalCloud) -> None:
    _, arn = queue(cloud)
    with pytest.raises(ClientError, match="Schedule group never does not exist"):
        cloud.client("scheduler").create_schedule(
            Name="a",
            GroupName="never",
            ScheduleExpression="rate(1 day)",
            FlexibleTimeWindow={"Mode": "OFF"},
            Target={"Arn": arn, "RoleArn": role(cloud)},
        )


@pytest.mark.parametrize("account", ["123456789012", "210987654321"])
def test_a_role_may_be_for_the_schedules_of_one_account_and_group(cloud: LocalCloud, account: str) -> None:
    _, arn = queue(cloud)
    group = f"arn:aws:scheduler:us-east-1:{account}:schedule-group/default"
    conditions = {"StringEquals": {"aws:SourceAccount": account, "aws:SourceArn": group}}
    document = json.loads(trust("scheduler"))
    document["Statement"][0]["Condition"] = conditions
    mine = role(cloud)
    cloud.client("iam").update_assume_role_policy(RoleName=mine.rpartition("/")[2], PolicyDocument=json.dumps(document))
    if account == "123456789012":
        assert schedule(cloud, arn, "rate(1 day)", RoleArn=mine)
    else:
        assert "must allow AWS EventBridge Scheduler" in refusal(cloud, arn, RoleArn=mine)


def test_the_names_in_the_input_of_a_universal_target_begin_with_a_capital(cloud: LocalCloud, eventually: Any) -> None:
    name, ecr = uuid.uuid4().hex, cloud.client("ecr")  # a service whose own names begin with a small letter
    text = json.dumps({"RepositoryName": name, "ImageScanningConfiguration": {"ScanOnPush": True}})
    schedule(cloud, "arn:aws:scheduler:::aws-sdk:ecr:createRepository", Input=text)
    made = eventually(lambda: [found for found in repositories(ecr) if found["repositoryName"] == name])
    assert [found["imageScanningConfiguration"] for found in made] == [{"scanOnPush": True}]


def repositories(ecr: Any) -> list[dict[str, Any]]:
    return list(ecr.describe_repositories()["repositories"])


def test_a_schedule_that_is_changed_without_a_state_goes_on(cloud: LocalCloud, eventually: Any) -> None:
    url, arn = queue(cloud)
    scheduler, name = cloud.client("scheduler"), schedule(cloud, arn, "rate(1 day)", Input='{"a": 1}')
    soon = datetime.now(UTC) + timedelta(seconds=1)
    before = scheduler.get_schedule(Name=name)
    window, target = before["FlexibleTimeWindow"], before["Target"]
    due = f"at({soon:%Y-%m-%dT%H:%M:%S})"
    scheduler.update_schedule(Name=name, ScheduleExpression=due, FlexibleTimeWindow=window, Target=target)
    assert scheduler.get_schedule(Name=name)["State"] == "ENABLED"
    assert eventually(lambda: receive(cloud, url)) == [{"a": 1}]
