"""How many minutes a food delivery takes: a network with a linear path, and intervals that hold what they say.

What decides the shape of the model, all measured on the public data set of 1,000 orders:

- Minutes are close to linear in distance, preparation, weather and traffic, and a network alone fits noise. So the
  network gets a linear path beside its ReLU layers, and the layers a strong weight decay.
- Slow roads cost by the kilometre: the product of distance and traffic is given as a feature.
- The spread grows with the distance: a second output is the scale of the error, learned with the first (Huber loss of
  the error divided by the scale, plus the logarithm of the scale). Intervals are as wide as it says.
- One order in thirty or forty takes half an hour or more longer for no visible reason: Huber loss, not squares.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import GradientBoostingRegressor, RandomForestRegressor
from sklearn.linear_model import HuberRegressor, LinearRegression
from sklearn.model_selection import ShuffleSplit
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor
from torch.nn import functional

from contract.errors import InputError
from workloads.training.models.delivery_time.orders import (
    FEATURES,
    NUMBERS,
    ORDER,
    TARGET,
    encoder,
    known_categories,
    load_deliveries,
    load_orders,
    preprocessing,
)
from workloads.training.models.delivery_time.report import report, within_intervals
from workloads.training.models.delivery_time.settings import Settings, search
from workloads.training.runtime.run_folder import load_model, rebuilding
from workloads.training.runtime.workload import STANDARD_ERROR, Predictions, Workload
from workloads.training.tabular.ensemble import Ensemble, QuietLoop, fit_ensemble, leave_out, out_of_fold
from workloads.training.tabular.evaluation import Comparison, digest, regression_scores
from workloads.training.tabular.intervals import conformal_factor, fewest_rows
from workloads.training.tabular.pipeline import PIPELINE, dump, load_pipeline
from workloads.training.tabular.search import best_settings
from workloads.training.tabular.table import known_spellings, outside_training, without_values, without_variation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from workloads.storage import Location
    from workloads.training.runtime.results import Results
    from workloads.training.runtime.run import Run

NAME = "delivery-time"
COVERAGES = (0.8, 0.95)
TEST_SHARE = 0.2
REFERENCE_HIDDEN = (64, 32, 16)
_HUBER_DELTA = 1.345  # Huber 1964: 95 % as efficient as least squares where errors are normal


class DeliveryNetwork(Ensemble):
    """An ensemble whose outputs are minutes and, except for the reference, the scale of their error.

    Args:
        architecture: `linear-path` or `reference`.
        members: Number of networks.
        inputs: Features of a row.
        hidden: Units of the hidden layer of `linear-path`.
    """

    centre: Tensor
    spread: Tensor

    def __init__(self, architecture: str, members: int, inputs: int, hidden: int) -> None:
        reference = architecture == "reference"
        layers, outputs = (REFERENCE_HIDDEN, 1) if reference else ((hidden,), 2)
        super().__init__(members, inputs, layers, outputs, linear_path=not reference)
        self.arguments = {"architecture": architecture, "members": members, "inputs": inputs, "hidden": hidden}
        self.register_buffer("centre", torch.zeros(()))
        self.register_buffer("spread", torch.ones(()))

    def location_and_scale(self, outputs: Tensor) -> tuple[Tensor, Tensor]:
        """Both in standard deviations of the target, of outputs [..., 1 or 2]; the scale is 1 where none is learned."""
        location = outputs[..., 0]
        if outputs.shape[-1] == 1:
            return location, torch.ones_like(location)
        return location, functional.softplus(outputs[..., 1] - 1) + 0.01

    def losses(self, outputs: Tensor, target: Tensor) -> Tensor:
        """Return the loss of each row and member, of outputs [n, members, outputs] and targets in deviations [n]."""
        location, scale = self.location_and_scale(outputs)
        error = (target[:, None] - location) / scale
        if outputs.shape[-1] == 1:
            return error.square()
        return functional.huber_loss(error, torch.zeros_like(error), reduction="none", delta=_HUBER_DELTA) + scale.log()

    @torch.inference_mode()
    def minutes(
        self, features: Tensor, learns: Tensor | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return minutes and their scale, [n] each: the mean of all members, or of those that did not see a row."""
        self.eval()
        location, scale = self.location_and_scale(self(features))
        both = torch.stack([location * self.spread + self.centre, scale * self.spread], -1)
        mean = both.mean(1) if learns is None else out_of_fold(both, learns)
        values = mean.double().cpu().numpy()
        return values[:, 0].clip(min=0), values[:, 1]


