"""Forty things that people rely on, each a function that uses only boto3 and the endpoint in the environment.

A behaviour's docstring is the sentence that must hold. The function returns if it holds, and raises if it does not.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

AREAS = ("alarms", "cloudformation", "data", "events", "functions", "jobs")
Behaviour = Callable[[], None]


def behaviours() -> dict[str, Behaviour]:
    """Return every behaviour by its name, such as ``jobs.a_job_that_exits_3_fails``, in the order of the files."""
    modules = {area: import_module(f"behaviours.{area}") for area in AREAS}
    return {
        f"{area}.{name}": function
        for area, module in modules.items()
        for name, function in vars(module).items()
        if callable(function) and getattr(function, "__module__", "") == module.__name__ and not name.startswith("_")
    }
