"""HTTP requests that functions handle: what a function URL and the APIs of API Gateway have in common.

moto gap: it serves no request with a function.

Source: https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from email.message import Message
from http import HTTPStatus
from http.server import ThreadingHTTPServer
from typing import Any, TypeVar
from urllib.parse import parse_qsl
from uuid import uuid4

from localcloud.access import authentication, authorization, callers, same_origin
from localcloud.access.actions.derivation import Need
from localcloud.access.authorization import Denial, Mode, Record
from localcloud.access.callers import Caller
from localcloud.access.peer import same_user
from localcloud.access.signatures import SignatureError, SignedRequest, read
from localcloud.cloud.account import ACCOUNT
from localcloud.cloud.context import Cloud

Json = dict[str, Any]
#: Status, headers in lower case, cookies and body.
Answer = tuple[int, dict[str, str], list[str], bytes]
#: What is a text in an event; any other body is encoded in Base64.
TEXTS = ("text/", "application/json", "application/xml", "application/javascript")
FORM = "application/x-www-form-urlencoded"
#: The statuses that a function may answer with.
FIRST_STATUS, LAST_STATUS = 200, 599


class FunctionHandler(same_origin.SameOriginHandler):
    """Answers requests of any method by calling functions: its subclasses say which, and for whom."""

    cloud: Cloud
    protocol_version = "HTTP/1.1"

    def respond(self, request: SignedRequest) -> Answer:
        """Answer a request whose body has been read."""
        raise NotImplementedError

    def refused(self, status: HTTPStatus, reason: str) -> Answer:
        """Refuse a request in the endpoint's own form."""
        raise NotImplementedError

    def cors(self) -> Json:
        """Return the settings for pages of other origins; empty without any."""
        raise NotImplementedError

    def refusal(self) -> str | None:
        """Say why the request must not be answered; pages of origins that CORS allows may send one, too."""
        headers = self.headers
        if allowed_origin(self.cors(), headers):
            headers = Message()
            headers["Host"] = self.headers["Host"]
        return same_origin.refusal(self.requestline.split()[1], headers)

    def answer(self) -> None:
        """Answer one request, of any method."""
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not length.isdecimal():
            self.close_connection = True
            self._send(*self.refused(HTTPStatus.LENGTH_REQUIRED, "The request must say how long its body is"))
            return
        body = self.rfile.read(int(length))
        self._send(*self.respond(SignedRequest(self.command, self.requestline.split()[1], self.headers, body)))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the standard library's name
        """Requests are not logged, as Lambda's own log has them."""

    def __getattr__(self, name: str) -> Any:
        """Answer requests of every method, each of which the standard library asks for by a name of its own."""
        if name.startswith("do_"):
            return self.answer
        raise AttributeError(name)

    def is_preflight(self) -> bool:
        """Return whether a browser asks what a page of another origin may send."""
        return self.command == "OPTIONS" and "Access-Control-Request-Method" in self.headers

    def caller(self, request: SignedRequest, service: str) -> tuple[Caller | None, str]:
        """Return who signed a request for a service, None for the administrator, and their key.

        Raises:
            SignatureError: The signature is missing or wrong.
        """
        signature = read(request)
        if signature is None or signature.service != service:
            raise SignatureError("MissingAuthenticationToken", f"The request is not signed for {service}.")
        end = self.connection.getsockname()
        authentication.verify(self.cloud, request, signature, lambda: same_user(self.client_address, end))
        return callers.of_key(self.cloud, signature.access_key_id), signature.access_key_id

    def _send(self, status: int, headers: Mapping[str, str], cookies: list[str], content: bytes) -> None:
        self.send_response(status)
        for name, value in {"content-type": "application/json", **headers}.items():
            self.send_header(name, value)
        for cookie in cookies:
            self.send_header("set-cookie", cookie)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


Handler = TypeVar("Handler", bound=FunctionHandler)


def serve(kind: type[Handler], name: str, **attributes: Any) -> ThreadingHTTPServer:
    """Serve an endpoint on a free loopback port, in a thread of its own, and return its server.

    Args:
        kind: The class of its handlers.
        name: What it is, for the thread's name.
        attributes: The class attributes of its handlers.
    """
    server = ThreadingHTTPServer(("127.0.0.1", 0), type(kind.__name__, (kind,), attributes))
    threading.Thread(target=server.serve_forever, daemon=True, name=name).start()
    return server


def end(server: ThreadingHTTPServer | None) -> None:
    """Stop the server of an endpoint, if it has one."""
    if server:
        server.shutdown()
        server.server_close()


def may(cloud: Cloud, caller: Caller | None, needed: list[Need], request: SignedRequest) -> bool:
    """Decide whether a caller may do what a request needs; None is the account's administrator."""
    return denial(cloud, caller, needed, request) is None


def denial(cloud: Cloud, caller: Caller | None, needed: list[Need], request: SignedRequest) -> Denial | None:
    """Return why a caller may not do what a request needs; None if they may, as the account's administrator may."""
    mode = cloud.state(Record).mode
    if caller is None or mode is Mode.OFF:
        return None
    denied = authorization.judge(cloud, caller, needed, authorization.sent_with(request))
    return None if mode is Mode.WARN else denied


