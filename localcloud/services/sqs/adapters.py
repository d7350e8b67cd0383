"""How properties of CloudFormation become parameters of Amazon SQS, where more than a name differs."""

from __future__ import annotations

from localcloud.cloudformation.translation import Properties, as_text, without_empty


def queue(values: Properties) -> Properties:
    """Set every property but name and tags as an attribute."""
    if values.get("FifoQueue") and not values["QueueName"].endswith(".fifo"):  # as CloudFormation makes its names
        values = {**values, "QueueName": f"{values['QueueName']}.fifo"}
    plain = {key: values.pop(key) for key in ("QueueName", "Tags") if key in values}
    return plain | without_empty(Attributes={key: as_text(item) for key, item in values.items()})


def queue_policy(values: Properties) -> Properties:
    """Set the one document on each queue."""
    policy = {"Policy": as_text(values["PolicyDocument"])}
    return {"Name": values["Name"], "Queues": [{"QueueUrl": url, "Attributes": policy} for url in values["Queues"]]}
