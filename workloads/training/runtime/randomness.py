"""Seeds. Everything random is a function of (seed, process, epoch, batch).

So there is no generator state to save: a run that continues at any batch draws what it would have drawn.
"""

from __future__ import annotations

import os
import random

import numpy as np
import torch


def make_deterministic(*, cuda: bool) -> None:
    """Let PyTorch choose only reproducible kernels: always on a CPU, on CUDA when asked, as it costs speed there."""
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined] # costs time, and nothing here reads it
    if torch.cuda.is_available():
        torch.backends.cudnn.benchmark = not cuda
        if not cuda:
            return
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.set_deterministic_debug_mode("warn")  # use_deterministic_algorithms would tell the compiler, and import it


def seed_everything(*key: int) -> None:
    """Seed the global generators of PyTorch, NumPy and Python from a key such as (seed, process, epoch)."""
    torch_seed, numpy_seed, python_seed = (int(word) for word in np.random.SeedSequence(key).generate_state(3))
    torch.manual_seed(torch_seed)
    np.random.seed(numpy_seed)  # noqa: NPY002 - libraries draw from the global generator
    random.seed(python_seed)


def seed_batch(*key: int) -> None:
    """Seed PyTorch's global generators for one batch; `torch.manual_seed` takes 1.6 ms where CUDA is unused."""
    seed = int(np.random.SeedSequence(key).generate_state(1)[0])
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.manual_seed_all(seed)


def shuffled(count: int, seed: int, epoch: int) -> torch.Tensor:
    """Return the order of `count` rows in an epoch, as int64 indices; the same in every process."""
    key = int(np.random.SeedSequence((seed, epoch)).generate_state(1)[0])
    return torch.randperm(count, generator=torch.Generator().manual_seed(key))
