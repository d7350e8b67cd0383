"""The object given to `fit`: epochs, batches, steps and records; the rest it does by itself.

One class, since a model file sees one object; what it does by itself is done in the modules beside this one.
"""

from __future__ import annotations

import math
import signal
import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

import torch

from contract.errors import UnavailableError
from workloads.errors import Interrupted, NonFiniteLossError, TrainingStopped
from workloads.training.runtime import device as devices
from workloads.training.runtime.agreement import Agreement, Stop
from workloads.training.runtime.checkpoint import Checkpoints
from workloads.training.runtime.cloudwatch import CloudWatchMetrics
from workloads.training.runtime.eager import keep_compiler_out
from workloads.training.runtime.lock import Lock, lock
from workloads.training.runtime.progress import Display
from workloads.training.runtime.randomness import make_deterministic, seed_batch, seed_everything, shuffled
from workloads.training.runtime.run_folder import CHECKPOINTS, check_replaceable
from workloads.training.runtime.spot import SpotWatch
from workloads.training.runtime.strategy import Strategy
from workloads.training.runtime.system import SystemMonitor
from workloads.training.runtime.tensorboard import EVENTS, EventFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from types import TracebackType

    from torch import nn

    from workloads.storage import Location
    from workloads.training.runtime.settings import RunOptions, TrainingSettings

_CHECK_LOSS_EVERY = 50  # steps; looking at a loss waits for the GPU
_TELL_PROGRESS_EVERY = 60.0  # seconds


