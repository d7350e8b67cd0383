"""InfluxDB as Timestream offers it: influxd 1.6, behind a front that treats writes as InfluxDB 2 does.

Run by its path, in a process of its own: `python influxdb_server.py INFLUXD`. It prints the port on which it listens.

What InfluxDB 2 does otherwise on `/write` (influxdata/influxdb, branch main-2.x: `http/legacy/write_handler.go`,
`models/points.go`, `tsdb/shard.go`):

- It knows the precisions ns, us, ms and s. Any other, such as `u` of InfluxDB 1, counts as ns, without an error.
- Where it writes some points and refuses others, it answers 422 instead of 400.
"""

import http.client
import json
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import IO, Any
from urllib.parse import parse_qs, urlencode, urlsplit

LISTENING = re.compile(r"Listening on HTTP.* addr=127\.0\.0\.1:(\d+) https")
PRECISIONS = {"us": "u", "ms": "ms", "s": "s"}  # of InfluxDB 2, as InfluxDB 1 calls them
PARTIAL = re.compile(r"partial write: .* dropped=[1-9]", re.DOTALL)
PASSED_ON = ("authorization", "content-type", "content-encoding", "accept")
HIDDEN = ("content-length", "transfer-encoding", "connection", "date")
BAD_REQUEST, UNPROCESSABLE, UNAVAILABLE = 400, 422, 503


def start(program: str) -> int:
    """Start influxd, whose log becomes ours; its port."""
    process = subprocess.Popen([program, "run"], stderr=subprocess.PIPE, text=True)
    assert process.stderr  # noqa: S101 (it is a pipe)
    for line in process.stderr:
        sys.stderr.write(line)
        if listening := LISTENING.search(line):
            threading.Thread(target=log, args=[process.stderr], daemon=True).start()
            return int(listening[1])
    sys.exit(process.wait() or 1)


def log(lines: IO[str]) -> None:
    """Write lines to our own log."""
    for line in lines:
        sys.stderr.write(line)


class Handler(BaseHTTPRequestHandler):
    """Passes every request on."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    port: int

    def setup(self) -> None:
        """Open a connection to influxd for those of a client."""
        super().setup()
        self._influxd = http.client.HTTPConnection("127.0.0.1", self.port)

    def finish(self) -> None:
        """Close it."""
        self._influxd.close()
        super().finish()

    def do_GET(self) -> None:
        """Answer one request."""
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else None
        headers = {name: value for name, value in self.headers.items() if name.lower() in PASSED_ON}
        writes = urlsplit(self.path).path == "/write"
        try:
            self._influxd.request(self.command, with_precision(self.path) if writes else self.path, body, headers)
            answer = self._influxd.getresponse()
            status, content = answer.status, answer.read()
        except (OSError, http.client.HTTPException) as error:
            self._influxd.close()
            self._send(UNAVAILABLE, [], json.dumps({"error": f"influxd does not answer: {error}"}).encode())
            return
        if writes and status == BAD_REQUEST and PARTIAL.search(reason := json.loads(content)["error"]):
            message = f"failure writing points to database: {reason}"
            status, content = UNPROCESSABLE, json.dumps({"code": "unprocessable entity", "message": message}).encode()
        self._send(status, answer.getheaders(), content)

    do_POST = do_HEAD = do_GET  # noqa: N815 (http.server's names)

    def _send(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers:
            if name.lower() not in HIDDEN:
                self.send_header(name, value)
        if status != http.HTTPStatus.NO_CONTENT:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_args: Any) -> None:
        """Log no requests."""


class Server(ThreadingHTTPServer):
    """Serves as many clients at once as write in parallel."""

    request_queue_size = 128


def with_precision(path: str) -> str:
    """The address of a write, with its precision as InfluxDB 2 understands it, in InfluxDB 1's words."""
    address = urlsplit(path)
    query = parse_qs(address.query, keep_blank_values=True)
    query["precision"] = [PRECISIONS.get(query.get("precision", [""])[0], "n")]
    return f"{address.path}?{urlencode(query, doseq=True)}"


def main() -> None:
    """Serve until the process is ended."""
    Handler.port = start(sys.argv[1])
    server = Server(("127.0.0.1", 0), Handler)
    print(f"listening on {server.server_port}", flush=True)  # noqa: T201 (for whoever waits)
    server.serve_forever()


if __name__ == "__main__":
    main()
