"""What a cloud holds on the disk while it runs, and the removal of what one has left that was killed."""

from __future__ import annotations

from pathlib import Path

from localcloud.cloud import disposable, outside, processes
from localcloud.errors import LocalCloudError

STATE = "state.json"
DATA = "data"
MARK = ".local-cloud"
EXPLANATION = "What a local cloud holds while it runs. It is removed when the cloud stops, and when it starts again."


def make(cloud: Path) -> Path:
    """Make the empty folder for what a cloud holds.

    Raises:
        LocalCloudError: There is one that no cloud has made, or it cannot be written.
    """
    disposable.make(cloud / DATA, MARK, explanation=EXPLANATION)
    return cloud / DATA


def remove(cloud: Path) -> bool:
    """End what a cloud has started and remove what it held. Only whoever holds the cloud's lock may do so.

    Returns:
        Whether there was anything: whether the cloud's server was killed.

    Raises:
        LocalCloudError: Something cannot be removed.
    """
    state = cloud / STATE
    try:
        crashed = state.exists()
        state.unlink(missing_ok=True)
    except OSError as error:
        raise LocalCloudError(f"{state} cannot be removed: {error.strerror}.") from error
    crashed |= processes.end_strays(cloud)
    outside.sweep()
    return disposable.remove(cloud / DATA, MARK) or crashed
