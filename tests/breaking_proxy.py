"""A proxy before a database that breaks the connection at a statement, before or after the database has done it."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Literal, Self

Moment = Literal["before", "after"]


class BreakingProxy:
    """Passes on what client and server say, until the client says a word.

    Args:
        port: Of the server, on this machine.
        word: What the client says, such as `COMMIT`.
        moment: Whether the server still gets it and answers, or does not get it. The client gets no answer either way.
    """

    def __init__(self, port: int, word: bytes, moment: Moment) -> None:
        self._server, self.word, self._moment = port, word, moment
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.broken = 0
        self._answered = threading.Event()

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._server))
                for pump, one, other in ((self._ask, client, server), (self._answer, server, client)):
                    threading.Thread(target=pump, args=(one, other), daemon=True).start()

    def _ask(self, client: socket.socket, server: socket.socket) -> None:
        with client, server, suppress(OSError):
            while words := client.recv(1 << 16):
                if self.word not in words:
                    server.sendall(words)
                    continue
                self.broken += 1
                client.shutdown(socket.SHUT_RDWR)
                if self._moment == "after":
                    server.sendall(words)
                    self._answered.wait(10)
                server.shutdown(socket.SHUT_RDWR)
                return

    def _answer(self, server: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while words := server.recv(1 << 16):
                if self.broken:
                    self._answered.set()
                client.sendall(words)
