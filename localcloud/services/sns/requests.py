"""What SNS refuses of messages, batches and subscriptions.

moto gaps: it takes empty messages and subjects, any name and value of an attribute, entries of a batch with any id, and
drops an entry that it cannot publish without a word; a subscription whose attributes are refused stays.

Sources: https://docs.aws.amazon.com/sns/latest/api/API_Publish.html, and API_PublishBatch and API_Subscribe there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from moto.core.utils import camelcase_to_underscores
from moto.sns.exceptions import SNSException, SNSInvalidParameter, TopicNotFound
from moto.sns.models import SNSBackend, Topic
from moto.sns.responses import SNSResponse
from moto.sns.utils import is_e164, make_arn_for_topic
from moto.sts.models import sts_backends

from localcloud.access.sessions import PARTITION
from localcloud.cloud.account import ACCOUNT, REGION
from localcloud.cloud.context import Cloud
from localcloud.hooks import after, replace, wrap
from localcloud.services.sns import filters
from localcloud.services.sns.behaviour import HASHES, Sequence

#: Bytes of a message with its attributes, and of a batch.
LONGEST = 262_144
#: Characters of a subject.
LONGEST_SUBJECT = 100
#: Bytes of an attribute's name.
LONGEST_NAME = 256
#: Characters of the id of an entry of a batch, and how many entries a batch has.
LONGEST_ID, MOST_ENTRIES = 80, 10
PROTOCOLS = {"application", "email", "email-json", "firehose", "http", "https", "lambda", "sms", "sqs"}
#: What an attribute of a message must use, by the prefix of its type.
VALUES = {"Binary": "Binary", "Number": "String", "String": "String"}
SUBSCRIPTION_DEFAULTS = {"FilterPolicyScope": "MessageAttributes", "RawMessageDelivery": "false"}
ELEMENTS = 6
OF_TOPICS = (
    "add_permission",
    "get_topic_attributes",
    "list_subscriptions_by_topic",
    "publish",
    "publish_batch",
    "remove_permission",
    "set_topic_attributes",
    "subscribe",
)
TOPIC_ATTRIBUTE = re.compile(
    "ContentBasedDeduplication|DeliveryPolicy|DisplayName|FifoThroughputScope|KmsMasterKeyId|Policy|SignatureVersion|"
    "(Application|Firehose|HTTP|Lambda|SQS)(Success|Failure)Feedback(RoleArn|SampleRate)"
)
#: What holds for a topic without a delivery policy.
#: Source: https://docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html
EFFECTIVE_DELIVERY_POLICY = {
    "http": {
        "defaultHealthyRetryPolicy": {
            "minDelayTarget": 20,
            "maxDelayTarget": 20,
            "numRetries": 3,
            "numMaxDelayRetries": 0,
            "numNoDelayRetries": 0,
            "numMinDelayRetries": 0,
            "backoffFunction": "linear",
        },
        "disableSubscriptionOverrides": False,
        "defaultRequestPolicy": {"headerContentType": "text/plain; charset=UTF-8"},
    }
}


class RefusedError(SNSException):
    """What SNS refuses, with its own code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def _refuse(message: str) -> None:
    raise SNSInvalidParameter(f"Invalid parameter: {message}")


@wrap(SNSResponse, "publish")
def _publish(cloud: Cloud, original: Any, self: SNSResponse) -> Any:
    members = (
        "Subject",
        "Message",
        "MessageStructure",
        "MessageAttributes",
        "MessageGroupId",
        "MessageDeduplicationId",
    )
    message = {member: self._get_param(member) for member in members}
    phone_number, target = self._get_param("PhoneNumber"), self._get_param("TargetArn")
    topic = self.backend.topics.get(self._get_param("TopicArn") or target or "")
    if phone_number is not None and not is_e164(phone_number):
        _refuse(f"PhoneNumber Reason: {phone_number} is not valid to publish to")
    _check_message({member: value for member, value in message.items() if value is not None}, topic, "")
    if target and ":endpoint/" in target and target not in self.backend.platform_endpoints:
        _refuse("TargetArn Reason: No endpoint found for the target arn specified")
    if phone_number is None and topic is None and ":endpoint/" not in (target or ""):
        raise TopicNotFound
    result = original(self)
    if topic and topic.fifo_topic:
        result.result["SequenceNumber"] = cloud.state(Sequence, topic).numbers[result.result["MessageId"]]
    return result


