"""What a model offers to the command line."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from workloads.training.runtime.settings import TrainingSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import optuna
    import pandas as pd
    from torch import Tensor, nn

    from workloads.storage import Location
    from workloads.training.runtime.results import Results
    from workloads.training.runtime.run import Run

STANDARD_ERROR = "objective_standard_error"
"""The column of history.csv with the standard error of the objective, over the rows that it was measured on."""


@dataclass(frozen=True)
class Predictions:
    """What a model says of rows that it has not seen.

    Attributes:
        table: One row an input row, in order; the first column is `prediction`.
        notes: What a person should know of the input, a sentence each: what was left out, or is not as in training.
    """

    table: pd.DataFrame
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Exportable:
    """What a trained model computes, as one network, for `groundwork export`.

    Attributes:
        network: Called with the inputs; what it returns has a row for each row of theirs.
        inputs: An example of each input, by its name in the exported file, in the order of the network's parameters:
            [n, ...], with equally many rows, at least two.
        output: The name of what it returns.
    """

    network: nn.Module
    inputs: Mapping[str, Tensor]
    output: str


SettingsType = TypeVar("SettingsType", bound=TrainingSettings)


@dataclass(frozen=True)
class Workload(Generic[SettingsType]):
    """What a model file offers to the command line, as its module's `WORKLOAD`.

    Attributes:
        settings: The model's options, with defaults and descriptions.
        fit: Trains on the data at a location and returns the results; see `Run` for what it is given.
        predict: `predict(run, inputs)`. `run` is the location of a run folder, `inputs` that of a file or folder.
            Raises InputError when it cannot be read.
        unit: What one training row is called in the throughput, in the plural ("images").
        search: Values of settings for one trial of `tune`, drawn from an Optuna trial; None: cannot be tuned.
        trial_settings: Settings of every trial: what would take time and has no part in the objective.
        grid: Values of settings that `tune --sampler grid` tries in all combinations.
        objective: The column of history.csv that `tune` improves, and in which direction. A model that can tell the
            standard error of it records it beside it, as `STANDARD_ERROR`.
        generate: `generate(run, digits, count, seed)`: so many images of each digit, as file names and their content;
            None: the model generates nothing.
        export: `export(run)`: what a finished run computes, for `groundwork export`; None: it cannot be exported.
    """

    settings: type[SettingsType]
    fit: Callable[[SettingsType, Location, Run], Results]
    predict: Callable[[Location, Location], Predictions] | None = None
    unit: str = "rows"
    search: Callable[[optuna.Trial], dict[str, Any]] | None = None
    trial_settings: Mapping[str, Any] = field(default_factory=dict)
    grid: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    objective: tuple[str, Literal["minimize", "maximize"]] = ("validation_loss", "minimize")
    generate: Callable[[Location, Sequence[int], int, int], Mapping[str, bytes]] | None = None
    export: Callable[[Location], Exportable] | None = None
