"""Browse and search films, and see one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, abort, render_template, request

from workloads.storefront import catalogue
from workloads.storefront.catalogue import Search
from workloads.storefront.pages.parameters import number, text
from workloads.storefront.rentals import open_rentals
from workloads.storefront.site import signed_in, site

if TYPE_CHECKING:
    from flask import Response

pages = Blueprint("catalogue", __name__)

OK = 200
LONGEST_SEARCH = 100
SHARED = "public, max-age=0, s-maxage=1"
"""Apache keeps the page for a second; browsers ask each time, and get 304 while nothing has changed."""


@pages.get("/")
def films() -> str:
    """Show a page of films: all of them, or those that match a search."""
    words = text(request.args, "q")
    if len(words) > LONGEST_SEARCH:
        abort(400)
    category_id = number(request.args, "category") if text(request.args, "category") else None
    search = Search(words, category_id, available=text(request.args, "available") == "yes")
    page = number(request.args, "page") if "page" in request.args else 1
    with site().sessions() as database:
        categories = site().categories(database)
        chosen = next((category for category in categories if category.category_id == category_id), None)
        if category_id is not None and not chosen:
            abort(404)
        results = catalogue.find_films(database, search, page, site().film_count)
        if page > results.pages:
            abort(404)
        return render_template("films.html", search=search, results=results, categories=categories, chosen=chosen)


@pages.get("/films/<number:film_id>")
def film(film_id: int) -> str:
    """Show a film: story, cast, price, and which store has it."""
    with site().sessions() as database:
        film = catalogue.find_film(database, film_id)
        if not film:
            abort(404)
        member = signed_in(database)
        rented = [rental.copy.film_id for rental in open_rentals(database, member.member_id)] if member else []
        stores = catalogue.availability(database, film_id)
        return render_template("film.html", film=film, stores=stores, member=member, held=film_id in rented)


@pages.after_request
def share(response: Response) -> Response:
    """Let a cache give the page that a visitor without cookies sees to other visitors without cookies."""
    if response.status_code == OK and not request.cookies:
        response.headers["Cache-Control"] = SHARED
        response.add_etag()
        response.make_conditional(request)
    return response
