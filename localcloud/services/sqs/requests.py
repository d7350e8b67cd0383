"""What SQS refuses of messages, batches and receivers.

moto gaps: it takes empty messages and characters that no message may have, does not count the attributes of a message,
and takes batches of any size with any ids where messages are deleted or hidden. It does not say what differs in a queue
that exists, and answers with empty lists where SQS leaves them out.

Sources: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html, and
API_DeleteMessageBatch.html and API_ReceiveMessage.html there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from moto.core.responses import ActionResult
from moto.core.serialize import BaseJSONSerializer
from moto.sqs.exceptions import (
    BatchEntryIdsNotDistinct,
    BatchRequestTooLong,
    InvalidAttributeName,
    InvalidBatchEntryId,
    InvalidParameterValue,
    MessageAttributesInvalid,
    QueueAlreadyExists,
    SQSException,
    TooManyEntriesInBatchRequest,
)
from moto.sqs.models import Message, Queue, SQSBackend
from moto.sqs.responses import SQSResponse

from localcloud.cloud.context import Cloud
from localcloud.hooks import after, replace, wrap
from localcloud.services.sqs.ordering import source_of

#: Bytes of the messages of a batch.
LARGEST = 1_048_576
MOST_ENTRIES = 10
WRONG_CHARACTER = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
CHARACTERS = "#x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF"
ENTRY = re.compile(r"[A-Za-z0-9_-]{1,80}")
IDENTIFIER = re.compile(r"[!-~]{1,128}")
IDENTIFIERS = ("MessageDeduplicationId", "MessageGroupId")
#: The name of a message's attribute, and how no such name begins.
ATTRIBUTE, RESERVED = re.compile(r"[\w.-]{1,256}"), ("aws.", "amazon.", ".")
OF_FIFO = ("ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit")
TRACE = "AWSTraceHeader"
#: What a receiver may ask for: the parameter, the least and the most, and how SQS says so.
LIMITS = (
    ("MaxNumberOfMessages", 1, 10, "between 1 and 10"),
    ("WaitTimeSeconds", 0, 20, ">= 0 and <= 20"),
)


@wrap(SQSResponse, "send_message")
def _send_message(original: Any, self: SQSResponse) -> Any:
    members = ("MessageBody", "MessageAttributes", *IDENTIFIERS)
    message = {member: self._get_param(member) for member in members}
    queue = self.sqs_backend.get_queue(self._get_queue_name())
    _check_message(message, queue)
    system_attributes = self._get_param("MessageSystemAttributes")
    if trace := self.headers.get("X-Amzn-Trace-Id"):
        traced = {TRACE: {"DataType": "String", "StringValue": trace}}
        self.params["MessageSystemAttributes"] = {**traced, **(system_attributes or {})}
    if queue.fifo_queue and not self._get_param("DelaySeconds"):
        self.params["DelaySeconds"] = None  # messages of a FIFO queue have no delay of their own
    result = original(self)
    if system_attributes:
        digested = Message("", "")
        digested.message_attributes = system_attributes
        result.result["MD5OfMessageSystemAttributes"] = digested.attribute_md5
    return result


@wrap(SQSResponse, "send_message_batch")
def _send_message_batch(original: Any, self: SQSResponse) -> Any:
    """Send the messages that the queue takes, and tell of each of the others why it is not sent."""
    entries, failed = self._get_param("Entries", []), []
    if (total := sum(map(size, entries))) > LARGEST:
        raise BatchRequestTooLong(total)
    queue = self.sqs_backend.get_queue(self._get_queue_name())
    if queue.fifo_queue and any(not entry.get("MessageGroupId") for entry in entries):
        raise SQSException("InvalidParameterValue", "The request must contain the parameter MessageGroupId.")
    for entry in list(entries):
        try:
            _check_message(entry, queue)
        except SQSException as error:
            entries.remove(entry)
            failed.append({"Id": entry["Id"], "Code": error.code, "Message": error.message, "SenderFault": True})
    result: Any = original(self) if entries or not failed else ActionResult({"Successful": [], "Failed": []})
    result.result["Failed"] += failed
    if not result.result["Failed"]:
        del result.result["Failed"]
    return result


def _check_message(message: Mapping[str, Any], queue: Any) -> None:
    """Refuse a message that a queue does not take.

    Raises:
        SQSException: Has SQS's code and words.
    """
    body = message.get("MessageBody") or ""
    if not body:
        raise SQSException("MissingParameter", "The request must contain the parameter MessageBody.")
    if WRONG_CHARACTER.search(body):
        problem = f"Invalid characters found. Valid unicode characters are {CHARACTERS}"
        raise SQSException("InvalidMessageContents", problem)
    for name, attribute in (message.get("MessageAttributes") or {}).items():
        Message.validate_attribute_name(name)
        kind = attribute.get("DataType") or ""
        if not (attribute.get("StringValue") or attribute.get("BinaryValue")):
            problem = f"Message (user) attribute '{name}' must contain a non-empty value of type '{kind}'."
            raise SQSException("InvalidParameterValue", problem)
        if WRONG_CHARACTER.search(attribute.get("StringValue") or ""):
            problem = f"Invalid characters found in the value of message (user) attribute '{name}'."
            raise SQSException("InvalidParameterValue", f"{problem} Valid unicode characters are {CHARACTERS}")
    for parameter in IDENTIFIERS:
        value = message.get(parameter)
        if value is not None and not IDENTIFIER.fullmatch(value):
            problem = f"{parameter} can only include alphanumeric and punctuation characters. 1 to 128 in length."
            start = f"Value {value} for parameter {parameter} is invalid. Reason: "
            raise SQSException("InvalidParameterValue", start + problem)
    if size(message) > queue.maximum_message_size:
        problem = f"Message must be shorter than {queue.maximum_message_size} bytes."
        raise SQSException("InvalidParameterValue", f"One or more parameters are invalid. Reason: {problem}")


def size(message: Mapping[str, Any]) -> int:
    """Return how many bytes of a message count: its body, and names, types and values of its attributes."""
    total = len((message.get("MessageBody") or "").encode())
    for name, attribute in (message.get("MessageAttributes") or {}).items():
        value = attribute.get("StringValue") or attribute.get("BinaryValue") or ""
        total += len(name.encode()) + len((attribute.get("DataType") or "").encode())
        total += len(value.encode() if isinstance(value, str) else value)
    return total


@wrap(SQSResponse, "delete_message_batch", "change_message_visibility_batch")
def _check_entries(original: Any, self: SQSResponse) -> Any:
    identifiers = [entry["Id"] for entry in self._get_param("Entries", [])]
    if len(identifiers) > MOST_ENTRIES:
        raise TooManyEntriesInBatchRequest(len(identifiers))
    for place, identifier in enumerate(identifiers):
        if not ENTRY.fullmatch(identifier):
            raise InvalidBatchEntryId
        if identifier in identifiers[:place]:
            raise BatchEntryIdsNotDistinct(identifier)
    return original(self)


@replace(Message, "validate_attribute_name")
def _validate_attribute_name(name: str) -> None:
    """Take letters of every script, as SQS does."""
    if not ATTRIBUTE.fullmatch(name) or name.lower().startswith(RESERVED):
        problem = f"The message attribute name '{name}' is invalid. Attribute name can contain A-Z, a-z, 0-9, "
        ending = "underscore (_), hyphen (-), and period (.) characters."
        raise MessageAttributesInvalid(problem + ending)


@wrap(SQSResponse, "receive_message")
def _receive(cloud: Cloud, original: Any, self: SQSResponse) -> Any:
    for name, least, most, words in LIMITS:
        value = self._get_param(name)
        if value is not None and not least <= int(value) <= most:
            problem = f"Value {value} for parameter {name} is invalid. Reason: Must be {words}, if provided."
            raise SQSException("InvalidParameterValue", problem)
    if "*" in (self._get_param("MessageAttributeNames") or []):
        self.params["MessageAttributeNames"] = ["All"]
    result = original(self)
    wanted = {*(self._get_param("AttributeNames") or []), *(self._get_param("MessageSystemAttributeNames") or [])}
    if wanted & {"All", "DeadLetterQueueSourceArn"}:
        queue = self.sqs_backend.get_queue(self._get_queue_name())
        for message in result.result.get("Messages", []):
            if source := source_of(cloud, queue, message["MessageId"]):
                message.setdefault("Attributes", {})["DeadLetterQueueSourceArn"] = source
    return result


@wrap(SQSResponse, "create_queue", "list_queues")
def _check_address(original: Any, self: SQSResponse) -> Any:
    """Refuse operations that are not about a queue at the address of a queue."""
    if self.path.strip("/"):
        operation = self._get_action()
        raise SQSException("InvalidAction", f"The action {operation} is not valid for this endpoint.")
    if str((self._get_param("Attributes") or {}).get("FifoQueue", "")).lower() == "false":
        raise InvalidAttributeName("FifoQueue")
    return original(self)


@wrap(SQSBackend, "create_queue")
def _create_queue(
    original: Any, self: SQSBackend, name: str, tags: dict[str, str] | None = None, **attributes: Any
) -> Queue:
    try:
        queue: Queue = original(self, name, tags, **attributes)
    except QueueAlreadyExists:
        present = self.queues[name].attributes
        different = [key for key, value in attributes.items() if str(present.get(key)).lower() != str(value).lower()]
        problem = "A queue already exists with the same name and a different value for attribute"
        raise QueueAlreadyExists(f"{problem} {different[0] if different else ''}".rstrip()) from None
    return queue


@wrap(SQSBackend, "add_permission")
def _add_permission(
    original: Any, self: SQSBackend, region_name: str, queue_name: str, *args: Any, **kwargs: Any
) -> None:
    queue = self.get_queue(queue_name)
    is_first = not queue.policy
    original(self, region_name, queue_name, *args, **kwargs)
    if is_first:
        queue._policy_json["Version"] = "2008-10-17"  # noqa: SLF001 - the policy itself is a text


@after(SQSResponse, "list_queue_tags")
def _list_queue_tags(result: ActionResult, _self: SQSResponse) -> None:
    answer: Any = result.result
    if not answer["Tags"]:
        del answer["Tags"]


@wrap(SQSBackend, "remove_permission")
def _remove_permission(original: Any, self: SQSBackend, queue_name: str, label: str) -> None:
    try:
        original(self, queue_name, label)
    except InvalidParameterValue:
        text = f"Value {label} for parameter Label is invalid. Reason: can't find label."
        raise InvalidParameterValue(text) from None


# Errors that botocore's model of SQS does not describe


@wrap(BaseJSONSerializer, "_get_protocol_specific_error_code")
def _error_code(original: Any, self: BaseJSONSerializer, error: Any) -> str:
    """Name an error as SQS does in JSON; in the query protocol it has its code."""
    code: str = original(self, error)
    return f"{code}Exception" if _is_of_sqs(self) and error.name == "InvalidParameterValue" else code


@after(BaseJSONSerializer, "_serialized_error_to_response")
def _error_status(response: Any, self: BaseJSONSerializer, _response: Any, _error: Any, shape: Any, _body: Any) -> None:
    if _is_of_sqs(self) and shape.name == "ResourceNotFoundException":
        response["status_code"] = 404


def _is_of_sqs(serializer: BaseJSONSerializer) -> bool:
    return bool(serializer.operation_model.service_model.service_name == "sqs")


@wrap(SQSResponse, "set_queue_attributes")
def _check_kind(original: Any, self: SQSResponse) -> Any:
    """Refuse to make a queue one that keeps an order, or one that does not."""
    attributes = self._get_param("Attributes", {}) or {}
    value = str(attributes.get("FifoQueue", "")).lower()
    queue: Any = self.sqs_backend.get_queue(self._get_queue_name())
    if value and not queue.fifo_queue:
        raise InvalidAttributeName("FifoQueue")
    if value == "false":
        problem = "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported."
        raise SQSException("InvalidAttributeValue", problem)
    for name in OF_FIFO:
        if name in attributes and not queue.fifo_queue:
            words = f"You can specify the {name} only when FifoQueue is set to true."
            raise SQSException("InvalidAttributeName", words)
    return original(self)