@wrap(SNSResponse, *OF_TOPICS)
def _check_arn(original: Any, self: SNSResponse) -> Any:
    parameter = "TargetArn" if self._get_param("TargetArn") else "TopicArn"
    arn = self._get_param(parameter)
    if arn is not None and len(elements := arn.split(":")) < ELEMENTS:
        _refuse(f"{parameter} Reason: An ARN must have at least {ELEMENTS} elements, not {len(elements)}")
    return original(self)


@wrap(SNSResponse, "publish_batch")
def _publish_batch(cloud: Cloud, original: Any, self: SNSResponse) -> Any:
    topic = self.backend.topics.get(self._get_param("TopicArn"))
    entries = self._get_param("PublishBatchRequestEntries", [])
    identifiers = [entry["Id"] for entry in entries]
    if len(entries) <= MOST_ENTRIES and len({*identifiers}) == len(identifiers):  # or moto refuses them
        _check_identifiers(identifiers)
        if sum(map(_size, entries)) > LONGEST:
            text = "The length of all the messages put together is more than the limit."
            raise RefusedError("BatchRequestTooLong", text)
        for number, entry in enumerate(entries, start=1):
            _check_message(entry, topic, f"publishBatchRequestEntries.{number}.member.")
    result = original(self)
    if topic and topic.fifo_topic:
        for entry in result.result["Successful"]:
            entry["SequenceNumber"] = cloud.state(Sequence, topic).numbers[entry["MessageId"]]
    return result


def _check_identifiers(identifiers: list[str]) -> None:
    if not identifiers:
        raise RefusedError("EmptyBatchRequest", "The batch request doesn't contain any entries.")
    for identifier in identifiers:
        problem = "" if re.fullmatch(r"[A-Za-z0-9_-]*", identifier) else "contains an impermissible character"
        if len(identifier) > LONGEST_ID:
            problem = "is too long"
        if problem:
            text = f"The Id of a batch entry in the batch request {problem}: {identifier}"
            raise RefusedError("InvalidBatchEntryId", text)


def _check_message(message: Mapping[str, Any], topic: Topic | None, place: str) -> None:
    """Refuse a message that SNS does not take.

    Args:
        message: What the request says of it, by the names of its parameters.
        topic: Where it is published; None for a phone number, an endpoint, or a topic that is not there.
        place: Where validation errors find the message in the request.

    Raises:
        SNSException: Has SNS's code and words.
    """
    subject, text = message.get("Subject"), message.get("Message") or ""
    if subject is not None and not (0 < len(subject) <= LONGEST_SUBJECT and subject.isprintable()):
        _refuse("Subject")
    for name, attribute in (message.get("MessageAttributes") or {}).items():
        _check_attribute(name, attribute, place)
    if not text:
        _refuse("Empty message")
    if _size(message) > LONGEST:
        _refuse("Message too long")
    if message.get("MessageStructure") == "json":
        _check_structure(text)
    if topic:
        _check_order(message, topic)


def _size(message: Mapping[str, Any]) -> int:
    size = len((message.get("Message") or "").encode())
    for name, attribute in (message.get("MessageAttributes") or {}).items():
        value = attribute.get("StringValue", attribute.get("BinaryValue")) or ""
        size += len(name.encode()) + len((attribute.get("DataType") or "").encode())
        size += len(value.encode() if isinstance(value, str) else value)
    return size


def _check_structure(text: str) -> None:
    try:
        messages = json.loads(text)
    except ValueError:
        messages = None
        _refuse("Message Structure - JSON message body failed to parse")
    if not isinstance(messages, dict) or not isinstance(messages.get("default"), str):
        _refuse("Message Structure - No default entry in JSON message body")


def _check_order(message: Mapping[str, Any], topic: Topic) -> None:
    group, deduplication = message.get("MessageGroupId"), message.get("MessageDeduplicationId")
    if not topic.fifo_topic:
        if deduplication:
            _refuse(
                "MessageDeduplicationId Reason: The request includes MessageDeduplicationId parameter that is not "
                "valid for this topic type"
            )
        return
    if not group:
        _refuse("The MessageGroupId parameter is required for FIFO topics")
    if not deduplication and not topic.content_based_deduplication:
        _refuse(
            "The topic should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided "
            "explicitly"
        )


