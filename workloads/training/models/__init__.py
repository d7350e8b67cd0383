"""The models: a folder each, whose ``model.py`` is plain PyTorch from top to bottom and offers one ``WORKLOAD``."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from contract.errors import InputError
from contract.workloads import TRAINING
from workloads.training.runtime.workload import Workload


def load(name: str) -> Workload[Any]:
    """Import the model of a workload. This is slow (PyTorch), so nothing is imported before it is needed.

    Args:
        name: The workload's name on the command line, such as `digit-classifier`.

    Raises:
        InputError: There is no such workload.
    """
    if name not in TRAINING:
        raise InputError(f"There is no workload {name}. Choose one of: {', '.join(TRAINING)}.")
    workload = import_module(f"{__name__}.{TRAINING[name].module}.model").WORKLOAD
    if not isinstance(workload, Workload):
        raise TypeError(f"{name}: WORKLOAD must be a Workload")
    return workload
