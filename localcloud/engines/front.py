"""What the HTTP servers that stand in front of engines have in common.

Each runs in a process of its own, as ``python -m localcloud.engines.MODULE``, and prints the port on which it listens.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from http import HTTPStatus
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

from localcloud.access.peer import same_user
from localcloud.access.same_origin import SameOriginHandler
from localcloud.cloud.account import ACCESS_KEY_ID, post

#: Headers that belong to one connection, or that each server writes itself.
OF_THE_CONNECTION = {
    "connection", "content-length", "date", "expect", "keep-alive", "server", "te", "transfer-encoding", "upgrade",
}  # fmt: skip
WITHOUT_LENGTH = {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}


@dataclass(frozen=True)
class Gate:
    """Where a front asks whether a request may go on.

    Attributes:
        endpoint: The local cloud's.
        folder: The local cloud's.
        resource: ARN of the domain or cluster that the front belongs to.
    """

    endpoint: str
    folder: str
    resource: str

    VARIABLE: ClassVar[str] = "LOCALCLOUD_GATE"


def command(module: str, *arguments: str, gate: Gate | None = None) -> tuple[list[str], dict[str, str]]:
    """Return the command that runs a front, and its environment.

    Args:
        module: Name of the front's module in this package.
        arguments: What it is started with.
        gate: Where it asks whether a request may go on; without one, every request may.
    """
    path = os.pathsep.join([str(Path(__file__).parents[2]), *filter(None, sys.path)])
    environment = os.environ | {"PYTHONPATH": path, Gate.VARIABLE: json.dumps(asdict(gate)) if gate else ""}
    return [sys.executable, "-P", "-m", f"localcloud.engines.{module}", *arguments], environment


@cache
def gate_of_front() -> Gate | None:
    """Return where this front asks; None where nobody does."""
    text = os.environ.get(Gate.VARIABLE)
    return Gate(**json.loads(text)) if text else None


def loopback_address() -> str:
    """Return a loopback address for an engine behind its front, which no web page can guess.

    On Linux every address of 127.0.0.0/8 is this machine; elsewhere 127.0.0.1 is the only one that is set up.
    """
    return (
        f"127.{'.'.join(str(1 + secrets.randbelow(254)) for _ in range(3))}" if sys.platform == "linux" else "127.0.0.1"
    )


class FrontHandler(SameOriginHandler):
    """Reads and answers requests over connections that stay open."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def body(self) -> bytes:
        """Return the request's body, whether its length is told or it comes in chunks."""
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        chunks = []
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass  # what may follow the last chunk
        return b"".join(chunks)

    def denial(self, body: bytes, query: str = "", action: str = "") -> str | None:
        """Ask the local cloud why the request may not go on; None if it may.

        Args:
            body: The request's body.
            query: The query in it, where the permissions depend on what it says.
            action: The permission that it needs, where neither its method nor a query says so.
        """
        gate = gate_of_front()
        if gate is None:
            return None
        is_well_known = f"Credential={ACCESS_KEY_ID}/" in self.headers.get("Authorization", "")
        asked = {
            "resource": gate.resource,
            "method": self.command,
            "target": self.requestline.split()[1],
            "headers": self.headers.items(),
            "content": hashlib.sha256(body).hexdigest(),
            "query": query,
            "action": action,
            "from_owner": is_well_known and same_user(self.client_address, self.connection.getsockname()),
        }
        url = f"{gate.endpoint}/moto-api/data-requests"
        reason: str | None = json.loads(post(url, Path(gate.folder), json.dumps(asked).encode()))
        return reason

    def answer(self, status: int, headers: Iterable[tuple[str, str]], body: bytes) -> None:
        """Answer the request; the headers that belong to a connection are left out."""
        self.send_response(status)
        for name, value in headers:
            if name.lower() not in OF_THE_CONNECTION:
                self.send_header(name, value)
        if status not in WITHOUT_LENGTH:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_args: Any) -> None:
        """Log no requests."""


def serve(
    handler: type[FrontHandler], certificate: Sequence[str] = (), engine: subprocess.Popen[Any] | None = None
) -> None:
    """Serve on a free loopback port until the process is ended; print the port.

    Args:
        handler: Answers the requests.
        certificate: Paths of a certificate and its key; with them it serves HTTPS.
        engine: What is behind; it gets the time to end before this process does.
    """
    if engine:
        signal.signal(signal.SIGTERM, lambda *_: _end(engine))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    if certificate:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    print(f"listening on {server.server_port}", flush=True)  # noqa: T201 - for whoever waits
    server.serve_forever()


def _end(engine: subprocess.Popen[Any]) -> None:
    engine.terminate()
    engine.wait()
    os._exit(0)
