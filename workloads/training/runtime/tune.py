"""Search for better settings: Optuna proposes, each trial is an ordinary run, the validation set decides."""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import multiprocessing
import os
import shlex
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import optuna
from optuna.exceptions import StorageInternalError
from optuna.storages import JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from sqlalchemy.exc import SQLAlchemyError

from contract.errors import InputError
from workloads.databases import asking_database
from workloads.errors import NonFiniteLossError
from workloads.options import words
from workloads.storage import Bucket, locate
from workloads.training.runtime.journal import BucketJournal
from workloads.training.runtime.run_folder import load_history
from workloads.training.runtime.train import train
from workloads.training.runtime.workload import STANDARD_ERROR

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from optuna.samplers import BaseSampler
    from optuna.storages import BaseStorage

    from workloads.storage import Location
    from workloads.training.runtime.settings import RunOptions
    from workloads.training.runtime.workload import Workload

Sampler = Literal["tpe", "random", "grid"]
TUNING = "tuning.json"


@dataclass(frozen=True)
class Search:
    """What a search tries and where; several processes may work on one.

    Attributes:
        name: The workload's name on the command line.
        workload: What its model offers.
        fixed: Settings that every trial has.
        options: Where and how to run.
        data: A folder or s3:// URI.
        output: A folder or s3:// URI for the trials and `tuning.json`.
        sampler: `tpe`: Optuna's tree of Parzen estimators; `random`; `grid`: all combinations of the workload's grid.
    """

    name: str
    workload: Workload[Any]
    fixed: Mapping[str, Any]
    options: RunOptions
    data: str
    output: str
    sampler: Sampler = "tpe"

    def study(self, storage: BaseStorage, worker: int = 0) -> optuna.Study:
        """Return the study in a storage; the first call creates it.

        Raises:
            InputError: The storage has a study of another search.
        """
        column, direction = self.workload.objective
        identity = {"data": self.data, "objective": column, "given": dict(self.fixed)}
        study = optuna.create_study(
            storage=storage,
            study_name=self.name,
            direction=direction,
            sampler=self._sampler(worker),
            load_if_exists=True,
        )
        if "search" not in study.user_attrs:
            study.set_user_attr("search", identity)
        elif study.user_attrs["search"] != identity:
            raise InputError(f"{self.output}: The study there is of other data or settings. Give another --output.")
        return study

    def work(self, storage: BaseStorage | str, worker: int, trials: int, say: Callable[[str], None]) -> None:
        """Try several settings one after the other, in this process."""
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        study = self.study(_open(storage) if isinstance(storage, str) else storage, worker)

        def tell(study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
            if trial.value is not None:
                best = self.write(study)
                column = self.workload.objective[0].replace("_", " ")
                say(f"trial {trial.number + 1}: {column} {trial.value:.4f}; best {best['value']:.4f} in {best['run']}")

        study.optimize(self._try, n_trials=trials, catch=NonFiniteLossError, callbacks=[tell])

    def write(self, study: optuna.Study) -> Mapping[str, Any]:
        """Write `tuning.json`, and tell the best trial."""
        column, direction = self.workload.objective
        trials = [{**trial.user_attrs, "value": trial.value} for trial in finished(study)]
        if not trials:
            raise InputError(f"Workload {self.name}: The loss of every trial became NaN. Set a lower learning rate.")
        best = {**study.best_trial.user_attrs, "value": study.best_value}
        tuning = {"workload": self.name, "objective": column, "direction": direction, "best": best, "trials": trials}
        if (same := as_good(best, trials)) is not None:
            tuning["as_good_as_the_best"] = [trial["run"] for trial in same]
        (locate(self.output) / TUNING).write(json.dumps(tuning, indent=2).encode())
        return best

    def tell(self, say: Callable[[str], None]) -> None:
        """Say which settings were best, how to train with them, and how far they can be told from the others."""
        tuning = json.loads((locate(self.output) / TUNING).read())
        chosen = self.chosen(tuning["best"]["settings"])
        listed = (
            ", ".join(
                f"{name.replace('_', ' ')} {value:.4g}"
                if isinstance(value, float)
                else f"{name.replace('_', ' ')} {value}"
                for name, value in chosen.items()
            )
            or "the defaults"
        )
        say(f"The best settings are in {tuning['best']['run']}: {listed}. This command trains with them:")
        say(shlex.join(["groundwork", "train", self.name, "--data", self.data, *words(chosen)]))
        if text := verdict(tuning["best"], tuning["trials"]):
            say(text)

    def chosen(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Return those settings of a trial that differ from the defaults, less those that only trials have."""
        trial_only = self.workload.trial_settings.keys() - self.fixed.keys()
        defaults = self.workload.settings().model_dump(mode="json")
        return {name: value for name, value in settings.items() if value != defaults[name] and name not in trial_only}

    def _try(self, trial: optuna.Trial) -> float:
        workload = self.workload
        if self.sampler == "grid":
            chosen = {name: trial.suggest_categorical(name, list(values)) for name, values in workload.grid.items()}
        else:
            chosen = workload.search(trial) if workload.search else {}
        settings = workload.settings(**{**chosen, **workload.trial_settings, **self.fixed})
        run = f"{self.output}/trial-{trial.number:03}"
        trial.set_user_attr("run", run)
        if array := _array():
            trial.set_user_attr("worker", f"{array[0]}:{array[1]}")
        trial.set_user_attr("settings", settings.model_dump(mode="json"))

        def check_data(sha256: str) -> None:
            self._check_data(trial.study, sha256)

        train(self.name, workload, settings, options=self.options, data=self.data, output=run, check_data=check_data)
        last = load_history(locate(run))[-1]
        if STANDARD_ERROR in last:
            trial.set_user_attr("standard_error", last[STANDARD_ERROR])
        return float(last[workload.objective[0]])

    def _check_data(self, study: optuna.Study, sha256: str) -> None:
        """Hold all trials to the data of the first, so that they can be compared.

        Raises:
            InputError: The data has changed since the study began.
        """
        recorded = study.user_attrs.get("data_sha256")
        if recorded is None:
            study.set_user_attr("data_sha256", sha256)
        elif recorded != sha256:
            raise InputError(
                f"{self.data}: The data has changed (SHA-256 {sha256[:12]}) since the study at {self.output} began "
                f"({recorded[:12]}), so its trials could not be compared. Give another --output."
            )

    def combinations(self) -> list[dict[str, Any]]:
        """Return all of the grid."""
        grid = self.workload.grid
        return [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]

    def _sampler(self, worker: int) -> BaseSampler:
        seed = int(self.fixed.get("seed", self.workload.settings.model_fields["seed"].default)) + worker
        if self.sampler == "random":
            return optuna.samplers.RandomSampler(seed)
        return optuna.samplers.TPESampler(seed=seed)


def tune(
    search: Search,
    *,
    trials: int,
    workers: int = 1,
    storage: str | None = None,
    say: Callable[[str], None] = print,
) -> Mapping[str, Any]:
    """Train until the study has this many finished trials, keep each as a run folder, write `tuning.json` after each.

    Args:
        search: What to try and where.
        trials: How many, those of earlier calls included.
        workers: How many at the same time, each in a process of its own.
        storage: A file, an s3:// prefix, or a database URL of Optuna (`sqlite:///...`, `postgresql://...`); by default
            `study.journal` in the output. Jobs of an AWS Batch array that share it share the trials.
        say: Tells a person something.

    Returns:
        The best trial: `run`, `value` and `settings`, by the workload's objective on the validation set.

    Raises:
        InputError: The workload cannot be tuned, or the data, output or storage cannot be used.
        Interrupted: The process was told to end.
        UnavailableError: S3, or the database of the study, cannot be reached.
    """
    storage = storage or f"{search.output.rstrip('/')}/study.journal"
    errors = (SQLAlchemyError, StorageInternalError)
    with asking_database(_shown(storage), errors, service="The database", trust="PGSSLROOTCERT"):
        best = _tune(search, trials, workers, storage, say)
    search.tell(say)
    return best


def _tune(search: Search, trials: int, workers: int, storage: str, say: Callable[[str], None]) -> Mapping[str, Any]:
    workload = search.workload
    if not (workload.grid if search.sampler == "grid" else workload.search):
        raise InputError(
            f"Workload {search.name}: There are no settings to search through with --sampler {search.sampler}."
        )
    _check_replaceable(locate(search.output) / TUNING)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    opened = _open(storage)
    study = search.study(opened)
    if array := _array():
        _work_in_array(search, study, opened, trials, array=array, say=say)
        return search.write(study)
    missing = trials - len(finished(study))
    if search.sampler == "grid":
        missing = min(missing, _enqueue(study, search.combinations()))
    shares = [share for worker in range(workers) if (share := len(range(worker, missing, workers)))]
    first = len(study.trials)  # other seeds than those of the calls before
    if shares:
        context = multiprocessing.get_context("spawn")  # a fork would copy PyTorch's threads, half
        with ProcessPoolExecutor(workers, mp_context=context) as pool:
            tasks = [
                pool.submit(search.work, storage, first + worker, share, say)
                for worker, share in enumerate(shares[1:], start=1)
            ]
            search.work(opened, first, shares[0], say)  # the first worker is this process
            for task in tasks:
                task.result()
    return search.write(study)


def as_good(best: Mapping[str, Any], trials: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]] | None:
    """The other trials that differ from the best by less than the standard error of the difference; None: not known.

    That is the root of the sum of both squared standard errors. The trials are validated on the same rows, so that it
    is rather too large: what is not in this list differs.
    """
    candidates = [trial for trial in trials if trial["run"] != best["run"]]
    if not all("standard_error" in trial for trial in (best, *candidates)):
        return None
    return [
        trial
        for trial in candidates
        if abs(trial["value"] - best["value"]) < math.hypot(trial["standard_error"], best["standard_error"])
    ]


def verdict(best: Mapping[str, Any], trials: Sequence[Mapping[str, Any]]) -> str | None:
    """Return what to say of the best trial when others are as good; None where nothing is to be said."""
    if not (same := as_good(best, trials)):
        return None
    return (
        f"{len(same)} of the {len(trials) - 1} other trials differ from the best ({best['value']:.4f} ± "
        f"{best['standard_error']:.4f}) by less than the standard error of the difference. That it is the best of them "
        "means nothing: choose among them by speed or size, or measure them on other rows."
    )


def _check_replaceable(tuning: Location) -> None:
    with contextlib.suppress(ValueError, TypeError):
        if not tuning.is_file() or "objective" in json.loads(tuning.read()):
            return
    raise InputError(f"{tuning}: This file is not of a search. Choose another --output, or remove it.")


def _array() -> tuple[str, int, int] | None:
    """The array of AWS Batch jobs that this one is of: the array's id, this job's index, and how many there are."""
    index, size = os.environ.get("AWS_BATCH_JOB_ARRAY_INDEX"), os.environ.get("AWS_BATCH_JOB_ARRAY_SIZE")
    if index is None or size is None:
        return None
    return os.environ["AWS_BATCH_JOB_ID"].partition(":")[0], int(index), int(size)


def _work_in_array(
    search: Search,
    study: optuna.Study,
    storage: BaseStorage,
    trials: int,
    *,
    array: tuple[str, int, int],
    say: Callable[[str], None],
) -> None:
    """This job's share of what was missing when the array began, less what an earlier attempt of it has done."""
    name, index, size = array
    began = f"began {name}"
    if began not in study.user_attrs:
        study.set_user_attr(began, len(finished(study)))
    share = len(range(index, trials - int(study.user_attrs[began]), size))
    worker = f"{name}:{index}"
    done = sum(trial.user_attrs.get("worker") == worker for trial in finished(study))
    if share > done:
        search.work(storage, index, share - done, say)


def _enqueue(study: optuna.Study, combinations: list[dict[str, Any]]) -> int:
    """Let the study try those that have not been; how many these are. No two workers take the same."""
    waiting = study.get_trials(deepcopy=False, states=[optuna.trial.TrialState.WAITING])
    queued = [trial.system_attrs["fixed_params"] for trial in waiting]
    done = [trial.params for trial in finished(study)]
    for combination in combinations:
        if combination not in [*queued, *done]:
            study.enqueue_trial(combination)
    return sum(combination not in done for combination in combinations)


def finished(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    """Return the trials that ended with a value, in their order."""
    return study.get_trials(deepcopy=False, states=[optuna.trial.TrialState.COMPLETE])


def _shown(storage: str) -> str:
    """Return the option without what may be a password."""
    return f"--storage {storage.partition(':')[0]}"


def _open(storage: str) -> BaseStorage:
    if storage.startswith("s3://"):
        place = locate(storage)
        if not isinstance(place, Bucket):
            raise TypeError(storage)
        return JournalStorage(BucketJournal(place))
    if "://" in storage:
        try:
            return RDBStorage(storage)
        except ImportError as error:
            raise InputError(
                f"{_shown(storage)}: The driver of this database is not installed. Write the address as "
                "postgresql+psycopg://..., mysql+pymysql://... or sqlite:///FILE."
            ) from error
    Path(storage).parent.mkdir(parents=True, exist_ok=True)
    return JournalStorage(JournalFileBackend(storage))
