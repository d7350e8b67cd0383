"""Fixtures for every level: a running local cloud."""

from collections.abc import Iterator

import pytest

from localcloud import LocalCloud


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """A local cloud of the module's own, on a free port."""
    with LocalCloud(tmp_path_factory.mktemp("cloud")) as running:
        yield running
