"""IAM: the requests that policies do not allow, why, and what would allow them."""

from __future__ import annotations

from flask import Blueprint, render_template

from localcloud.access.authorization import Record
from localcloud.console import reading

blueprint = Blueprint("denials", __name__)

SHOWN = 200


@blueprint.get("/denials")
def show_all() -> str:
    """Show the denials, the latest first."""
    record = reading.cloud().state(Record)
    with record.lock:
        denials = list(record.denials)
    return render_template("denials.html", denials=denials[::-1][:SHOWN], mode=record.mode.value)
