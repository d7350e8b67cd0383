"""Array jobs, jobs over several nodes, fair shares, time limits, and hosts that are taken back."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from localcloud import LocalCloud
from localcloud.errors import LocalCloudError
from tests.policies import allow, trust

Submit = Callable[..., str]
Finish = Callable[[str], dict[str, Any]]
METADATA = """
import json, os, sys, time, urllib.error, urllib.request
base = os.environ["AWS_EC2_METADATA_SERVICE_ENDPOINT"] + "latest/"
ask = urllib.request.Request(base + "api/token", method="PUT", headers={"X-aws-ec2-metadata-token-ttl-seconds": "60"})
token = urllib.request.urlopen(ask).read().decode()
print("watching", flush=True)
while True:
    asked = urllib.request.Request(base + "meta-data/spot/instance-action", headers={"X-aws-ec2-metadata-token": token})
    try:
        print(json.load(urllib.request.urlopen(asked))["action"], flush=True)
        sys.exit(75)
    except urllib.error.HTTPError as error:
        assert error.code == 404
        if "ONCE" in os.environ:
            sys.exit(0)
        time.sleep(0.1)
"""
USER_DATA = """\
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="=="

--==
Content-Type: text/x-shellscript; charset="us-ascii"

#!/bin/bash
{}

--==--
"""
DRAINING = USER_DATA.format("echo ECS_ENABLE_SPOT_INSTANCE_DRAINING=true >> /etc/ecs/ecs.config")


@pytest.fixture(scope="module")
def environment(cloud: LocalCloud) -> str:
    batch = cloud.client("batch")
    role = cloud.client("iam").create_role(RoleName="job-kinds", AssumeRolePolicyDocument=trust("batch"))["Role"]["Arn"]
    made = batch.create_compute_environment(
        computeEnvironmentName="any", type="UNMANAGED", state="ENABLED", serviceRole=role
    )
    return str(made["computeEnvironmentArn"])


@pytest.fixture
def managed(cloud: LocalCloud) -> Callable[..., dict[str, Any]]:
    """Makes the settings of a compute environment of spot instances, with user data in their launch template."""

    def settings(user_data: str = "") -> dict[str, Any]:
        iam, ec2, name = cloud.client("iam"), cloud.client("ec2"), f"managed-{uuid.uuid4().hex[:8]}"
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust("batch", "ec2"))
        data = (
            {"UserData": base64.b64encode(user_data.encode()).decode()} if user_data else {"InstanceType": "m7i.large"}
        )
        ec2.create_launch_template(LaunchTemplateName=name, LaunchTemplateData=data)
        resources = {
            "type": "SPOT",
            "allocationStrategy": "SPOT_PRICE_CAPACITY_OPTIMIZED",
            "minvCpus": 0,
            "maxvCpus": 4,
            "instanceTypes": ["m7i.large"],
            "instanceRole": iam.create_instance_profile(InstanceProfileName=name)["InstanceProfile"]["Arn"],
            "subnets": [ec2.describe_subnets()["Subnets"][0]["SubnetId"]],
            "securityGroupIds": [ec2.describe_security_groups()["SecurityGroups"][0]["GroupId"]],
            "launchTemplate": {"launchTemplateName": name, "version": "$Latest"},
        }
        role = iam.get_role(RoleName=name)["Role"]["Arn"]
        return {
            "computeEnvironmentName": name,
            "type": "MANAGED",
            "state": "ENABLED",
            "serviceRole": role,
            "computeResources": resources,
        }

    return settings


@pytest.fixture(scope="module")
def make_queue(cloud: LocalCloud) -> Callable[..., str]:
    def make(environment: str, **options: Any) -> str:
        name = f"queue-{uuid.uuid4().hex[:8]}"
        order = [{"order": 1, "computeEnvironment": environment}]
        made = cloud.client("batch").create_job_queue(
            jobQueueName=name, state="ENABLED", priority=1, computeEnvironmentOrder=order, **options
        )
        return str(made["jobQueueArn"])

    return make


@pytest.fixture(scope="module")
def queue(environment: str, make_queue: Callable[..., str]) -> str:
    return make_queue(environment)


@pytest.fixture
def submit(cloud: LocalCloud, queue: str) -> Submit:
    """Submits a job that runs a shell script; gives its id."""

    def run(script: str, *, on: str = queue, needs: dict[str, str] | None = None, **submission: Any) -> str:
        batch, name = cloud.client("batch"), f"job-{uuid.uuid4().hex[:8]}"
        resources = {"VCPU": "1", "MEMORY": "128"} | (needs or {})
        container = {
            "image": "any",
            "command": ["sh", "-c", script],
            "resourceRequirements": [{"type": kind, "value": value} for kind, value in resources.items()],
        }
        batch.register_job_definition(jobDefinitionName=name, type="container", containerProperties=container)
        return str(batch.submit_job(jobName=name, jobQueue=on, jobDefinition=name, **submission)["jobId"])

    return run


@pytest.fixture
def describe(cloud: LocalCloud) -> Callable[[str], dict[str, Any]]:
    def ask(job: str) -> dict[str, Any]:
        found: dict[str, Any] = cloud.client("batch").describe_jobs(jobs=[job])["jobs"][0]
        return found

    return ask


@pytest.fixture
def finish(describe: Callable[[str], dict[str, Any]], eventually: Any) -> Finish:
    """Waits for a job's end; gives its description."""

    def wait(job: str) -> dict[str, Any]:
        eventually(lambda: describe(job)["status"] in ("SUCCEEDED", "FAILED"))
        return describe(job)

    return wait


