"""Which requests a server on this machine answers: none that a web page of another origin makes a browser send.

A loopback address keeps other machines away, but not the web pages that are open in this machine's browsers. A page may
send a request to any address, with a form, an image or a script, and a page whose host name is made to resolve to
127.0.0.1 (DNS rebinding) may read the answer, too. Browsers say where a request comes from: in Origin (RFC 6454), in
Sec-Fetch-Site (https://www.w3.org/TR/fetch-metadata/), and after DNS rebinding in Host.

Every HTTP server of the local cloud is a `SameOriginHandler`. Standard library only: some serve from small processes.
"""

from __future__ import annotations

import re
from email.message import Message
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler

#: A host that is always this machine: localhost and the names below it (RFC 6761, 6.3), or a loopback address.
LOOPBACK = re.compile(r"(?:(?:[\w-]+\.)*localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?", re.ASCII | re.IGNORECASE)
#: Where the request of a page of this server comes from, or one that a person typed into the address bar.
OWN = {"same-origin", "none"}
DRAINED_BYTES = 1 << 20


def refusal(target: str, headers: Message) -> str | None:
    """Say why a request must not be answered; None if it may be.

    Args:
        target: What is asked for, as the request line has it.
        headers: The request's headers.
    """
    hosts = headers.get_all("Host", [])
    if len(hosts) != 1 or not LOOPBACK.fullmatch(hosts[0]):
        return f"The host {', '.join(hosts) or '(none)'} is not this machine: use localhost or a loopback address."
    if not target.startswith("/") and target != "*":
        return f"{target[:100]} is not a path: this server is not a proxy."
    for origin in headers.get_all("Origin", []):
        if origin.lower().partition("://")[2] != hosts[0].lower():
            return f"The origin {origin[:100]} is not this server's: it takes no requests from other web pages."
    for site in headers.get_all("Sec-Fetch-Site", []):
        if site.lower() not in OWN:
            return f"A browser sent this request for another web page (Sec-Fetch-Site: {site[:100]})."
    return None


class SameOriginHandler(BaseHTTPRequestHandler):
    """Answers 403 to what `refusal` refuses, before anything of the request is looked at."""

    def refusal(self) -> str | None:
        """Say why the request must not be answered; None if it may be."""
        return refusal(self.requestline.split()[1], self.headers)

    def parse_request(self) -> bool:
        """Read the head of a request; False if it has been answered already."""
        if not super().parse_request():
            return False
        reason = self.refusal()
        if reason is None:
            return True
        self.close_connection = True
        length = self.headers.get("Content-Length", "")
        if length.isdecimal():  # a client that still sends would not read the answer
            self.rfile.read(min(int(length), DRAINED_BYTES))
        body = f"{reason}\n".encode()
        self.send_response(HTTPStatus.FORBIDDEN)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()
        return False
