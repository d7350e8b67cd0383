"""The console's server: a loopback port of its own, for browsers of the person who runs the cloud.

It is another origin than the cloud's API, so that no object of S3 that a browser opens can read the console. A browser
signs no requests. On Linux, which tells whose process holds a connection, the console answers to the user who runs the
cloud; every other browser needs the link with the key that `LocalCloud.console` gives, once, and keeps it in a cookie.
"""

from __future__ import annotations

import hmac
import re
import threading
from collections.abc import Iterable
from functools import cached_property
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import make_server

from localcloud.access.peer import same_user
from localcloud.access.same_origin import SameOriginHandler, refusal
from localcloud.cloud.account import console_key
from localcloud.cloud.context import Cloud

COOKIE = "console-key"
KEY_PARAMETER = "key"
#: A path of the console; what begins with two slashes would lead to another host.
PLAIN_PATH = re.compile(r"(/[\w.:~%@+-]+)+", re.ASCII)


class ConsoleHandler(SameOriginHandler, MotoRequestHandler):
    """Answers requests of browsers; also those that follow a link on another page, such as a report."""

    cloud: Cloud

    def refusal(self) -> str | None:
        """Say why the request must not be answered; None if it may be.

        A link leads a browser away from the page that has it, so that page cannot read the response.
        """
        navigates = self.command == "GET" and self.headers.get("Sec-Fetch-Mode") == "navigate"
        if navigates and self.headers.get("Sec-Fetch-Dest") == "document":
            del self.headers["Sec-Fetch-Site"]
        return refusal(self.requestline.split()[1], self.headers)

    def run_wsgi(self) -> None:
        """Answer a request, if it comes from the cloud's owner."""
        key, target = console_key(self.cloud.folder), urlsplit(self.path)
        if hmac.compare_digest(dict(parse_qsl(target.query)).get(KEY_PARAMETER, "").encode(), key.encode()):
            self._answer(HTTPStatus.SEE_OTHER, "", {
                "Location": target.path if PLAIN_PATH.fullmatch(target.path) else "/",
                "Set-Cookie": f"{COOKIE}={key}; Path=/; HttpOnly; SameSite=Lax",
            })  # fmt: skip
        elif self._from_owner or hmac.compare_digest(self._cookie.encode(), key.encode()):
            super().run_wsgi()
        else:
            self._answer(HTTPStatus.FORBIDDEN, "Open the console with the link that `local console` prints.\n", {})

    @cached_property
    def _from_owner(self) -> bool:
        return same_user(self.client_address, self.connection.getsockname())

    @property
    def _cookie(self) -> str:
        try:
            morsel = SimpleCookie(self.headers.get("Cookie", "")).get(COOKIE)
        except CookieError:
            return ""
        return morsel.value if morsel else ""

    def _answer(self, status: HTTPStatus, text: str, headers: dict[str, str]) -> None:
        self.send_response(status)
        content = text.encode()
        for name, value in {"Content-Type": "text/plain; charset=utf-8", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Requests are not logged; what goes wrong in them is."""


class _WhenAsked:
    """The application, which is imported with the first request: most clouds live without one."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        with self._lock:
            application = self._application
        response: Iterable[bytes] = application(environ, start_response)
        return response

    @cached_property
    def _application(self) -> Any:
        from localcloud.console.application import create_application

        return create_application(self._cloud)


def start(cloud: Cloud, port: int = 0) -> int:
    """Serve the console of a cloud in the background; return the loopback port.

    Args:
        cloud: The cloud.
        port: The port; 0 takes a free one.
    """

    class Handler(ConsoleHandler):
        """Knows its cloud."""

    Handler.cloud = cloud
    server = make_server("127.0.0.1", port, _WhenAsked(cloud), threaded=True, request_handler=Handler)
    threading.Thread(target=server.serve_forever, daemon=True, name="console").start()
    return int(server.port)
