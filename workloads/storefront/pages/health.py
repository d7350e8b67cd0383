"""Report to load balancers and alarms whether the process runs, and whether it can serve."""

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
    """Report that the process responds."""
    return jsonify(status="ok")


@pages.get("/readyz")
def readyz() -> ResponseReturnValue:
    """Report whether database and bucket respond and have what this version needs; 503 if not. The log has reasons."""
    checks = {"database": _works(_database), "bucket": _works(lambda current: current.assets.check())}
    ready = all(checks.values())
    states = {name: "ok" if works else "unavailable" for name, works in checks.items()}
    return jsonify(status="ok" if ready else "unavailable", **states), 200 if ready else 503


def _database(current: Site) -> None:
    with current.engine.connect() as connection:
        if migrations.version(connection) != migrations.newest():
            raise UnavailableError("The database's tables are not of this version. Run `storefront init`.")


def _works(check: Callable[[Site], None]) -> bool:
    try:
        check(site())
    except (GroundworkError, SQLAlchemyError) as error:
        site().telemetry.logger.warning("not ready: %s", reason(error))
        return False
    return True
