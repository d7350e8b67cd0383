"""The model of the positions: a forest, a network that has its probabilities as features, boosting, and their mean.

What the network learns from are probabilities of forests that never saw the player.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, QuantileTransformer, StandardScaler

from workloads.training.models.player_position.players import CLASSES
from workloads.training.tabular.evaluation import digest

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd
    from numpy.typing import NDArray

    from workloads.training.models.player_position.settings import Settings
    from workloads.training.tabular.ensemble import Ensemble

FOREST_GRID = {"trees": [50, 100, 200], "depth": [10, 20, 30], "min_split": [2, 5, 10]}
_FOREST_FOLDS = 5


@dataclass(frozen=True)
class Rows:
    """Rows to learn from or to test on.

    Attributes:
        features: [n, features], NaN where something is not known.
        labels: Numbers of `CLASSES`, [n].
        players: Whose row it is, as a number, [n].
    """

    features: pd.DataFrame
    labels: NDArray[np.int64]
    players: NDArray[np.int64]

    @property
    def sha256(self) -> str:
        """A digest of all of it, whatever files it came in."""
        return digest(self.features.assign(label=self.labels, player=self.players))

    def __getitem__(self, rows: NDArray[np.int64]) -> Rows:
        return Rows(self.features.iloc[rows], self.labels[rows], self.players[rows])


def player_splits(rows: Rows, folds: int, seed: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Yield rows to train on and rows to test on for each fold: every player is in one test fold only."""
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    yield from splitter.split(rows.features, rows.labels, rows.players)


def forest_of(settings: Settings, rows: Rows) -> Pipeline:
    """Return an unfitted random forest; with `forest="grid"` its parameters are the best of the grid on these rows."""
    forest = RandomForestClassifier(
        settings.trees,
        max_depth=settings.depth,
        min_samples_split=settings.min_split,
        class_weight="balanced_subsample" if settings.balance == "weights" else None,
        random_state=settings.seed,
    )
    if settings.forest == "grid":
        imputed = _forest_imputer().fit_transform(rows.features)
        parameters = zip(("n_estimators", "max_depth", "min_samples_split"), FOREST_GRID.values(), strict=True)
        grid = GridSearchCV(forest, dict(parameters), cv=StratifiedGroupKFold(3))
        forest.set_params(**grid.fit(imputed, rows.labels, groups=rows.players).best_params_)
    return make_pipeline(_forest_imputer(), forest)


def boosting_of(settings: Settings) -> HistGradientBoostingClassifier:
    """Unfitted gradient boosting of shallow trees; it takes missing numbers as they are."""
    return HistGradientBoostingClassifier(
        max_iter=80,
        max_leaf_nodes=12,
        class_weight="balanced" if settings.balance == "weights" else None,
        random_state=settings.seed,
    )


def _forest_imputer() -> SimpleImputer:
    # Below all values: a split takes "missing" for a category of its own.
    return SimpleImputer(strategy="constant", fill_value=-1000.0, keep_empty_features=True)


def network_preprocessing(rows: int) -> Pipeline:
    """Return the pipeline that makes raw features normally distributed and marks missing ones, for the network."""
    return make_pipeline(
        SimpleImputer(add_indicator=True, keep_empty_features=True),
        QuantileTransformer(n_quantiles=min(100, rows), output_distribution="normal"),
        StandardScaler(),
        FunctionTransformer(np.clip, kw_args={"a_min": -3.0, "a_max": 3.0}),
    )


def class_probabilities(model: Any, features: pd.DataFrame) -> NDArray[np.float64]:
    """Probabilities [n, classes], with 0 for a class that the model has never seen."""
    probabilities = np.zeros((len(features), len(CLASSES)))
    probabilities[:, model.classes_] = model.predict_proba(features)
    return probabilities


def out_of_fold_probabilities(forest: Pipeline, rows: Rows, seed: int) -> NDArray[np.float64]:
    """Return the forest's probabilities of each row, from forests that never saw a row of that player, [n, classes]."""
    probabilities = np.zeros((len(rows.labels), len(CLASSES)))
    for train_rows, test_rows in player_splits(rows, _FOREST_FOLDS, seed):
        fitted = forest.fit(rows.features.iloc[train_rows], rows.labels[train_rows])
        probabilities[test_rows] = class_probabilities(fitted, rows.features.iloc[test_rows])
    return probabilities


def with_forest(features: NDArray[np.float64], forest: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the network's features with the forest's probabilities (their logarithms) beside them."""
    return np.hstack([features, np.log(forest + 0.02)])


@dataclass(frozen=True)
class PositionModel:
    """All that a prediction needs.

    Attributes:
        forest: A fitted forest.
        boosting: Fitted gradient boosting.
        preprocessing: From raw features to those of the network.
        network: From those and the forest's probabilities to logits.
        kind: `combination`, `network`, `forest` or `boosting`.
    """

    forest: Pipeline
    boosting: HistGradientBoostingClassifier
    preprocessing: Pipeline
    network: Ensemble
    kind: str

    def probabilities(self, features: pd.DataFrame) -> dict[str, NDArray[np.float64]]:
        """Probabilities [n, classes] of the forest, the network, the boosting, and their mean (`combination`)."""
        forest = class_probabilities(self.forest, features)
        inputs = with_forest(self.preprocessing.transform(features), forest)
        network = network_probabilities(self.network, inputs)
        boosting = class_probabilities(self.boosting, features)
        combination = (forest + network + boosting) / 3
        return {"boosting": boosting, "forest": forest, "network": network, "combination": combination}

    def predict(self, features: pd.DataFrame) -> NDArray[np.float64]:
        """Probabilities [n, classes] of the kind that the model was made for."""
        return self.probabilities(features)[self.kind]


@torch.inference_mode()
def network_probabilities(network: Ensemble, features: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean of all members' probabilities, [n, classes]."""
    network.eval()
    inputs = torch.tensor(features, dtype=torch.float32, device=network.weights[0].device)
    probabilities: NDArray[np.float64] = network(inputs).softmax(-1).mean(1).double().cpu().numpy()
    return probabilities
