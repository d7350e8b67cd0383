"""Neptune's endpoint for openCypher and its bulk loader, over an embedded graph database.

Run in a process of its own:

    python -m localcloud.engines.neptune_server FOLDER [CERTIFICATE KEY]

It prints the port on which it listens. ArcadeDB runs the queries in a Java machine, and each query is one transaction,
as in Neptune.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
import tempfile
import threading
import urllib.parse
import uuid
from pathlib import Path
from typing import Any

# Java writes its temporary files, and figures about itself, into the system's folder unless it is told otherwise.
os.environ.setdefault(
    "ARCADEDB_JVM_ARGS",
    "-Xmx512m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:-UsePerfData "
    + shlex.quote(f"-Djava.io.tmpdir={tempfile.gettempdir()}"),
)

import arcadedb_embedded  # type: ignore[import-untyped]
import jpype  # type: ignore[import-untyped]

from localcloud.engines.front import FrontHandler, serve
from localcloud.engines.neptune_batches import Batches, Outcome, Rule
from localcloud.engines.neptune_errors import NeptuneError
from localcloud.engines.neptune_formats import Edge, Vertex
from localcloud.engines.neptune_loader import LISTED, PER_PAGE, Loader
from localcloud.engines.neptune_source import Source

#: `(name:Label {property:` - where a query finds a node by a property.
NODE = re.compile(r"\(\s*\w*\s*:\s*`?(\w+)`?\s*\{\s*`?(\w+)`?\s*:")
#: A clause by which a query changes the graph.
WRITES = re.compile(r"\b(CREATE|MERGE|SET|DELETE|REMOVE)\b", re.IGNORECASE)
KINDS = {bool: "BOOLEAN", int: "LONG", float: "DOUBLE", str: "STRING"}


class Graph:
    """The database, one query at a time."""

    def __init__(self, folder: str) -> None:
        exists = Path(folder).is_dir()
        self._database = (arcadedb_embedded.open_database if exists else arcadedb_embedded.create_database)(folder)
        self._vertex = jpype.JClass("com.arcadedb.graph.Vertex")
        self._edge = jpype.JClass("com.arcadedb.graph.Edge")
        self._indexed: set[tuple[str, str]] = set()
        self._lock = threading.Lock()
        self._batches = Batches(self._database)
        self._writes = 0

    def write(self, rows: list[Vertex | Edge], rule: Rule) -> Outcome:
        """Write a batch of the bulk loader; queries take their turn before the next one."""
        with self._lock:
            return self._batches.write(rows, rule, self._writes)

    def run(self, query: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the rows of a query.

        Raises:
            NeptuneError: It cannot be run; nothing of it was done.
        """
        if re.search(r"\b(allS|s)hortestPaths?\s*\(", query):
            raise NeptuneError("UnsupportedOperationException", "shortestPath is not supported", 400)  # as in Neptune
        text = re.sub(r"(?<![\w.`])id\(\s*(\w+)\s*\)", r"coalesce(\1.`~id`, elementId(\1))", query)
        with self._lock:
            self._writes += bool(WRITES.search(query))
            self._index(query)
            try:
                with self._database.transaction():
                    rows = self._database.command("opencypher", text, parameters).to_list()
                    return [{name: self._plain(value) for name, value in row.items()} for row in rows]
            except Exception as error:  # Java's and the bindings' alike
                raise _explained(str(error)) from error

    def explain(self, query: str, parameters: dict[str, Any]) -> str:
        """Return how the engine would go about a query, in its own words; nothing is run.

        Raises:
            NeptuneError: It cannot be run.
        """
        return str(self.run(f"EXPLAIN {query}", parameters)[0]["executionPlanAsString"])

    def _index(self, query: str) -> None:
        """Index what the query finds nodes by, once there is a node whose value tells the type.

        Neptune indexes every property; without this each MERGE would look at every node.
        """
        for label, name in set(NODE.findall(query)) - self._indexed:
            if not self._database.schema.exists_type(label):
                continue
            row = self._database.query("sql", f"SELECT `{name}` AS value FROM `{label}` LIMIT 1").first()  # noqa: S608 - words
            kind = KINDS.get(type(self._plain(row.get("value")))) if row else None
            if kind:
                for statement in (
                    f"CREATE PROPERTY `{label}`.`{name}` IF NOT EXISTS {kind}",
                    f"CREATE INDEX IF NOT EXISTS ON `{label}` (`{name}`) NOTUNIQUE",
                ):
                    self._database.command("sql", statement)
                self._indexed.add((label, name))

    def _plain(self, value: Any) -> Any:  # noqa: PLR0911 - one for each type
        """Return a value in Neptune's JSON."""
        if value is None or isinstance(value, bool | int | float | str):
            return value
        if isinstance(value, jpype.JString):
            return str(value)
        if isinstance(value, self._vertex):
            node = {"~entityType": "node", "~labels": sorted(str(value.getTypeName()).split("~"))}
            return {"~id": _identity(value), **node, "~properties": self._properties(value)}
        if isinstance(value, self._edge):
            ends = {"~start": value.getOutVertex(), "~end": value.getInVertex()}
            edge = {"~entityType": "relationship", "~type": str(value.getTypeName())}
            edge |= {name: _identity(node.asVertex()) for name, node in ends.items()}
            return {"~id": _identity(value), **edge, "~properties": self._properties(value)}
        if isinstance(value, dict) or hasattr(value, "entrySet"):
            return {str(key): self._plain(item) for key, item in dict(value).items()}
        try:
            return [self._plain(item) for item in value]
        except TypeError:
            return str(value)  # dates and times

    def _properties(self, element: Any) -> dict[str, Any]:
        fields = {str(name): item for name, item in dict(element.toMap()).items()}
        return {name: self._plain(item) for name, item in fields.items() if name[0] not in "@~"}


