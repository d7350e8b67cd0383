"""Posters and static files, from the bucket."""

from __future__ import annotations

import re

from flask import Blueprint, Response, abort, request

from contract.errors import GroundworkError
from workloads.storefront.assets import Asset, packaged
from workloads.storefront.site import site

pages = Blueprint("files", __name__)

_NAME = re.compile(r"(?:posters|static)/[\w-]{1,100}\.(?:svg|css)", re.ASCII)
_FOR_EVER = "public, max-age=31536000, immutable"  # a name tells its content's hash


@pages.get("/assets/<path:name>")
def asset(name: str) -> Response:
    """Return a file of the bucket; the site's own style also while the bucket cannot be reached."""
    if not _NAME.fullmatch(name):
        abort(404)
    try:
        file = site().assets.read(name)
    except GroundworkError:
        if name not in packaged():
            raise
        file = None
    file = file or packaged().get(name)
    if not file:
        abort(404)
    return _answer(file)


@pages.get("/favicon.ico")
def favicon() -> Response:
    """Return the icon that browsers ask for on pages without an icon of their own."""
    return Response(status=204)


@pages.get("/robots.txt")
def robots() -> Response:
    """Search engines may look at films, and nothing else."""
    return Response("User-agent: *\nDisallow: /rentals\nDisallow: /sign-in\n", mimetype="text/plain")


def _answer(file: Asset) -> Response:
    response = Response(file.content, mimetype=file.content_type)
    response.set_etag(file.digest)
    response.headers["Cache-Control"] = _FOR_EVER
    response.make_conditional(request)
    return response
