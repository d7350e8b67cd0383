"""Whether one model is better than another, or only looks so on the rows at hand."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

Difference = dict[str, float]
SIGNIFICANT = 0.05


def paired_difference(differences: Sequence[float], test_share: float) -> Difference:
    """Judge the differences of two models' scores over several splits: the corrected resampled t-test.

    Splits of the same rows overlap, so that the scores on them are not independent: their standard deviation is no
    error bar, and dividing it by the root of their number makes it too small. Nadeau and Bengio ("Inference for the
    generalization error", Machine Learning 52, 2003) multiply the variance by 1/splits + test rows/training rows.

    Args:
        differences: First model less second, of each split; at least two.
        test_share: The share of the rows that is tested on in a split.

    Returns:
        `mean`, `standard_error`, and `p`: how probable as large a difference is (two-sided) if there is none.
    """
    values = np.asarray(differences, np.float64)
    mean = float(values.mean())
    factor = 1 / len(values) + test_share / (1 - test_share)
    error = math.sqrt(factor * float(values.var(ddof=1)))
    if not error:
        return {"mean": mean, "standard_error": 0.0, "p": 0.0 if mean else 1.0}
    p = 2 * float(stats.t.sf(abs(mean) / error, len(values) - 1))
    return {"mean": mean, "standard_error": error, "p": p}


def sign_test(first: NDArray[np.float64], second: NDArray[np.float64]) -> dict[str, float]:
    """Count for how many subjects one model is right more often than another: the exact sign test.

    Args:
        first: How often the first model is right on each subject, a share, [n].
        second: The same of the second model.

    Returns:
        `better` and `worse`: subjects on which the first model is ahead or behind; `p`, two-sided.
    """
    better, worse = int((first > second).sum()), int((first < second).sum())
    p = stats.binomtest(better, better + worse).pvalue if better + worse else 1.0
    return {"better": better, "worse": worse, "p": float(p)}


def means_something(difference: Mapping[str, float]) -> bool:
    """Whether a difference is larger than chance explains at the 5 % level."""
    return difference["p"] < SIGNIFICANT


def shown(difference: Mapping[str, float], digits: int = 3) -> str:
    """A difference with its standard error, and `(noise)` after one that means nothing."""
    text = f"{difference['mean']:+.{digits}f} ± {difference['standard_error']:.{digits}f}"
    return text if means_something(difference) else f"{text} (noise)"
