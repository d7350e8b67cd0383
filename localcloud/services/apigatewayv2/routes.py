"""Routes of HTTP APIs, and methods of REST APIs: which one takes a request, and the parameters in its path.

moto gap: it routes no request.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from urllib.parse import unquote

from moto.apigatewayv2.exceptions import BadRequestException

DEFAULT = "$default"
METHODS = ("ANY", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
_KEY = re.compile(rf"(?P<method>{'|'.join(METHODS)}) (?P<path>/\S*)")
#: A part of a path that stands for anything; with a plus sign, for all that follows.
PARAMETER = re.compile(r"\{(?P<name>[\w.-]+)(?P<greedy>\+?)\}")


@dataclass(frozen=True)
class Match:
    """The route that takes a request.

    Attributes:
        key: The route's key.
        parameters: What the path has in the place of the route's parameters.
    """

    key: str
    parameters: dict[str, str]


def check(key: str) -> None:
    """Refuse the key of a route that API Gateway does not take.

    Raises:
        BadRequestException: It is neither a method with a path nor the default.
    """
    if key == DEFAULT:
        return
    match = _KEY.fullmatch(key)
    if match is None:
        raise BadRequestException(
            "The provided route key is not formatted properly for HTTP protocol. "
            'Format should be "<METHOD> /<PATH>" or "$default"'
        )
    segments = match["path"].split("/")[1:]
    for number, segment in enumerate(segments, start=1):
        parameter = PARAMETER.fullmatch(segment)
        is_whole = parameter or not set("{}") & {*segment}
        if not is_whole or (parameter and parameter["greedy"] and number < len(segments)):
            reason = "a parameter is a whole segment, and one with a plus sign the last"
            raise BadRequestException(f"The route path {match['path']} is not valid: {reason}")


def find(keys: Iterable[str], method: str, path: str, decode: Callable[[str], str] = unquote) -> Match | None:
    """Return the route with the most specific key that a request matches; None if there is none.

    A path that is written out comes before one with parameters, that before a greedy one, a method of its own before
    ``ANY``, and all of them before ``$default``.

    Args:
        keys: The keys of all routes.
        method: Of the request.
        path: Of the request, without the name of a stage.
        decode: How parameters are given that the path has encoded.
    """
    matches = [match for key in keys if (match := _match(key, method, path, decode))]
    return min(matches, key=lambda match: _rank(match.key), default=None)


def _match(key: str, method: str, path: str, decode: Callable[[str], str]) -> Match | None:
    if key == DEFAULT:
        return Match(key, {})
    own_method, _, pattern = key.partition(" ")
    if own_method not in {"ANY", method}:
        return None
    expected_segments, segments = pattern.split("/")[1:], path.split("/")[1:]
    parameters: dict[str, str] = {}
    for number, expected in enumerate(expected_segments):
        parameter = PARAMETER.fullmatch(expected)
        if parameter and parameter["greedy"]:
            rest = decode("/".join(segments[number:]))
            return Match(key, {**parameters, parameter["name"]: rest}) if rest else None
        if number >= len(segments) or (parameter is None and expected != unquote(segments[number])):
            return None
        if parameter:
            if not segments[number]:
                return None
            parameters[parameter["name"]] = decode(segments[number])
    return Match(key, parameters) if len(expected_segments) == len(segments) else None


def _rank(key: str) -> tuple[list[int], bool]:
    """Return what sorts routes that match the same request: the most specific is the least."""
    if key == DEFAULT:
        return [3], True
    method, _, pattern = key.partition(" ")
    kinds = [PARAMETER.fullmatch(segment) for segment in pattern.split("/")[1:]]
    return [0 if kind is None else 2 if kind["greedy"] else 1 for kind in kinds], method == "ANY"
