"""Several processes train one network."""

from __future__ import annotations

import multiprocessing
import socket
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from workloads.training.runtime.strategy import Strategy

PROCESSES = 2


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))


def train(rank: int, port: int, folder: Path) -> None:
    """Take three steps, and note the weights and buffers before and after buffers are shared."""
    with pytest.MonkeyPatch.context() as patch:
        address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": PROCESSES}
        for name, value in (address | {"RANK": rank, "LOCAL_RANK": rank}).items():
            patch.setenv(name, str(value))
        torch.set_num_threads(1)
        strategy = Strategy.start("ddp", "cpu")
        module = network()
        distributed = strategy.distribute(module)
        optimiser = torch.optim.SGD(module.parameters(), 0.1)
        rows = torch.arange(24.0).reshape(8, 3).sin()
        for _ in range(3):
            optimiser.zero_grad()
            distributed(strategy.share(rows)).square().mean().backward()
            optimiser.step()
        states = [{name: value.clone() for name, value in module.state_dict().items()}]
        strategy.share_buffers(module)
        torch.save([*states, module.state_dict()], folder / f"{rank}.pt")
        strategy.stop()


@pytest.fixture(scope="module")
def states(tmp_path_factory: pytest.TempPathFactory) -> list[list[dict[str, torch.Tensor]]]:
    """By rank: what the module held before and after its buffers were shared."""
    folder = tmp_path_factory.mktemp("ranks")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=train, args=(rank, port, folder)) for rank in range(PROCESSES)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    return [torch.load(folder / f"{rank}.pt") for rank in range(PROCESSES)]


def test_processes_have_the_same_weights_after_each_step(states: list[list[dict[str, Any]]]) -> None:
    before = [state for state, _ in states]
    for name, _ in network().named_parameters():
        assert torch.equal(before[0][name], before[1][name]), name
    assert not torch.equal(before[0]["0.weight"], network().state_dict()["0.weight"])


def test_shared_buffers_are_those_of_the_first_process(states: list[list[dict[str, Any]]]) -> None:
    (before, after), (other, shared) = states
    assert not torch.equal(before["1.running_mean"], other["1.running_mean"])  # each has seen its own rows
    for name, value in before.items():
        assert torch.equal(value, after[name]), name
        assert torch.equal(value, shared[name]), name
