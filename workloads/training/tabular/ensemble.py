"""Several small networks of one shape, trained together: each leaves rows out for itself.

One network of a few thousand weights keeps no CPU busy, twenty of them in one batched product do. Each member learns
from its own part of the rows, so the members that did not see a row predict it honestly (out of fold), and the mean of
all members predicts new rows.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from workloads.training.runtime.randomness import shuffled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from workloads.training.runtime.run import Run


class Ensemble(nn.Module):
    """Fully connected networks with ReLU, and beside each, where wanted, a linear path from input to output.

    The linear path carries what is linear in the data from the first step on, so that the hidden layers need only
    learn the rest, and can be held back by a strong weight decay without losing it.

    Args:
        members: Number of networks.
        inputs: Features of a row.
        hidden: Units of each hidden layer.
        outputs: Outputs of a row.
        linear_path: Whether there is one.
        dropout: Share of the hidden units dropped in training.

    Attributes:
        arguments: What it was built with; a subclass says its own.
    """

    def __init__(
        self,
        members: int,
        inputs: int,
        hidden: Sequence[int],
        outputs: int,
        *,
        linear_path: bool = True,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.arguments: dict[str, Any] = {
            "members": members,
            "inputs": inputs,
            "hidden": list(hidden),
            "outputs": outputs,
            "linear_path": linear_path,
            "dropout": dropout,
        }
        sizes = [inputs, *hidden, outputs]
        self.dropout = dropout
        self.weights = nn.ParameterList()
        self.biases = nn.ParameterList()
        for before, after in itertools.pairwise(sizes):
            bound = (6 / before) ** 0.5  # He et al. 2015, for ReLU
            self.weights.append(nn.Parameter(torch.empty(members, before, after).uniform_(-bound, bound)))
            self.biases.append(nn.Parameter(torch.zeros(members, 1, after)))
        with torch.no_grad():
            self.weights[-1].mul_(0.1)  # begin near the mean (or the linear path)
        self.linear = nn.Parameter(torch.zeros(members, inputs, outputs)) if linear_path else None

    @property
    def hidden_parameters(self) -> list[nn.Parameter]:
        """All weights but those of the linear path."""
        return [*self.weights, *self.biases]

    def forward(self, features: Tensor) -> Tensor:
        """Return the outputs [n, members, outputs] of rows [n, inputs]."""
        rows = features.expand(len(self.weights[0]), -1, -1)
        activation = rows
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            activation = torch.baddbmm(bias, activation, weight)
            if layer < len(self.weights) - 1:
                activation = functional.dropout(functional.relu(activation), self.dropout, self.training)
        if self.linear is not None:
            activation = activation + torch.bmm(rows, self.linear)
        return activation.transpose(0, 1)


def leave_out(groups: NDArray[np.int64], folds: int, repeats: int, seed: int) -> NDArray[np.bool_]:
    """Which rows each member learns from: `repeats` times all groups are dealt into `folds`, a member leaves one out.

    Args:
        groups: The group of each row, [n]; a group is never divided. Rows of their own: `arange(n)`.
        folds: Parts; at least 2.
        repeats: Times.
        seed: Decides which group goes where.

    Returns:
        bool [n, folds * repeats]; every row is left out by exactly `repeats` members.
    """
    names, index = np.unique(groups, return_inverse=True)
    generator = np.random.default_rng(seed)
    dealt = np.stack([generator.permutation(len(names)) % folds for _ in range(repeats)])
    learns: NDArray[np.bool_] = dealt[:, None, index] != np.arange(folds)[None, :, None]
    return learns.reshape(folds * repeats, len(groups)).T


class QuietLoop:
    """Trains on the CPU in memory, without checkpoints, history and output: for the splits of an evaluation."""

    device = torch.device("cpu")

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._epoch = 0
        torch.manual_seed(seed)

    def distribute(self, module: nn.Module) -> nn.Module:
        """Return the module itself."""
        return module

    def keep(self, **_components: object) -> None:
        """Keep nothing."""

    def say(self, _text: str) -> None:
        """Say nothing."""

    def epochs(self, total: int) -> Iterator[int]:
        """Count the epochs."""
        for self._epoch in range(total):
            yield self._epoch

    def batches(self, count: int, batch_size: int, *, keep_last: bool = False) -> Iterator[Tensor]:
        """Row indices of each batch of this epoch, shuffled."""
        batch_size = min(batch_size, count)
        order = shuffled(count, self._seed, self._epoch)
        yield from torch.split(order[: count if keep_last else count - count % batch_size], batch_size)

    def step(self, loss: Tensor, optimiser: torch.optim.Optimizer) -> None:
        """Take one step down the gradient."""
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()

    def record(self, **_values: float) -> None:
        """Record nothing."""


def fit_ensemble(
    model: Ensemble,
    features: Tensor,
    learns: Tensor,
    loss: Callable[[Tensor, Tensor], Tensor],
    loop: Run | QuietLoop,
    *,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    weight_decay: float,
    validate: Callable[[], Mapping[str, float]] | None = None,
) -> None:
    """Train all members: AdamW with a one-cycle learning rate; the linear path decays little (0.01).

    Args:
        model: The ensemble; trained in place.
        features: float32 [n, inputs].
        learns: Which rows each member learns from, float32 [n, members].
        loss: From outputs [batch, members, outputs] and the rows of the batch to losses [batch, members].
        loop: A `Run`, or a `QuietLoop`.
        epochs: Passes over the rows.
        batch_size: Rows per step.
        learning_rate: Peak of the schedule.
        weight_decay: Decoupled weight decay of the hidden layers.
        validate: Figures to record after each epoch; none for a `QuietLoop`.
    """
    network = loop.distribute(model)
    groups = [{"params": model.hidden_parameters, "weight_decay": weight_decay}]
    if model.linear is not None:
        groups.append({"params": [model.linear], "weight_decay": 0.01})
    optimiser = torch.optim.AdamW(groups, lr=learning_rate)
    steps = epochs * max(1, len(features) // min(batch_size, len(features)))
    # OneCycleLR divides by zero where the rise is a single step.
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, learning_rate, total_steps=max(10, steps), pct_start=0.2)
    loop.keep(model=model, optimiser=optimiser, schedule=schedule)
    for _ in loop.epochs(epochs):
        network.train()
        for rows in loop.batches(len(features), batch_size):
            losses = loss(network(features[rows]), rows) * learns[rows]
            loop.step((losses.sum(0) / learns[rows].sum(0).clamp(min=1)).mean(), optimiser)
            schedule.step()
        if validate:
            loop.record(**validate())
    model.eval()


def out_of_fold(outputs: Tensor, learns: Tensor) -> Tensor:
    """Return the mean over the members that did not learn from a row: [n, outputs] from [n, members, outputs]."""
    unseen = (1 - learns).unsqueeze(-1)
    return (outputs * unseen).sum(1) / unseen.sum(1)
