"""How busy the machine is: CPU, memory and GPU, sampled in the background."""

from __future__ import annotations

import threading
from collections import defaultdict
from typing import TYPE_CHECKING

import psutil
import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def sample() -> dict[str, float]:
    """Utilisation in percent: CPU since the sample before, memory, and the GPU where one can be asked."""
    values = {"cpu_utilization": psutil.cpu_percent(), "memory_utilization": psutil.virtual_memory().percent}
    if torch.cuda.is_available():
        try:
            values["gpu_utilization"] = float(torch.cuda.utilization())
        except (RuntimeError, ModuleNotFoundError):  # the driver's library is not there
            free, total = torch.cuda.mem_get_info()
            values["gpu_memory_utilization"] = 100 * (1 - free / total)
    return values


class SystemMonitor:
    """Samples every few seconds until stopped.

    Args:
        interval: Seconds between samples.
        after_sample: Called in the background after each sample, for what else wants doing now and then.
    """

    def __init__(self, interval: float = 5.0, after_sample: Callable[[], None] = lambda: None) -> None:
        self._interval = interval
        self._after_sample = after_sample
        self._samples: defaultdict[str, list[float]] = defaultdict(list)
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="system-monitor", daemon=True)
        sample()  # the first CPU figure of psutil is meaningless
        self._thread.start()

    def averages(self) -> Mapping[str, float]:
        """Return the means since the last call; sampled now if there was no sample since."""
        with self._lock:
            samples = {name: list(values) for name, values in self._samples.items()}
            self._samples.clear()
        if not samples:
            return sample()
        return {name: sum(values) / len(values) for name, values in samples.items()}

    def stop(self) -> None:
        """End the background sampling."""
        self._stopped.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stopped.wait(self._interval):
            with self._lock:
                for name, value in sample().items():
                    self._samples[name].append(value)
            self._after_sample()
