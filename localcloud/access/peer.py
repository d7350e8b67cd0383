"""Who holds the other end of a connection on this machine."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

#: A socket of either kind can reach 127.0.0.1. The columns: Documentation/networking/proc_net_tcp.rst of Linux.
TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_LOCAL, _REMOTE, _USER, _INODE = 1, 2, 7, 9


def same_user(client: tuple[str, int], server: tuple[str, int]) -> bool:
    """Return whether a process of this process's user holds the other end of a connection.

    Linux lists connections with their owners. Other systems do not say, and the answer is no.

    Args:
        client: IPv4 address and port of the other end.
        server: IPv4 address and port of this end.
    """
    if sys.platform != "linux":
        return False
    remote, local = _as_listed(*client), _as_listed(*server)
    for table in TABLES:
        for line in table.read_text().splitlines()[1:] if table.exists() else []:
            fields = line.split()
            if fields[_LOCAL].endswith(remote) and fields[_REMOTE].endswith(local):
                return fields[_INODE] != "0" and int(fields[_USER]) == os.getuid()  # 0: it has been closed since
    return False


def _as_listed(host: str, port: int) -> str:
    return f"{int.from_bytes(socket.inet_aton(host), sys.byteorder):08X}:{port:04X}"