def _check_attribute(name: str, attribute: Mapping[str, Any], place: str) -> None:
    if problem := _wrong_name(name):
        raise RefusedError("ParameterValueInvalid", problem)
    kind = attribute.get("DataType")
    if kind is None:
        member = f"{place}messageAttributes.{name}.member.dataType"
        text = f"1 validation error detected: Value null at '{member}' failed to satisfy constraint: "
        raise RefusedError("ValidationError", f"{text}Member must not be null")
    prefix, dot, custom = kind.partition(".")
    start = f"The message attribute '{name}'"
    if prefix not in VALUES or (dot and not custom):
        problem = (
            "has an invalid message attribute type, the set of supported type prefixes is Binary, Number, and String."
        )
        raise RefusedError("ParameterValueInvalid", f"{start} {problem}")
    field = VALUES[prefix]
    other = "Binary" if field == "String" else "String"
    if attribute.get(f"{other}Value"):
        raise RefusedError("ParameterValueInvalid", f"{start} with type '{kind}' must use field '{field}'.")
    if not attribute.get(f"{field}Value"):
        problem = f"must contain non-empty message attribute value for message attribute type '{kind}'."
        raise RefusedError("ParameterValueInvalid", f"{start} {problem}")


def _wrong_name(name: str) -> str:
    """Return what is wrong with the name of an attribute of a message, or nothing."""
    if len(name.encode()) > LONGEST_NAME:
        return f"Length of message attribute name must be less than {LONGEST_NAME} bytes."
    if wrong := re.search(r"[^A-Za-z0-9_.-]", name):
        allowed = "Can only include alphanumeric characters, hyphens, underscores, or dots."
        problem = f"'#x{ord(wrong[0]):X}' was found in the message attribute name."
        return f"Invalid non-alphanumeric character {problem} {allowed}"
    for place, is_wrong in (("starting", name.startswith(".")), ("ending", name.endswith("."))):
        if is_wrong:
            return f"Invalid message attribute name {place} with character '.' was found."
    return "Message attribute name can not have successive '.' character." if ".." in name else ""


@wrap(SNSResponse, "subscribe")
def _subscribe(original: Any, self: SNSResponse) -> Any:
    """Subscribe, or leave no subscription behind where an attribute is refused."""
    protocol, topic_arn = self._get_param("Protocol"), self._get_param("TopicArn")
    if protocol == "firehose":
        raise NotImplementedError("the local cloud has no Firehose")
    if protocol not in PROTOCOLS:
        _refuse(f"Amazon SNS does not support this protocol string: {protocol}")
    attributes = self._get_param("Attributes", {}) or {}
    topic = self.backend.topics.get(topic_arn)
    scope = attributes.get("FilterPolicyScope", filters.SCOPES[0])
    for name, value in attributes.items():
        _check_subscription(topic, name, value, "Attributes Reason: ", scope=scope)
    present = self.backend._find_subscription(topic_arn, self._get_param("Endpoint"), protocol)  # noqa: SLF001
    if present:
        for name, value in attributes.items():
            before = str(present.attributes.get(name, SUBSCRIPTION_DEFAULTS.get(name, "")))
            if before.lower() != str(value).lower():
                _refuse("Attributes Reason: Subscription already exists with different attributes")
    known = {*self.backend.subscriptions}
    try:
        result = original(self)
    except SNSException:
        for arn in self.backend.subscriptions.keys() - known:
            del self.backend.subscriptions[arn]
        raise
    _, principal, _ = sts_backends[ACCOUNT][PARTITION].get_caller_identity(self.get_access_key(), REGION)
    for arn in self.backend.subscriptions.keys() - known:
        self.backend.subscriptions[arn].attributes["SubscriptionPrincipal"] = principal
    return result


@wrap(SNSResponse, "set_subscription_attributes")
def _set_subscription_attributes(original: Any, self: SNSResponse) -> Any:
    subscription = self.backend.subscriptions.get(self._get_param("SubscriptionArn"))
    name, value = self._get_param("AttributeName"), self._get_param("AttributeValue") or ""
    if subscription is None:
        raise RefusedError("NotFound", "Subscription does not exist")
    scope = subscription.attributes.get("FilterPolicyScope", filters.SCOPES[0])
    _check_subscription(subscription.topic, name, value, "", str(subscription.endpoint), scope=scope)
    return original(self)


ATTRIBUTES = {
    "DeliveryPolicy",
    "FilterPolicy",
    "FilterPolicyScope",
    "RawMessageDelivery",
    "RedrivePolicy",
    "ReplayPolicy",
    "SubscriptionRoleArn",
}


