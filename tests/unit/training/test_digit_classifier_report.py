"""The classifier's measures are scikit-learn's; what reports of digits say of MNIST is said of MNIST only."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn import metrics

from workloads.storage import locate
from workloads.training import mnist
from workloads.training.mnist import CLASSES, Digits, load_mnist, sample_mnist
from workloads.training.models.digit_classifier.report import _model_card, confusion, per_class
from workloads.training.models.digit_classifier.settings import Settings as ClassifierSettings
from workloads.training.models.digit_gan import model as digit_gan
from workloads.training.models.digit_gan.settings import Settings as GanSettings


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


def cards(digits: Digits) -> str:
    """Both model cards of some digits, in one text."""
    counts = np.bincount(digits.train_labels, minlength=CLASSES)
    test = {"mode_collapse": 0, "classifier_accuracy": 0.9, "precision": 0.5}
    classifier = _model_card(ClassifierSettings(), digits, counts, weights=1)
    return f"{classifier} {digit_gan.report.model_card(GanSettings().model_dump(), digits, test)}"


def test_reports_on_other_digits_say_nothing_of_mnist(tmp_path: Path) -> None:
    for name, content in sample_mnist().items():
        (tmp_path / name).write_bytes(content)
    assert "MNIST" not in cards(load_mnist(locate(str(tmp_path))))


def test_reports_on_mnist_or_a_part_of_its_training_set_say_where_it_is_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, content in sample_mnist().items():
        (tmp_path / name).write_bytes(content)
    digits = load_mnist(locate(str(tmp_path)))
    monkeypatch.setattr(mnist, "_MNIST", mnist._sha256(digits.test_images, digits.test_labels))
    assert cards(digits.first(100)).count("MNIST was written around 1990") == 2
