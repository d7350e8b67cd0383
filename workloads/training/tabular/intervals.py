"""Conformal prediction intervals: wide where the model errs more, and right as often as they say.

Split conformal prediction with normalised residuals (Papadopoulos et al. 2002; Lei et al. 2018), on out-of-fold
predictions instead of a part of the rows set aside (cross-conformal, Vovk 2015; close to CV+, Barber et al. 2021).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def conformal_factor(
    truth: NDArray[np.float64], prediction: NDArray[np.float64], scale: NDArray[np.float64], coverage: float
) -> float:
    """The factor q for which `prediction ± q * scale` holds a new truth with the given probability.

    Args:
        truth: [n].
        prediction: Of models that did not learn from the row, [n].
        scale: How far the model expects to be off, [n], above zero.
        coverage: Between 0 and 1.
    """
    scores = np.sort(np.abs(truth - prediction) / scale)
    rank = min(len(scores), math.ceil((len(scores) + 1) * coverage))
    return float(scores[rank - 1])
