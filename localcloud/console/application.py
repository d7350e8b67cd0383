"""The console as a Flask application: its views, what its templates can say, and what a page may load."""

from __future__ import annotations

import json
import secrets
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from botocore.exceptions import ClientError
from flask import Flask, Response, g, render_template
from markdown_it import MarkdownIt
from markupsafe import Markup
from werkzeug.exceptions import HTTPException

from contract import design
from localcloud.cloud.context import Cloud
from localcloud.console import charts, diagram, reading, states
from localcloud.console.views import VIEWS

#: The parts of the console, in the order of the navigation: endpoint, and title.
NAVIGATION = (
    ("overview.show", "Overview"),
    ("dashboards.show_all", "Dashboards"),
    ("alarms.show_all", "Alarms"),
    ("mailbox.show_all", "Mail"),
    ("jobs.show_all", "Jobs"),
    ("functions.show_all", "Functions"),
    ("logs.show_all", "Logs"),
    ("rules.show_all", "Event rules"),
    ("objects.show_all", "S3"),
    ("tables.show_all", "DynamoDB"),
    ("queues.show_all", "Queues"),
    ("secrets.show_all", "Secrets"),
    ("databases.show_all", "Databases"),
    ("denials.show_all", "IAM denials"),
)
_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
_KIB = 1024
MILLION = 1_000_000
LEAST_USD = 0.0001


def create_application(cloud: Cloud) -> Flask:
    """Return the console of a cloud.

    Args:
        cloud: The cloud that it shows.
    """
    application = Flask(__name__)
    application.extensions[reading.EXTENSION] = cloud
    application.jinja_options = {"trim_blocks": True, "lstrip_blocks": True}
    for view in VIEWS:
        application.register_blueprint(view.blueprint)
    application.add_url_rule("/design.css", "design", _design)
    application.after_request(_secure)
    application.register_error_handler(HTTPException, _http_error)
    application.register_error_handler(ClientError, _client_error)
    application.jinja_env.filters |= {
        "state": states.state,
        "counted": states.counted,
        "sentence": states.sentence,
        "moment": moment,
        "size": size,
        "pretty": pretty,
        "number": number,
        "dollars": dollars,
        "markdown": markdown,
    }
    application.jinja_env.globals |= {"navigation": NAVIGATION, "nonce": _nonce, "cloud": cloud}
    return application


def _design() -> Response:
    return Response(design.stylesheet() + diagram.STYLE, content_type="text/css; charset=utf-8")


def _nonce() -> str:
    """The number by which the page's own style element is known; another one for each response."""
    if "nonce" not in g:
        g.nonce = secrets.token_urlsafe(12)
    return str(g.nonce)


def _secure(response: Response) -> Response:
    """Let a page load nothing from elsewhere, and nobody frame it or keep it."""
    own = f"style-src 'self' 'nonce-{_nonce()}'; script-src 'self'; connect-src 'self'; img-src 'self'"
    if response.mimetype == "image/svg+xml":
        own = "style-src 'unsafe-inline'"
    response.headers["Content-Security-Policy"] = (
        f"default-src 'none'; {own}; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "same-origin"  # forms are sent with their origin then
    response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    response.headers["Cache-Control"] = "no-store"
    return response


def _http_error(error: HTTPException) -> tuple[str, int]:
    code = error.code or HTTPStatus.INTERNAL_SERVER_ERROR
    return render_template("error.html", title=error.name, message=error.description), code


def _client_error(error: ClientError) -> tuple[str, int]:
    """Show what a service refuses: it does not have what the address names, or the local cloud lacks the operation."""
    details = error.response.get("Error", {})
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", HTTPStatus.BAD_GATEWAY))
    return render_template("error.html", title=details.get("Code", "Error"), message=details.get("Message", "")), status


def moment(time: datetime | float | None) -> Markup:
    """Return a moment as people say it (``3 min ago``), with the exact time beside it for those who need it.

    Args:
        time: The moment, or milliseconds since 1970; none is a dash.
    """
    exact = reading.utc(time)
    if exact is None:
        return Markup("–")
    seconds = (datetime.now(UTC) - exact).total_seconds()
    if seconds < _MINUTE:
        said = "just now"
    elif seconds < _HOUR:
        said = f"{seconds // _MINUTE:.0f} min ago"
    elif seconds < _DAY:
        said = f"{seconds // _HOUR:.0f} h ago"
    else:
        said = f"{exact:%d %b %Y}"
    clock = f"{exact:%H:%M:%S} UTC"
    return Markup('<time datetime="{}" title="{}">{}</time>').format(f"{exact:%Y-%m-%dT%H:%M:%SZ}", clock, said)


def size(number_of_bytes: float) -> str:
    """Return a number of bytes as people say it, such as ``1.4 MiB``."""
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if number_of_bytes < _KIB or unit == "GiB":
            return f"{number_of_bytes:,.0f} {unit}" if unit == "bytes" else f"{number_of_bytes:,.1f} {unit}"
        number_of_bytes /= _KIB
    raise AssertionError


def number(value: float | None) -> str:
    """Return a number with at most four significant digits, or in millions and more; none is a dash."""
    if value is None:
        return "–"
    if abs(value) >= MILLION:
        return charts.short(value)
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.4g}"


def dollars(usd: float) -> str:
    """Return an amount of USD to a hundredth of a cent, or that it is less than that."""
    return f"{usd:,.4f} USD" if usd >= LEAST_USD else f"under {LEAST_USD} USD"


def markdown(text: str) -> Markup:
    """Return the text of a widget, which is Markdown, as HTML; its own tags are text, and headings begin at h2."""
    reader = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = reader.parse(text)
    for token in tokens:
        if token.type in {"heading_open", "heading_close"}:
            token.tag = f"h{min(int(token.tag[1:]) + 1, 6)}"
    return Markup(reader.renderer.render(tokens, reader.options, {}))  # noqa: S704 - the renderer escapes


def pretty(document: Any) -> str:
    """Return a document, or text that may be JSON, as indented JSON; other text stays as it is."""
    if isinstance(document, str):
        try:
            document = json.loads(document)
        except ValueError:
            return str(document)
    return json.dumps(document, indent=2, ensure_ascii=False, default=str)
