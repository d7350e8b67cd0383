"""Read the parameters of a request: each at most once, numbers within what the database can hold."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from flask import abort
from werkzeug.routing import BaseConverter, ValidationError

if TYPE_CHECKING:
    from werkzeug.datastructures import MultiDict

LARGEST_NUMBER = 2**31 - 1
"""The largest id: MySQL's INT."""

_DIGITS = r"[0-9]{1,10}"  # ASCII only, and few enough that int() always takes them


def text(values: MultiDict[str, str], name: str) -> str:
    """Return a parameter's text without blanks around it; empty if the parameter is missing.

    Raises:
        BadRequest: The parameter is there more than once.
    """
    return _once(values, name).strip()


def number(values: MultiDict[str, str], name: str) -> int:
    """Return a parameter's whole number, from 1 to `LARGEST_NUMBER`.

    Raises:
        BadRequest: The parameter is missing, is there more than once, or is not such a number.
    """
    digits = _once(values, name)
    if not (re.fullmatch(_DIGITS, digits) and 1 <= int(digits) <= LARGEST_NUMBER):
        abort(400)
    return int(digits)


def _once(values: MultiDict[str, str], name: str) -> str:
    arguments = values.getlist(name)
    if len(arguments) > 1:
        abort(400)
    return arguments[0] if arguments else ""


class Number(BaseConverter):
    """Matches a number in a path, as `<number:film_id>`; everything else in its place is a page that does not exist.

    Werkzeug's own `int` takes the digits of every script, and fails with a server error on thousands of them.
    """

    regex = _DIGITS

    def to_python(self, value: str) -> int:
        """Return the number.

        Raises:
            ValidationError: No id is that large.
        """
        if (number := int(value)) > LARGEST_NUMBER:
            raise ValidationError
        return number
