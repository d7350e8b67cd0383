"""influxd 1.6, which holds the points behind the front."""

from __future__ import annotations

import base64
import http.client
import json
import re
from http import HTTPStatus
from urllib.parse import urlencode

from localcloud.engines.influxdb.metadata import Json, RefusalError

LISTENING = re.compile(r"Listening on HTTP.* addr=(127[\d.]+:\d+) https")
SCRATCH = "_lines"  # a database for lines that are only parsed
PRECISIONS = {"ns": "n", "us": "u", "ms": "ms", "s": "s"}  # of InfluxDB 2, as InfluxDB 1 calls them


class Influxd:
    """A connection to influxd.

    Args:
        address: Its host and port.
        username: Name of its only user.
        password: The user's password.
    """

    def __init__(self, address: str, username: str, password: str) -> None:
        self._connection = http.client.HTTPConnection(address)
        access = base64.b64encode(f"{username}:{password}".encode()).decode()
        self._headers = {"Authorization": f"Basic {access}"}

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def ask(self, path: str, parameters: dict[str, str], body: bytes | dict[str, str]) -> tuple[int, Json]:
        """Return the status and the document of an answer; a form may take the place of a body.

        Raises:
            RefusalError: influxd does not answer.
        """
        try:
            kind = {"Content-Type": "application/x-www-form-urlencoded"} if isinstance(body, dict) else {}
            content = urlencode(body).encode() if isinstance(body, dict) else body
            self._connection.request("POST", f"{path}?{urlencode(parameters)}", content, self._headers | kind)
            response = self._connection.getresponse()
            content = response.read()
            return response.status, json.loads(content) if content else {}
        except (OSError, http.client.HTTPException, ValueError) as error:
            self._connection.close()
            raise RefusalError("unavailable", f"influxd does not answer: {error}") from error

    def query(self, statement: str, parameters: dict[str, str]) -> Json:
        """Return the result of one statement of InfluxQL.

        Raises:
            RefusalError: The engine refuses the statement.
        """
        status, response = self.ask("/query", parameters, {"q": statement})
        if status != HTTPStatus.OK:
            why = str(response.get("error", response)).replace("error parsing query", "failed to parse query", 1)
            raise RefusalError("invalid", why)
        return dict(response["results"][0])

    def run(self, statement: str) -> None:
        """Run a statement that changes influxd's databases.

        Raises:
            RefusalError: It fails.
        """
        result = self.query(statement, {})
        if "error" in result:
            raise RefusalError("internal error", result["error"])

    def write(self, database: str, precision: str, lines: bytes) -> str:
        """Write lines; return what is wrong with them, or nothing."""
        parameters = {"db": database, "precision": PRECISIONS[precision]}
        status, response = self.ask("/write", parameters, lines)
        return "" if status == HTTPStatus.NO_CONTENT else str(response.get("error", response))
