"""Loads of Neptune's bulk loader: what a request asks for, what became of its files, and how the status tells it.

Sources: https://docs.aws.amazon.com/neptune/latest/userguide/load-api-reference-load.html,
https://docs.aws.amazon.com/neptune/latest/userguide/load-api-reference-status-response.html and
https://docs.aws.amazon.com/neptune/latest/userguide/loader-message.html
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from localcloud.engines.neptune_errors import NeptuneError
from localcloud.engines.neptune_formats import GREMLIN, OPENCYPHER

FORMATS = (GREMLIN, OPENCYPHER)
RDF_FORMATS = ("ntriples", "nquads", "rdfxml", "turtle")
MODES = ("AUTO", "NEW", "RESUME")
PARALLELISM = ("HIGH", "LOW", "MEDIUM", "OVERSUBSCRIBE")
#: How many errors of a load are kept.
ERRORS = 10_000
IN_QUEUE, NOT_STARTED, IN_PROGRESS = "LOAD_IN_QUEUE", "LOAD_NOT_STARTED", "LOAD_IN_PROGRESS"
COMPLETED, FAILED, CANCELLED = "LOAD_COMPLETED", "LOAD_FAILED", "LOAD_CANCELLED_BY_USER"
CANCELLED_BY_ERRORS, UNEXPECTED = "LOAD_CANCELLED_DUE_TO_ERRORS", "LOAD_UNEXPECTED_ERROR"
DEPENDENCY_FAILED = "LOAD_FAILED_BECAUSE_DEPENDENCY_NOT_SATISFIED"
INVALID = "LOAD_FAILED_INVALID_REQUEST"
#: The states of a load that has not ended.
ACTIVE = {IN_QUEUE, NOT_STARTED, IN_PROGRESS}


@dataclass(frozen=True)
class Request:
    """What a request to load asks for; the attributes have the names of its parameters."""

    source: str
    form: str
    role: str
    region: str
    mode: str = "AUTO"
    fail_on_error: bool = True
    update_single: bool = False
    queue: bool = False
    edge_only: bool = False
    with_edge_ids: bool = True
    keep_empty: bool = False
    dependencies: tuple[str, ...] = ()


def read(fields: Mapping[str, Any]) -> Request:
    """Read the parameters of a request.

    Raises:
        NeptuneError: One is missing, or has a value that Neptune or the local cloud does not take.
    """
    if lacking := [name for name in ("source", "format", "iamRoleArn", "region") if not fields.get(name)]:
        raise NeptuneError("MissingParameterException", f"The parameter {lacking[0]} is missing")
    form, role = str(fields["format"]).lower(), str(fields["iamRoleArn"])
    if form in RDF_FORMATS:
        message = f"The local cloud has no SPARQL, so it does not load the format {form}. Use csv or opencypher"
        raise NeptuneError("UnsupportedOperationException", message)
    if "," in role or "accessKey" in fields:
        message = "The local cloud loads only as one role of the cluster: it has no chains of roles and no access keys"
        raise NeptuneError("UnsupportedOperationException", message)
    parser = fields.get("parserConfiguration") or {}
    update_single = _flag(fields, "updateSingleCardinalityProperties", default=False)
    if form == OPENCYPHER and update_single:
        message = "The format opencypher does not support updateSingleCardinalityProperties"
        raise NeptuneError("InvalidParameterException", message)
    _choice(fields, "parallelism", PARALLELISM)
    dependencies = fields.get("dependencies") or ()
    return Request(
        source=str(fields["source"]),
        form=_choice({"format": form}, "format", FORMATS),
        role=role,
        region=str(fields["region"]),
        mode=_choice(fields, "mode", MODES),
        fail_on_error=_flag(fields, "failOnError", default=True),
        update_single=update_single,
        queue=_flag(fields, "queueRequest", default=False),
        edge_only=_flag(fields, "edgeOnlyLoad", default=False),
        with_edge_ids=_flag(fields, "userProvidedEdgeIds", default=True),
        keep_empty=_flag(parser, "allowEmptyStrings", default=False),
        dependencies=tuple(map(str, dependencies)),
    )


def _flag(fields: Mapping[str, Any], name: str, *, default: bool) -> bool:
    """Return a value that boto3 sends as a boolean, and others as a text."""
    text = str(fields.get(name, default)).upper()
    if text not in {"TRUE", "FALSE"}:
        raise NeptuneError("InvalidParameterException", f"The parameter {name} is TRUE or FALSE, not {fields[name]}")
    return text == "TRUE"


def _choice(fields: Mapping[str, Any], name: str, allowed: tuple[str, ...]) -> str:
    """Return one of the allowed values; the first of them is the default."""
    value = str(fields.get(name) or allowed[0])
    if value not in allowed:
        message = f"The parameter {name} is one of {', '.join(allowed)}, not {value}"
        raise NeptuneError("InvalidParameterException", message)
    return value


@dataclass
class Feed:
    """A file of a load, or their sum.

    Attributes:
        uri: Its address.
        status: Its state.
        run: How often it was loaded.
        records: Labels, edges and values that were read.
        duplicates: Those of them that were there already.
        parsing: Rows that are not in the format.
        mismatches: Rows with a value of another type.
        inserts: Records that could not be inserted.
        started: When its load began, in seconds of Unix time.
        seconds: How long it took.
    """

    uri: str
    status: str = NOT_STARTED
    run: int = 1
    records: int = 0
    duplicates: int = 0
    parsing: int = 0
    mismatches: int = 0
    inserts: int = 0
    started: float = 0
    seconds: float = 0

    @property
    def failures(self) -> int:
        """The number of errors."""
        return self.parsing + self.mismatches + self.inserts

    def described(self) -> dict[str, Any]:
        """Return it as the status of a load tells it."""
        return {
            "fullUri": self.uri,
            "runNumber": self.run,
            "retryNumber": 0,
            "status": self.status,
            "totalTimeSpent": round(self.seconds),
            "startTime": round(self.started),
            "totalRecords": self.records,
            "totalDuplicates": self.duplicates,
            "parsingErrors": self.parsing,
            "datatypeMismatchErrors": self.mismatches,
            "insertErrors": self.inserts,
        }


@dataclass
class Load:
    """A load, from the request on.

    Attributes:
        id: Its id.
        request: What was asked for.
        feeds: Its files, by their addresses.
        status: Its state.
        run: How often it was started.
        errors: Its newest errors, as the status tells them.
        number: How many errors it had.
        is_cancelled: Somebody has cancelled it, and it ends after the batch that is being written.
    """

    id: str
    request: Request
    feeds: dict[str, Feed] = field(default_factory=dict)
    status: str = IN_QUEUE
    run: int = 1
    errors: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=ERRORS))
    is_cancelled: bool = False
    started: float = 0
    ended: float = 0

    def fail(self, code: str, message: str, uri: str, row: int = 0) -> None:
        """Keep an error; the row is 0 where it does not matter."""
        self.errors.append({"errorCode": code, "errorMessage": message, "fileName": uri, "recordNum": row})

    def described(self, *, details: bool, errors: bool, page: int, per_page: int) -> dict[str, Any]:
        """Return its status.

        Args:
            details: With the files that failed.
            errors: With its errors.
            page: Which of their pages; the first is 1.
            per_page: How many errors a page has.
        """
        feeds = [*self.feeds.values()]
        total = Feed(self.request.source, self.status, self.run, started=self.started)
        for feed in feeds:
            for name in ("records", "duplicates", "parsing", "mismatches", "inserts"):
                setattr(total, name, getattr(total, name) + getattr(feed, name))
        if self.started:
            total.seconds = (self.ended or time.time()) - self.started
        counts = Counter(feed.status for feed in feeds)
        payload: dict[str, Any] = {
            "feedCount": [{status: number} for status, number in counts.items()],
            "overallStatus": total.described(),
        }
        if details:
            failed = [feed for feed in feeds if feed.status not in {*ACTIVE, COMPLETED}]
            payload["failedFeeds"] = [feed.described() for feed in failed]
        if errors:
            first = (page - 1) * per_page
            logs = [*self.errors][first : first + per_page]
            payload["errors"] = {
                "startIndex": first + 1 if logs else 0,
                "endIndex": first + len(logs) if logs else 0,
                "loadId": self.id,
                "errorLogs": logs,
            }
        return payload
