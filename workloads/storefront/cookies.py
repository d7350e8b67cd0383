"""Session cookies that every instance accepts, although the clocks of instances differ."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from flask.sessions import SecureCookieSessionInterface
from itsdangerous import SignatureExpired, TimestampSigner

if TYPE_CHECKING:
    from flask import Flask
    from itsdangerous import URLSafeTimedSerializer

#: How far the clock of the instance that signed a cookie may be ahead of the clock of the instance that reads it.
CLOCK_DIFFERENCE = timedelta(minutes=5)


class TolerantSigner(TimestampSigner):
    """Accepts signatures from the near future, which `TimestampSigner` takes for expired."""

    def unsign(self, signed_value: str | bytes, max_age: int | None = None, return_timestamp: bool = False) -> Any:
        """Return what was signed and, if asked for, when.

        Raises:
            BadSignature: Somebody else signed it.
            SignatureExpired: It is older than `max_age` seconds, or from further in the future than the tolerance.
        """
        content, signed = super().unsign(signed_value, return_timestamp=True)
        age = datetime.fromtimestamp(self.get_timestamp(), UTC) - signed
        if max_age is not None and not -CLOCK_DIFFERENCE <= age <= timedelta(seconds=max_age):
            raise SignatureExpired(f"The signature is {age} old.", payload=content, date_signed=signed)
        return (content, signed) if return_timestamp else content


class Sessions(SecureCookieSessionInterface):
    """Flask's sessions in signed cookies, with tolerant signatures."""

    def get_signing_serializer(self, app: Flask) -> URLSafeTimedSerializer | None:
        """Return what signs cookies, and checks them."""
        serializer = super().get_signing_serializer(app)
        if serializer:
            serializer.signer = TolerantSigner
        return serializer
