"""Fixtures for every level: a running local cloud."""

import os
from collections.abc import Iterator

import pytest

from localcloud import LocalCloud

# Each of pytest's workers has a core; PyTorch in it, and in what it starts, must not take all of them.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """A local cloud of the module's own, on a free port."""
    with LocalCloud(tmp_path_factory.mktemp("cloud")) as running:
        yield running
