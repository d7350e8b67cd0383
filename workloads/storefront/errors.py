"""Errors as pages: what happened, in plain words, and nothing of what is inside."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import g, make_response, render_template
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException

from contract.errors import GroundworkError
from workloads.storefront.database import is_away, reason
from workloads.storefront.site import site

if TYPE_CHECKING:
    from flask import Flask, Response

RETRY_SECONDS = {429: 60, 503: 10}
TEXTS = {
    400: ("That did not make sense", "The address or form has something in it that we cannot read."),
    404: ("Nothing on this shelf", "The page or film you are looking for is not here."),
    405: ("Not like that", "This page cannot be used in that way."),
    413: ("Too much", "What was sent is larger than anything we ask for."),
    429: ("One at a time, please", "There were many requests from you in a short time. Please wait a minute."),
    500: ("The film tore", "Something went wrong on our side. It has been noted."),
    503: ("Short intermission", "The shop is closed for a moment. Please try again shortly; your rentals are safe."),
}
_EXPIRED = ("This form has expired", "Please go back, reload the page and send the form again.")
_REDIRECT, _BAD_REQUEST, _ERROR, _UNAVAILABLE = 300, 400, 500, 503


def handle(app: Flask) -> None:
    """Show a page for every error of an application."""
    app.register_error_handler(HTTPException, _refused)
    app.register_error_handler(CSRFError, lambda _: page(_BAD_REQUEST, _EXPIRED))
    app.register_error_handler(Exception, _failed)


def page(status: int, text: tuple[str, str] | None = None) -> Response:
    """Return the page of an error; it needs neither database nor bucket."""
    title, advice = text or TEXTS.get(status) or TEXTS[_ERROR if status >= _ERROR else _BAD_REQUEST]
    reference = g.get("request_id", "")
    content = render_template("error.html", status=status, title=title, advice=advice, reference=reference)
    response = make_response(content, status)
    if status in RETRY_SECONDS:
        response.headers["Retry-After"] = str(RETRY_SECONDS[status])
    return response


def _refused(error: HTTPException) -> HTTPException | Response:
    code = error.code or _ERROR
    if _REDIRECT <= code < _BAD_REQUEST:
        return error
    response = page(code)
    if allowed := dict(error.get_headers()).get("Allow"):
        response.headers["Allow"] = allowed
    return response


def _failed(error: Exception) -> Response:
    away = isinstance(error, GroundworkError) or (isinstance(error, SQLAlchemyError) and is_away(error))
    status = _UNAVAILABLE if away else _ERROR
    details = {"request_id": g.get("request_id", ""), "status": status}
    if away:
        site().telemetry.logger.warning("unavailable: %s", reason(error), extra=details)
    else:
        site().telemetry.logger.error("failed", exc_info=error, extra=details)
    return page(status)
