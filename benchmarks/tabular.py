"""How good the models of tables are beside the baselines, on splits that nothing was fitted to.

    GROUNDWORK_DATA=... python benchmarks/tabular.py [NAME ...] [--splits N]

Each name below is one run; without names all are done. Beside each model is what ours has more, with the standard error
of the corrected resampled t-test, because splits of the same rows overlap. With `nested` in the name, settings were
searched for in each split's training rows; with `grid`, the forest's. `by-row` splits rows and not players, as the
reference did: the same player is then on both sides. `published` follows the published protocol of the delivery times.
"""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from measurement import circumstances, record
from sklearn.metrics import r2_score
from sklearn.model_selection import ShuffleSplit, train_test_split

from workloads.differences import paired_difference
from workloads.storage import locate
from workloads.training.models.delivery_time import model as delivery_time
from workloads.training.models.delivery_time.orders import FEATURES, TARGET, load_deliveries
from workloads.training.models.delivery_time.settings import Settings as DeliverySettings
from workloads.training.models.player_position import model as player_position
from workloads.training.models.player_position.players import load_players
from workloads.training.models.player_position.settings import Settings as PositionSettings
from workloads.training.tabular.ensemble import QuietLoop

if TYPE_CHECKING:
    from workloads.training.tabular.evaluation import Comparison

RECEIVING: dict[str, Any] = {"features": "receiving", "rows": "with-receptions"}
DELIVERY: dict[str, dict[str, Any]] = {
    "delivery": {},
    "delivery-reference": {"architecture": "reference"},
    "delivery-nested": {"nested_trials": 10, "splits": 5},
}
PUBLISHED = "delivery-published"
POSITION: dict[str, dict[str, Any]] = {
    "position": {},
    "position-season": {"level": "season"},
    "position-receiving": RECEIVING,
    "position-receiving-season": {**RECEIVING, "level": "season"},
    "position-receiving-season-grid": {**RECEIVING, "level": "season", "forest": "grid", "splits": 5},
    "position-season-by-row": {"level": "season", "splits": 5},
    "position-receiving-season-by-row": {**RECEIVING, "level": "season", "splits": 5},
}
RUNS = (*DELIVERY, PUBLISHED, *POSITION)
#: What is published of the delivery times, of one split whose random state is not told.
CLAIM = {"r2": 0.812, "rmse": 9.85, "mae": 7.30}
LUCK_SPLITS = 1500  # of least squares
LUCK_SPLITS_OURS = 50


class Telling(QuietLoop):
    """Trains in memory, and says how far it is."""

    def say(self, text: str) -> None:
        """Print it."""
        print(text, flush=True)


def main() -> None:
    """Measure, print, and keep the figures in benchmarks/results/tabular.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(RUNS))
    parser.add_argument("--splits", type=int, help="instead of each run's own")
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.names) - set(RUNS))
    if unknown:
        parser.error(f"no run is called {', '.join(unknown)}")
    if "GROUNDWORK_DATA" not in os.environ:
        parser.error("set GROUNDWORK_DATA to a folder that has delivery/ and nfl/")
    changes = {"splits": arguments.splits} if arguments.splits else {}
    for name in arguments.names or RUNS:
        began = time.perf_counter()
        if name == PUBLISHED:
            measured = published_delivery()
        elif name in DELIVERY:
            measured = delivery({**DELIVERY[name], **changes})
        else:
            measured = position({**POSITION[name], **changes}, by_row=name.endswith("by-row"))
        seconds = {"seconds": round(time.perf_counter() - began, 1)}
        record("tabular", {name: {**circumstances("torch", "scikit-learn"), **seconds, **measured}})


def delivery(options: dict[str, Any]) -> dict[str, Any]:
    """The scores of our delivery times and the baselines."""
    settings = DeliverySettings(**options)
    table = load_deliveries(locate(str(Path(os.environ["GROUNDWORK_DATA"], "delivery"))))
    splits = delivery_time.random_splits(settings, len(table))
    return compared(options, delivery_time.evaluate(settings, table, splits, Telling(settings.seed)))


def position(options: dict[str, Any], *, by_row: bool) -> dict[str, Any]:
    """The scores of our positions, their parts and the baselines."""
    settings = PositionSettings(**options)
    players = load_players(locate(str(Path(os.environ["GROUNDWORK_DATA"], "nfl"))))
    rows = player_position.labelled_rows(settings, players)
    facts = {"rows": len(rows.labels), "players": len(np.unique(rows.players))}
    if by_row:
        rows = replace(rows, players=np.arange(len(rows.labels)))
    evaluation = player_position.evaluate(settings, rows, Telling(settings.seed))
    return {**compared(options, evaluation.comparison), **facts, "by_player": evaluation.by_player}


def compared(options: dict[str, Any], comparison: Comparison) -> dict[str, Any]:
    """The figures of a comparison."""
    own = [row for row in comparison.rows if row["model"] == comparison.delivered]
    scores = [name for name in own[0] if name not in {"split", "model"}]
    return {
        "given": {name: value for name, value in options.items() if name != "splits"},
        "splits": comparison.splits,
        "delivered": comparison.delivered,
        "test": comparison.mean(comparison.delivered),
        "models": comparison.summary(),
        "per_split": {score: [row[score] for row in own] for score in scores},
    }


def published_delivery() -> dict[str, Any]:
    """The published protocol: rows without gaps, one random fifth to test on; and how much of its figure is luck."""
    table = load_deliveries(locate(str(Path(os.environ["GROUNDWORK_DATA"], "delivery"))))
    complete = table.dropna(subset=list(FEATURES)).reset_index(drop=True)
    train, test = train_test_split(np.arange(len(complete)), test_size=delivery_time.TEST_SHARE, random_state=42)
    comparison = delivery_time.evaluate(DeliverySettings(), complete, [(train, test)], Telling(0))
    splits = ShuffleSplit(LUCK_SPLITS, test_size=delivery_time.TEST_SHARE, random_state=0).split(complete)
    linear, ours = [], []
    features, minutes = complete[list(FEATURES)], complete[TARGET].to_numpy(np.float64)
    for split, (seen, unseen) in enumerate(splits):
        model = delivery_time.baselines(0)["linear"].fit(features.iloc[seen], minutes[seen])
        linear.append(float(r2_score(minutes[unseen], model.predict(features.iloc[unseen]))))
        if split < LUCK_SPLITS_OURS:
            network = delivery_time.learn(
                DeliverySettings(), complete.iloc[seen], QuietLoop(split), QuietLoop.device
            ).model
            predicted = network.predict(complete.iloc[unseen])["prediction"]
            ours.append(float(r2_score(minutes[unseen], predicted)))
    return {
        "claim": CLAIM,
        "rows": len(complete),
        "all_rows": len(table),
        "models": comparison.summary(),
        "luck": {"linear": luck(linear), "network": luck(ours), "linear, same splits": luck(linear[: len(ours)])},
        "network_less_linear": paired_difference(
            np.subtract(ours, linear[: len(ours)]).tolist(), delivery_time.TEST_SHARE
        ),
    }


def luck(r2: list[float]) -> dict[str, float]:
    """The share of splits whose R2 is above the claim, and what R2 is over all of them."""
    above = float(np.mean(np.array(r2) > CLAIM["r2"]))
    return {
        "splits": len(r2),
        "above_the_claim": above,
        "mean": float(np.mean(r2)),
        "least": min(r2),
        "most": max(r2),
    }


if __name__ == "__main__":
    main()
