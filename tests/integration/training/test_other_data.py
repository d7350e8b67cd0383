"""A checkpoint belongs to the data that was learned from, whatever is given as --data when training goes on."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest

from workloads.storage import locate
from workloads.training.mnist import FILES, format_idx, load_mnist
from workloads.training.runtime.run import Run

from .conftest import Command

CLASSIFIER = ("digit-classifier", "--epochs", "2", "--batch-size", "100")
GAN = ("digit-gan", "--epochs", "2", "--batch-size", "50")


@pytest.fixture
def others(digits: Path, tmp_path: Path) -> Path:
    """The same images but for one pixel of the test set."""
    whole = load_mnist(locate(str(digits)))
    test_images = whole.test_images.copy()
    test_images[0, 0, 0] ^= 1
    folder = tmp_path / "others"
    folder.mkdir()
    arrays = (whole.train_images, whole.train_labels, test_images, whole.test_labels)
    for name, array in zip(FILES, arrays, strict=True):
        (folder / name).write_bytes(format_idx(np.asarray(array)))
    return folder


@pytest.mark.parametrize("workload", [CLASSIFIER, GAN], ids=lambda workload: workload[0])
def test_an_interrupted_run_is_not_continued_on_other_data(
    command: Command,
    digits: Path,
    others: Path,
    tmp_path: Path,
    workload: tuple[str, ...],
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = ("train", *workload, "--output", str(tmp_path / "run"), "--device", "cpu", "--no-figures")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Run, "record", lambda *_, **__: os.kill(os.getpid(), signal.SIGTERM))
        assert command(*arguments, "--data", str(digits)) == 75
    assert command(*arguments, "--data", str(others)) == 2
    assert "belongs to a run on other data (SHA-256 " in capsys.readouterr().err
    assert command(*arguments, "--data", str(digits)) == 0
    assert "continuing at epoch 2" in capsys.readouterr().out