def _check_subscription(
    topic: Topic | None, name: str, value: str, reason: str, endpoint: str = "", *, scope: str = filters.SCOPES[0]
) -> None:
    """Refuse an attribute of a subscription."""
    if name not in ATTRIBUTES:
        _refuse(f"{reason}AttributeName")
    if name == "RawMessageDelivery" and value.lower() not in {"true", "false"}:
        _refuse(f"{reason}RawMessageDelivery: Invalid value [{value}]. Must be true or false.")
    if name == "FilterPolicyScope" and value not in filters.SCOPES:
        _refuse(f"{reason}{name}: Invalid value [{value}]. Please use either MessageBody or MessageAttributes")
    if name in {"FilterPolicy", "RedrivePolicy"} and value:
        try:
            policy = json.loads(value)
        except ValueError as error:
            policy = {}
            _refuse(f"{reason}{name}: failed to parse JSON. {error}")
        if name == "FilterPolicy":
            try:
                filters.check(value, scope)
            except filters.FilterPolicyError as error:
                start = reason if str(error).startswith(name) else ""
                _refuse(f"{start}{error}")
        queue = policy.get("deadLetterTargetArn", "") if name == "RedrivePolicy" else None
        if queue is not None and len(str(queue).split(":")) < ELEMENTS:
            _refuse(f"{reason}RedrivePolicy: deadLetterTargetArn is an invalid arn")
        is_ordered = topic is not None and topic.fifo_topic and endpoint.endswith(".fifo")
        if queue and is_ordered and not str(queue).endswith(".fifo"):
            _refuse(f"{reason}RedrivePolicy: must use a FIFO queue as DLQ for a FIFO Subscription to a FIFO Topic.")


@wrap(SNSResponse, "unsubscribe")
def _unsubscribe(original: Any, self: SNSResponse) -> Any:
    arn = self._get_param("SubscriptionArn") or ""
    elements = arn.split(":")
    if not arn:
        _refuse("SubscriptionArn Reason: no value for required parameter")
    if len(elements) < ELEMENTS:
        _refuse(f"SubscriptionArn Reason: An ARN must have at least {ELEMENTS} elements, not {len(elements)}")
    try:
        UUID(elements[-1])
    except ValueError:
        _refuse("SubscriptionId")
    return original(self)


@wrap(SNSBackend, "create_topic")
def _create_topic(
    original: Any, self: SNSBackend, name: str, attributes: Any = None, tags: dict[str, str] | None = None
) -> Topic:
    """Give the topic that exists, unless it differs from what is asked for."""
    topic = self.topics.get(make_arn_for_topic(self.account_id, name, self.region_name))
    if topic:
        for attribute, value in (attributes or {}).items():
            if str(getattr(topic, camelcase_to_underscores(attribute), "")) != str(value):
                _refuse("Attributes Reason: Topic already exists with different attributes")
        if any(topic._tags.get(key) != value for key, value in (tags or {}).items()):  # noqa: SLF001
            _refuse("Tags Reason: Topic already exists with different tags")
    created: Topic = original(self, name, attributes, tags)
    return created


@wrap(SNSResponse, "create_topic", "tag_resource")
def _check_tags(original: Any, self: SNSResponse) -> Any:
    keys = [tag["Key"] for tag in self._get_param("Tags", []) or []]
    if len({*keys}) < len(keys):
        _refuse("Duplicated keys are not allowed.")
    return original(self)


@wrap(SNSResponse, "set_topic_attributes")
def _set_topic_attributes(original: Any, self: SNSResponse) -> Any:
    name, value = self._get_param("AttributeName"), self._get_param("AttributeValue")
    if name in {"ArchivePolicy", "TracingConfig"}:
        raise NotImplementedError(f"topics have no {name}")
    if not TOPIC_ATTRIBUTE.fullmatch(name):
        _refuse("AttributeName")
    if name == "SignatureVersion" and value not in HASHES:
        _refuse(f"SignatureVersion Reason: Invalid value [{value}]. Must be 1 or 2.")
    return original(self)


@after(SNSResponse, "get_topic_attributes")
def _get_topic_attributes(result: Any, self: SNSResponse) -> None:
    topic, attributes = self.backend.get_topic(self._get_param("TopicArn")), result.result["Attributes"]
    if not attributes["DeliveryPolicy"]:
        del attributes["DeliveryPolicy"]
    attributes["EffectiveDeliveryPolicy"] = json.dumps(EFFECTIVE_DELIVERY_POLICY)
    for name in ("SignatureVersion", "FifoThroughputScope"):
        if value := getattr(topic, camelcase_to_underscores(name), None):
            attributes[name] = value


@wrap(SNSBackend, "add_permission")
def _add_permission(original: Any, self: SNSBackend, *args: Any, **kwargs: Any) -> None:
    try:
        original(self, *args, **kwargs)
    except SNSInvalidParameter as error:
        _refuse(error.message)


@replace(SNSResponse, "create_platform_application")
def _create_platform_application(_self: SNSResponse) -> Any:
    """Refuse mobile push by name: its notifications would go nowhere."""
    raise NotImplementedError("the local cloud has no mobile push")
