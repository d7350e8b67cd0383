"""Sign in and out; rent and return; see one's rentals."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from flask import Blueprint, abort, flash, redirect, render_template, request, session, url_for
from sqlalchemy import select

from workloads.storefront import rentals
from workloads.storefront.database import transact
from workloads.storefront.pages.parameters import number, text
from workloads.storefront.rentals import Refused, Unknown, titled
from workloads.storefront.schema import Member
from workloads.storefront.site import sign_in as begin_session
from workloads.storefront.site import signed_in, site

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask.typing import ResponseReturnValue
    from sqlalchemy.orm import Session

pages = Blueprint("membership", __name__)

CARD_DIGITS = 16
LONGEST_PATH = 200
_WRONG = "We know no card with this number and name. Please check both."


@pages.get("/sign-in")
def sign_in_form() -> ResponseReturnValue:
    """Show the form to sign in with."""
    return render_template("sign_in.html", next=_local(text(request.args, "next")), typed={})


def _refused(goal: str, problem: str) -> ResponseReturnValue:
    """Show the form again, with what was typed, so that nobody types sixteen digits twice for one wrong letter."""
    typed = {name: text(request.form, name) for name in ("card_number", "last_name")}
    return render_template("sign_in.html", next=goal, problem=problem, typed=typed), 422


@pages.post("/sign-in")
def sign_in() -> ResponseReturnValue:
    """Sign in with the number on the card and the last name; the answer does not tell which of them was wrong."""
    goal = _local(text(request.form, "next"))
    name = text(request.form, "last_name")
    with site().sessions() as database:
        member = database.scalar(select(Member).where(Member.card_number == card_given()))
    if not (member and _same(member.last_name, name)):
        return _refused(goal, _WRONG)
    if not member.active:
        problem = "Your membership is not active. Please ask at the counter."
        return _refused(goal, problem)
    begin_session(member)
    return redirect(goal or url_for("membership.my_rentals"), 303)


@pages.post("/sign-out")
def sign_out() -> ResponseReturnValue:
    """Sign out."""
    session.clear()
    return redirect(url_for("catalogue.films"), 303)


@pages.get("/rentals")
def my_rentals() -> ResponseReturnValue:
    """Show what a member has rented now and before."""
    with site().sessions() as database:
        member = signed_in(database)
        if not member:
            return redirect(url_for("membership.sign_in_form", next=request.path), 303)
        open_now = rentals.open_rentals(database, member.member_id)
        past = rentals.past_rentals(database, member.member_id)
        count = rentals.count_past_rentals(database, member.member_id)
        now = rentals.now(database)
        return render_template("rentals.html", member=member, open=open_now, past=past, count=count, now=now)


@pages.post("/films/<number:film_id>/rentals")
def rent(film_id: int) -> ResponseReturnValue:
    """Rent a copy from the store that the form names."""
    store = number(request.form, "store")

    def work(database: Session) -> str | None:
        if not (member := signed_in(database)):
            return None
        rental = rentals.rent(database, member.member_id, film_id, store)
        return f"Enjoy {titled(rental.copy.film.title)}! Pick it up at {rental.copy.store.name}."

    return _settle(work, refused_at=url_for("catalogue.film", film_id=film_id))


@pages.post("/rentals/<number:rental_id>/return")
def return_film(rental_id: int) -> ResponseReturnValue:
    """Return a film."""

    def work(database: Session) -> str | None:
        if not (member := signed_in(database)):
            return None
        rental = rentals.return_film(database, member.member_id, rental_id)
        fee = f" A late fee of ${rental.late_fee:,.2f} is due." if rental.late_fee else ""
        return f"Thank you for returning {titled(rental.copy.film.title)}.{fee}"

    return _settle(work, refused_at=url_for("membership.my_rentals"))


def card_given() -> str:
    """Return the number of the card as it was typed, without blanks and hyphens; empty if it is none."""
    digits = text(request.form, "card_number").replace(" ", "").replace("-", "")
    return digits if digits.isascii() and digits.isdecimal() and len(digits) == CARD_DIGITS else ""


def _settle(work: Callable[[Session], str | None], refused_at: str) -> ResponseReturnValue:
    """Do the work in a transaction. Redirect to the rentals with its message, to signing in, or to the reason."""
    try:
        message = transact(site().sessions, work)
    except Unknown:
        abort(404)
    except Refused as refusal:
        flash(str(refusal), "problem")
        return redirect(refused_at, 303)
    if message is None:
        return redirect(url_for("membership.sign_in_form", next=refused_at), 303)
    flash(message, "done")
    return redirect(url_for("membership.my_rentals"), 303)


def _same(name: str, entered: str) -> bool:
    return hmac.compare_digest(name.casefold().encode(), entered.casefold().encode("utf-8", "replace"))


def _local(address: str) -> str:
    """Return the address if it is a path of this site, else "": a link must not lead a member elsewhere."""
    plain = len(address) <= LONGEST_PATH and address.isascii() and address.isprintable() and "\\" not in address
    return address if plain and address.startswith("/") and not address.startswith("//") else ""
