"""SQS: queues, how much waits in them, and what.

Messages are read where moto keeps them: to receive them would hide them from those for whom they are.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, render_template
from moto.sqs.models import Queue, sqs_backends

from localcloud.console import reading

blueprint = Blueprint("queues", __name__)

SHOWN = 50


def all_queues() -> list[Queue]:
    """Return the queues, by name."""
    cloud = reading.cloud()
    queues: dict[str, Queue] = sqs_backends[cloud.account][cloud.region].queues
    return [queue for _, queue in sorted(queues.items())]


def feeds(queue: Queue) -> list[Queue]:
    """Return the queues whose dead letters a queue holds."""
    return [
        other for other in all_queues() if (other.redrive_policy or {}).get("deadLetterTargetArn") == queue.queue_arn
    ]


@blueprint.get("/queues")
def show_all() -> str:
    """Show the queues."""
    return render_template("queues.html", queues=[(queue, feeds(queue)) for queue in all_queues()])


@blueprint.get("/queues/<name>")
def show(name: str) -> str:
    """Show a queue with its messages."""
    named = (queue for queue in all_queues() if queue.name == name)
    queue = reading.existing(next(named, None), f"There is no queue {name}.")
    messages: list[Any] = list(queue.messages)
    return render_template("queue.html", queue=queue, feeds=feeds(queue), messages=messages[:SHOWN])
