"""What moto drops of a function and of each of its versions."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import uuid4


@dataclass
class FunctionState:
    """What moto drops of a function.

    Attributes:
        logging: Its ``LoggingConfig``.
        dead_letter: The ARN of its dead-letter queue or topic; None if it has none.
        has_environment: Whether its configuration has variables, even if there are none.
        revision: Changes with its code and its configuration, each of which gets new execution environments.
        versions: How many versions have been published.
    """

    logging: dict[str, str] = field(default_factory=dict)
    dead_letter: str | None = None
    has_environment: bool = False
    revision: str = field(default_factory=lambda: str(uuid4()))
    versions: int = 0
