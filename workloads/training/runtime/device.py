"""Which device computes, and in which numeric precision."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Literal

import torch

from contract.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

Precision = Literal["float32", "bfloat16", "float16"]


def choose_device(device: str, index: int = 0) -> torch.device:
    """Choose the device to compute on.

    Args:
        device: `auto`, `cpu`, `cuda` or `mps`.
        index: Which GPU, where there are several.

    Raises:
        InputError: This machine has no such device.
    """
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if device == "auto":
        device = next(name for name in ("cuda", "mps", "cpu") if available[name])
    if not available[device]:
        raise InputError(
            f"--device {device}: This machine has no such device. Leave the option out to use the device that it has."
        )
    return torch.device("cuda", index) if device == "cuda" else torch.device(device)


def choose_precision(precision: str, device: torch.device) -> Precision:
    """Choose the precision of the expensive operations; weights and optimiser states stay in float32.

    `auto` takes bfloat16 where the hardware multiplies in it (convolutions take half the time, and no loss scaling is
    needed): recent GPUs, and CPUs with AVX512-BF16 or AMX. Older GPUs get float16, everything else float32.

    Raises:
        InputError: The device does not compute in it.
    """
    match precision, device.type:
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
    raise InputError(f"--precision {precision}: The device {device.type} does not compute in it. Choose float32.")


def autocast(device: torch.device, precision: Precision) -> AbstractContextManager[object]:
    """Return a context in which heavy operations run in the given precision."""
    if precision == "float32":
        return nullcontext()
    return torch.autocast(device.type, dtype=getattr(torch, precision))


def descend(
    scaler: torch.amp.GradScaler,
    loss: torch.Tensor,
    optimisers: Sequence[torch.optim.Optimizer],
    clip_norm: float | None = None,
) -> None:
    """Take one step down the gradient of a loss, which is scaled on the way where the precision needs it.

    Args:
        scaler: Scales the loss, and leaves out a step whose gradients are not finite.
        loss: Scalar.
        optimisers: They share the weights among them; their gradients are zeroed first.
        clip_norm: Largest norm of the gradient (of each optimiser's weights), if limited.
    """
    for optimiser in optimisers:
        optimiser.zero_grad(set_to_none=True)
    scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
    for optimiser in optimisers:
        if clip_norm is not None:
            scaler.unscale_(optimiser)
            parameters = (parameter for group in optimiser.param_groups for parameter in group["params"])
            torch.nn.utils.clip_grad_norm_(parameters, clip_norm)
        scaler.step(optimiser)
    scaler.update()