def lines(cloud: LocalCloud, stream: str) -> list[str]:
    answer = cloud.client("logs").get_log_events(logGroupName="/aws/batch/job", logStreamName=stream)
    return [event["message"] for event in answer["events"]]


def test_the_jobs_of_an_array_know_their_index_and_the_array_ends_with_them(
    cloud: LocalCloud, submit: Submit, finish: Finish
) -> None:
    array = submit('echo "$AWS_BATCH_JOB_ARRAY_INDEX of $AWS_BATCH_JOB_ARRAY_SIZE"', arrayProperties={"size": 3})
    parent = finish(array)
    assert (parent["status"], parent["arrayProperties"]["statusSummary"]["SUCCEEDED"]) == ("SUCCEEDED", 3)
    children = [finish(f"{array}:{index}") for index in range(3)]
    assert [child["arrayProperties"]["index"] for child in children] == [0, 1, 2]
    printed = [lines(cloud, child["container"]["logStreamName"]) for child in children]
    assert printed == [["0 of 3"], ["1 of 3"], ["2 of 3"]]


def test_an_array_fails_with_one_of_its_jobs(submit: Submit, finish: Finish) -> None:
    failed = finish(submit('[ "$AWS_BATCH_JOB_ARRAY_INDEX" != 1 ]', arrayProperties={"size": 2}))
    assert (failed["status"], failed["statusReason"]) == ("FAILED", "1 of 2 children failed")
    after = submit("true", dependsOn=[{"jobId": failed["jobId"]}])
    assert finish(after)["statusReason"] == "Dependent Job failed"


def test_an_array_may_run_one_after_the_other(submit: Submit, finish: Finish) -> None:
    array = submit("sleep 0.2", arrayProperties={"size": 2}, dependsOn=[{"type": "SEQUENTIAL"}])
    assert finish(array)["status"] == "SUCCEEDED"
    first, second = finish(f"{array}:0"), finish(f"{array}:1")
    assert second["startedAt"] >= first["stoppedAt"] - 1000  # whole seconds


def test_a_terminated_array_ends_with_all_of_its_jobs(cloud: LocalCloud, submit: Submit, finish: Finish) -> None:
    array = submit("sleep 600", arrayProperties={"size": 2})
    cloud.client("batch").terminate_job(jobId=array, reason="enough")
    assert finish(array)["status"] == "FAILED"
    assert [finish(f"{array}:{index}")["statusReason"] for index in range(2)] == ["enough", "enough"]


