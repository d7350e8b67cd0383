"""What Lambda refuses of a permission for a function, and who puts events on another event bus."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from localcloud import LocalCloud
from tests.integration.localcloud.test_permissions import (
    ACCOUNT,
    Json,
    allow,
    document,
    function,
    messages,
    queue,
    role,
    session,
    until_denied,
)

PATTERN = "failed to satisfy constraint: Member must satisfy regular expression pattern: "
INVALID = "The provided principal was invalid. Please check the principal and try again."


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    with LocalCloud(tmp_path_factory.mktemp("cloud"), iam="enforce") as running:
        yield running


@pytest.fixture(scope="module")
def called(cloud: LocalCloud) -> str:
    return function(cloud, "def handler(event, context): return 1", role(cloud))


def permission(name: str, **changes: Any) -> Json:
    given = {"StatementId": "s", "Action": "lambda:InvokeFunction", "Principal": "events.amazonaws.com"}
    return {"FunctionName": name, **given, **changes}


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        (
            {"Action": "lambda.InvokeFunction"},
            "ValidationException",
            f"Value 'lambda.InvokeFunction' at 'action' {PATTERN}",
        ),
        ({"Action": "s3:GetObject"}, "ValidationException", f"Value 's3:GetObject' at 'action' {PATTERN}"),
        ({"StatementId": "a.b"}, "ValidationException", f"Value 'a.b' at 'statementId' {PATTERN}([a-zA-Z0-9-_]+)"),
        ({"SourceArn": "bucket"}, "ValidationException", f"Value 'bucket' at 'sourceArn' {PATTERN}arn:"),
        ({"SourceAccount": "12345"}, "ValidationException", rf"Value '12345' at 'sourceAccount' {PATTERN}"),
        (
            {"PrincipalOrgID": "organisation1"},
            "ValidationException",
            f"Value 'organisation1' at 'principalOrgID' {PATTERN}",
        ),
        ({"Principal": "events"}, "InvalidParameterValueException", INVALID),
        ({"Principal": "example.com"}, "InvalidParameterValueException", INVALID),
        ({"Principal": f"arn:aws:iam::{ACCOUNT}:role/absent"}, "InvalidParameterValueException", INVALID),
        ({"Principal": f"arn:aws:iam::{ACCOUNT}:user/absent"}, "InvalidParameterValueException", INVALID),
        ({"FunctionUrlAuthType": "NONE"}, "InvalidParameterValueException", "FunctionUrlAuthType is only supported"),
    ],
)
def test_a_malformed_permission_is_refused(
    cloud: LocalCloud, called: str, changes: Json, code: str, words: str
) -> None:
    with pytest.raises(ClientError, match=re.escape(words)) as refused:
        cloud.client("lambda").add_permission(**permission(called, **changes))
    assert refused.value.response["Error"]["Code"] == code


def test_principals_of_every_kind_are_taken(cloud: LocalCloud, called: str) -> None:
    principals = ["*", ACCOUNT, "999999999999", "s3.amazonaws.com", "lambda.alarms.cloudwatch.amazonaws.com"]
    principals += [f"arn:aws:iam::{ACCOUNT}:root", f"arn:aws:iam::{ACCOUNT}:role/{role(cloud)}"]
    principals += ["arn:aws:iam::999999999999:role/unknown"]
    for principal in principals:
        cloud.client("lambda").add_permission(**permission(called, StatementId=uuid4().hex, Principal=principal))


def test_a_statement_is_in_a_policy_once(cloud: LocalCloud, called: str) -> None:
    cloud.client("lambda").add_permission(**permission(called, StatementId="once"))
    with pytest.raises(ClientError, match=r"The statement id \(once\) provided already exists") as refused:
        cloud.client("lambda").add_permission(**permission(called, StatementId="once"))
    assert refused.value.response["Error"]["Code"] == "ResourceConflictException"


# Event buses


def bus(cloud: LocalCloud) -> tuple[str, str]:
    """A bus whose events of the source "a" are messages of a queue: its ARN, and the queue's URL."""
    events, name = cloud.client("events"), f"bus-{uuid4().hex[:8]}"
    arn = events.create_event_bus(Name=name)["EventBusArn"]
    let_in = document(allow("sqs:SendMessage", Principal={"Service": "events.amazonaws.com"}))
    url, inbox = queue(cloud, Policy=let_in)
    events.put_rule(Name=name, EventBusName=name, EventPattern='{"source": ["a"]}')
    events.put_targets(Rule=name, EventBusName=name, Targets=[{"Id": "inbox", "Arn": inbox}])
    return str(arn), url


def send_on(cloud: LocalCloud, arn: str, **target: Any) -> None:
    """Let a rule on the default bus send events of the source "a" to another one, and put such an event."""
    events, name = cloud.client("events"), f"rule-{uuid4().hex[:8]}"
    events.put_rule(Name=name, EventPattern='{"source": ["a"]}')
    try:
        events.put_targets(Rule=name, Targets=[{"Id": "other", "Arn": arn, **target}])
        events.put_events(Entries=[{"Source": "a", "DetailType": "d", "Detail": json.dumps({})}])
    finally:
        events.disable_rule(Name=name)


def arn_of(name: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:role/{name}"


def test_a_rule_sends_to_another_bus_as_its_role(cloud: LocalCloud) -> None:
    trusts = {"Service": "events.amazonaws.com"}
    arn, url = bus(cloud)
    send_on(cloud, arn, RoleArn=arn_of(role(cloud, allow("events:PutEvents", on=arn), trusts=trusts)))
    assert messages(cloud, url)
    arn, _ = bus(cloud)
    send_on(cloud, arn, RoleArn=arn_of(role(cloud, trusts=trusts)))
    assert until_denied(cloud, arn)["action"] == "events:PutEvents"


def test_a_rule_without_a_role_sends_to_a_bus_of_its_account_that_does_not_deny_it(cloud: LocalCloud) -> None:
    arn, url = bus(cloud)
    send_on(cloud, arn)
    assert messages(cloud, url)
    arn, _ = bus(cloud)
    deny = {"Sid": "no", "Effect": "Deny", "Principal": "*", "Action": "events:PutEvents", "Resource": arn}
    cloud.client("events").put_permission(EventBusName=arn.rpartition("/")[2], Policy=document(deny))
    send_on(cloud, arn)
    assert "explicit deny in a resource-based policy" in until_denied(cloud, arn)["reason"]


def test_a_bus_of_another_account_lets_nobody_in(cloud: LocalCloud) -> None:
    arn = "arn:aws:events:us-east-1:999999999999:event-bus/theirs"
    events = session(cloud, role(cloud, allow("events:PutEvents")))("events")
    with pytest.raises(ClientError, match=f"{arn} because no resource-based policy allows"):
        events.put_events(Entries=[{"Source": "a", "DetailType": "d", "Detail": "{}", "EventBusName": arn}])
    send_on(cloud, f"{arn}-too")
    assert until_denied(cloud, f"{arn}-too")["action"] == "events:PutEvents"


def test_a_target_takes_no_role_that_eventbridge_may_not_assume(cloud: LocalCloud) -> None:
    arn, _ = bus(cloud)
    closed = arn_of(role(cloud))
    with pytest.raises(ClientError, match=f"Provided role '{closed}' cannot be assumed by principal 'events.amazonaws"):
        send_on(cloud, arn, RoleArn=closed)
