"""What keeps the figures of the positions honest: whole players apart, and the forest's word out of fold."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from workloads.training.models.player_position import model as player_position
from workloads.training.models.player_position.combination import (
    Rows,
    forest_of,
    network_probabilities,
    out_of_fold_probabilities,
    player_splits,
    with_forest,
)
from workloads.training.models.player_position.model import evaluate, fit_network
from workloads.training.models.player_position.settings import Settings
from workloads.training.tabular.ensemble import QuietLoop, leave_out


def some_rows(players: int = 30, seed: int = 0) -> Rows:
    """Players of five classes with one to four rows each, whose features tell the class a little."""
    generator = np.random.default_rng(seed)
    owner = np.repeat(np.arange(players), generator.integers(1, 5, players))
    labels = (owner % 5).astype(np.int64)
    values = generator.normal(size=(len(owner), 3)) + labels[:, None] * [1.0, 0.5, 0.0]
    return Rows(pd.DataFrame(values, columns=["a", "b", "c"]), labels, owner.astype(np.int64))


@settings(max_examples=20)
@given(st.integers(25, 60), st.integers(0, 1000))
def test_no_player_is_on_both_sides_of_a_split_and_all_are_tested_once(players: int, seed: int) -> None:
    rows = some_rows(players, seed)
    tested = []
    for seen, unseen in player_splits(rows, 5, seed):
        assert not set(rows.players[seen]) & set(rows.players[unseen])
        assert sorted([*seen, *unseen]) == list(range(len(rows.labels)))
        tested += list(unseen)
    assert sorted(tested) == list(range(len(rows.labels)))


class Spy:
    """A model that remembers what it learned from, and predicts only what it did not."""

    classes_ = np.arange(5)

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self.predicted: list[int] = []
        self.players: set[int] = set()

    def fit(self, features: pd.DataFrame, _labels: np.ndarray) -> Spy:
        self.players = set(self.rows.players[features.index])
        return self

    def predict_proba(self, features: pd.DataFrame) -> np.ndarray:
        assert not self.players & set(self.rows.players[features.index])
        self.predicted += list(features.index)
        return np.tile(np.eye(5)[0], (len(features), 1))


def test_the_probabilities_that_the_network_learns_from_are_of_forests_that_never_saw_the_player() -> None:
    rows = some_rows()
    spy = Spy(rows)
    out_of_fold_probabilities(spy, rows, seed=0)
    assert sorted(spy.predicted) == list(range(len(rows.labels)))


def test_a_forest_asked_for_its_own_rows_would_give_the_labels_away() -> None:
    """The leak that the test above is about is real: with labels that mean nothing, only it makes them predictable."""
    rows = some_rows(60)
    noise = Rows(rows.features, np.random.default_rng(1).permutation(60)[rows.players] % 5, rows.players)
    forest = forest_of(Settings(trees=30), noise)
    honest = out_of_fold_probabilities(forest, noise, seed=0).argmax(1)
    leaked = forest.fit(noise.features, noise.labels).predict(noise.features)
    assert (leaked == noise.labels).mean() > 0.6
    assert (honest == noise.labels).mean() < 0.4


def test_the_networks_leave_whole_players_out() -> None:
    rows = some_rows()
    for member in leave_out(rows.players, 5, 1, seed=0).T:
        assert not set(rows.players[member]) & set(rows.players[~member])


def test_weights_make_rare_positions_be_found_more_often() -> None:
    generator = np.random.default_rng(0)
    labels = np.array([0] * 180 + [1, 2, 3, 4] * 5, dtype=np.int64)
    features = pd.DataFrame(generator.normal(size=(200, 2)) + 0.8 * np.minimum(labels, 1)[:, None])
    rows = Rows(features, labels, np.arange(200))
    found = {}
    for balance in ("none", "weights"):
        chosen = Settings(epochs=10, batch_size=50, hidden=8, balance=balance, folds=2, repeats=1)
        network, _ = fit_network(chosen, features.to_numpy(), rows, QuietLoop(0), torch.device("cpu"))
        probabilities = network_probabilities(network, features.to_numpy())
        found[balance] = probabilities[:, 1:].sum()
    assert found["weights"] > 1.2 * found["none"]


def test_evaluation_fits_nothing_to_the_players_it_tests_on(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = some_rows(40)
    learned: list[set[int]] = []
    original = player_position.learn

    def learn(chosen: Settings, train: Rows, *others: object) -> object:
        learned.append(set(train.players))
        return original(chosen, train, *others)  # type: ignore[arg-type]

    monkeypatch.setattr(player_position, "learn", learn)
    evaluation = evaluate(Settings(splits=5, epochs=1, hidden=4, trees=5), rows, QuietLoop(0))
    everybody = set(rows.players)
    left_out = [everybody - players for players in learned[::2]]
    assert set.union(*left_out) == everybody
    assert sum(map(len, left_out)) == len(everybody)
    assert evaluation.confusion.sum() == len(rows.labels)
    delivered = [row["accuracy"] for row in evaluation.comparison.rows if row["model"] == "combination"]
    assert evaluation.comparison.mean("combination")["accuracy"] == pytest.approx(np.mean(delivered))
    tested = evaluation.by_player["majority"]
    assert 0 < tested["better"] + tested["worse"] <= len(everybody)


def test_the_forests_probabilities_are_beside_the_features() -> None:
    features = with_forest(np.zeros((2, 3)), np.array([[1.0, 0.0], [0.5, 0.5]]))
    assert features.shape == (2, 5)
    assert features[0, 3] > features[1, 3] > features[0, 4]


def test_the_combination_is_the_mean_of_forest_network_and_boosting() -> None:
    rows = some_rows()
    model = player_position.learn(Settings(epochs=1, hidden=4, trees=5), rows, QuietLoop(0), QuietLoop.device)
    parts = model.probabilities(rows.features)
    mean = np.mean([parts[name] for name in ("forest", "network", "boosting")], axis=0)
    np.testing.assert_allclose(parts["combination"], mean)
    assert not np.allclose(parts["combination"], (parts["forest"] + parts["network"]) / 2)


def test_players_are_dealt_into_parts_as_often_as_asked_for() -> None:
    rows = some_rows()
    chosen = Settings(epochs=1, hidden=4, folds=3, repeats=2)
    network, _ = fit_network(chosen, rows.features.to_numpy(), rows, QuietLoop(0), QuietLoop.device)
    assert len(network.weights[0]) == 6


def test_the_standard_error_counts_players_and_not_their_seasons() -> None:
    values, players = np.array([0.0, 2.0]), np.array([0, 1])
    once = player_position._standard_error(values, players)
    assert player_position._standard_error(values.repeat(5), players.repeat(5)) == pytest.approx(once)
