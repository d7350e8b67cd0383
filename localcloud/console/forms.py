"""Forms that change something: each carries a token that no page of another origin can know."""

from __future__ import annotations

import hmac

from flask import abort, request

from localcloud.cloud.account import console_key
from localcloud.console import reading

FIELD = "token"


def token() -> str:
    """Return the token of the forms of this cloud's console; it follows from the console's key."""
    return hmac.new(console_key(reading.cloud().folder).encode(), b"forms", "sha256").hexdigest()


def check() -> None:
    """Let a request go on only if its form came from a page of this console.

    Raises:
        Forbidden: The token is missing or wrong.
    """
    if not hmac.compare_digest(request.form.get(FIELD, "").encode(), token().encode()):
        abort(403, "The form did not come from a page of this console. Open the page again, and send it from there.")
