"""Which lines of a write InfluxDB's parser takes: InfluxDB 2 refuses a whole request for one malformed line.

influxd 1.6 writes the other lines, so the front has to know beforehand. Lines that are plainly well formed are
recognized here; every other line is for the parser of influxd to judge.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

#: Nanoseconds of a unit of time, by the names that InfluxDB 2 has for precisions.
NANOSECONDS = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9}

_LARGEST_TIME = 9 * 10**18  # below 2^63 nanoseconds, and below InfluxDB's own limit
_LONGEST_KEY = 65_535
# Without possessive quantifiers: in Python 3.11.2, which Debian 12 has, those of groups match too much.
_NAME = rb'(?:[^,= \\\s"#]|\\[,= ])+'
_STRING = rb'"(?:[^"\\]|\\.)*"'
_NUMBER = rb"-?\d{1,18}(?:i|(?:\.\d{1,30})?(?:[eE][+-]?\d\d?)?)"
_BOOLEAN = rb"[tT]|true|True|TRUE|[fF]|false|False|FALSE"
_FIELD = rb"%b=(?:%b|%b|%b)(?=[, \n]|\Z)" % (_NAME, _STRING, _NUMBER, _BOOLEAN)
_PLAIN = re.compile(
    rb"(%b(?:,%b=%b)*) %b(?:,%b)*(?: (-?\d{1,19}))?(?:\n|\Z)" % (_NAME, _NAME, _NAME, _FIELD, _FIELD), re.DOTALL
)
_ANY = re.compile(rb'(?:[^"\n]|%b|")*(?:\n|\Z)' % _STRING, re.DOTALL)
_COMMA = re.compile(rb"(?<!\\),")


def doubtful(body: bytes, precision: str) -> Iterator[bytes]:
    """Yield the lines of a request that a quick check cannot accept as well formed.

    Args:
        body: Lines of InfluxDB's line protocol.
        precision: The unit of the lines' timestamps, one of `NANOSECONDS`.
    """
    limit = _LARGEST_TIME // NANOSECONDS[precision]
    valid_keys: set[bytes] = set()
    start = 0
    while start < len(body):
        if plain := _PLAIN.match(body, start):
            key, time = plain.groups()
            start = plain.end()
            if (key in valid_keys or _is_key(key)) and (time is None or abs(int(time)) < limit):
                valid_keys.add(key)
            else:
                yield plain[0]
        else:
            line = _ANY.match(body, start)
            assert line  # noqa: S101 - it matches any text
            start = line.end()
            if line[0].strip():
                yield line[0]


def _is_key(key: bytes) -> bool:
    """Return whether a series' key is short enough and names no tag twice."""
    names = [tag.partition(b"=")[0] for tag in _COMMA.split(key)[1:]]
    return len(key) < _LONGEST_KEY and len(set(names)) == len(names)