def test_nodes_of_a_job_find_each_other_and_end_with_the_main_node(
    cloud: LocalCloud, queue: str, finish: Finish
) -> None:
    batch = cloud.client("batch")
    script = (
        'echo "$AWS_BATCH_JOB_NODE_INDEX/$AWS_BATCH_JOB_NUM_NODES '
        'main $AWS_BATCH_JOB_MAIN_NODE_INDEX at ${AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS:-here}"; '
        '[ "$AWS_BATCH_JOB_NODE_INDEX" = 0 ] && sleep 1 || sleep 600'
    )
    nodes = {"targetNodes": "0:", "container": {"image": "any", "command": ["sh", "-c", script]}}
    batch.register_job_definition(
        jobDefinitionName="nodes",
        type="multinode",
        nodeProperties={"numNodes": 2, "mainNode": 0, "nodeRangeProperties": [nodes]},
    )
    job = batch.submit_job(jobName="nodes", jobQueue=queue, jobDefinition="nodes", nodeOverrides={"numNodes": 3})[
        "jobId"
    ]
    ended = finish(job)
    assert (ended["status"], ended["nodeProperties"]["numNodes"]) == ("SUCCEEDED", 3)
    main, last = (finish(f"{job}#{node}") for node in (0, 2))
    assert [node["nodeDetails"]["isMainNode"] for node in (main, last)] == [True, False]
    assert last["startedAt"] == ended["startedAt"]
    assert lines(cloud, main["container"]["logStreamName"]) == ["0/3 main 0 at here"]
    assert lines(cloud, last["attempts"][0]["container"]["logStreamName"]) == ["2/3 main 0 at 127.0.0.1"]
    assert batch.describe_jobs(jobs=[f"{job}#3"])["jobs"] == []


def test_a_queue_that_shares_fairly_wants_to_know_whose_a_job_is(
    cloud: LocalCloud, environment: str, make_queue: Callable[..., str], submit: Submit, finish: Finish
) -> None:
    batch = cloud.client("batch")
    policy = batch.create_scheduling_policy(name="fair", fairsharePolicy={"shareDecaySeconds": 600})["arn"]
    fair = make_queue(environment, schedulingPolicyArn=policy)
    with pytest.raises(batch.exceptions.ClientException, match="shareIdentifier must be specified"):
        submit("true", on=fair)
    job = finish(submit("true", on=fair, shareIdentifier="digits"))
    assert (job["status"], job["shareIdentifier"]) == ("SUCCEEDED", "digits")


def test_a_job_that_nothing_can_run_says_why_and_is_cancelled_by_the_queues_limit(
    cloud: LocalCloud,
    managed: Callable[..., dict[str, Any]],
    make_queue: Callable[..., str],
    submit: Submit,
    describe: Callable[[str], dict[str, Any]],
    finish: Finish,
    eventually: Any,
) -> None:
    batch, sqs = cloud.client("batch"), cloud.client("sqs")
    small = batch.create_compute_environment(**managed())["computeEnvironmentArn"]
    limits = [
        {"reason": reason, "state": "RUNNABLE", "action": "CANCEL", "maxTimeSeconds": 600}
        for reason in ("MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT", "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE")
    ]
    queue = make_queue(small, jobStateTimeLimitActions=limits)
    policy = {"Policy": allow("sqs:SendMessage", to=("events",))}
    mail = sqs.create_queue(QueueName="blocked", Attributes=policy)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=mail, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events = cloud.client("events")
    pattern = {"source": ["aws.batch"], "detail-type": ["Batch Job Queue Blocked"]}
    events.put_rule(Name="blocked", EventPattern=json.dumps(pattern))
    events.put_targets(Rule="blocked", Targets=[{"Id": "queue", "Arn": arn}])

    without_gpu = submit("true", on=queue, needs={"GPU": "1"})
    too_large = submit("true", on=queue, needs={"VCPU": "8"})
    eventually(lambda: describe(without_gpu).get("statusReason"))
    waiting = describe(without_gpu)
    assert waiting["status"] == "RUNNABLE"
    assert waiting["statusReason"].startswith("MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT - The job needs a GPU")
    told = eventually(lambda: sqs.receive_message(QueueUrl=mail).get("Messages"))
    assert json.loads(told[0]["Body"])["detail"]["statusReason"].startswith("MISCONFIGURATION:")
    for job in (without_gpu, too_large):
        ended = finish(job)
        assert ended["status"] == "FAILED"
        assert ended["statusReason"].startswith("Cancelled by the queue's time limit: MISCONFIGURATION:")


