"""Search for better settings: Optuna proposes, each trial is an ordinary run, the validation set decides."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import optuna

from workloads.errors import InputError, NonFiniteLossError
from workloads.training.runtime.run_folder import load_history
from workloads.training.runtime.storage import locate
from workloads.training.runtime.train import train

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from workloads.training.runtime.settings import RunOptions
    from workloads.training.runtime.workload import Workload


def tune(
    name: str,
    workload: Workload[Any],
    given: Mapping[str, Any],
    *,
    options: RunOptions,
    data: str,
    output: str,
    trials: int,
    say: Callable[[str], None],
) -> Mapping[str, Any]:
    """Train so many trials, keep each as a run folder, and write `tuning.json` after each.

    Args:
        name: The workload's name on the command line.
        workload: What its model file offers.
        given: Settings that stay fixed.
        options: Where and how to run.
        data: A folder or s3:// URI.
        output: A folder or s3:// URI for the trials and `tuning.json`.
        trials: How many.
        say: Tells a person something.

    Returns:
        The best trial: `run`, `value` and `settings`, by the workload's objective on the validation set.

    Raises:
        InputError: The workload cannot be tuned, or the data or output cannot be used.
        Interrupted: The process was told to end.
    """
    if workload.search is None:
        raise InputError(f"{name} has no settings to search through")
    search = workload.search
    column, direction = workload.objective
    finished: list[dict[str, Any]] = []

    def objective(trial: optuna.Trial) -> float:
        settings = workload.settings(**{**search(trial), **given})
        run = f"{output}/trial-{trial.number:03}"
        train(name, workload, settings, options=options, data=data, output=run)
        value = load_history(locate(run))[-1][column]
        finished.append({"run": run, "value": value, "settings": settings.model_dump(mode="json")})
        best = _best(finished, direction)
        tuning = {"workload": name, "objective": column, "direction": direction, "best": best, "trials": finished}
        (locate(output) / "tuning.json").write(json.dumps(tuning, indent=2).encode())
        say(f"trial {trial.number + 1}/{trials}: {column} {value:.4f}; best {best['value']:.4f} in {best['run']}")
        return value

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    seed = int(given.get("seed", workload.settings.model_fields["seed"].default))
    study = optuna.create_study(direction=direction, sampler=optuna.samplers.TPESampler(seed=seed))
    study.optimize(objective, n_trials=trials, catch=NonFiniteLossError)
    if not finished:
        raise InputError(f"{name}: the loss of every trial became NaN; fix a lower learning rate")
    return _best(finished, direction)


def _best(trials: list[dict[str, Any]], direction: str) -> dict[str, Any]:
    choose = max if direction == "maximize" else min
    return choose(trials, key=lambda trial: float(trial["value"]))
