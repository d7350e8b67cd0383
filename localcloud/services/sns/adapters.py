"""How properties of CloudFormation become parameters of Amazon SNS, where more than a name differs."""

from __future__ import annotations

from localcloud.cloud.account import ACCOUNT, REGION
from localcloud.cloudformation.translation import Properties, as_text, without_empty


def topic(values: Properties) -> Properties:
    """Set every property but name and tags as an attribute, one by one, and subscribe each subscription.

    A topic is made as a FIFO topic, or never is one; the name that CloudFormation gives it ends accordingly.
    """
    plain: Properties = {key: values.pop(key) for key in ("Name", "Tags") if key in values}
    if as_text(values.pop("FifoTopic", False)) == "true":
        name = f"{plain['Name'].removesuffix('.fifo')}.fifo"
        plain |= {"Name": name, "Attributes": {"FifoTopic": "true"}}
    subscriptions = values.pop("Subscription", [])
    settings = [{"AttributeName": key, "AttributeValue": as_text(item)} for key, item in values.items()]
    return plain | without_empty(Settings=settings, Subscription=subscriptions)


def subscription(values: Properties) -> Properties:
    """Set every property but topic, protocol and endpoint as an attribute.

    Raises:
        ValueError: The topic is in another region.
    """
    if values.pop("Region", REGION) != REGION:
        raise ValueError(f"property Region: the local cloud has topics in {REGION} only")
    plain = {key: values.pop(key) for key in ("TopicArn", "Protocol", "Endpoint", "ReturnSubscriptionArn")}
    settings = [{"AttributeName": key, "AttributeValue": as_text(item)} for key, item in values.items()]
    return plain | without_empty(Settings=settings)


def topic_policy(values: Properties) -> Properties:
    """Set the one document on each topic, and say which one each has without it."""
    return {"Name": values["Name"], **_policy(values["Topics"], values["PolicyDocument"])}


def topic_inline_policy(values: Properties) -> Properties:
    """Set the document on its topic, and say which one it has without it."""
    return {"TopicArn": values["TopicArn"], **_policy([values["TopicArn"]], values["PolicyDocument"])}


#: What the policy allows that SNS gives to a topic.
OWN = [
    f"SNS:{action}"
    for action in (
        "GetTopicAttributes",
        "SetTopicAttributes",
        "AddPermission",
        "RemovePermission",
        "DeleteTopic",
        "Subscribe",
        "ListSubscriptionsByTopic",
        "Publish",
    )
]


def _policy(topics: list[str], document: Properties) -> Properties:
    given = {"AttributeName": "Policy", "AttributeValue": as_text(document)}
    return {
        "Topics": [{"TopicArn": arn, **given} for arn in topics],
        "Without": [{**given, "TopicArn": arn, "AttributeValue": as_text(_own_policy(arn))} for arn in topics],
    }


def _own_policy(arn: str) -> Properties:
    """Return the policy that SNS gives to a topic: whoever belongs to its account may use it."""
    statement = {
        "Effect": "Allow",
        "Sid": "__default_statement_ID",
        "Principal": {"AWS": "*"},
        "Action": OWN,
        "Resource": arn,
        "Condition": {"StringEquals": {"AWS:SourceOwner": ACCOUNT}},
    }
    return {"Version": "2008-10-17", "Id": "__default_policy_ID", "Statement": [statement]}
