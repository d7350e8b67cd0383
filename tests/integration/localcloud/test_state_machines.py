"""State machines: what their executions do as their role, and what becomes of them."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localcloud import LocalCloud
from tests.integration.localcloud.test_events import function, queue, receive
from tests.policies import allow, trust

INVOKE = "arn:aws:states:::lambda:invoke"
CODE = """
def handler(event, context):
    if event.get("fails"):
        raise KeyError("no")
    return {"doubled": event["number"] * 2}
"""


def role(cloud: LocalCloud, *actions: str, service: str = "states") -> str:
    name, iam = f"r-{uuid.uuid4().hex}", cloud.client("iam")
    arn = str(iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust(service))["Role"]["Arn"])
    for number, action in enumerate(actions):
        iam.put_role_policy(RoleName=name, PolicyName=f"p{number}", PolicyDocument=allow(action))
    return arn


def machine(cloud: LocalCloud, states: dict[str, Any], *actions: str) -> str:
    """The ARN of a new state machine that begins with the first of its states, and whose role may do some actions."""
    definition = {"StartAt": next(iter(states)), "States": states}
    created = cloud.client("stepfunctions").create_state_machine(
        name=f"m-{uuid.uuid4().hex}", definition=json.dumps(definition), roleArn=role(cloud, *actions)
    )
    return str(created["stateMachineArn"])


class Executions:
    """Runs state machines to their end."""

    def __init__(self, cloud: LocalCloud, eventually: Any) -> None:
        self.cloud, self.client, self.eventually = cloud, cloud.client("stepfunctions"), eventually

    def run(self, arn: str, **given: Any) -> dict[str, Any]:
        started = self.client.start_execution(stateMachineArn=arn, input=json.dumps(given))
        return self.ended(started["executionArn"])

    def ended(self, execution: str) -> dict[str, Any]:
        def described() -> dict[str, Any] | None:
            answer: dict[str, Any] = self.client.describe_execution(executionArn=execution)
            return answer if answer["status"] != "RUNNING" else None

        return dict(self.eventually(described))

    def output(self, arn: str, **given: Any) -> Any:
        execution = self.run(arn, **given)
        assert execution["status"] == "SUCCEEDED", execution
        return json.loads(execution["output"])


@pytest.fixture
def executions(cloud: LocalCloud, eventually: Any) -> Executions:
    return Executions(cloud, eventually)


@pytest.fixture(scope="module")
def doubling(cloud: LocalCloud) -> str:
    return function(cloud, CODE)


def invoke(name: str, **more: Any) -> dict[str, Any]:
    parameters = {"FunctionName": name, "Payload.$": "$"}
    return {
        "Type": "Task",
        "Resource": INVOKE,
        "Parameters": parameters,
        "OutputPath": "$.Payload",
        "End": True,
        **more,
    }


def test_pass_choice_map_parallel_and_intrinsic_functions(
    cloud: LocalCloud, executions: Executions, doubling: str
) -> None:
    each = {"StartAt": "Double", "States": {"Double": invoke(doubling)}}
    arn = machine(
        cloud,
        {
            "Make": {
                "Type": "Pass",
                "Parameters": {"items.$": "States.Array(States.MathAdd($.first, 1), 5)"},
                "Next": "Is there any?",
            },
            "Is there any?": {
                "Type": "Choice",
                "Choices": [{"Variable": "$.items[0]", "NumericGreaterThan": 1, "Next": "Each"}],
                "Default": "None",
            },
            "Each": {
                "Type": "Map",
                "ItemsPath": "$.items",
                "ItemSelector": {"number.$": "$$.Map.Item.Value"},
                "ItemProcessor": each,
                "Next": "Both",
            },
            "Both": {
                "Type": "Parallel",
                "Branches": [
                    {"StartAt": "Left", "States": {"Left": {"Type": "Pass", "End": True}}},
                    {"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 1, "End": True}}},
                ],
                "ResultSelector": {"left.$": "$[0]", "right.$": "$[1]"},
                "Next": "Done",
            },
            "None": {"Type": "Fail", "Error": "Empty", "Cause": "nothing to do"},
            "Done": {"Type": "Succeed"},
        },
        "lambda:InvokeFunction",
    )
    doubled = [{"doubled": 4}, {"doubled": 10}]
    assert executions.output(arn, first=1) == {"left": doubled, "right": doubled}
    failed = executions.run(arn, first=0)
    assert (failed["status"], failed["error"], failed["cause"]) == ("FAILED", "Empty", "nothing to do")


def test_a_failing_function_is_tried_again_and_caught(cloud: LocalCloud, executions: Executions, doubling: str) -> None:
    retry = [{"ErrorEquals": ["KeyError"], "IntervalSeconds": 1, "MaxAttempts": 1}]
    catch = [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "Caught"}]
    states = {"Double": invoke(doubling, Retry=retry, Catch=catch), "Caught": {"Type": "Pass", "End": True}}
    arn = machine(cloud, states, "lambda:InvokeFunction")
    execution = executions.run(arn, fails=True)
    assert json.loads(execution["output"])["error"]["Error"] == "KeyError"
    history = executions.client.get_execution_history(executionArn=execution["executionArn"])["events"]
    assert [event["type"] for event in history].count("TaskFailed") == 2


def test_messages_are_sent_and_published(cloud: LocalCloud, executions: Executions, eventually: Any) -> None:
    url, queue_arn = queue(cloud)
    topic = cloud.client("sns").create_topic(Name=f"t-{uuid.uuid4().hex}")["TopicArn"]
    cloud.client("sns").subscribe(
        TopicArn=topic, Protocol="sqs", Endpoint=queue_arn, Attributes={"RawMessageDelivery": "true"}
    )
    send = {"QueueUrl": url, "MessageBody": {"by": "queue"}}
    publish = {"TopicArn": topic, "Message": {"by": "topic"}}
    arn = machine(
        cloud,
        {
            "Send": {
                "Type": "Task",
                "Resource": "arn:aws:states:::sqs:sendMessage",
                "Parameters": send,
                "ResultPath": None,
                "Next": "Publish",
            },
            "Publish": {
                "Type": "Task",
                "Resource": "arn:aws:states:::sns:publish",
                "Parameters": publish,
                "ResultPath": None,
                "End": True,
            },
        },
        "sqs:SendMessage",
        "sns:Publish",
    )
    assert executions.output(arn, a=1) == {"a": 1}
    received: list[Any] = []
    assert eventually(lambda: received.extend(receive(cloud, url)) or len(received) == 2)
    assert {message["by"] for message in received} == {"queue", "topic"}


@pytest.fixture(scope="module")
def jobs(cloud: LocalCloud) -> dict[str, str]:
    """A queue of Batch, and the definition of a job that exits with its parameter."""
    batch, name = cloud.client("batch"), f"states-{uuid.uuid4().hex[:8]}"
    environment = batch.create_compute_environment(
        computeEnvironmentName=name, type="UNMANAGED", serviceRole=role(cloud, service="batch")
    )["computeEnvironmentArn"]
    order = [{"order": 1, "computeEnvironment": environment}]
    queue_arn = batch.create_job_queue(jobQueueName=name, state="ENABLED", priority=1, computeEnvironmentOrder=order)[
        "jobQueueArn"
    ]
    container = {"image": "any", "command": ["sh", "-c", "exit Ref::code"], "vcpus": 1, "memory": 128}
    made = batch.register_job_definition(jobDefinitionName=name, type="container", containerProperties=container)
    return {"JobName": name, "JobQueue": queue_arn, "JobDefinition": made["jobDefinitionArn"]}


@pytest.mark.parametrize(("code", "status"), [("0", "SUCCEEDED"), ("3", "FAILED")])
def test_a_task_waits_for_its_job(
    cloud: LocalCloud, executions: Executions, jobs: dict[str, str], code: str, status: str
) -> None:
    parameters = {**jobs, "Parameters": {"code.$": "$.code"}}
    resource = "arn:aws:states:::batch:submitJob.sync"
    states = {"Train": {"Type": "Task", "Resource": resource, "Parameters": parameters, "End": True}}
    execution = executions.run(machine(cloud, states, "batch:*", "events:*"), code=code)
    assert execution["status"] == status
    ended = json.loads(execution["output"] if status == "SUCCEEDED" else execution["cause"])
    assert (ended["Status"], ended["Container"]["ExitCode"]) == (status, int(code))


def test_a_task_may_wait_for_its_token(cloud: LocalCloud, executions: Executions, eventually: Any) -> None:
    url, _ = queue(cloud)
    send = {"QueueUrl": url, "MessageBody": {"token.$": "$$.Task.Token"}}
    resource = "arn:aws:states:::sqs:sendMessage.waitForTaskToken"
    states = {"Ask": {"Type": "Task", "Resource": resource, "Parameters": send, "End": True}}
    arn = machine(cloud, states, "sqs:SendMessage")
    started = executions.client.start_execution(stateMachineArn=arn)["executionArn"]
    ((message),) = eventually(lambda: receive(cloud, url))
    executions.client.send_task_success(taskToken=message["token"], output='{"answer": 42}')
    assert json.loads(executions.ended(started)["output"]) == {"answer": 42}


def test_a_role_without_a_permission_fails_the_task(enforcing: LocalCloud, eventually: Any) -> None:
    executions, name = Executions(enforcing, eventually), function(enforcing, CODE)
    arn = machine(enforcing, {"Double": invoke(name)})
    failed = executions.run(arn, number=1)
    assert (failed["status"], failed["error"]) == ("FAILED", "Lambda.AccessDeniedException")
    assert "lambda:InvokeFunction" in failed["cause"]
    arn = machine(enforcing, {"Double": invoke(name)}, "lambda:InvokeFunction")
    assert executions.output(arn, number=1) == {"doubled": 2}


def test_a_role_that_does_not_let_step_functions_in_is_refused(enforcing: LocalCloud) -> None:
    definition = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Succeed"}}})
    with pytest.raises(ClientError, match="Neither the global service principal"):
        enforcing.client("stepfunctions").create_state_machine(
            name="m", definition=definition, roleArn=role(enforcing, service="lambda")
        )


def test_rules_and_schedules_start_executions(cloud: LocalCloud, executions: Executions, eventually: Any) -> None:
    arn, name = machine(cloud, {"Done": {"Type": "Succeed"}}), f"rule-{uuid.uuid4().hex}"
    events, starts = cloud.client("events"), role(cloud, "states:StartExecution", service="events")
    events.put_rule(Name=name, EventPattern=json.dumps({"source": [name]}))
    with pytest.raises(ClientError, match="RoleArn is required"):
        events.put_targets(Rule=name, Targets=[{"Id": "m", "Arn": arn}])
    events.put_targets(Rule=name, Targets=[{"Id": "m", "Arn": arn, "RoleArn": starts, "InputPath": "$.detail"}])
    events.put_events(Entries=[{"Source": name, "DetailType": "d", "Detail": '{"by": "rule"}'}])
    soon = datetime.now(UTC) + timedelta(seconds=1)
    target = {"Arn": arn, "Input": '{"by": "schedule"}'}
    cloud.client("scheduler").create_schedule(
        Name=name,
        ScheduleExpression=f"at({soon:%Y-%m-%dT%H:%M:%S})",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={**target, "RoleArn": role(cloud, "states:StartExecution", service="scheduler")},
    )

    def inputs() -> set[str]:
        listed = executions.client.list_executions(stateMachineArn=arn)["executions"]
        return {json.loads(executions.ended(item["executionArn"])["input"])["by"] for item in listed}

    assert eventually(lambda: inputs() == {"rule", "schedule"})


def test_the_end_of_an_execution_is_an_event_and_is_counted(
    cloud: LocalCloud, executions: Executions, eventually: Any
) -> None:
    url, queue_arn = queue(cloud)
    arn, name, events = (
        machine(cloud, {"Done": {"Type": "Succeed"}}),
        f"rule-{uuid.uuid4().hex}",
        cloud.client("events"),
    )
    pattern = {"source": ["aws.states"], "detail": {"stateMachineArn": [arn], "status": ["SUCCEEDED"]}}
    events.put_rule(Name=name, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=name, Targets=[{"Id": "q", "Arn": queue_arn}])
    executions.output(arn, a=1)
    ((event),) = eventually(lambda: receive(cloud, url))
    assert event["detail-type"] == "Step Functions Execution Status Change"
    assert (event["detail"]["output"], event["detail"]["status"]) == ('{"a":1}', "SUCCEEDED")
    listed = cloud.client("cloudwatch").list_metrics(
        Namespace="AWS/States", Dimensions=[{"Name": "StateMachineArn", "Value": arn}]
    )["Metrics"]
    assert {metric["MetricName"] for metric in listed} == {"ExecutionsStarted", "ExecutionsSucceeded", "ExecutionTime"}


def test_an_execution_can_be_stopped(cloud: LocalCloud, executions: Executions, eventually: Any) -> None:
    arn = machine(cloud, {"Long": {"Type": "Wait", "Seconds": 3600, "End": True}})
    started = executions.client.start_execution(stateMachineArn=arn)["executionArn"]
    history = executions.client.get_execution_history
    assert eventually(lambda: history(executionArn=started)["events"][-1]["type"] == "WaitStateEntered")
    executions.client.stop_execution(executionArn=started)
    assert executions.ended(started)["status"] == "ABORTED"


@pytest.mark.parametrize(
    ("states", "words"),
    [
        ({"A": {"Type": "Pass", "Next": "B"}}, "Missing 'Next' target: B at /States/A/Next"),
        ({"A": {"Type": "Pass", "QueryLanguage": "JSONata", "End": True}}, "the query language JSONata at /States/A"),
        (
            {"A": {"Type": "Task", "Resource": "arn:aws:states:::ecs:runTask.sync", "End": True}},
            "does not have the task arn:aws:states:::ecs:runTask.sync at /States/A",
        ),
        (
            {"A": {"Type": "Task", "Resource": "arn:aws:states:us-east-1:123456789012:activity:a", "End": True}},
            "does not have the task arn:aws:states:us-east-1:123456789012:activity:a",
        ),
        ({"A": {"Type": "Odd", "End": True}}, "SCHEMA_VALIDATION_FAILED"),
        ({"A": {"Type": "Map", "ItemReader": {}, "End": True}}, "the distributed mode of Map states at /States/A"),
    ],
)
def test_what_there_is_not_is_refused_by_name(cloud: LocalCloud, states: dict[str, Any], words: str) -> None:
    with pytest.raises(ClientError, match="InvalidDefinition") as refusal:
        machine(cloud, states)
    assert words in str(refusal.value)


def test_a_name_is_taken_once(cloud: LocalCloud) -> None:
    client, starts = cloud.client("stepfunctions"), role(cloud)
    definitions = [json.dumps({"StartAt": name, "States": {name: {"Type": "Succeed"}}}) for name in "AB"]
    made = [client.create_state_machine(name="once", definition=definitions[0], roleArn=starts) for _ in range(2)]
    assert made[0]["stateMachineArn"] == made[1]["stateMachineArn"]
    with pytest.raises(client.exceptions.StateMachineAlreadyExists):
        client.create_state_machine(name="once", definition=definitions[1], roleArn=starts)


def test_a_stack_has_a_state_machine_with_substitutions(cloud: LocalCloud, executions: Executions) -> None:
    name, cloudformation = f"machine-{uuid.uuid4().hex[:8]}", cloud.client("cloudformation")
    states = {"Say": {"Type": "Pass", "Result": {"word": "${Word}"}, "End": True}}
    properties = {
        "RoleArn": {"Fn::GetAtt": ["Role", "Arn"]},
        "Definition": {"StartAt": "Say", "States": states},
        "DefinitionSubstitutions": {"Word": "hello"},
    }
    resources: dict[str, Any] = {
        "Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": json.loads(trust("states"))}},
        "Machine": {"Type": "AWS::StepFunctions::StateMachine", "Properties": properties},
    }
    outputs = {"Arn": {"Value": {"Ref": "Machine"}}}

    def deploy(operation: str) -> None:
        body = json.dumps({"Resources": resources, "Outputs": outputs})
        getattr(cloudformation, operation)(StackName=name, TemplateBody=body, Capabilities=["CAPABILITY_IAM"])
        stack = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        assert stack["StackStatus"].endswith(("CREATE_COMPLETE", "UPDATE_COMPLETE")), stack["StackStatusReason"]

    deploy("create_stack")
    arn = cloud.outputs(name)["Arn"]
    assert executions.output(arn) == {"word": "hello"}
    properties["DefinitionSubstitutions"] = {"Word": "goodbye"}
    deploy("update_stack")
    assert (cloud.outputs(name)["Arn"], executions.output(arn)) == (arn, {"word": "goodbye"})
    cloudformation.delete_stack(StackName=name)
    with pytest.raises(executions.client.exceptions.StateMachineDoesNotExist):
        executions.client.describe_state_machine(stateMachineArn=arn)
