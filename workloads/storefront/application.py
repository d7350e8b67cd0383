"""The application, put together: settings in, a WSGI application out."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, request, url_for
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_wtf.csrf import CSRFProtect
from sqlalchemy.orm import sessionmaker
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.sansio.utils import host_is_trusted

from workloads.storefront import assets, catalogue, errors, exchange
from workloads.storefront.cookies import Sessions
from workloads.storefront.database import connect
from workloads.storefront.gunicorn_settings import threads
from workloads.storefront.kept import Kept
from workloads.storefront.pages import catalogue as catalogue_pages
from workloads.storefront.pages import files, health, membership
from workloads.storefront.pages.parameters import Number
from workloads.storefront.posters import poster_name
from workloads.storefront.rentals import titled
from workloads.storefront.secrets import session_secret
from workloads.storefront.site import Site
from workloads.storefront.telemetry import Telemetry

if TYPE_CHECKING:
    from collections.abc import Iterable
    from decimal import Decimal

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from workloads.storefront.settings import Settings

LARGEST_BODY = 8 * 1024  # the largest form has 300 bytes; Apache refuses what is larger, too
SIGN_INS_BY_ADDRESS, SIGN_INS_BY_CARD = "20/minute;200/hour", "5/minute;30/hour"


def create_app(settings: Settings) -> Flask:
    """Return the storefront.

    Raises:
        InputError: A secret is not what it should be.
        UnavailableError: Secrets Manager cannot be reached, so there is nothing to sign cookies with.
    """
    app = Flask("workloads.storefront", static_folder=None)
    app.config.update(
        SECRET_KEY=session_secret(settings.session_secret),
        MAX_CONTENT_LENGTH=LARGEST_BODY,
        MAX_FORM_MEMORY_SIZE=LARGEST_BODY,
        MAX_FORM_PARTS=20,
        # The prefix binds the cookie to this host and to HTTPS; browsers take localhost for safe, too.
        SESSION_COOKIE_NAME="__Host-session",
        SESSION_COOKIE_SECURE=True,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        PERMANENT_SESSION_LIFETIME=timedelta(hours=12),
        WTF_CSRF_TIME_LIMIT=None,  # as long as the session
        WTF_CSRF_SSL_STRICT=False,  # no other host can set a __Host- cookie, so the Referer adds nothing
    )
    app.session_interface = Sessions()
    engine = connect(settings, connections=threads)
    sessions = sessionmaker(engine, expire_on_commit=False)
    bucket = assets.Assets(settings.bucket)
    app.extensions["storefront"] = Site(
        settings,
        engine,
        sessions,
        bucket,
        Telemetry(settings.log_group, settings.stack),
        Kept(catalogue.categories),
        Kept(catalogue.count_films),
    )
    exchange.handle(app)
    CSRFProtect(app)
    errors.handle(app)
    app.url_map.converters["number"] = Number
    app.url_map.merge_slashes = False  # it would redirect; pages have one address
    for pages in (catalogue_pages.pages, membership.pages, files.pages, health.pages):
        app.register_blueprint(pages)
    _limit_writes(app, settings)
    app.jinja_env.filters.update(titled=titled, money=_money, day=_day)
    app.jinja_env.globals.update(static=_static, poster=_poster)
    proxied = bool(settings.proxies)
    hosts = [host for host in settings.hosts.split(",") if host]
    app.wsgi_app = ProxyFix(_nameless(app.wsgi_app, hosts), x_for=settings.proxies, x_proto=proxied)  # type: ignore[method-assign]
    return app


def _nameless(application: WSGIApplication, hosts: list[str]) -> WSGIApplication:
    """Hide the visitor's Host header from an application whose responses do not depend on the name of the site.

    If the site's names are set, a request for another name is refused: somebody made that name lead here (DNS
    rebinding). Behind Apache the visitor's header is in X-Forwarded-Host.
    """

    def named(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        requested_hosts = [environ.get("HTTP_HOST", ""), *environ.get("HTTP_X_FORWARDED_HOST", "").split(",")]
        if hosts and not all(host_is_trusted(host.strip(), hosts) for host in requested_hosts if host.strip()):
            return Response(status=403)(environ, start_response)
        return application({**environ, "HTTP_HOST": "localhost"}, start_response)

    return named


def _limit_writes(app: Flask, settings: Settings) -> None:
    """So many forms from an address; sign-ins fewer, also for one card. Each worker process counts for itself."""
    limiter = Limiter(
        get_remote_address,
        app=app,
        storage_uri="memory://",
        application_limits=[f"{settings.writes_per_minute}/minute"],
        application_limits_exempt_when=lambda: request.method != "POST",
    )
    view: Any = app.view_functions["membership.sign_in"]
    by_address = limiter.limit(SIGN_INS_BY_ADDRESS, methods=["POST"])
    by_card = limiter.limit(SIGN_INS_BY_CARD, methods=["POST"], key_func=membership.card_given)
    app.view_functions["membership.sign_in"] = by_card(by_address(view))


@cache
def _static(name: str) -> str:
    return url_for("files.asset", name=assets.static(name))


@lru_cache(4096)
def _poster(film_id: int, title: str, category: str, year: int | None) -> str:
    return url_for("files.asset", name=poster_name(film_id, title, category or "", year))


def _money(amount: Decimal) -> str:
    return f"${amount:,.2f}"


def _day(moment: datetime) -> str:
    return f"{moment:%a} {moment.day} {moment:%b %Y}"
