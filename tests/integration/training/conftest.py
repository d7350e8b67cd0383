"""What the tests of training workloads share."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from workloads.__main__ import main
from workloads.storage import locate
from workloads.training.mnist import FILES, format_idx, load_mnist, sample_mnist

Command = Callable[..., int]


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few hundred images of digits as idx files: 400 to train on, 100 to test on."""
    folder = tmp_path_factory.mktemp("digits")
    for name, content in sample_mnist().items():
        (folder / name).write_bytes(content)
    whole = load_mnist(locate(str(folder)))
    arrays = (whole.train_images[:400], whole.train_labels[:400], whole.test_images[:100], whole.test_labels[:100])
    for name, array in zip(FILES, arrays, strict=True):
        (folder / f"{name}.gz").unlink()
        (folder / name).write_bytes(format_idx(np.asarray(array)))
    return folder


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Command:
    """Runs the command line in this process and returns its exit code."""

    def run(*arguments: str) -> int:
        monkeypatch.setattr(sys, "argv", ["workloads", *map(str, arguments)])
        try:
            main()
        except SystemExit as end:
            return int(end.code or 0)
        return 0

    return run
