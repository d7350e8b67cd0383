"""What every request and answer has: an id, a limit to its body, security headers, a line in the log, a count."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING

from flask import abort, g, request
from werkzeug.http import parse_date

from workloads.storefront.site import site

if TYPE_CHECKING:
    from flask import Flask, Response

HEADERS = {
    # Nothing but what the site itself serves, and no script at all.
    "Content-Security-Policy": "default-src 'none'; img-src 'self'; style-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
STRICT_TRANSPORT_SECURITY = "max-age=31536000"  # only over HTTPS
_SERVER_ERROR = 500
_DATES = ("HTTP_IF_MODIFIED_SINCE", "HTTP_IF_UNMODIFIED_SINCE", "HTTP_IF_RANGE")


def handle(app: Flask) -> None:
    """Do so for an application."""
    app.before_request(_begin)
    app.after_request(_finish)


def _begin() -> None:
    g.request_id = secrets.token_hex(6)
    g.began = time.perf_counter()
    _leave_out_impossible_dates()
    if "Transfer-Encoding" in request.headers:
        abort(411)  # forms tell their length; one that does not would be cut off in silence
    largest = request.max_content_length
    if largest is not None and (request.content_length or 0) > largest:
        abort(413)


def _leave_out_impossible_dates() -> None:
    """Do as RFC 9110 (section 13.1.3) says of conditions whose date is none, on which Werkzeug fails."""
    for name in _DATES:
        try:
            parse_date(request.environ.get(name))
        except (OverflowError, ValueError):
            del request.environ[name]


def _finish(response: Response) -> Response:
    seconds = time.perf_counter() - g.began
    response.headers.update(HEADERS)
    response.headers["X-Request-Id"] = g.request_id
    response.headers.setdefault("Cache-Control", "no-store")
    response.vary.add("X-Forwarded-Proto")  # for whoever keeps the answer
    if request.is_secure:
        response.headers["Strict-Transport-Security"] = STRICT_TRANSPORT_SECURITY
    failed = response.status_code >= _SERVER_ERROR
    if metrics := site().telemetry.metrics:
        metrics.count(seconds, failed=failed)
    # No query, address or member: the log is about the site, not about people.
    site().telemetry.logger.info(
        "request",
        extra={
            "request_id": g.request_id,
            "method": request.method,
            "route": str(request.url_rule) if request.url_rule else None,
            "status": response.status_code,
            "milliseconds": round(seconds * 1000, 1),
        },
    )
    return response