def event(request: SignedRequest, texts: tuple[str, ...] = TEXTS) -> Json:
    """Return a request as a function gets it, in version 2.0 of the format, for an endpoint with one route.

    Args:
        request: The request.
        texts: How the content types begin whose bodies are given as texts.
    """
    headers = {name.lower(): ",".join(request.headers.get_all(name, [])) for name in request.headers}
    host, now = headers.get("host", "localhost"), datetime.now(UTC)
    parameters: dict[str, str] = {}
    for name, value in parse_qsl(request.url.query, keep_blank_values=True):
        parameters[name] = f"{parameters[name]},{value}" if name in parameters else value
    cookies = [cookie.strip() for cookie in headers.pop("cookie", "").split(";") if cookie.strip()]
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": request.url.path,
        "rawQueryString": request.url.query,
        **({"cookies": cookies} if cookies else {}),
        "headers": headers,
        **({"queryStringParameters": parameters} if parameters else {}),
        "requestContext": {
            "accountId": ACCOUNT,
            "apiId": host.partition(":")[0],
            "domainName": host,
            "domainPrefix": host.partition(":")[0],
            "http": {
                "method": request.method,
                "path": request.url.path,
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": headers.get("user-agent", ""),
            },
            "requestId": str(uuid4()),
            "routeKey": "$default",
            "stage": "$default",
            "time": f"{now:%d/%b/%Y:%H:%M:%S +0000}",
            "timeEpoch": int(now.timestamp() * 1000),
        },
        **body(request, texts),
    }


def body(request: SignedRequest, texts: tuple[str, ...]) -> Json:
    """Return the members of an event that are about the body, of either version of the format."""
    is_text = request.headers.get("Content-Type", "application/octet-stream").startswith(texts)
    text = request.body.decode(errors="replace") if is_text else base64.b64encode(request.body).decode()
    return {
        **({"body": text} if request.body else {}),
        "isBase64Encoded": bool(request.body) and not is_text,
    }


def identity(caller: Caller | None, access_key_id: str) -> Json:
    """Return what an event says of a caller whose signature has been verified."""
    arn = caller.principal.arn if caller else f"arn:aws:iam::{ACCOUNT}:root"
    return {"accessKey": access_key_id, "accountId": ACCOUNT, "callerId": access_key_id, "cognitoIdentity": None,
            "principalOrgId": None, "userArn": arn, "userId": access_key_id}  # fmt: skip


def response(result: Any) -> Answer:
    """Return status, headers, cookies and body of what a function returned.

    Raises:
        ValueError: The function returned a status code with headers, cookies or a body that are not valid.
    """
    if not isinstance(result, dict) or "statusCode" not in result:
        return HTTPStatus.OK, {}, [], json.dumps(result, separators=(",", ":"), ensure_ascii=False).encode()
    status, text = result["statusCode"], result.get("body") or ""
    headers, cookies = result.get("headers") or {}, result.get("cookies") or []
    is_formed = isinstance(text, str) and isinstance(headers, dict) and isinstance(cookies, list)
    if not (is_formed and str(status).isdecimal() and FIRST_STATUS <= int(status) <= LAST_STATUS):
        raise ValueError("the status, the headers, the cookies or the body have another type than Lambda expects")
    texts = {str(name).lower(): str(value) for name, value in headers.items() if str(name).lower() != "content-length"}
    for line in [*texts, *texts.values(), *map(str, cookies)]:
        if not line.isprintable() or not line.isascii():
            raise ValueError("a header has a character that HTTP does not take")
    content = base64.b64decode(text, validate=True) if result.get("isBase64Encoded") else text.encode()
    return int(status), texts, [*map(str, cookies)], content


def allowed_origin(cors: Json, headers: Message) -> str | None:
    """Return the origin of the page that sends a request, if CORS allows it.

    Args:
        cors: The settings of CORS, with names that begin with a capital letter.
        headers: Of the request.
    """
    origin = headers.get("Origin")
    return origin if origin and {"*", origin} & {*cors.get("AllowOrigins", [])} else None


def cors_headers(cors: Json, headers: Message) -> dict[str, str]:
    """Return the headers that let a page of another origin read a response."""
    origin = allowed_origin(cors, headers)
    if origin is None:
        return {}
    lists = {
        "access-control-allow-methods": cors.get("AllowMethods"),
        "access-control-allow-headers": cors.get("AllowHeaders"),
        "access-control-expose-headers": cors.get("ExposeHeaders"),
    }
    return {
        "access-control-allow-origin": origin,
        "vary": "Origin",
        **{name: ",".join(values) for name, values in lists.items() if values},
        **({"access-control-allow-credentials": "true"} if cors.get("AllowCredentials") else {}),
        **({"access-control-max-age": str(cors["MaxAge"])} if cors.get("MaxAge") else {}),
    }
