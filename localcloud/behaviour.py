"""Everything that moto lacks, installed in one place."""

from localcloud import quirks  # noqa: F401 (hooks into moto when imported)
from localcloud.cloudformation import api, engine  # noqa: F401


def start() -> None:
    """Install the hooks and start what runs on its own."""
    api.install()
