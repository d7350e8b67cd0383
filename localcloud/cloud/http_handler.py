"""Requests over connections that stay open: boto3 keeps its own, and to make a new one takes as long as to answer."""

from __future__ import annotations

import io
import logging
from functools import cached_property
from http import HTTPStatus
from typing import Any

from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.test import run_wsgi_app

from localcloud.access import admission
from localcloud.access.peer import same_user
from localcloud.access.same_origin import SameOriginHandler
from localcloud.access.signatures import SignedRequest
from localcloud.cloud import cbor, operations
from localcloud.cloud.context import Cloud
from localcloud.cloud.error_responses import FORM, error_response

_log = logging.getLogger(__name__)
_WITHOUT_LENGTH = {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}


class RequestHandler(SameOriginHandler, MotoRequestHandler):
    """Reads a request to its end, as moto does anyway, so that the next one can follow; werkzeug's closes instead."""

    cloud: Cloud
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or the end of an answer would wait until its beginning is acknowledged
    wbufsize = -1  # head and body leave together

    def run_wsgi(self) -> None:
        """Answer one request."""
        self.wfile.flush()  # a client may wait for "100 Continue" before it sends the body
        environ = self.make_environ()
        length = -1 if environ.get("wsgi.input_terminated") else int(environ.get("CONTENT_LENGTH") or 0)
        body = environ["wsgi.input"].read(length)
        if len(body) < length:  # the client has gone before it sent the whole request
            self.close_connection = True
            return
        environ["wsgi.input"] = io.BytesIO(body)
        if not environ.get("CONTENT_TYPE") and "Action=" in environ.get("QUERY_STRING", ""):
            environ["CONTENT_TYPE"] = FORM  # moto gap: it reads the query protocol only where a form is sent
        request = SignedRequest(self.command, self.requestline.split()[1], self.headers, body)
        try:
            application = admission.refusal(self.cloud, request, environ, lambda: self._from_owner) or _spoken(
                request, self.server.app
            )
            chunks, status, headers = run_wsgi_app(application, environ, buffered=True)
        except NotImplementedError as error:
            _log.info("%s %s is not there", self.command, self.path, exc_info=True)
            chunks, status, headers = run_wsgi_app(operations.missing(request, environ, error), environ, buffered=True)
        except Exception as error:  # noqa: BLE001 - whatever moto raises is logged and answered
            _log.exception("%s %s", self.command, self.path)
            chunks, status, headers = run_wsgi_app(operations.failed(request, environ, error), environ, buffered=True)
        content = b"".join(chunks)
        code, _, reason = status.partition(" ")
        self.send_response(int(code), reason)
        for name, value in headers:
            self.send_header(name, value)
        if "Content-Length" not in headers and int(code) not in _WITHOUT_LENGTH:
            self.send_header("Content-Length", str(len(content)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
        self.wfile.flush()

    @cached_property
    def _from_owner(self) -> bool:
        """Whether a process of the user who runs the cloud is at the other end of the connection."""
        return same_user(self.client_address, self.connection.getsockname())

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Requests are not logged; what goes wrong in them is."""


def _spoken(request: SignedRequest, application: Any) -> Any:
    """Return the application for a request, wrapped to translate if the request is in CBOR."""
    model = cbor.operation(request, operations.model_of(request))
    if model is None:
        return application

    def interpret(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        try:
            translated = cbor.as_json(request, environ, model)
        except ValueError as error:
            refusal = error_response(request, "", "SerializationException", f"{error}.", HTTPStatus.BAD_REQUEST)
            return [*refusal(environ, start_response)]
        chunks, status, headers = run_wsgi_app(application, translated, buffered=True)
        content = cbor.from_json(b"".join(chunks), int(status.partition(" ")[0]), model)
        headers["Content-Type"], headers["Content-Length"] = cbor.CONTENT_TYPE, str(len(content))
        headers["Smithy-Protocol"] = cbor.NAME
        start_response(status, headers.to_wsgi_list())
        return [content]

    return interpret
