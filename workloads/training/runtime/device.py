"""Which device computes, and in which numeric precision."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Literal

import torch

from contract.errors import InputError

Precision = Literal["float32", "bfloat16", "float16"]


def choose_device(wanted: str, index: int = 0) -> torch.device:
    """The device to compute on.

    Args:
        wanted: `auto`, `cpu`, `cuda` or `mps`.
        index: Which GPU, where there are several.

    Raises:
        InputError: The wanted device is not on this machine.
    """
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if wanted == "auto":
        wanted = next(name for name in ("cuda", "mps", "cpu") if available[name])
    if not available[wanted]:
        raise InputError(
            f"--device {wanted}: This machine has no such device. Leave the option out to use the device that it has."
        )
    return torch.device("cuda", index) if wanted == "cuda" else torch.device(wanted)


def choose_precision(wanted: str, device: torch.device) -> Precision:
    """The precision of the heavy operations; weights and optimiser states stay in float32.

    `auto` takes bfloat16 where the hardware multiplies in it (convolutions take half the time, and no loss scaling is
    needed): recent GPUs, and CPUs with AVX512-BF16 or AMX. Older GPUs get float16, everything else float32.

    Raises:
        InputError: The device does not compute in it.
    """
    match wanted, device.type:
        case "auto", "cuda":
            return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float16"
        case "auto", "cpu":
            return "bfloat16" if torch.cpu._is_avx512_bf16_supported() else "float32"  # noqa: SLF001 - no public name
        case ("auto", _) | ("float32", _):
            return "float32"
        case ("bfloat16", "cuda" | "cpu"):
            return "bfloat16"
        case ("float16", "cuda"):
            return "float16"
    raise InputError(f"--precision {wanted}: The device {device.type} does not compute in it. Choose float32.")


def autocast(device: torch.device, precision: Precision) -> AbstractContextManager[object]:
    """A context in which heavy operations run in the given precision."""
    if precision == "float32":
        return nullcontext()
    return torch.autocast(device.type, dtype=getattr(torch, precision))