@dataclass(frozen=True)
class DeliveryModel:
    """All that a prediction needs.

    Attributes:
        pipeline: From raw rows to features.
        network: From features to minutes.
        factors: For each coverage the factor of the scale: half the width of the interval.
    """

    pipeline: Pipeline
    network: DeliveryNetwork
    factors: dict[str, float]

    def predict(self, orders: pd.DataFrame) -> pd.DataFrame:
        """Predict minutes and the bounds of their intervals, never negative, with a row for each order."""
        features = torch.tensor(self.pipeline.transform(orders[list(FEATURES)]), dtype=torch.float32)
        device = self.network.centre.device
        return with_intervals(*self.network.minutes(features.to(device)), self.factors)


def with_intervals(
    minutes: NDArray[np.float64], scale: NDArray[np.float64], factors: Mapping[str, float]
) -> pd.DataFrame:
    """Return the columns `prediction`, `lower_80`, `upper_80`, ... from minutes and scales [n] and the factors."""
    columns = {"prediction": minutes}
    for coverage, factor in factors.items():
        percent = f"{float(coverage):.0%}".rstrip("%")
        columns[f"lower_{percent}"] = (minutes - factor * scale).clip(min=0)
        columns[f"upper_{percent}"] = minutes + factor * scale
    return pd.DataFrame(columns)


@dataclass(frozen=True)
class Learned:
    """A model, and what its members predict of the rows that they did not learn from.

    Attributes:
        model: The model.
        out_of_fold: Minutes and the bounds of their intervals, as `DeliveryModel.predict` gives them, [n].
        losses: The loss of each row, [n].
    """

    model: DeliveryModel
    out_of_fold: pd.DataFrame
    losses: NDArray[np.float64]


def learn(settings: Settings, table: pd.DataFrame, loop: Run | QuietLoop, device: torch.device) -> Learned:
    """Fit the pipeline, the ensemble and the intervals to a table."""
    minutes = table[TARGET].to_numpy(np.float64)
    if len(table) < (fewest := max(2 * settings.folds, fewest_rows(max(COVERAGES)))):
        raise InputError(f"{len(table)} rows are too few to learn from. At least {fewest} are needed.")
    pipeline = preprocessing().fit(table[list(FEATURES)])
    features = torch.tensor(pipeline.transform(table[list(FEATURES)]), dtype=torch.float32, device=device)
    mask = leave_out(np.arange(len(table)), settings.folds, settings.repeats, settings.seed)
    learns = torch.tensor(mask, dtype=torch.float32, device=device)
    network = DeliveryNetwork(settings.architecture, mask.shape[1], features.shape[1], settings.hidden).to(device)
    network.centre.fill_(float(minutes.mean()))
    network.spread.fill_(float(minutes.std()) or 1.0)
    target = (torch.tensor(minutes, dtype=torch.float32, device=device) - network.centre) / network.spread

    @torch.inference_mode()
    def unseen_losses() -> NDArray[np.float64]:
        network.eval()
        loss = network.losses(network(features), target).unsqueeze(-1)
        return out_of_fold(loss, learns)[:, 0].double().cpu().numpy()

    def validate() -> dict[str, float]:
        losses, error = unseen_losses(), np.abs(minutes - network.minutes(features, learns)[0])
        return {
            "validation_loss": float(losses.mean()),
            STANDARD_ERROR: float(losses.std(ddof=1)) / math.sqrt(len(losses)),
            "validation_mae": float(error.mean()),
        }

    fit_ensemble(
        network,
        features,
        learns,
        lambda outputs, rows: network.losses(outputs, target[rows]),
        loop,
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        learning_rate=settings.learning_rate,
        weight_decay=settings.weight_decay if settings.architecture == "linear-path" else 0.01,
        validate=None if isinstance(loop, QuietLoop) else validate,
    )
    prediction, scale = network.minutes(features, learns)
    factors = {str(coverage): conformal_factor(minutes, prediction, scale, coverage) for coverage in COVERAGES}
    unseen = with_intervals(prediction, scale, factors)
    return Learned(DeliveryModel(pipeline, network, factors), unseen, unseen_losses())


def tuned(settings: Settings, table: pd.DataFrame, device: torch.device) -> Settings:
    """Return the settings found by `nested_trials` trials on a table; those given where there are none."""
    return best_settings(
        settings,
        search,
        lambda tried: learn(tried, table, QuietLoop(settings.seed), device).losses.mean(),
        settings.nested_trials,
        settings.seed,
    )


def baselines(seed: int) -> dict[str, Any]:
    """Return what every evaluation shows beside the network, by name; fitted to raw rows."""
    estimators = {
        "mean": DummyRegressor(),
        "linear": LinearRegression(),
        "Huber": HuberRegressor(alpha=1.0, max_iter=1000),
        "random forest": RandomForestRegressor(100, min_samples_leaf=3, random_state=seed),
        "gradient boosting": GradientBoostingRegressor(loss="huber", max_depth=2, subsample=0.5, random_state=seed),
    }
    return {name: make_pipeline(encoder(), StandardScaler(), estimator) for name, estimator in estimators.items()}


