"""Events of Amazon EventBridge, notifications of Amazon SNS and Amazon S3."""

from __future__ import annotations

import json
from typing import Any

from behaviours.resources import (
    client,
    eventually,
    expect,
    function,
    logged,
    messages,
    name,
    never,
    queue,
    refused,
)

SHOW = "def handler(event, context):\n    print('it was called')\n"


def _rule(pattern: dict[str, Any], bus: str = "default", **target: Any) -> str:
    """Create a rule with one target; its ARN."""
    events, rule = client("events"), name()
    arn = events.put_rule(Name=rule, EventPattern=json.dumps(pattern), EventBusName=bus)["RuleArn"]
    failed = events.put_targets(Rule=rule, EventBusName=bus, Targets=[{"Id": "one", **target}])["FailedEntryCount"]
    expect(not failed, "the target was refused")
    return str(arn)


def _put(source: str, bus: str = "default", **detail: Any) -> None:
    entry = {"Source": source, "DetailType": "order", "Detail": json.dumps(detail), "EventBusName": bus}
    result = client("events").put_events(Entries=[entry])
    expect(not result["FailedEntryCount"], f"the event was refused: {result['Entries']}")


def an_event_reaches_the_queue_of_its_rule() -> None:
    """An event that matches a rule reaches the rule's queue, and one that does not match does not."""
    (url, arn), source = queue(), name()
    _rule(
        {"source": [source], "detail": {"price": [{"numeric": [">", 10]}], "kind": [{"anything-but": "test"}]}}, Arn=arn
    )
    for price, kind in ((5, "real"), (20, "test"), (30, "real")):
        _put(source, price=price, kind=kind)
    eventually(lambda: messages(url), "the event did not arrive")
    prices = [message["detail"]["price"] for message in messages(url)]
    expect(prices == [30], f"the prices are {prices}")


def a_rule_that_may_call_a_function_does() -> None:
    """A rule calls a function whose policy lets it."""
    created, source = function(SHOW), name()
    arn = _rule({"source": [source]}, Arn=created["FunctionArn"])
    client("lambda").add_permission(
        FunctionName=created["FunctionName"],
        StatementId="rule",
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
        SourceArn=arn,
    )
    _put(source)
    group = f"/aws/lambda/{created['FunctionName']}"
    eventually(lambda: logged(group, "it was called"), "the function was not called")


def a_rule_that_may_not_call_a_function_does_not() -> None:
    """A rule does not call a function that does not let it, and its dead-letter queue says why."""
    (url, letters), created, source = queue(), function(SHOW), name()
    _rule({"source": [source]}, Arn=created["FunctionArn"], DeadLetterConfig={"Arn": letters})
    _put(source)
    group = f"/aws/lambda/{created['FunctionName']}"
    eventually(lambda: messages(url), "there is no dead letter")
    never(lambda: logged(group, "it was called"), "the function was called")


def a_transformer_makes_the_input() -> None:
    """An input transformer makes what the target gets from parts of the event."""
    (url, arn), source = queue(), name()
    transformer = {
        "InputPathsMap": {"who": "$.detail.customer.name", "what": "$.detail-type"},
        "InputTemplate": '{"text": "<what> of <who>", "rule": <aws.events.rule-name>}',
    }
    rule = _rule({"source": [source]}, Arn=arn, InputTransformer=transformer)
    _put(source, customer={"name": "Ada"})
    (message,) = eventually(lambda: messages(url), "the event did not arrive")
    expect(message == {"text": "order of Ada", "rule": rule.rpartition("/")[2]}, f"the message is {message}")


def an_event_bus_of_ones_own_keeps_its_events() -> None:
    """An event on a bus of one's own reaches the rules of that bus, and not those of the default one."""
    (own_url, own), (default_url, default), source, bus = queue(), queue(), name(), name()
    client("events").create_event_bus(Name=bus)
    _rule({"source": [source]}, bus, Arn=own)
    _rule({"source": [source]}, Arn=default)
    _put(source, bus)
    eventually(lambda: messages(own_url), "the event did not arrive")
    never(lambda: messages(default_url), "the event is on the default bus, too")


def a_filter_policy_filters() -> None:
    """A subscription gets the messages that its filter policy lets through."""
    (url, arn), sns = queue(), client("sns")
    topic = sns.create_topic(Name=name())["TopicArn"]
    attributes = {"FilterPolicy": json.dumps({"kind": ["order"]}), "RawMessageDelivery": "true"}
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes=attributes)
    for number, kind in enumerate(("test", "order")):
        attribute = {"kind": {"DataType": "String", "StringValue": kind}}
        sns.publish(TopicArn=topic, Message=str(number), MessageAttributes=attribute)
    eventually(lambda: messages(url), "the message did not arrive")
    expect(messages(url) == [1], f"the messages are {messages(url)}")


def a_bucket_tells_event_bridge() -> None:
    """An object that is put into a bucket with notifications to EventBridge is an event there."""
    (url, arn), bucket, s3 = queue(), name(), client("s3")
    s3.create_bucket(Bucket=bucket)
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={"EventBridgeConfiguration": {}})
    _rule({"source": ["aws.s3"], "detail": {"bucket": {"name": [bucket]}}}, Arn=arn)
    s3.put_object(Bucket=bucket, Key="report.csv", Body=b"a")
    (message,) = eventually(lambda: messages(url), "the event did not arrive")
    expect(message["detail"]["object"]["key"] == "report.csv", f"the event is {message}")


def a_notification_needs_a_permission() -> None:
    """A bucket's notification to a queue that does not let S3 send is refused."""
    (_, arn), bucket, s3 = queue(), name(), client("s3")
    s3.create_bucket(Bucket=bucket)
    configuration = {"QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]}
    refused(
        lambda: s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=configuration),
        "Unable to validate the following destination configurations",
    )
