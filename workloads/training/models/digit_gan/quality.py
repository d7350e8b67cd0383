"""How good generated images are, in numbers: compared with real ones, by the features a classifier sees in them.

A small Fréchet distance means that both sets look alike as a whole. It does not say what is wrong when they do not, so
precision (do the images look real?), recall (is all the variety of the real ones there?), the spread over the classes
and the distance to the training images (are they copies?) stand beside it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Sequence

NEIGHBOURS = 3
"""The k of precision and recall, as in the paper."""

COLLAPSED_ENTROPY = 0.98
COLLAPSED_RECALL = 0.1
"""Below the one, digits are missing or rare; below the other, images of a digit resemble each other."""

_ROWS = 1000  # of a distance matrix at a time, to bound memory


def frechet_distance(real: Tensor, generated: Tensor) -> float:
    """Fréchet distance between Gaussians fitted to two sets of features [n, d] and [m, d] (Heusel et al. 2017, FID).

    It falls a little with the number of images: compare only distances of equally many.
    """
    real, generated = real.double(), generated.double()
    apart = real.mean(0) - generated.mean(0)
    real_covariance, generated_covariance = real.T.cov(), generated.T.cov()
    # The trace of the product's square root.
    root = torch.linalg.eigvals(real_covariance @ generated_covariance).sqrt().real.sum()
    return max(0.0, float(apart @ apart + real_covariance.trace() + generated_covariance.trace() - 2 * root))


def precision_and_recall(real: Tensor, generated: Tensor, neighbours: int = NEIGHBOURS) -> tuple[float, float]:
    """Improved precision and recall of generative models (Kynkäänniemi et al. 2019).

    The manifold of a set is what lies no further from one of its points than this point's k-th nearest neighbour.
    Precision is the share of generated points in the manifold of the real ones, recall the reverse.

    Args:
        real: Features [n, d], n > neighbours.
        generated: Features [m, d], m > neighbours.
        neighbours: The k. Compare only figures of equal k, n and m.
    """
    return _share_within(generated, real, neighbours), _share_within(real, generated, neighbours)


def _share_within(points: Tensor, reference: Tensor, neighbours: int) -> float:
    # Each point is its own nearest neighbour, so one more is needed.
    distances = (_distances(chunk, reference) for chunk in _chunks(reference))
    radii = torch.cat([matrix.topk(neighbours + 1, largest=False).values.amax(1) for matrix in distances])
    within = [(_distances(chunk, reference) <= radii).any(1) for chunk in _chunks(points)]
    return float(torch.cat(within).double().mean())


def relative_entropy(labels: Tensor, classes: int) -> float:
    """Entropy of the classes among some labels [n], as a share of the largest possible: 1 when all are equally many."""
    shares = torch.bincount(labels, minlength=classes).double() / len(labels)
    return float(torch.special.entr(shares).sum()) / math.log(classes)


def nearest_neighbours(points: Tensor, reference: Tensor) -> tuple[Tensor, Tensor]:
    """Euclidean distance [n] to, and index [n] of, the point of the reference [m, d] nearest to each point [n, d]."""
    nearest = [_distances(chunk, reference).min(1) for chunk in _chunks(points)]
    return torch.cat([chunk.values for chunk in nearest]), torch.cat([chunk.indices for chunk in nearest])


def nearest_neighbour_ratio(generated: Tensor, held_out: Tensor, training: Tensor) -> float:
    """Return how near generated images are to training images, compared with real images that were not trained on.

    The ratio of the median distances to the nearest training image: about 1 when generated images are as new as
    held-out ones, near 0 when they are copies of training images.

    Args:
        generated: Pixels or features [n, d].
        held_out: The same of real images [m, d].
        training: The same of the training images [k, d].
    """
    generated_distance, _ = nearest_neighbours(generated, training)
    held_out_distance, _ = nearest_neighbours(held_out, training)
    return float(generated_distance.median() / held_out_distance.median())


def is_collapsed(entropy: float, recall: float) -> bool:
    """Return whether a generator draws only some of the classes, or only a few images of each.

    Args:
        entropy: `relative_entropy` of the classes of its images.
        recall: The recall of `precision_and_recall`.
    """
    return entropy < COLLAPSED_ENTROPY or recall < COLLAPSED_RECALL


def _chunks(points: Tensor) -> Sequence[Tensor]:
    return torch.split(points, _ROWS)


def _distances(points: Tensor, reference: Tensor) -> Tensor:
    return torch.cdist(points.float(), reference.float(), compute_mode="use_mm_for_euclid_dist")
