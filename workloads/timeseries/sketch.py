"""Sketches of distributions: counts in buckets of logarithmic width, which can be added up and give percentiles.

Every value of a bucket is within 1 % of the bucket's own value, so a percentile of any sum of sketches is within 1 % of
the exact one by nearest rank. Values nearer to 0 than 0.000001 count as 0.

Source: Masson, Rim and Lee (2019), "DDSketch: A Fast and Fully-Mergeable Quantile Sketch with Relative-Error
Guarantees", PVLDB 12(12), section 2. Its buckets are kept, and its limit of their number is not needed here.
"""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from workloads.timeseries.columns import Integers

RELATIVE_ERROR = 0.01
_GAMMA = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
_LEAST = 1e-6
_FIRST = math.floor(math.log(_LEAST) / math.log(_GAMMA))  # below the exponent of every value that is not 0
_SPAN = 1 << 17  # more than the buckets that numbers of 64 bits fall into


def sketches(values: NDArray[np.float64], starts: Integers) -> list[str]:
    """Return the sketches of runs of finite values: `bucket count bucket count ...`, in the order of the values.

    Args:
        values: Shape (n,).
        starts: Where each run begins, shape (m,); the first begins at 0, and none is empty.
    """
    size = np.abs(values)
    exponents = np.ceil(np.log(np.maximum(size, _LEAST)) / math.log(_GAMMA)) - _FIRST
    buckets = np.where(size < _LEAST, 0, np.copysign(exponents, values)).astype(np.int64)
    runs = np.repeat(np.arange(len(starts)), np.diff(starts, append=len(values)))
    cells, counts = np.unique(runs * _SPAN + buckets + _SPAN // 2, return_counts=True)
    pairs = [
        f"{bucket} {count}"
        for bucket, count in zip((cells % _SPAN - _SPAN // 2).tolist(), counts.tolist(), strict=True)
    ]
    ends = np.searchsorted(cells, np.arange(1, len(starts) + 1) * _SPAN).tolist()
    return [" ".join(pairs[start:end]) for start, end in zip([0, *ends[:-1]], ends, strict=True)]


def percentiles(sketches: Sequence[str], groups: Integers, percents: Sequence[int]) -> NDArray[np.float64]:
    """Return percentiles, by nearest rank, of what the sketches of each group hold together, shape (groups, percents).

    Args:
        sketches: At least one, none empty.
        groups: The number of each sketch's group; each number from 0 on occurs.
        percents: Which percentiles, from 0 to 100.
    """
    pairs = np.fromstring(" ".join(sketches), np.int64, sep=" ").reshape(-1, 2)
    sizes = np.fromiter((text.count(" ") // 2 + 1 for text in sketches), np.int64, len(sketches))
    cells, places = np.unique(np.repeat(groups, sizes) * _SPAN + pairs[:, 0] + _SPAN // 2, return_inverse=True)
    ends = np.cumsum(np.bincount(places.ravel(), weights=pairs[:, 1]))
    last = np.flatnonzero(np.diff(cells // _SPAN, append=-1))  # the last bucket of each group
    before = np.concatenate(([0.0], ends[last[:-1]]))
    counts = ends[last] - before
    ranks = np.maximum(1, np.floor(counts[:, None] * np.array(percents) / 100 + 0.5))
    chosen = cells[np.searchsorted(ends, before[:, None] + ranks)] % _SPAN - _SPAN // 2
    logarithms = (np.abs(chosen) + _FIRST) * math.log(_GAMMA) + math.log(2 / (_GAMMA + 1))
    values = np.exp(np.minimum(logarithms, math.log(sys.float_info.max)))
    return np.where(chosen == 0, 0.0, np.copysign(values, chosen))
