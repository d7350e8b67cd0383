"""The options that every training workload has; each field is an option of the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from collections.abc import Mapping


class TrainingSettings(BaseModel):
    """What decides the trained weights. A model file extends it with its own fields.

    Runs with equal settings, data and machine are bit-equal on a CPU, and a checkpoint continues only a run with the
    settings it was written with. Every field needs a description: it is the option's help.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """Named sets of values, chosen by `--preset NAME`; options given beside it win."""

    epochs: int = Field(1, ge=1, description="Passes over the training set.")
    seed: int = Field(0, ge=0, lt=2**32, description="Seed of all random numbers.")


class RunOptions(BaseModel):
    """Where and how a run executes: what a checkpoint may change."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    device: Literal["auto", "cpu", "cuda", "mps"] = Field("auto", description="auto: the GPU when there is one.")
    precision: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "auto", description="auto: bfloat16 where the hardware multiplies in it, float16 on older GPUs, else float32."
    )
    strategy: Literal["single", "data-parallel", "ddp"] = Field(
        "single",
        description="single: one device; data-parallel: all GPUs of one process; ddp: torchrun starts one per device.",
    )
    deterministic: bool = Field(
        default=False, description="Bit-equal runs on CUDA as well, at some cost in speed. (On a CPU they always are.)"
    )
    metrics: Literal["local", "cloudwatch"] = Field(
        "local", description="cloudwatch: also send each epoch's figures to the namespace Groundwork/Training."
    )
    resume: bool = Field(
        default=True, description="Continue from the checkpoint in the output if there is one, or start again."
    )
    figures: bool = Field(default=True, description="Draw the figures of the report.")
    tensorboard: bool = Field(
        default=False, description="Also write each epoch's figures for TensorBoard, below tensorboard/ in the output."
    )


class TrialOptions(RunOptions):
    """Where and how the trials of a search execute."""

    figures: bool = Field(
        default=False, description="Draw the figures of each trial's report. (To draw some takes as long as to train.)"
    )
