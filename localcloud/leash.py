"""Runs one command and ends it when the cloud is gone, however that ended.

Started as ``python -IS leash.py FD COMMAND...``: FD is the reading end of a pipe that nobody writes
to; it ends when the cloud's process does. Standard library only, and quick to start.
"""

import os
import signal
import subprocess
import sys
import threading
import time


def main() -> int:
    """Run the command; its exit code, or 128 + the signal that ended it."""
    held, command = int(sys.argv[1]), sys.argv[2:]
    # A handler, unlike "ignore", is not inherited: the command ends at SIGTERM, the leash stays to report it.
    signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        process = subprocess.Popen(command)
    except OSError as error:
        print(f"cannot start {command[0]}: {error.strerror}", file=sys.stderr)  # noqa: T201
        return 127
    threading.Thread(target=_end_with_cloud, args=(held,), daemon=True).start()
    code = process.wait()
    return code if code >= 0 else 128 - code


def _end_with_cloud(held: int) -> None:
    os.read(held, 1)
    os.killpg(0, signal.SIGTERM)
    time.sleep(2)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
