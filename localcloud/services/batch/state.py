"""What the local cloud keeps about jobs and job queues beside moto's own objects."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class JobState:
    """What moto drops of a job.

    Attributes:
        submission: The parameters of `SubmitJob` that moto drops.
        strategy: The retry strategy: the submission's, or else the job definition's.
        cancelled: Whether somebody cancelled it before it started.
    """

    submission: dict[str, Any] = field(default_factory=dict)
    strategy: dict[str, Any] = field(default_factory=dict)
    cancelled: bool = False


@dataclass
class QueueState:
    """What moto drops of a job queue.

    Attributes:
        limits: Its limits on the time that a job waits without starting (``jobStateTimeLimitActions``).
    """

    limits: list[dict[str, Any]] = field(default_factory=list)
