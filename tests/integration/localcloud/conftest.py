"""One running cloud for all modules here that do not look at what others left in it."""

from collections.abc import Iterator

import pytest

from localcloud import LocalCloud


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """A local cloud that modules share, so each names its resources as nobody else does; it tries again at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOCALCLOUD_RETRY_SECONDS", "0.1")
        with LocalCloud(tmp_path_factory.mktemp("cloud")) as running:
            yield running
