"""Whether one model or method is better than another, or only looks so on the data that were measured."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy import special  # of scipy.stats, which takes a second to import

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

Difference = dict[str, float]
SIGNIFICANT = 0.05
_DRAWS = 10_000


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
    return _judged(values, 1 / len(values) + test_share / (1 - test_share))


def independent_difference(differences: Sequence[float]) -> Difference:
    """Judge the differences of two methods' scores on independent subjects, such as customers or queries.

    Args:
        differences: First method less second, on each subject.

    Returns:
        `mean`, `standard_error`, and `p` as for `paired_difference`: the paired t-test.
    """
    values = np.asarray(differences, np.float64)
    if len(values) < 2:  # noqa: PLR2004 - one subject tells nothing of others
        return {"mean": float(values.mean()) if len(values) else 0.0, "standard_error": 0.0, "p": 1.0}
    return _judged(values, 1 / len(values))


def pooled_difference(
    first: NDArray[np.float64], second: NDArray[np.float64], score: Callable[[NDArray[np.float64]], NDArray[np.float64]]
) -> Difference:
    """Judge the difference of two methods' scores of counts that are added up over independent subjects.

    A score of sums, such as F1, has no value of each subject. The subjects are drawn again, with replacement, the same
    for both methods (the paired bootstrap: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993).

    Args:
        first: Counts of the first method on each subject, [n, counts].
        second: The same of the second.
        score: Makes scores [...] of sums [..., counts].

    Returns:
        `mean`: the difference on all subjects; its `standard_error`; and `p`, twice the share of the draws in which the
        sign is the other one.
    """
    drawn = np.random.default_rng(0).integers(len(first), size=(_DRAWS, len(first)))
    differences = score(first[drawn].sum(1)) - score(second[drawn].sum(1))
    mean = float(score(first.sum(0)) - score(second.sum(0)))
    p = min(1.0, 2 * min(float((differences <= 0).mean()), float((differences >= 0).mean())))
    return {"mean": mean, "standard_error": float(differences.std(ddof=1)), "p": p}


def sign_test(first: NDArray[np.float64], second: NDArray[np.float64]) -> dict[str, float]:
    """Count for how many subjects one model is right more often than another: the exact sign test.

    Args:
        first: How often the first model is right on each subject, a share, [n].
        second: The same of the second model.

    Returns:
        `better` and `worse`: subjects on which the first model is ahead or behind; `p`, two-sided.
    """
    better, worse = int((first > second).sum()), int((first < second).sum())
    p = min(1.0, 2 * float(special.bdtr(min(better, worse), better + worse, 0.5)))
    return {"better": better, "worse": worse, "p": p}


def means_something(difference: Mapping[str, float]) -> bool:
    """Whether a difference is larger than chance explains at the 5 % level."""
    return difference["p"] < SIGNIFICANT


def shown(difference: Mapping[str, float], digits: int = 3) -> str:
    """A difference with its standard error, and `(noise)` after one that means nothing."""
    text = f"{difference['mean']:+.{digits}f} ± {difference['standard_error']:.{digits}f}"
    return text if means_something(difference) else f"{text} (noise)"


def _judged(values: NDArray[np.float64], factor: float) -> Difference:
    """Judge differences whose mean has so many times their variance: the t-test."""
    mean = float(values.mean())
    error = math.sqrt(factor * float(values.var(ddof=1)))
    if not error:
        return {"mean": mean, "standard_error": 0.0, "p": 0.0 if mean else 1.0}
    p = 2 * float(special.stdtr(len(values) - 1, -abs(mean) / error))  # Student's t
    return {"mean": mean, "standard_error": error, "p": p}
