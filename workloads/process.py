"""The process of a command line, and its end."""

from __future__ import annotations

import atexit
import contextlib
import gc
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def run(main: Callable[[], int | None]) -> None:
    """Run a command line as this process, which ends without freeing its objects one by one.

    That takes Python a second after PyTorch, and the system none. Threads are waited for as ever, and what has
    registered with atexit meanwhile is called.

    Args:
        main: The command line; returns its exit code, or raises SystemExit.
    """
    code = 1  # of an exception

    def end() -> None:
        with contextlib.suppress(BrokenPipeError):  # whoever read has seen enough
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)

    gc.set_threshold(50_000, 50)  # what is imported are a million objects, and none is garbage
    atexit.register(end)  # the first to be registered is the last to be called
    try:
        code = main() or 0
    except SystemExit as done:
        code = done.code if isinstance(done.code, int) else int(done.code is not None)
        raise
