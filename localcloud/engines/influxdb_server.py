"""InfluxDB as Timestream offers it: influxd 1.6, behind a front that treats writes as InfluxDB 2 does.

Run in a process of its own:

    python -m localcloud.engines.influxdb_server INFLUXD

Its environment is influxd's. It passes on
what influxd logs, prints the port on which it listens itself, and holds requests to the rule for web pages.

What InfluxDB 2 does otherwise on `/write` (influxdata/influxdb, branch main-2.x: `http/legacy/write_handler.go`,
`models/points.go`, `tsdb/shard.go`):

- It knows the precisions ns, us, ms and s. Any other, such as `u` of InfluxDB 1, counts as ns, without an error.
- Where it writes some points and refuses others, it answers 422 instead of 400.
"""

import http.client
import json
import os
import re
import subprocess
import sys
import threading
from http import HTTPStatus
from typing import IO, Any
from urllib.parse import parse_qs, urlencode, urlsplit

from localcloud.engines.front import OF_THE_CONNECTION, FrontHandler, loopback_address, serve

LISTENING = re.compile(r"Listening on HTTP.* addr=(127[\d.]+:\d+) https")
PRECISIONS = {"us": "u", "ms": "ms", "s": "s"}  # of InfluxDB 2, as InfluxDB 1 calls them
PARTIAL = re.compile(r"partial write: .* dropped=[1-9]", re.DOTALL)


class Handler(FrontHandler):
    """Passes every request on."""

    address: str

    def setup(self) -> None:
        """Prepare for the requests of one connection, which become requests of another one."""
        super().setup()
        self._engine = http.client.HTTPConnection(self.address)

    def finish(self) -> None:
        """Close both connections."""
        self._engine.close()
        super().finish()

    def do_GET(self) -> None:  # noqa: N802 (http.server's name)
        """Answer one request."""
        headers = {name: value for name, value in self.headers.items() if name.lower() not in OF_THE_CONNECTION}
        body = self.body() or None
        writes = urlsplit(self.path).path == "/write"
        try:
            self._engine.request(self.command, with_precision(self.path) if writes else self.path, body, headers)
            response = self._engine.getresponse()
            status, content = response.status, response.read()
        except (OSError, http.client.HTTPException) as error:
            self._engine.close()
            reason = json.dumps({"error": f"influxd does not answer: {error}"}).encode()
            self.answer(HTTPStatus.SERVICE_UNAVAILABLE, [], reason)
            return
        if writes and status == HTTPStatus.BAD_REQUEST and PARTIAL.search(why := str(json.loads(content)["error"])):
            message = f"failure writing points to database: {why}"
            status = HTTPStatus.UNPROCESSABLE_ENTITY
            content = json.dumps({"code": "unprocessable entity", "message": message}).encode()
        self.answer(status, response.getheaders(), content)

    do_POST = do_HEAD = do_OPTIONS = do_GET  # noqa: N815 (http.server's names)


def with_precision(path: str) -> str:
    """Write the address of a write, whose precision is InfluxDB 2's, in the words of InfluxDB 1."""
    address = urlsplit(path)
    query = parse_qs(address.query, keep_blank_values=True)
    query["precision"] = [PRECISIONS.get(query.get("precision", [""])[0], "n")]
    return f"{address.path}?{urlencode(query, doseq=True)}"


def main() -> None:
    """Serve until the process is ended; end with influxd if that does not start."""
    settings = os.environ | {"INFLUXDB_HTTP_BIND_ADDRESS": f"{loopback_address()}:0"}
    engine = subprocess.Popen([sys.argv[1], "run"], env=settings, stderr=subprocess.PIPE)
    assert engine.stderr  # noqa: S101 (it is a pipe)
    for line in engine.stderr:
        _log(line)
        if listening := LISTENING.search(line.decode(errors="replace")):
            Handler.address = listening[1]
            break
    else:
        sys.exit(engine.wait())
    threading.Thread(target=_follow, args=(engine.stderr,), daemon=True).start()
    serve(Handler, engine=engine)


def _follow(log: IO[Any]) -> None:
    for line in log:
        _log(line)


def _log(line: bytes) -> None:
    sys.stderr.buffer.write(line)
    sys.stderr.buffer.flush()


if __name__ == "__main__":
    main()
