"""Functions as Lambda loads them: one file, and what Lambda tells a run."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

from infra.constructs.inline import source


def load(folder: str) -> ModuleType:
    """A function's code as its template has it, without the packages of this project."""
    name = f"{folder}_index"
    module = ModuleType(name)
    sys.modules[name] = module
    exec(compile(source(folder), f"lambda/{folder}/index.py", "exec"), module.__dict__)  # noqa: S102 - it is ours
    return module


def with_time(*seconds: float) -> Any:
    """What Lambda tells a run that asks repeatedly how much time is left: these seconds, the last ones again."""
    left = list(seconds)

    def remaining() -> float:
        return 1000 * (left.pop(0) if len(left) > 1 else left[0])

    return SimpleNamespace(get_remaining_time_in_millis=remaining)