class Run:
    """One training run. A context manager, entered by `train`; model files only use it.

    At the end of every epoch it writes a row of history, sends metrics when asked to, stops on a loss that is not
    finite, and writes a checkpoint. When a process of the run is told to end (SIGTERM), or EC2 is about to take its
    spot instance back, all processes stop after the same batch, and the first one writes a checkpoint. It holds the
    run's lock, so no other run writes there.

    Attributes:
        device: What to compute on.
        precision: `float32`, `bfloat16` or `float16`: what `autocast` computes in.
        history: One row an epoch: column to value; from the first epoch on, also after resuming.
        is_main: Whether this process writes files (with `ddp`, one of several does).
        sample: Whether the data is marked as a sample.
        events: The event file for TensorBoard, from the first epoch on, if one is asked for.
        started: When the first attempt began; ISO 8601.
        attempts: How many processes have worked on the run one after another, this one included. An attempt that
            wrote no checkpoint does not count.
    """

    def __init__(
        self,
        workload: str,
        settings: TrainingSettings,
        options: RunOptions,
        output: Location,
        unit: str = "rows",
        *,
        check_data: Callable[[str], None] = lambda _sha256: None,
        sample: bool = False,
    ) -> None:
        self.started = datetime.now(UTC).isoformat(timespec="seconds")
        self.attempts = 1
        self._clock = time.perf_counter()
        self._earlier_seconds = 0.0  # of earlier attempts
        self._workload = workload
        self._settings = settings
        self._options = options
        self._unit = unit
        self._strategy = Strategy.start(options.strategy, options.device)
        self._agreement = Agreement(self._strategy)
        self.device = self._strategy.device
        self.precision = devices.choose_precision(options.precision, self.device)
        self.is_main = self._strategy.rank == 0
        self.sample = sample
        self.history: list[dict[str, float]] = []
        self.events: EventFile | None = None
        self._display = Display(quiet=not self.is_main)
        self._components: dict[str, Any] = {}
        self._modules: list[nn.Module] = []  # that are trained
        self._weights = 0
        self._introduced = False
        self._scaler = self.new_scaler()
        self._check_data = check_data
        self._data_sha256 = ""
        identity = {"workload": workload, "precision": self.precision, **settings.model_dump(mode="json")}
        self._checkpoints = Checkpoints(output / CHECKPOINTS, identity, self.say)
        self._cloudwatch = (
            CloudWatchMetrics(workload, self.say) if options.metrics == "cloudwatch" and self.is_main else None
        )
        self._epoch = 0  # finished epochs
        self._batch = 0  # finished batches of the epoch under way
        self._skip = 0  # batches of the first epoch that a checkpoint already holds
        self._total = 0
        self._losses: dict[str, tuple[torch.Tensor, int]] = {}  # sum and count
        self._row: dict[str, float] = {}
        self._rows_seen = 0
        self._epoch_started = 0.0
        self._earlier_epoch_seconds = 0.0  # that earlier attempts spent on the epoch under way
        self._stop_reason = ""
        self._end_reason = ""  # by whom
        self._lock_lost = False
        self._save_failed = False
        self._output = output
        self._lock: Lock | None = None
        self._progressed = self._progress_told = time.monotonic()

    def __enter__(self) -> Self:
        self._threads = torch.get_num_threads()
        if self.is_main:
            check_replaceable(self._output)
            self._lock = lock(self._output, self._lose_lock)
        keep_compiler_out()
        make_deterministic(cuda=self._options.deterministic)
        seed_everything(self._settings.seed)
        self._monitor = SystemMonitor(after_sample=self._tell_metrics)
        self._spot = SpotWatch(self._end)
        self._previous_handler = signal.signal(signal.SIGTERM, lambda *_: self._end("SIGTERM"))
        if self._strategy.note:
            self.say(self._strategy.note)
        if not self._options.resume and self.is_main:
            self._checkpoints.delete()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        torch.set_num_threads(self._threads)
        self._display.close()
        self._spot.stop()
        self._monitor.stop()
        if self._cloudwatch:
            self._cloudwatch.flush()
        if self._lock:
            self._lock.release()
        self._strategy.stop()
        signal.signal(signal.SIGTERM, self._previous_handler)  # last: torchrun sends one to those that end last

    def say(self, text: str) -> None:
        """Tell the person who watches, in one line (once, however many processes there are)."""
        self._progressed = time.monotonic()
        self._display.say(text)

    def distribute(self, module: nn.Module) -> nn.Module:
        """Return the module to call in training: on the device, and wrapped where several devices share the work.

        Keep, evaluate and save the original module: its weights are the same.
        """
        self._weights += sum(weights.numel() for weights in module.parameters())
        self._modules.append(module)
        return self._strategy.distribute(module)

    def use_threads(self, count: int) -> None:
        """Compute with at most this many threads of the CPU in this run.

        Small networks gain little from more, and lose most of their speed to waiting when others use the cores.
        """
        torch.set_num_threads(min(count, self._threads))

    def use_data(self, sha256: str) -> None:
        """Name the data that this run learns from, before `keep`: a checkpoint belongs to its data as to its settings.

        Args:
            sha256: Digest of all that is learned from and tested on, whatever files it came in.

        Raises:
            InputError: The caller of `train` expects other data.
        """
        self._check_data(sha256)
        self._data_sha256 = sha256

    @property
    def seconds(self) -> float:
        """How long the run has taken until now, over all its attempts.

        What an attempt did after its last checkpoint is not included if it was killed.
        """
        return self._earlier_seconds + time.perf_counter() - self._clock

    @property
    def data_sha256(self) -> str:
        """What `use_data` was told.

        Raises:
            RuntimeError: The model file has not called it.
        """
        if not self._data_sha256:
            raise RuntimeError("`fit` has to call run.use_data with the digest of its data, before run.keep")
        return self._data_sha256

    def keep(self, **components: Any) -> None:
        """Name everything whose state a checkpoint must hold: models, optimisers, schedules, weight averages.

        Each has `state_dict` and `load_state_dict`. Call it once, before `epochs`; when there is a checkpoint to
        continue, the states are restored here. Random generators and the order of the data need no keeping.

        Raises:
            InputError: The checkpoint at the output belongs to a run with other settings or data, or cannot be read.
            RuntimeError: `use_data` was not called.
        """
        self._checkpoints = replace(self._checkpoints, data_sha256=self.data_sha256)
        self._components = {**components, "gradient_scaler": self._scaler}
        state = self._checkpoints.load() if self._options.resume else None
        if state is None:
            return
        for name, component in self._components.items():
            component.load_state_dict(state["parts"][name])
        self.history = state["history"]
        self._epoch, self._skip = state["epoch"], state["batch"]
        self._losses = {name: (self._own(totals), count) for name, (totals, count) in state["losses"].items()}
        self._stop_reason = state["stop_reason"]
        self.started, self.attempts = state.get("started", self.started), state.get("attempts", 0) + 1
        self._earlier_seconds = state.get("seconds", 0.0)
        self._rows_seen, self._earlier_epoch_seconds = state.get("rows_seen", 0), state.get("epoch_seconds", 0.0)
        if self._cloudwatch:
            self._cloudwatch.restore(state.get("unsent_metrics", []))
        place = f"epoch {self._epoch + 1}" + (f", batch {self._skip + 1}" if self._skip else "")
        self.say(f"continuing at {place} from {self._checkpoints.newest()}")

    def epochs(self, total: int) -> Iterator[int]:
        """Count the epochs from 0, beginning where the checkpoint ended. The body trains, validates and records.

        Raises:
            NonFiniteLossError: A loss became NaN or infinite; nothing is saved after the last good checkpoint.
            Interrupted: The process was told to end; a checkpoint is written.
            InputError: A checkpoint cannot be written.
        """
        self._total = total
        if self._options.tensorboard and self.is_main:
            self.events = EventFile(self._output / EVENTS, self.started, self.history, self.say)
        while self._epoch < total and not self._stop_reason:
            seed_everything(self._settings.seed, self._strategy.rank, self._epoch)
            self._row, self._batch = {}, 0
            self._epoch_started = time.perf_counter()
            yield self._epoch
            self._finish_epoch()
        if self._stop_reason:
            self.say(self._stop_reason)

    def batches(self, count: int, batch_size: int, *, keep_last: bool = False) -> Iterator[torch.Tensor]:
        """Row indices of each batch of this epoch, shuffled; with `ddp` this process's part of each. Once an epoch.

        Args:
            count: Rows of the training set.
            batch_size: Rows of a batch over all processes; a set smaller than that is one batch.
            keep_last: Keep the last batch when it is smaller (not with several processes).

        Yields:
            int64 indices on the device.
        """
        self._introduce(count)
        order = shuffled(count, self._settings.seed, self._epoch)
        batch_size = min(batch_size, count)
        full = count - count % batch_size
        batches = torch.split(order[: count if keep_last else full], batch_size)
        self._display.epoch_started(self._epoch + 1, self._total, len(batches))
        for index, rows in enumerate(batches[self._skip :], start=self._skip):
            self._batch = index + 1
            self._rows_seen += len(rows)
            seed_batch(self._settings.seed, self._strategy.rank, self._epoch, index)
            yield self._strategy.share(rows).to(self.device)
            self._progressed = time.monotonic()
            self._display.batch_finished()
            self._end_if_requested(self._agreement.after_batch(self._stop()))
        self._skip = 0
        for module in self._modules:  # all processes validate the same
            self._strategy.share_buffers(module)

    def _introduce(self, rows: int) -> None:
        """Say once what trains on what."""
        if self._introduced:
            return
        self._introduced = True
        weights = f", {self._weights:,} weights" if self._weights else ""
        self.say(f"training on {self.device} in {self.precision}: {rows:,} {self._unit}{weights}")

    def autocast(self, *, wide_range: bool = False) -> AbstractContextManager[object]:
        """Return a context for the forward pass and the loss, in this run's precision.

        Args:
            wide_range: Compute in float32 instead of float16, whose small numbers become zero and whose large ones
                infinite. `step` scales its own gradients against that, but not one that is part of the loss.
        """
        is_narrow = self.precision == "float16"
        return devices.autocast(self.device, "float32" if wide_range and is_narrow else self.precision)

    def new_scaler(self) -> torch.amp.GradScaler:
        """Return a scaler of losses for a training beside the run's own; it changes nothing unless in float16."""
        return torch.amp.GradScaler(self.device.type, enabled=self.precision == "float16")

    def step(
        self,
        loss: torch.Tensor,
        *optimisers: torch.optim.Optimizer,
        name: str = "training_loss",
        clip_norm: float | None = None,
    ) -> None:
        """Take one step down the gradient of a loss.

        Args:
            loss: Scalar.
            optimisers: One, or several that share the weights among them; their gradients are zeroed first.
            name: The column of history.csv that gets the epoch's mean of this loss.
            clip_norm: Largest norm of the gradient (of each optimiser's weights), if limited.
        """
        devices.descend(self._scaler, loss, optimisers, clip_norm)
        self.add_loss(name, loss)

    def add_loss(self, name: str, loss: torch.Tensor) -> None:
        """Count a loss in the epoch's mean of that name, for training loops that do not use `step`."""
        total, count = self._losses.get(name, (torch.zeros((), dtype=torch.float64, device=self.device), 0))
        self._losses[name] = (total + loss.detach(), count + 1)
        # With several processes all must stop together, so they look at the end of the epoch.
        if count % _CHECK_LOSS_EVERY == 0 and self._strategy.processes == 1:
            self._check_finite([name])

    def record(self, **values: float) -> None:
        """Add figures to this epoch's row: `validation_loss`, `validation_accuracy`, `learning_rate`, ...

        Columns are snake_case. Which of them go to CloudWatch is listed in `cloudwatch.PUBLISHED`.
        """
        self._row.update({name: float(value) for name, value in values.items()})

    def stop(self, reason: str) -> None:
        """Let this epoch be the last, for example because validation no longer improves."""
        self._stop_reason = reason

    def mean(self, values: torch.Tensor) -> torch.Tensor:
        """Return the mean of a tensor over all processes."""
        return self._strategy.mean(values)

    def forget_checkpoints(self) -> None:
        """Remove the checkpoints: the finished run folder replaces them."""
        if self.is_main:
            self._checkpoints.delete()

    def _finish_epoch(self) -> None:
        self._check_finite(self._losses)
        seconds = self._epoch_seconds()
        row = {"epoch": float(self._epoch + 1)} | self._loss_means() | self._row
        row |= {"samples_per_second": self._rows_seen / seconds, "epoch_seconds": seconds}
        row |= self._monitor.averages()
        self._progressed = time.monotonic()
        if self._cloudwatch:
            self._cloudwatch.put(row)
            self._cloudwatch.flush(patient=False)  # so that the checkpoint need not hold them
        self.history.append(row)
        self._display.epoch_finished(row, self._total, self._unit)
        self._epoch += 1
        self._losses, self._rows_seen, self._earlier_epoch_seconds = {}, 0, 0.0
        self._save(batch=0, losses={})
        if self.events:
            self.events.add(row)
        self._end_if_requested(self._agreement.now(self._stop()))

    def _epoch_seconds(self) -> float:
        return self._earlier_epoch_seconds + time.perf_counter() - self._epoch_started

    def _own(self, totals: torch.Tensor) -> torch.Tensor:
        """Return this process's sum of a loss from those of all processes; their mean, if their number changed."""
        total = totals[self._strategy.rank] if totals.shape == (self._strategy.processes,) else totals.mean()
        return total.to(self.device)

    def _loss_means(self) -> dict[str, float]:
        return {name: float(self._strategy.mean(total / count)) for name, (total, count) in self._losses.items()}

    def _check_finite(self, names: Iterable[str]) -> None:
        means = self._loss_means() if self._strategy.processes > 1 else None
        for name in list(names):
            total, count = self._losses[name]
            value = means[name] if means else float(total / count)
            if math.isfinite(value):
                continue
            if self._cloudwatch:
                self._cloudwatch.put({"training_loss": value})
            newest = self._checkpoints.newest()
            raise NonFiniteLossError(
                f"The {name.replace('_', ' ')} became {value} in epoch {self._epoch + 1}, so training stopped. "
                + (f"The last good checkpoint is {newest}." if newest else "No checkpoint was written before.")
                + " A lower learning rate often helps."
            )

    def _save(self, batch: int, losses: Mapping[str, tuple[torch.Tensor, int]]) -> None:
        """Write a checkpoint.

        Args:
            batch: How many batches of the epoch are finished; 0 if the epoch before has ended.
            losses: Of the unfinished epoch, the sums of each process [processes] and the count.
        """
        if not self.is_main:
            return
        state = {
            "unsent_metrics": self._cloudwatch.pending() if self._cloudwatch else [],
            "parts": {name: component.state_dict() for name, component in self._components.items()},
            "history": self.history,
            "losses": losses,
            "stop_reason": self._stop_reason,
            "started": self.started,
            "attempts": self.attempts,
            "seconds": self.seconds,
            "rows_seen": self._rows_seen,
            "epoch_seconds": self._epoch_seconds() if batch else 0.0,
        }
        try:
            self._checkpoints.save(self._epoch, batch, state)
        except UnavailableError as error:
            if not self._save_failed:
                self.say(f"no checkpoint now (training goes on, the next epoch tries again). {error}")
            self._save_failed = True
        else:
            self._save_failed = False

    def _tell_metrics(self) -> None:
        """Now and then, in the background."""
        if not self._cloudwatch:
            return
        now = time.monotonic()
        if now - self._progress_told >= _TELL_PROGRESS_EVERY:
            self._progress_told = now
            self._cloudwatch.put({"seconds_since_progress": now - self._progressed})
        self._cloudwatch.flush()

    def _end(self, reason: str) -> None:
        self._end_reason = reason

    def _lose_lock(self) -> None:
        self._lock_lost = True

    def _stop(self) -> Stop:
        return Stop(end_requested=bool(self._end_reason), lock_lost=self._lock_lost)

    def _end_if_requested(self, stop: Stop) -> None:
        """End after this batch, if the processes have agreed on it.

        Raises:
            Interrupted: The machine of a process is going away.
            TrainingStopped: The run belongs to another process now.
        """
        if stop.lock_lost:
            raise TrainingStopped(
                f"{self._output}: Another process has taken over this run, because this one was cut off for too long."
            )
        if not stop.end_requested:
            return
        batch = self._batch if self._losses else 0
        try:
            if batch:
                self._check_finite(self._losses)
                by_rank = self._strategy.by_rank
                self._save(batch, {name: (by_rank(total), count) for name, (total, count) in self._losses.items()})
        finally:
            # Nobody ends before the checkpoint is written: torchrun kills the others 30 s after the first has ended.
            reasons = self._strategy.texts(self._end_reason)
        newest = self._checkpoints.newest()
        where = f"A checkpoint is at {newest}." if newest else "No checkpoint was written."
        interrupted = Interrupted(f"The run was told to end ({next(filter(None, reasons))}). {where}")
        if newest:
            interrupted.advice = "The same command continues from it."
        raise interrupted
