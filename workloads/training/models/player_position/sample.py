"""A stand-in for the data set of the players, made up, for whoever has not got the real one."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import numpy as np

from workloads.training.models.player_position.players import (
    FACTS_FILE,
    RECEIVING,
    RECEIVING_FILE,
    RUSHING,
    RUSHING_FILE,
)

if TYPE_CHECKING:
    from collections.abc import Sequence


def sample_nfl(players: int = 150, seed: int = 0) -> dict[str, bytes]:
    """Return a generated stand-in of the three files, as they are: nobody in it ever played.

    Positions differ in build and in how often they catch and run, as on a field; three players in five have no
    position, as most in the real set have none; numbers have their `--`, `T` and thousands.
    """
    generator = np.random.default_rng(seed)
    # Per position: share; height, weight; catches and carries a game; yards a catch and a carry.
    kinds = {
        "WR": (0.36, 72.5, 200, 3.0, 0.1, 13.0, 6.0),
        "RB": (0.26, 70.5, 215, 1.4, 8.0, 7.8, 4.2),
        "TE": (0.22, 76.5, 255, 1.8, 0.02, 10.8, 3.0),
        "QB": (0.10, 75.5, 224, 0.02, 2.5, 2.0, 4.0),
        "FB": (0.06, 72.3, 246, 0.7, 0.7, 7.0, 3.2),
    }
    receiving, rushing, facts = [], [], []
    shares = [kind[0] for kind in kinds.values()]
    for index in range(players):
        position = str(generator.choice(list(kinds), p=shares))
        _, height, weight, catches, carries, per_catch, per_carry = kinds[position]
        player, name = f"player{index}/{2500000 + index}", f"Player, {index}"
        label = position if index % 5 in {0, 1} else ""
        weight_cell = "" if generator.random() < 1 / 50 else f"{generator.normal(weight, 8):.0f}"
        facts.append([player, name, "", f"{generator.normal(height, 1.2):.0f}", weight_cell])
        talent = generator.lognormal(0, 0.5)
        first = int(generator.integers(2000, 2014))
        for year in range(first, first + int(generator.integers(1, 6))):
            games = int(generator.integers(1, 17))
            caught, run = generator.poisson([catches * talent * games, carries * talent * games])
            key = [player, name, label, year, f"Team {generator.integers(32)}", games]
            receiving.append([*key, *_sample_cells(generator, int(caught), per_catch)])
            if position in {"RB", "QB", "FB"} or run:
                rushing.append([*key, *_sample_cells(generator, int(run), per_carry)])
    identity = ["Player Id", "Name", "Position", "Year", "Team"]
    return {
        RECEIVING_FILE: _csv([*identity, *RECEIVING], receiving),
        RUSHING_FILE: _csv([*identity, *RUSHING], rushing),
        FACTS_FILE: _csv(["Player Id", "Name", "Position", "Height (inches)", "Weight (lbs)"], facts),
    }


def _sample_cells(generator: np.random.Generator, plays: int, yards_per_play: float) -> list[str]:
    """Plays, yards, longest, touchdowns, first downs or plays of 20, ... as the files write them."""
    if not plays:
        return ["--"] * 8
    yards = round(plays * generator.normal(yards_per_play, 0.8))
    longest = f"{generator.integers(3, 60)}{generator.choice(['', 'T'], p=[0.8, 0.2])}"
    counts = generator.poisson(plays * np.array([0.05, 0.12, 0.02, 0.4, 0.02]))
    return [f"{plays:,}", f"{yards:,}", longest, *map(str, counts)]


def _csv(header: Sequence[str], rows: Sequence[Sequence[object]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    return text.getvalue().encode()
