"""Looks at processes, any of which may end while it is looked at."""

from __future__ import annotations

import psutil

from localcloud import LocalCloud


def is_at_work(process: psutil.Process) -> bool:
    """Return whether a process runs; one whose parent has not yet asked how it ended does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def command_line(process: psutil.Process) -> list[str]:
    """Return a process's command line; an empty list when the process has ended."""
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:  # a zombie, too
        return []


def started_by(cloud: LocalCloud) -> set[psutil.Process]:
    """Return the processes at work that a cloud has started."""
    return {process for process in psutil.Process(cloud.pid).children(recursive=True) if is_at_work(process)}


def fork_server_of(cloud: LocalCloud) -> psutil.Process:
    """Return the process that forks; those that it has forked have other parents."""
    forking = [
        process for process in started_by(cloud) if command_line(process)[1:3] == ["-m", "localcloud.cloud.fork_server"]
    ]
    return min(forking, key=psutil.Process.create_time)
