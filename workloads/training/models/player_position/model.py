"""The position of a football player from how he catches, runs and is built.

A random forest, a network that has the forest's probabilities among its features, gradient boosting, and the mean of
the three, which is what is delivered. Two rules keep the figures honest, and tests prove both:

- A player is in one part of every split only: seasons of one player resemble each other.
- The forest's probabilities that the network learns from come from forests that never saw the player (out of fold);
  those of a forest's own training rows are nearly the labels.

A player's seasons are added up over the career by default: who runs and who catches shows in all of them, and whoever
asks has them all (`--level season` looks at each season alone, as the reference did).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import confusion_matrix
from sklearn.pipeline import make_pipeline
from torch import Tensor
from torch.nn import functional

from contract.errors import InputError
from workloads.differences import sign_test
from workloads.training.models.player_position.combination import (
    FOREST_GRID,
    PositionModel,
    Rows,
    boosting_of,
    class_probabilities,
    forest_of,
    network_preprocessing,
    network_probabilities,
    out_of_fold_probabilities,
    player_splits,
    with_forest,
)
from workloads.training.models.player_position.players import CLASSES, Players, examples, load_players
from workloads.training.models.player_position.report import Evaluation, report
from workloads.training.models.player_position.settings import Settings, search
from workloads.training.runtime.run_folder import load_model, rebuilding
from workloads.training.runtime.workload import STANDARD_ERROR, Predictions, Workload
from workloads.training.tabular.ensemble import Ensemble, QuietLoop, fit_ensemble, leave_out, out_of_fold
from workloads.training.tabular.evaluation import Comparison, classification_scores
from workloads.training.tabular.pipeline import PIPELINE, dump, load_pipeline
from workloads.training.tabular.search import best_settings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workloads.storage import Location
    from workloads.training.runtime.results import Results
    from workloads.training.runtime.run import Run

NAME = "player-position"
_SPLIT_PARTS = 5


def labelled_rows(settings: Settings, players: Players) -> Rows:
    """Return the rows whose position is known.

    Raises:
        InputError: There are too few players to split them, or nothing tells them apart.
    """
    selected = players.labelled.to_numpy()
    if settings.rows == "with-receptions":
        selected = selected & (players.receiving["receptions"] > 0).to_numpy()
    features = examples(players, settings.features, settings.level)[selected].reset_index(drop=True)
    receiving = players.receiving[selected]
    numbers = {name: number for number, name in enumerate(CLASSES)}
    labels = np.array([numbers[name] for name in receiving["position"]], dtype=np.int64)
    rows = Rows(features, labels, np.asarray(receiving["player"].factorize()[0], dtype=np.int64))
    in_class = [len(np.unique(rows.players[labels == number])) for number in range(len(CLASSES))]
    if min(in_class) < 2:  # noqa: PLR2004 - one to learn from, one to test on
        counts = ", ".join(f"{name} {count}" for name, count in zip(CLASSES, in_class, strict=True))
        raise InputError(f"There are too few players to learn from ({counts}). Each position needs two at least.")
    if len(features.drop_duplicates()) == 1:
        raise InputError(
            f"All {len(labels):,} rows have the same numbers, so nothing tells positions apart. Check that the columns "
            "of numbers have values."
        )
    return rows


def fit_network(
    settings: Settings, features: NDArray[np.float64], rows: Rows, loop: Run | QuietLoop, device: torch.device
) -> tuple[Ensemble, float]:
    """Train the network, and tell its loss on players that its members did not see.

    That loss compares settings. It is not a test: the forest's probabilities among the features come from forests that
    saw other players' rows; the test is `evaluate`, where whole players stay away from everything.
    """
    inputs = torch.tensor(features, dtype=torch.float32, device=device)
    labels = torch.tensor(rows.labels, device=device)
    mask = leave_out(rows.players, settings.folds, settings.repeats, settings.seed)
    learns = torch.tensor(mask, dtype=torch.float32, device=device)
    layers = (settings.hidden, max(1, settings.hidden // 2))
    network = Ensemble(mask.shape[1], inputs.shape[1], layers, len(CLASSES), dropout=settings.dropout).to(device)
    counts = np.bincount(rows.labels, minlength=len(CLASSES)).clip(min=1)
    weights = (
        np.sqrt(len(rows.labels) / len(CLASSES) / counts) if settings.balance == "weights" else np.ones(len(counts))
    )
    row_weights = torch.tensor(weights[rows.labels], dtype=torch.float32, device=device)

    def losses(outputs: Tensor, chosen: Tensor) -> Tensor:
        repeated = labels[chosen].unsqueeze(1).expand(-1, outputs.shape[1])
        cross_entropy = functional.cross_entropy(outputs.flatten(0, 1), repeated.flatten(), reduction="none")
        return cross_entropy.view(outputs.shape[:2]) * row_weights[chosen].unsqueeze(1)

    @torch.inference_mode()
    def validate() -> dict[str, float]:
        network.eval()
        unseen = out_of_fold(network(inputs).softmax(-1), learns)
        losses = functional.nll_loss(unseen.clamp(min=1e-6).log(), labels, reduction="none").double().cpu().numpy()
        return {
            "validation_loss": float(losses.mean()),
            STANDARD_ERROR: _standard_error(losses, rows.players),
            "validation_accuracy": float((unseen.argmax(1) == labels).float().mean()),
        }

    fit_ensemble(
        network,
        inputs,
        learns,
        losses,
        loop,
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        learning_rate=settings.learning_rate,
        weight_decay=settings.weight_decay,
        validate=None if isinstance(loop, QuietLoop) else validate,
    )
    return network, validate()["validation_loss"]


def _standard_error(values: NDArray[np.float64], groups: NDArray[np.int64]) -> float:
    """Of the mean of values [n] of which those of one group resemble each other: the groups are what is independent."""
    _, group = np.unique(groups, return_inverse=True)
    deviations = np.bincount(group, values - values.mean())
    return float(np.sqrt(np.square(deviations).sum()) / len(values))


def learn(settings: Settings, rows: Rows, loop: Run | QuietLoop, device: torch.device) -> PositionModel:
    """Fit the forest, the network that sees it, and the boosting; settings are searched for first, where wanted."""
    forest = forest_of(settings, rows)
    unseen = out_of_fold_probabilities(forest, rows, settings.seed)
    forest.fit(rows.features, rows.labels)
    preprocessing = network_preprocessing(len(rows.labels)).fit(rows.features)
    features = with_forest(preprocessing.transform(rows.features), unseen)

    def loss(tried: Settings) -> float:
        return fit_network(tried, features, rows, QuietLoop(settings.seed), device)[1]

    chosen = best_settings(settings, search, loss, settings.nested_trials, settings.seed)
    network, _ = fit_network(chosen, features, rows, loop, device)
    boosting = boosting_of(settings).fit(rows.features, rows.labels)
    return PositionModel(forest, boosting, preprocessing, network, settings.model)


def baselines(rows: int) -> dict[str, Any]:
    """Return what every evaluation shows beside the model, by name; fitted to raw features."""
    return {
        "majority": DummyClassifier(),
        "logistic regression": make_pipeline(network_preprocessing(rows), LogisticRegression(C=0.1, max_iter=2000)),
    }


def shown_name(kind: str, settings: Settings) -> str:
    """Return the name of a kind of prediction in the tables."""
    name = {"network": "network with the forest", "boosting": "gradient boosting"}.get(kind, kind)
    return f"{name}, weighted" if settings.balance == "weights" else name


def evaluate(settings: Settings, rows: Rows, loop: Run | QuietLoop) -> Evaluation:
    """Evaluate the model, its parts and the baselines on splits by player; each split fits everything again.

    The parts and the mean are also fitted with the other setting of `balance`, and the network without the forest.
    """
    comparison = Comparison(shown_name(settings.model, settings), 1 / _SPLIT_PARTS)
    confusion = np.zeros((len(CLASSES), len(CLASSES)), np.int64)
    right: dict[str, NDArray[np.float64]] = {}
    alternative = settings.model_copy(update={"balance": "none" if settings.balance == "weights" else "weights"})
    for split in range(settings.splits):
        repeat, fold = divmod(split, _SPLIT_PARTS)
        train_rows, test_rows = list(player_splits(rows, _SPLIT_PARTS, settings.seed + repeat))[fold]
        train, test = rows[train_rows], rows[test_rows]
        predictions = {
            name: class_probabilities(baseline.fit(train.features, train.labels), test.features)
            for name, baseline in baselines(len(train_rows)).items()
        }
        preprocessing = network_preprocessing(len(train_rows)).fit(train.features)
        alone, _ = fit_network(
            settings, preprocessing.transform(train.features), train, QuietLoop(settings.seed + split), loop.device
        )
        predictions["network alone"] = network_probabilities(alone, preprocessing.transform(test.features))
        for variant in (settings, alternative):
            model = learn(variant, train, QuietLoop(settings.seed + split), loop.device)
            for kind, probabilities in model.probabilities(test.features).items():
                predictions[shown_name(kind, variant)] = probabilities
        for name, probabilities in predictions.items():
            comparison.add(split, name, classification_scores(test.labels, probabilities, test.players))
            hits = right.setdefault(name, np.zeros(rows.players.max() + 1))
            hits += np.bincount(test.players, probabilities.argmax(1) == test.labels, minlength=len(hits))
        delivered = predictions[comparison.delivered]
        confusion += confusion_matrix(test.labels, delivered.argmax(1), labels=range(len(CLASSES)))
        scores = classification_scores(test.labels, delivered, test.players)
        loop.say(
            f"split {split + 1}/{settings.splits}  accuracy {scores['accuracy_by_group']:.3f} by player, "
            f"{scores['accuracy']:.3f} by season"
        )
    by_player = {
        name: sign_test(right[comparison.delivered], hits)
        for name, hits in right.items()
        if name != comparison.delivered
    }
    return Evaluation(comparison, confusion, by_player)


def fit(settings: Settings, data: Location, run: Run) -> Results:
    """Learn from all players; measure the same procedure on splits by player, beside the baselines."""
    players = load_players(data)
    for note in players.notes:
        run.say(note)
    rows = labelled_rows(settings, players)
    run.use_data(rows.sha256)
    model = learn(settings, rows, run, run.device)
    evaluation = evaluate(settings, rows, run)
    return replace(
        report(settings, rows, evaluation, run.history),
        model=model.network.state_dict(),
        model_settings={"settings": settings.model_dump(mode="json"), "network": model.network.arguments},
        files={
            PIPELINE: dump({"forest": model.forest, "boosting": model.boosting, "preprocessing": model.preprocessing})
        },
    )


def predict(run: Location, inputs: Location) -> Predictions:
    """Predict `prediction`, `Player Id`, `Year` and the probability of each position for each row of receiving.

    Rows whose position is one of the five are predicted, in the order of the file; where there is none (no column, or
    empty everywhere) all rows are. The position is not used otherwise.

    Args:
        run: A finished run. Its pipelines are a joblib file, which can run code when it is read: trust its origin.
        inputs: A folder with the three files, or with nflverse's tables.

    Raises:
        InputError: The run or the tables cannot be read.
    """
    weights, description = load_model(run, NAME)
    with rebuilding(run):
        settings = Settings(**description["settings"])
        network = Ensemble(**description["network"])
        network.load_state_dict(weights)
    pipelines = load_pipeline(run)
    if not isinstance(pipelines, dict):
        raise InputError(f"{run}: The run is of an earlier version, whose model had fewer parts. Train again.")
    with rebuilding(run):
        model = PositionModel(**pipelines, network=network, kind=settings.model)
    players = load_players(inputs)
    selected = players.labelled.to_numpy() if players.labelled.any() else np.ones(len(players.receiving), bool)
    features = examples(players, settings.features, settings.level)[selected]
    probabilities = model.predict(features)
    rows = players.receiving[selected]
    columns = {
        "prediction": np.array(CLASSES)[probabilities.argmax(1)],
        "Player Id": rows["player"].to_numpy(),
        "Year": rows["year"].to_numpy().astype(int),
    }
    shares = {f"probability_{name}": probabilities[:, index].round(6) for index, name in enumerate(CLASSES)}
    notes = [*players.notes]
    if left_out := int((~selected).sum()):
        notes.append(
            f"{left_out:,} of {len(selected):,} rows are not predicted: others have one of the positions "
            f"{', '.join(CLASSES)}, and these do not."
        )
    return Predictions(pd.DataFrame(columns | shares), notes)


WORKLOAD = Workload(
    settings=Settings,
    fit=fit,
    predict=predict,
    unit="seasons",
    search=search,
    trial_settings={"splits": 0, "nested_trials": 0},
    grid=FOREST_GRID,
    objective=("validation_loss", "minimize"),
)
