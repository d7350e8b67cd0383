"""Connections: what comes over HTTP becomes a request, and its response goes back."""

from __future__ import annotations

import gzip
import json
import zlib
from http import HTTPStatus
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

from localcloud.engines.front import FrontHandler
from localcloud.engines.influxdb.influxd import Influxd
from localcloud.engines.influxdb.metadata import STATUSES, Metadata, RefusalError
from localcloud.engines.influxdb.request import Request, Response
from localcloud.engines.influxdb.routes import ROUTES, Routes, respond

VERSION = "v2.7.12"
HEALTH = {"name": "influxdb", "message": "ready for queries and writes", "status": "pass", "checks": []}


class Handler(FrontHandler):
    """Answers the requests of one connection.

    Attributes:
        address: Host and port of influxd.
        metadata: What InfluxDB 2 keeps beside points.
        version: The version that it says it has.
        routes: Which function answers which address.
    """

    address: str
    metadata: Metadata
    version = VERSION
    routes: ClassVar[Routes] = ROUTES

    def setup(self) -> None:
        """Prepare for the requests of one connection, which become requests of another one."""
        super().setup()
        self._influxd = Influxd(self.address, **self.metadata.engine)

    def finish(self) -> None:
        """Close both connections."""
        self._influxd.close()
        super().finish()

    def do_GET(self) -> None:  # noqa: N802 - http.server's name
        """Answer one request."""
        headers = [("X-Influxdb-Build", "OSS"), ("X-Influxdb-Version", self.version)]
        try:
            status, document = self._respond(headers)
        except RefusalError as error:
            status, document = STATUSES[error.code], {"code": error.code, "message": error.message}
            headers.append(("X-Platform-Error-Code", error.code))
        body = b"" if document is None else json.dumps(document).encode() + b"\n"
        if body:
            headers.append(("Content-Type", "application/json; charset=utf-8"))
        self.answer(status, headers, body)

    do_POST = do_HEAD = do_OPTIONS = do_PATCH = do_DELETE = do_PUT = do_GET  # noqa: N815 - http.server's names

    def _respond(self, response_headers: list[tuple[str, str]]) -> Response:
        url, body = urlsplit(self.path), self._unpacked_body()
        path = url.path.rstrip("/") or "/"
        if path == "/ping":
            return HTTPStatus.NO_CONTENT, None
        if path == "/health":
            return HTTPStatus.OK, {**HEALTH, "version": self.version}
        query = {name: values[0] for name, values in parse_qs(url.query, keep_blank_values=True).items()}
        request = Request(path, query, self.headers, body, self.metadata, self._influxd, response_headers)
        return respond("GET" if self.command == "HEAD" else self.command, request, self.routes)

    def _unpacked_body(self) -> bytes:
        body = self.body()
        if self.headers.get("Content-Encoding", "").lower() != "gzip":
            return body
        try:
            return gzip.decompress(body)
        except (EOFError, OSError, zlib.error) as error:
            raise RefusalError("invalid", f"unable to read data: gzip: {error}") from error
