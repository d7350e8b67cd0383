"""The classifier's measures are scikit-learn's."""

import numpy as np
import pytest
from sklearn import metrics

from workloads.training.mnist import CLASSES
from workloads.training.models.digit_classifier.report import confusion, per_class


@pytest.mark.parametrize("images", [3, 200])
def test_counts_and_measures_of_each_digit_are_those_of_scikit_learn(images: int) -> None:
    chance = np.random.default_rng(0)
    truth, predicted = chance.integers(0, CLASSES, images), chance.integers(0, CLASSES - 1, images)  # no 9 is predicted
    counts = confusion(truth, predicted)
    assert counts.tolist() == metrics.confusion_matrix(truth, predicted, labels=range(CLASSES)).tolist()
    expected = metrics.precision_recall_fscore_support(truth, predicted, labels=range(CLASSES), zero_division=0)
    there = counts.sum(1) > 0
    for scores, of_scikit_learn in zip(per_class(counts), expected[:3], strict=True):
        assert scores[there] == pytest.approx(of_scikit_learn[there])
        assert np.isnan(scores[~there]).all()
