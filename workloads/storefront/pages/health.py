"""What load balancers and alarms ask: is the process there, and can it serve?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, jsonify
from sqlalchemy.exc import SQLAlchemyError

from contract.errors import GroundworkError, UnavailableError
from workloads.storefront import migrations
from workloads.storefront.database import reason
from workloads.storefront.site import Site, site

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask.typing import ResponseReturnValue

pages = Blueprint("health", __name__)


@pages.get("/healthz")
def healthz() -> ResponseReturnValue:
    """The process answers."""
    return jsonify(status="ok")


@pages.get("/readyz")
def readyz() -> ResponseReturnValue:
    """Database and bucket answer, and hold what this version needs; 503 if not. Reasons are in the log."""
    found = {"database": _works(_database), "bucket": _works(lambda one: one.assets.check())}
    ready = all(found.values())
    parts = {name: "ok" if works else "unavailable" for name, works in found.items()}
    return jsonify(status="ok" if ready else "unavailable", **parts), 200 if ready else 503


def _database(one: Site) -> None:
    with one.engine.connect() as connection:
        if migrations.version(connection) != migrations.newest():
            raise UnavailableError("The database's tables are not of this version. Run `storefront init`.")


def _works(check: Callable[[Site], None]) -> bool:
    try:
        check(site())
    except (GroundworkError, SQLAlchemyError) as error:
        site().telemetry.logger.warning("not ready: %s", reason(error))
        return False
    return True