@pytest.mark.parametrize(
    ("user_data", "codes"),
    [(DRAINING, [75, 0]), (USER_DATA.format("echo nothing"), [75, 75]), ("", [75, 75])],
    ids=["draining", "other user data", "no user data"],
)
def test_a_reclaimed_host_gives_notice_and_takes_no_job_if_it_drains(
    cloud: LocalCloud,
    managed: Callable[..., dict[str, Any]],
    make_queue: Callable[..., str],
    submit: Submit,
    finish: Finish,
    describe: Callable[[str], dict[str, Any]],
    eventually: Any,
    user_data: str,
    codes: list[int],
) -> None:
    """Otherwise the next attempt is on the same host, which is about to go, and so is the next job."""
    made = cloud.client("batch").create_compute_environment(**managed(user_data))
    queue = make_queue(made["computeEnvironmentArn"])
    rules = [{"onExitCode": "75", "action": "RETRY"}, {"onReason": "*", "action": "EXIT"}]
    script = f"[ $AWS_BATCH_JOB_ATTEMPT = 1 ] || export ONCE=1; exec python -c '{METADATA}'"
    job = submit(script, on=queue, retryStrategy={"attempts": 2, "evaluateOnExit": rules})
    eventually(lambda: describe(job).get("container", {}).get("logStreamName"))
    eventually(lambda: "watching" in lines(cloud, describe(job)["container"]["logStreamName"]))
    cloud.reclaim(job)
    ended = finish(job)
    assert [attempt["container"]["exitCode"] for attempt in ended["attempts"]] == codes
    first = ended["attempts"][0]["container"]["logStreamName"]
    assert lines(cloud, first) == ["watching", "terminate"]
    other = finish(submit(f"export ONCE=1; exec python -c '{METADATA}'", on=queue))
    assert other["attempts"][0]["container"]["exitCode"] == codes[-1]


def test_user_data_that_batch_cannot_join_with_its_own_is_refused(
    cloud: LocalCloud, managed: Callable[..., dict[str, Any]]
) -> None:
    batch, script = cloud.client("batch"), managed("#!/bin/bash\necho hello\n")
    with pytest.raises(batch.exceptions.ClientException, match="UserData is not MIME multipart format"):
        batch.create_compute_environment(**script)
    good = managed(DRAINING)
    batch.create_compute_environment(**good)
    update = {"computeEnvironment": good["computeEnvironmentName"]}
    with pytest.raises(batch.exceptions.ClientException, match="UserData is not MIME multipart format"):
        batch.update_compute_environment(
            **update, computeResources={"launchTemplate": script["computeResources"]["launchTemplate"]}
        )
    batch.update_compute_environment(**update, computeResources={"maxvCpus": 8})
    [found] = batch.describe_compute_environments(computeEnvironments=[good["computeEnvironmentName"]])[
        "computeEnvironments"
    ]
    assert found["computeResources"] == {**good["computeResources"], "maxvCpus": 8}


def test_a_job_that_ignores_the_notice_goes_with_its_host_and_is_tried_again(
    cloud: LocalCloud, submit: Submit, finish: Finish, describe: Callable[[str], dict[str, Any]], eventually: Any
) -> None:
    rules = [{"onStatusReason": "Host EC2*", "action": "RETRY"}, {"onReason": "*", "action": "EXIT"}]
    job = submit("[ $AWS_BATCH_JOB_ATTEMPT = 2 ] || sleep 600", retryStrategy={"attempts": 3, "evaluateOnExit": rules})
    eventually(lambda: describe(job)["status"] == "RUNNING")
    cloud.reclaim(job, notice_seconds=0)
    ended = finish(job)
    assert (ended["status"], len(ended["attempts"])) == ("SUCCEEDED", 2)
    assert ended["attempts"][0]["statusReason"].startswith("Host EC2 (instance i-")


def test_a_job_that_does_not_run_has_no_host(cloud: LocalCloud) -> None:
    with pytest.raises(LocalCloudError, match="Job absent is not running"):
        cloud.reclaim("absent")
