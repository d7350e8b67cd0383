"""How training spreads over devices: one; several from one process; or one process for each device.

`data-parallel` (`torch.nn.DataParallel`) splits each batch over the GPUs of one process; simple, one machine, slower.
`ddp` (`torch.nn.parallel.DistributedDataParallel`) runs one process per device, on one machine or several, started by
`torchrun`; NCCL between GPUs, gloo between CPUs. Same global batch, same loss curve.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import distributed, nn

from contract.errors import InputError
from workloads.training.runtime.device import choose_device

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Strategy:
    """The processes and devices of one run.

    Attributes:
        device: What this process computes on.
        rank: Which of the processes this is; rank 0 writes files and metrics.
        processes: How many there are.
        parallel_devices: GPUs that `data-parallel` spreads over; empty otherwise.
        note: What a person should know about the choice, if anything.
    """

    device: torch.device
    rank: int = 0
    processes: int = 1
    parallel_devices: Sequence[int] = ()
    note: str = ""

    @classmethod
    def start(cls, name: str, device: str) -> Strategy:
        """Set up the strategy of the given name (`single`, `data-parallel`, `ddp`).

        Raises:
            InputError: `ddp` without torchrun, or a device that is not there.
        """
        if name == "ddp":
            return cls._join_processes(device)
        chosen = choose_device(device)
        if name == "single":
            return cls(chosen)
        devices = range(torch.cuda.device_count()) if chosen.type == "cuda" else range(0)
        if len(devices) > 1:
            return cls(chosen, parallel_devices=devices)
        return cls(chosen, note=f"data-parallel needs several GPUs; training on the single device {chosen} instead")

    @classmethod
    def _join_processes(cls, device: str) -> Strategy:
        if "LOCAL_RANK" not in os.environ:
            raise InputError(
                "--strategy ddp: It needs one process for each device. Start them by `torchrun --nproc-per-node N "
                "-m workloads train WORKLOAD --strategy ddp ...`."
            )
        local_rank = int(os.environ["LOCAL_RANK"])
        chosen = choose_device(device, local_rank)
        if chosen.type == "cuda":
            if local_rank >= torch.cuda.device_count():
                raise InputError(
                    f"--strategy ddp: There are more processes than the {torch.cuda.device_count()} GPUs here."
                )
            torch.cuda.set_device(chosen)
        # What the processes agree on lies on the CPU, so that no process waits for its GPU to read it.
        distributed.init_process_group("cpu:gloo,cuda:nccl" if chosen.type == "cuda" else "gloo")
        return cls(chosen, distributed.get_rank(), distributed.get_world_size())

    def stop(self) -> None:
        """Leave the process group."""
        if distributed.is_initialized():
            distributed.destroy_process_group()

    def distribute(self, module: nn.Module) -> nn.Module:
        """Return the module on this process's device, wrapped where several devices share the work.

        Several processes share its gradients after each batch, but its buffers (the statistics of batch normalisation)
        only in `share_buffers`: to send them before each batch, as PyTorch does, takes 7 % of the time of two processes
        on two cores, and no gradient depends on them.
        """
        module.to(self.device)
        if self.processes > 1:
            return nn.parallel.DistributedDataParallel(
                module,
                device_ids=[self.device.index] if self.device.type == "cuda" else None,
                forward_sync_buffers=False,
                gradient_as_bucket_view=True,
            )
        if self.parallel_devices:
            return nn.DataParallel(module, device_ids=list(self.parallel_devices))
        return module

    def share_buffers(self, module: nn.Module) -> None:
        """Give every process the module's buffers of rank 0. All of them must call it at the same point."""
        if self.processes > 1:
            for buffer in module.buffers():
                distributed.broadcast(buffer, 0)

    def share(self, rows: torch.Tensor) -> torch.Tensor:
        """Return this process's share of a global batch: contiguous shares of equal size.

        Raises:
            InputError: The batch cannot be split evenly.
        """
        if len(rows) % self.processes:
            raise InputError(f"A batch of {len(rows)} rows cannot be split evenly over {self.processes} processes.")
        size = len(rows) // self.processes
        return rows[self.rank * size : (self.rank + 1) * size]

    def mean(self, values: torch.Tensor) -> torch.Tensor:
        """Return the mean of a tensor over all processes."""
        if self.processes == 1:
            return values
        total = values.clone()
        distributed.all_reduce(total)
        return total / self.processes

    def largest(self, *values: float) -> list[float]:
        """Return the largest of each value over all processes. All of them must call it at the same point."""
        if self.processes == 1:
            return list(values)
        largest = torch.tensor(values, dtype=torch.float64)
        distributed.all_reduce(largest, distributed.ReduceOp.MAX)
        return [float(value) for value in largest]

    def texts(self, text: str) -> list[str]:
        """Return the texts of all processes, by rank. All of them must call it at the same point."""
        if self.processes == 1:
            return [text]
        texts = [""] * self.processes
        distributed.all_gather_object(texts, text)
        return texts

    def by_rank(self, value: torch.Tensor) -> torch.Tensor:
        """Return a scalar of every process, by rank [processes]. All of them must call it at the same point."""
        if self.processes == 1:
            return value[None]
        values = [torch.empty_like(value) for _ in range(self.processes)]
        distributed.all_gather(values, value)
        return torch.stack(values)