def random_splits(settings: Settings, rows: int) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Return the training and test rows of each split: `splits` random fifths to test on."""
    splitter = ShuffleSplit(max(1, settings.splits), test_size=TEST_SHARE, random_state=settings.seed)
    return list(splitter.split(np.arange(rows)))[: settings.splits]


def evaluate(
    settings: Settings,
    table: pd.DataFrame,
    splits: Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]],
    loop: Run | QuietLoop,
) -> Comparison:
    """Evaluate the network and the baselines on the test rows of each split, fitted to its training rows."""
    comparison = Comparison("network", TEST_SHARE)
    for split, (train_rows, test_rows) in enumerate(splits):
        train, test = table.iloc[train_rows], table.iloc[test_rows]
        truth = test[TARGET].to_numpy(np.float64)
        for name, model in baselines(settings.seed).items():
            prediction = model.fit(train[list(FEATURES)], train[TARGET]).predict(test[list(FEATURES)])
            comparison.add(split, name, regression_scores(truth, prediction))
        chosen = tuned(settings, train, loop.device)
        predicted = learn(chosen, train, QuietLoop(settings.seed + split), loop.device).model.predict(test)
        scores = regression_scores(truth, predicted["prediction"].to_numpy())
        for percent, covered in within_intervals(truth, predicted).items():
            scores[f"coverage_{percent}"] = float(covered.mean())
            scores[f"width_{percent}"] = float((predicted[f"upper_{percent}"] - predicted[f"lower_{percent}"]).mean())
        comparison.add(split, comparison.delivered, scores)
        loop.say(f"split {split + 1}/{len(splits)}  R2 {scores['r2']:.3f}  MAE {scores['mae']:.2f} min")
    return comparison


def fit(settings: Settings, data: Location, run: Run) -> Results:
    """Learn from all rows; measure the same procedure on random splits, beside the baselines."""
    table = load_deliveries(data)
    for note in without_variation(table, [*FEATURES, TARGET]):
        run.say(note)
    run.use_data(digest(table[[*FEATURES, TARGET]]))
    if settings.splits and len(table) * (1 - TEST_SHARE) < (fewest := fewest_rows(max(COVERAGES))):
        needed = math.ceil(fewest / (1 - TEST_SHARE))
        raise InputError(
            f"{data}: {len(table)} rows are too few to learn from and to test on. At least {needed} are needed; "
            "--splits 0 learns without a test."
        )
    learned = learn(tuned(settings, table, run.device), table, run, run.device)
    comparison = evaluate(settings, table, random_splits(settings, len(table)), run)
    network = learned.model.network
    ranges = {
        name: [float(table[name].min()), float(table[name].max())] for name in NUMBERS if table[name].notna().any()
    }
    return replace(
        report(settings, table, learned.out_of_fold, comparison, run.history),
        model=network.state_dict(),
        model_settings={"network": network.arguments, "interval_factors": learned.model.factors, "ranges": ranges},
        files={PIPELINE: dump(learned.model.pipeline)},
    )


def predict(run: Location, inputs: Location) -> Predictions:
    """Minutes and intervals of orders: `prediction`, `Order_ID`, `lower_80`, `upper_80`, `lower_95`, `upper_95`.

    Args:
        run: A finished run. Its pipeline is a joblib file, which can run code when it is read: trust where it is from.
        inputs: A CSV file with the columns of training; the target may be there and is not read.

    Raises:
        InputError: The run or the orders cannot be read.
    """
    weights, description = load_model(run, NAME)
    with rebuilding(run):
        network = DeliveryNetwork(**description["network"])
        network.load_state_dict(weights)
        factors = description["interval_factors"]
    pipeline = load_pipeline(run)
    orders, notes = known_spellings(load_orders(inputs), known_categories(pipeline))
    notes += outside_training(orders, description.get("ranges", {}))
    notes += without_values(orders, FEATURES)
    predicted = DeliveryModel(pipeline, network, factors).predict(orders).round(3)
    predicted.insert(1, ORDER, orders[ORDER])
    return Predictions(predicted, notes)


WORKLOAD = Workload(
    settings=Settings,
    fit=fit,
    predict=predict,
    unit="orders",
    search=search,
    trial_settings={"splits": 0, "nested_trials": 0},
    grid={"hidden": [16, 32, 64], "learning_rate": [0.003, 0.01, 0.03], "weight_decay": [1.0, 10.0, 50.0]},
    objective=("validation_loss", "minimize"),
)
