"""Conformal prediction intervals: wide where the model errs more, and right as often as they say.

Split conformal prediction with normalised residuals (Papadopoulos et al. 2002; Lei et al. 2018), on out-of-fold
predictions instead of a part of the rows set aside (cross-conformal, Vovk 2015; close to CV+, Barber et al. 2021).

The coverage is marginal: it holds on average over samples of rows and over all kinds of new rows, neither for each
sample nor for each kind. `coverage_band` says how far a sample may be off.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from contract.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

BAND = 0.9  # the share of samples that `coverage_band` speaks of


def conformal_factor(
    truth: NDArray[np.float64], prediction: NDArray[np.float64], scale: NDArray[np.float64], coverage: float
) -> float:
    """Return the factor q for which `prediction ± q * scale` holds a new truth with the given probability.

    Args:
        truth: [n].
        prediction: Of models that did not learn from the row, [n].
        scale: How far the model expects to be off, [n], above zero.
        coverage: Between 0 and 1.

    Raises:
        InputError: There are fewer than `fewest_rows(coverage)` rows.
    """
    scores = np.sort(np.abs(truth - prediction) / scale)
    if len(scores) < (fewest := fewest_rows(coverage)):
        raise InputError(
            f"{len(scores)} rows are too few for an interval that holds {coverage:.0%}. At least {fewest} are needed."
        )
    return float(scores[_rank(len(scores), coverage) - 1])


def fewest_rows(coverage: float) -> int:
    """The rows that an interval of this coverage needs: with fewer, only an infinite one would hold its promise."""
    return next(rows for rows in itertools.count(1) if _rank(rows, coverage) <= rows)


def coverage_band(rows: int, coverage: float, new_rows: int) -> tuple[float, float]:
    """Return the least and the greatest share of new rows that the intervals cover, in `BAND` of all samples.

    Which of `rows` scores is the factor decides the true coverage, which has a beta distribution (Vovk, "Conditional
    validity of inductive conformal predictors", 2012); the number of `new_rows` covered is then beta-binomial. This is
    exact for scores of rows set aside, and close for those out of fold.

    Args:
        rows: How many rows the intervals were made from.
        coverage: What they promise, between 0 and 1.
        new_rows: How many they are tried on.
    """
    rank = _rank(rows, coverage)
    distribution = stats.betabinom(new_rows, rank, rows + 1 - rank)
    least, most = (float(distribution.ppf(quantile)) / new_rows for quantile in ((1 - BAND) / 2, (1 + BAND) / 2))
    return least, most


def _rank(rows: int, coverage: float) -> int:
    return math.ceil(round((rows + 1) * coverage, 9))  # rounded, as 0.95 is not quite 0.95
