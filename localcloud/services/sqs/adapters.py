"""How properties of CloudFormation become parameters of Amazon SQS, where more than a name differs."""

from __future__ import annotations

from localcloud.cloudformation.translation import Properties, as_text, without_empty


def queue(values: Properties) -> Properties:
    """Set every property but name and tags as an attribute; without a key of yours, SQS encrypts with its own."""
    values = {"SqsManagedSseEnabled": not values.get("KmsMasterKeyId"), **values}
    if values.get("FifoQueue") and not values["QueueName"].endswith(".fifo"):  # as CloudFormation makes its names
        values = {**values, "QueueName": f"{values['QueueName']}.fifo"}
    plain = {key: values.pop(key) for key in ("QueueName", "Tags") if key in values}
    return plain | without_empty(Attributes={key: as_text(item) for key, item in values.items()})


def queue_policy(values: Properties) -> Properties:
    """Set the one document on each queue, and say how each is without it."""
    return {"Name": values["Name"], **_policy(values["Queues"], values["PolicyDocument"])}


def queue_inline_policy(values: Properties) -> Properties:
    """Set the document on its queue, and say how it is without it."""
    return _policy([values["Queue"]], values["PolicyDocument"])


def _policy(queues: list[str], document: Properties) -> Properties:
    given, without = (
        [{"QueueUrl": url, "Attributes": {"Policy": policy}} for url in queues] for policy in (as_text(document), "")
    )
    return {"Queues": given, "Without": without}
