"""Message move tasks: what is in a dead-letter queue goes back to where it came from, or to another queue.

moto gap: it has no move tasks.

Sources: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_StartMessageMoveTask.html, and
API_CancelMessageMoveTask.html and API_ListMessageMoveTasks.html there.
"""

from __future__ import annotations

import base64
import json
import time
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from moto.core.responses import ActionResult
from moto.core.utils import unix_time_millis
from moto.sqs.exceptions import SQSException
from moto.sqs.models import Message, Queue, SQSBackend
from moto.sqs.responses import SQSResponse

from localcloud.cloud.context import Cloud
from localcloud.hooks import add
from localcloud.services.sqs.ordering import Way, held, take

#: Messages a second without a limit of the caller's, and the most that a caller may ask for.
FASTEST = 500
RUNNING = "RUNNING"
#: How many tasks of a queue are listed at most.
LISTED = 10


@dataclass
class Task:
    """A message move task.

    Attributes:
        source: The queue whose messages it moves.
        destination: ARN of the queue that gets them; empty where each goes back to where it came from.
        rate: Messages a second, as the caller limits them; None without a limit.
        expected: How many messages there were when it started.
        identity: Its id.
        started: When it started, in milliseconds since the epoch.
        moved: How many messages it has moved.
        status: As ListMessageMoveTasks says it.
        failure: Why it failed; empty unless it did.
    """

    source: str
    destination: str
    rate: int | None
    expected: int
    identity: str = field(default_factory=lambda: str(uuid4()))
    started: int = field(default_factory=lambda: int(unix_time_millis()))
    moved: int = 0
    status: str = RUNNING
    failure: str = ""

    @property
    def handle(self) -> str:
        """What the caller knows it by."""
        document = {"taskId": self.identity, "sourceArn": self.source}
        return base64.b64encode(json.dumps(document).encode()).decode()

    def describe(self) -> dict[str, Any]:
        """Return it as ListMessageMoveTasks shows it."""
        description = {
            "TaskHandle": self.handle if self.status == RUNNING else None,
            "Status": self.status,
            "SourceArn": self.source,
            "DestinationArn": self.destination or None,
            "MaxNumberOfMessagesPerSecond": self.rate,
            "ApproximateNumberOfMessagesMoved": self.moved,
            "ApproximateNumberOfMessagesToMove": self.expected,
            "FailureReason": self.failure or None,
            "StartedTimestamp": self.started,
        }
        return {name: value for name, value in description.items() if value is not None}


@dataclass
class Tasks:
    """The move tasks of a dead-letter queue, the newest first."""

    all: list[Task] = field(default_factory=list)


@add(SQSResponse, "start_message_move_task")
def _start(cloud: Cloud, self: SQSResponse) -> ActionResult:
    backend: SQSBackend = self.sqs_backend
    queue = _queue(backend, "SourceArn", self._get_param("SourceArn"))
    destination, rate = self._get_param("DestinationArn") or "", self._get_param("MaxNumberOfMessagesPerSecond")
    tasks = cloud.state(Tasks, queue).all
    if not any(other.dead_letter_queue is queue for other in backend.queues.values()):
        raise SQSException("InvalidParameterValue", "Source queue must be configured as a Dead Letter Queue.")
    if destination:
        _queue(backend, "DestinationArn", destination)
    if rate is not None and not 1 <= rate <= FASTEST:
        problem = f"Value {rate} for parameter MaxNumberOfMessagesPerSecond is invalid."
        raise SQSException("InvalidParameterValue", f"{problem} Reason: Must be between 1 and {FASTEST}, if provided.")
    if any(task.status == RUNNING for task in tasks):
        problem = "There is already a task running. Only one active task is allowed for a source queue arn at a given "
        raise SQSException("InvalidParameterValue", f"{problem}time.")
    task = Task(queue.queue_arn, destination, rate, len(held(queue)))
    tasks.insert(0, task)
    cloud.background(_move, cloud, backend, queue, task)
    return ActionResult({"TaskHandle": task.handle})


@add(SQSResponse, "cancel_message_move_task")
def _cancel(cloud: Cloud, self: SQSResponse) -> ActionResult:
    try:
        handle = json.loads(base64.b64decode(self._get_param("TaskHandle") or "", validate=True))
        identity, source = str(handle["taskId"]), str(handle["sourceArn"])
    except (ValueError, KeyError, TypeError):
        raise SQSException("InvalidParameterValue", "Value for parameter TaskHandle is invalid.") from None
    tasks = cloud.state(Tasks, _queue(self.sqs_backend, "SourceArn", source)).all
    task = next((task for task in tasks if task.identity == identity and task.status == RUNNING), None)
    if task is None:
        raise SQSException("ResourceNotFoundException", "Task does not exist.")
    task.status = "CANCELLED"
    return ActionResult({"ApproximateNumberOfMessagesMoved": task.moved})


@add(SQSResponse, "list_message_move_tasks")
def _list(cloud: Cloud, self: SQSResponse) -> ActionResult:
    tasks = cloud.state(Tasks, _queue(self.sqs_backend, "SourceArn", self._get_param("SourceArn"))).all
    most = min(self._get_param("MaxResults") or 1, LISTED)
    return ActionResult({"Results": [task.describe() for task in tasks[:most]]})


def _queue(backend: SQSBackend, parameter: str, arn: str) -> Queue:
    queue = next((queue for queue in backend.queues.values() if queue.queue_arn == arn), None)
    if queue is None:
        problem = f"The resource that you specified for the {parameter} parameter doesn't exist."
        raise SQSException("ResourceNotFoundException", problem)
    return queue


def _move(cloud: Cloud, backend: SQSBackend, queue: Queue, task: Task) -> None:
    """Move messages one by one until there are none, or somebody cancels it, or a queue is not there."""
    while task.status == RUNNING:
        with cloud.lock("sqs"):
            message = next(iter(queue.messages), None)
            if message is None:
                task.status = "COMPLETED"
                return
            arn = task.destination or cloud.state(Way, message).source
            destination = next((other for other in backend.queues.values() if other.queue_arn == arn), None)
            if destination is None:
                task.failure = "AWS.SimpleQueueService.NonExistentQueue" if arn else "CouldNotDetermineMessageSource"
                task.status = "FAILED"
                return
            take(queue, message)
            moved = _as_new(message)
            cloud.state(Way, moved).moved = True
            destination.add_message(moved)
            task.moved += 1
        time.sleep(1 / (task.rate or FASTEST))


def _as_new(message: Message) -> Message:
    """Return what SQS takes for a new message with the same content."""
    moved = Message(str(uuid4()), message.body, deepcopy(message.system_attributes))
    moved.message_attributes = message.message_attributes
    moved.group_id, moved.deduplication_id = message.group_id, message.deduplication_id
    moved.mark_sent()
    return moved
