"""The program of a front, with influxd behind it.

    python -m localcloud.engines.influxdb INFLUXD METADATA

Its environment is influxd's. METADATA is the file that holds what InfluxDB 2 keeps beside points. It passes on what
influxd logs, prints the port on which it listens itself, and holds requests to the rule for web pages.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO, Any

from localcloud.engines.front import loopback_address, serve
from localcloud.engines.influxdb.influxd import LISTENING, SCRATCH, Influxd
from localcloud.engines.influxdb.metadata import Metadata
from localcloud.engines.influxdb.server import Handler


def main(handler: type[Handler] = Handler) -> None:
    """Serve until the process is ended; end with influxd if that does not start."""
    settings = os.environ | {"INFLUXDB_HTTP_BIND_ADDRESS": f"{loopback_address()}:0"}
    process = subprocess.Popen([sys.argv[1], "run"], env=settings, stderr=subprocess.PIPE)
    assert process.stderr  # noqa: S101 - it is a pipe
    for line in process.stderr:
        _log(line)
        if listening := LISTENING.search(line.decode(errors="replace")):
            break
    else:
        sys.exit(process.wait())
    threading.Thread(target=_follow, args=(process.stderr,), daemon=True).start()
    handler.address, handler.metadata = listening[1], Metadata.read(Path(sys.argv[2]))
    _prepare(handler.address, handler.metadata)
    serve(handler, engine=process)


def _prepare(address: str, metadata: Metadata) -> None:
    """Make influxd's only user, if this is its first start, and empty the database of lines that are only parsed."""
    with metadata.changing():
        access = metadata.engine
    influxd = Influxd(address, **access)
    make = f"CREATE USER \"{access['username']}\" WITH PASSWORD '{access['password']}' WITH ALL PRIVILEGES"
    influxd.ask("/query", {}, {"q": make})
    influxd.run(f'DROP DATABASE "{SCRATCH}"')
    influxd.run(f'CREATE DATABASE "{SCRATCH}"')
    influxd.close()


def _follow(log: IO[Any]) -> None:
    for line in log:
        _log(line)


def _log(line: bytes) -> None:
    sys.stderr.buffer.write(line)
    sys.stderr.buffer.flush()


if __name__ == "__main__":
    main()