def _identity(element: Any) -> str:
    return str(element.get("~id") or element.getIdentity())


def _explained(message: str) -> NeptuneError:
    if re.search("yntax|pars", message):
        return NeptuneError("MalformedQueryException", message, 400)
    if "oncurrentModification" in message:
        return NeptuneError("ConcurrentModificationException", message, 409)
    return NeptuneError("InternalFailureException", message, 500)


class Handler(FrontHandler):
    """Neptune's HTTP interface: `/openCypher`, `/loader` and `/status`."""

    graph: Graph
    loader: Loader

    def do_POST(self) -> None:  # noqa: N802 - http.server's name
        """Answer one request."""
        body = self.body()
        try:
            answer = self._answer(urllib.parse.urlsplit(self.path), body.decode())
            if isinstance(answer, str):
                self.answer(200, [("Content-Type", "text/plain")], answer.encode())
            else:
                self._send(200, answer)
        except NeptuneError as error:
            message = str(error)[:2000]
            fault = {"code": error.code, "requestId": str(uuid.uuid4()), "detailedMessage": message, "message": message}
            self._send(error.status, fault)

    do_GET = do_DELETE = do_POST  # noqa: N815 - http.server's names

    def _answer(self, url: urllib.parse.SplitResult, body: str) -> dict[str, Any] | str:
        match url.path.rstrip("/").lower():
            case "/status":
                self._check(body)
                return {"status": "healthy", "role": "writer", "dbEngineVersion": "local"}
            case "/opencypher" | "/opencypher/explain":  # the latter is boto3's
                query, parameters, mode = _asked(body or url.query)
                self._check(body, query)
                if mode:
                    return self.graph.explain(query, parameters)
                return {"results": self.graph.run(query, parameters)}
            case "/loader":
                return self._load(url, body)
            case path if path.startswith("/loader/"):
                return self._load(url, body, url.path.rstrip("/").rpartition("/")[2])
            case path:
                raise NeptuneError("BadRequestException", f"{path} is not offered by the local cloud", 404)

    def _load(self, url: urllib.parse.SplitResult, body: str, identity: str = "") -> dict[str, Any]:
        """Answer a request to the bulk loader."""
        fields = dict(urllib.parse.parse_qsl(url.query)) | _object(body)
        identity = identity or ("" if self.command == "POST" else fields.get("loadId", ""))
        if self.command == "POST":
            self._check(body, action="StartLoaderJob")
            return {"status": "200 OK", "payload": {"loadId": self.loader.start(fields)}}
        if self.command == "DELETE":
            self._check(body, action="CancelLoaderJob")
            self.loader.cancel(identity)
            return {"status": "200 OK"}
        if not identity:
            self._check(body, action="ListLoaderJobs")
            queued = _is_true(fields.get("includeQueuedLoads", "TRUE"))
            listed = self.loader.ids(_number(fields, "limit", LISTED, most=LISTED), with_queued=queued)
            return {"status": "200 OK", "payload": {"loadIds": listed}}
        self._check(body, action="GetLoaderJobStatus")
        payload = self.loader.status(
            identity,
            details=_is_true(fields.get("details", "")),
            errors=_is_true(fields.get("errors", "")),
            page=_number(fields, "page", 1),
            per_page=_number(fields, "errorsPerPage", PER_PAGE),
        )
        return {"status": "200 OK", "payload": payload}

    def _check(self, body: str, query: str = "", action: str = "") -> None:
        if reason := self.denial(body.encode(), query, action):
            raise NeptuneError("AccessDeniedException", reason, 403)

    def _send(self, status: int, content: dict[str, Any]) -> None:
        error = [("x-amzn-ErrorType", content["code"])] if "code" in content else []
        self.answer(status, [("Content-Type", "application/json"), *error], json.dumps(content).encode())


def _asked(text: str) -> tuple[str, dict[str, Any], str]:
    """Query, parameters and mode of explanation of a request, in JSON (boto3) or as a form (curl)."""
    try:
        fields = json.loads(text) if text.lstrip().startswith("{") else dict(urllib.parse.parse_qsl(text))
        parameters = fields.get("parameters") or {}
        parameters = json.loads(parameters) if isinstance(parameters, str) else parameters
    except json.JSONDecodeError as error:
        raise NeptuneError("InvalidParameterException", f"The parameters are not JSON: {error}", 400) from error
    query = fields.get("query") or fields.get("openCypherQuery")
    if not query:
        raise NeptuneError("MissingParameterException", "The request has no query", 400)
    return query, parameters, fields.get("explain", "")


def _object(text: str) -> dict[str, Any]:
    try:
        fields = json.loads(text or "{}")
    except json.JSONDecodeError as error:
        raise NeptuneError("BadRequestException", f"The request is not JSON: {error}") from error
    if not isinstance(fields, dict):
        raise NeptuneError("BadRequestException", "The request is not an object of JSON")
    return fields


def _is_true(text: str) -> bool:
    return text.upper() == "TRUE"


def _number(fields: dict[str, Any], name: str, default: int, *, most: int | None = None) -> int:
    text = str(fields.get(name, default))
    if not text.isdecimal() or int(text) < 1 or (most and int(text) > most):
        limits = f"1 to {most}" if most else "a positive number"
        raise NeptuneError("InvalidParameterException", f"The parameter {name} is {limits}, not {text}")
    return int(text)


def main() -> None:
    """Serve until the process is ended."""
    folder, *certificate = sys.argv[1:]
    Handler.graph = Graph(folder)
    Handler.loader = Loader(Handler.graph.write, Source)
    serve(Handler, certificate)


if __name__ == "__main__":
    main()
