"""PostgreSQL with TLS: the server on a socket that only this process uses, and in front of it TLS on a loopback port.

Run by its path, in a process of its own, in the server's data folder: `python postgresql_server.py PORT CERTIFICATE KEY
FORCE COMMAND...`. The wheel's PostgreSQL was built without TLS, so the handshake is made here: a client asks for it in
PostgreSQL's own protocol ("SSL Session Encryption" in its manual), and what follows goes to the server unencrypted.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import ssl
import struct
import sys

SOCKET = ".s.PGSQL.5432"  # relative: a path from the root may be too long for a socket
TLS_REQUEST, KERBEROS_REQUEST = 80877103, 80877104
BLOCK = 1 << 18


class Front:
    """Takes connections, with TLS or, unless it is forced, without."""

    def __init__(self, context: ssl.SSLContext, *, forced: bool) -> None:
        self._context, self._forced = context, forced

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client until either side ends."""
        upstream: asyncio.StreamWriter | None = None
        with contextlib.suppress(OSError, EOFError, ssl.SSLError):
            first = await self._opened(reader, writer)
            if first:
                server, upstream = await asyncio.open_unix_connection(SOCKET, limit=BLOCK)
                upstream.write(first)
                await asyncio.gather(_pass_on(reader, upstream), _pass_on(server, writer))
        for side in (writer, upstream):
            if side:
                side.close()

    async def _opened(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        """Return the beginning of the client's first message to the server; nothing if it is turned away."""
        encrypted = False
        while True:
            head = await reader.readexactly(8)
            code = struct.unpack("!ii", head)[1]
            if code == TLS_REQUEST and not encrypted:
                writer.write(b"S")
                await writer.drain()
                await writer.start_tls(self._context)
                encrypted = True
            elif code == KERBEROS_REQUEST:
                writer.write(b"N")
            elif self._forced and not encrypted:
                fields = (b"SFATAL", b"VFATAL", b"C28000", b"Mno pg_hba.conf entry for host, no encryption")
                message = b"".join(field + b"\0" for field in fields) + b"\0"
                writer.write(b"E" + struct.pack("!i", len(message) + 4) + message)
                await writer.drain()
                return b""
            else:
                return head


async def _pass_on(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while block := await source.read(BLOCK):
            target.write(block)
            await target.drain()
    target.close()


async def _main() -> int:
    port, certificate, key, forced, *command = sys.argv[1:]
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    front = Front(context, forced=forced == "1")
    async with await asyncio.start_server(front.serve, "127.0.0.1", int(port), limit=BLOCK):
        server = await asyncio.create_subprocess_exec(*command)
        ended = asyncio.create_task(server.wait())
        await asyncio.wait([ended, asyncio.create_task(stopped.wait())], return_when=asyncio.FIRST_COMPLETED)
        # SIGTERM reached PostgreSQL, too, which then waits for its clients to leave; SIGINT ends their sessions.
        with contextlib.suppress(ProcessLookupError):
            server.send_signal(signal.SIGINT)
        return await ended


if __name__ == "__main__":
    sys.exit(asyncio.run(_main()))
