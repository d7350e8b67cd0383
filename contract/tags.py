"""Tags that one part of the system sets and another reads."""

from __future__ import annotations

EXPECTED_TERMINATION = "groundwork:expected-termination"
"""On an instance that ends itself, with the reason: TerminationAlarm does not count its end."""

RUN = "groundwork:run"
"""On a one-off training instance: the name of what it runs."""

COMMAND, OPTIONS, ROLE = "groundwork:command", "groundwork:options", "groundwork:role"
"""On a one-off training instance: the command that it runs, its options, and the role that the container takes."""

ENVIRONMENT = "groundwork:environment"
"""On all resources of a stack that is of an environment: the environment's name."""
