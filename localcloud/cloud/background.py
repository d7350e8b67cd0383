"""Work beside the server's requests: clients of the cloud itself, a pool of threads, tickers."""

import logging
import os
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from localcloud.cloud.account import connect
from localcloud.cloud.remains import DATA

log = logging.getLogger("localcloud")
_pool = ThreadPoolExecutor(32, thread_name_prefix="localcloud")


def endpoint() -> str:
    """Where this process serves."""
    return f"http://localhost:{os.environ['MOTO_PORT']}"


def folder() -> Path:
    """The folder of this process's cloud."""
    return Path(os.environ["LOCALCLOUD_FOLDER"])


def new_folder(kind: str) -> Path:
    """Make a folder for what a resource holds, which goes with the cloud at the latest.

    Args:
        kind: What the resource is; it begins the folder's name. The name of a resource must not: it may be a path.
    """
    return Path(tempfile.mkdtemp(prefix=f"{kind}-", dir=folder() / DATA))


def client(service: str) -> Any:
    """A client of the cloud from inside its own server."""
    return connect(service, endpoint(), folder())


def background(work: Callable[..., object], *args: Any) -> None:
    """Run ``work`` on the pool; an exception is logged, never lost."""
    _pool.submit(_guarded, work, *args)


def every(seconds: float, work: Callable[[], object]) -> None:
    """Run ``work`` for ever, ``seconds`` after its last end."""

    def loop() -> None:
        while not _never.wait(seconds):
            _guarded(work)

    threading.Thread(target=loop, daemon=True, name=work.__name__).start()


_never = threading.Event()


def _guarded(work: Callable[..., object], *args: Any) -> None:
    try:
        work(*args)
    except Exception:
        log.exception("%s failed", getattr(work, "__name__", work))
