"""Runs one command, and ends it with everything that it has started: at its own end, or when the cloud is gone.

Started as ``python -IS leash.py FD GRACE COMMAND...``, as the leader of a session. FD is the reading end of a pipe to
which nobody writes: it ends when the cloud's process does, however that ended. GRACE is how many seconds the processes
that outlive the command have between SIGTERM and SIGKILL; 0 kills them at once, as the end of a container does.

The leash stays until the last of these processes has ended. SIGTERM to its process group asks the command to end;
SIGUSR1 to the leash kills whatever is left. Standard library only, and quick to start.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading

#: Seconds between SIGTERM and SIGKILL once the cloud is gone.
PATIENCE = 2.0
#: What Python ignores, which the command must not inherit.
IGNORED = [signal.SIGPIPE, signal.SIGXFSZ]
#: What wakes the leash: the end of a child, of the cloud, or of somebody's patience. SIGTERM is the command's.
SIGNALS = [signal.SIGCHLD, signal.SIGHUP, signal.SIGALRM, signal.SIGUSR1, signal.SIGTERM]
PR_SET_CHILD_SUBREAPER = 36


def main() -> int:
    """Run the command; return its exit code, or 128 plus the signal that ended it."""
    pipe, grace, command = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3:]
    prepare(pipe)
    try:
        process = os.posix_spawnp(command[0], command, os.environ, setsigmask=[], setsigdef=IGNORED)
    except OSError as error:
        print(f"cannot start {command[0]}: {error.strerror}", file=sys.stderr)  # noqa: T201
        return 127
    return supervise(process, pipe, grace)


def prepare(pipe: int) -> None:
    """Make this process a leash, before it starts its command.

    Args:
        pipe: The reading end of the pipe that ends with the cloud.
    """
    os.umask(0o077)  # only the owner may read what the cloud's programs write
    os.set_inheritable(pipe, False)  # noqa: FBT003 - positional in the standard library
    if sys.platform == "linux":  # elsewhere a process that leaves its parents is lost to the leash
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    signal.signal(signal.SIGCHLD, lambda *_: None)  # some systems drop a signal that is blocked, but ignored by default
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)


def _watch_cloud(pipe: int) -> None:
    os.read(pipe, 1)
    os.kill(os.getpid(), signal.SIGHUP)


def supervise(process: int, pipe: int, grace: float) -> int:
    """Wait until a command and all its descendants have ended; return the command's exit code.

    Args:
        process: The command's process id, a child of this process.
        pipe: The reading end of the pipe that ends with the cloud.
        grace: Seconds before processes that outlive the command are killed.
    """
    threading.Thread(target=_watch_cloud, args=(pipe,), daemon=True).start()
    code, killing, has_children = 0, False, True
    while has_children:
        number = signal.sigwait(SIGNALS)
        ended, has_children = reap()
        if number == signal.SIGHUP:
            grace = min(grace, PATIENCE)
            _ask_to_end(PATIENCE)
        elif number in (signal.SIGALRM, signal.SIGUSR1):
            killing = True
        if process in ended:
            code = os.waitstatus_to_exitcode(ended[process])
            if grace:
                _ask_to_end(grace)
            else:
                killing = True
        if killing:  # a process that has just ended may have started another, so kill again
            _send(signal.SIGKILL, _descendants())
    return code if code >= 0 else 128 - code


def reap() -> tuple[dict[int, int], bool]:
    """Return the statuses of the children that have ended, adopted ones too, and whether there are others."""
    ended: dict[int, int] = {}
    try:
        while (child := os.waitpid(-1, os.WNOHANG))[0]:
            ended[child[0]] = child[1]
    except ChildProcessError:
        return ended, False
    return ended, True


def _ask_to_end(patience: float) -> None:
    """Send SIGTERM to all descendants, and SIGALRM to this process some seconds later."""
    _send(signal.SIGTERM, _descendants())
    signal.setitimer(signal.ITIMER_REAL, patience)


def _send(number: int, processes: list[int]) -> None:
    for process in processes:
        try:
            os.kill(process, number)
        except (ProcessLookupError, PermissionError):
            continue


def _descendants() -> list[int]:
    """Return the process ids of this process's children, of their children, and so on."""
    children: dict[int, list[int]] = {}
    for process, parent in _parents():
        children.setdefault(parent, []).append(process)
    descendants = [os.getpid()]
    for process in descendants:  # the list grows during the loop
        descendants += children.get(process, [])
    return descendants[1:]


def _parents() -> list[tuple[int, int]]:
    """Return the id of every process on this machine, and of its parent."""
    if sys.platform != "linux":
        with os.popen("ps -A -o pid= -o ppid=") as listed:  # noqa: S605 - fixed words
            rows = [line.split() for line in listed]
        return [(int(process), int(parent)) for process, parent in rows]
    pairs = []
    for process in map(int, filter(str.isdecimal, os.listdir("/proc"))):  # noqa: PTH208 - to import pathlib takes long
        try:
            with open(f"/proc/{process}/stat", "rb") as file:  # noqa: PTH123
                text = file.read()  # PROCESS (NAME) STATE PARENT ..., with any name
        except OSError:  # it has ended meanwhile
            continue
        pairs.append((process, int(text.rpartition(b")")[2].split()[1])))
    return pairs


if __name__ == "__main__":
    sys.exit(main())
