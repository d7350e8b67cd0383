"""Keeps PyTorch's compiler out of processes that compile nothing: it takes 2 s to import, as long as PyTorch itself."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import torch

COMPILER = "torch._dynamo"


class _Utilities:
    """Stands for the compiler's `utils`."""

    @staticmethod
    def get_optimize_ddp_mode() -> str:
        """Return the compiler's default."""
        return "ddp_optimizer"

    def __getattr__(self, name: str) -> Any:
        return getattr(importlib.import_module(f"{COMPILER}.utils"), name)


class _NothingCompiled(ModuleType):
    """Stands for the compiler until somebody wants more of it than optimisers and DDP do in each step.

    They tell the compiler not to look into their functions, and where to interrupt what it compiles. Where it compiles
    nothing, both mean nothing. DDP also asks how it would be compiled, and does not do it itself unless the answer is
    `python_reducer`. Whatever else is asked of it imports it, so that `torch.compile` works.
    """

    utils = _Utilities()

    @staticmethod
    def disable(function: Callable[..., Any], *_: Any, **__: Any) -> Callable[..., Any]:
        """Return the function, which nobody compiles."""
        return function

    @staticmethod
    def graph_break(*_: Any) -> None:
        """Interrupt nothing."""

    def __getattr__(self, name: str) -> Any:
        if name == "__file__":  # `inspect` asks every module for its file, also while PyTorch is half imported
            raise AttributeError(name)
        if sys.modules.get(COMPILER) is self:
            del sys.modules[COMPILER]
        return getattr(importlib.import_module(COMPILER), name)


def keep_compiler_out() -> None:
    """Let optimisers work without the compiler, unless this process has imported it already."""
    if COMPILER not in sys.modules:
        sys.modules[COMPILER] = torch._dynamo = _NothingCompiled(COMPILER)  # noqa: SLF001 - where PyTorch looks for it
