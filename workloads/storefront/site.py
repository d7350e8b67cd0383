"""What the pages of a running storefront work with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from flask import current_app, session

from workloads.storefront.schema import Member

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Engine, Row
    from sqlalchemy.orm import Session, sessionmaker

    from workloads.storefront.assets import Assets
    from workloads.storefront.kept import Kept
    from workloads.storefront.settings import Settings
    from workloads.storefront.telemetry import Telemetry


@dataclass(frozen=True)
class Site:
    """A storefront's settings and connections, and what it keeps of the catalogue."""

    settings: Settings
    engine: Engine
    sessions: sessionmaker[Session]
    assets: Assets
    telemetry: Telemetry
    categories: Kept[Sequence[Row[int, str]]]
    film_count: Kept[int]


def site() -> Site:
    """Return the storefront that answers the current request."""
    return cast("Site", current_app.extensions["storefront"])


def sign_in(member: Member) -> None:
    """Make the current visitor a member."""
    session.clear()
    session.permanent = True
    session["member_id"] = member.member_id
    session["name"] = member.first_name


def signed_in(database: Session) -> Member | None:
    """Return the member who makes the current request; whose membership has ended is signed out."""
    if "member_id" not in session:
        return None
    member = database.get(Member, session["member_id"])
    if not (member and member.active):
        session.clear()
        return None
    return member
