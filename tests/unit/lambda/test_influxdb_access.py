"""The function that keeps InfluxDB's token: what CloudFormation and the secret hear of every outcome."""

from __future__ import annotations

import io
import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import uuid4

import boto3
import pytest

from tests.functions import load

ACCESS = {"username": "groundwork", "password": "long enough"}


class CloudFormation(BaseHTTPRequestHandler):
    """Takes responses at the URL of an event."""

    responses: tuple[dict[str, Any], ...] = ()
    failures = 0

    def do_PUT(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if CloudFormation.failures:
            CloudFormation.failures -= 1
            self.send_error(503)
            return
        assert not self.headers["Content-Type"]
        CloudFormation.responses += (body,)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_args: Any) -> None:
        """Say nothing."""


class Functions:
    """The function that makes tokens, as the client of Lambda calls it."""

    def __init__(self, result: Any) -> None:
        self.result, self.payloads = result, []  # type: ignore[var-annotated]

    def invoke(self, *, FunctionName: str, Payload: str) -> dict[str, Any]:  # noqa: N803 - boto3's names
        assert FunctionName == "maker"
        self.payloads.append(json.loads(Payload))
        if isinstance(self.result, Exception):
            raise self.result
        return {"Payload": io.BytesIO(json.dumps(self.result).encode())}


@pytest.fixture
def keeper(aws: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    create, number = boto3.client("secretsmanager").create_secret, uuid4().hex
    admin = create(Name=f"admin-{number}", SecretString=json.dumps(ACCESS))["ARN"]
    secret = create(Name=f"token-{number}", SecretString='{"bucket": "devops", "token": "none yet"}')["ARN"]
    values = {"ADMIN_SECRET": admin, "TOKEN_SECRET": secret, "TOKEN_FUNCTION": "maker"}
    for name, value in (values | {"TOKEN_SECONDS": "5", "BUCKET": "devops"}).items():
        monkeypatch.setenv(name, value)
    server = ThreadingHTTPServer(("127.0.0.1", 0), CloudFormation)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    CloudFormation.responses, CloudFormation.failures = (), 0
    module = load("influxdb_access")
    module.__dict__["url"] = f"http://localhost:{server.server_port}/response"
    yield module
    server.shutdown()
    server.server_close()


def ask(keeper: Any, functions: Functions, kind: str = "Create", **more: Any) -> dict[str, Any]:
    """Send an event as CloudFormation does; its response."""
    keeper.functions = functions
    identity = {"StackId": "stack", "RequestId": "request", "LogicalResourceId": "TokenMade"}
    keeper.handler({"RequestType": kind, "ResponseURL": keeper.url, **identity, **more}, None)
    [response] = CloudFormation.responses
    return response


def kept() -> dict[str, Any]:
    secret = boto3.client("secretsmanager").get_secret_value(SecretId=os.environ["TOKEN_SECRET"])
    return dict(json.loads(secret["SecretString"]))


class TestKeeper:
    def test_creation_keeps_a_token(self, keeper: Any) -> None:
        functions = Functions({"token": "new"})
        response = ask(keeper, functions)
        assert (response["Status"], response["PhysicalResourceId"]) == ("SUCCESS", "TokenMade-token")
        assert functions.payloads == [ACCESS]
        assert kept() == {"bucket": "devops", "token": "new"}

    def test_an_update_stays_the_same_resource(self, keeper: Any) -> None:
        response = ask(keeper, Functions({"token": "new"}), "Update", PhysicalResourceId="before")
        assert (response["Status"], response["PhysicalResourceId"]) == ("SUCCESS", "before")

    def test_a_removal_needs_nothing(self, keeper: Any) -> None:
        functions = Functions(RuntimeError("it is gone already"))
        assert ask(keeper, functions, "Delete", PhysicalResourceId="before")["Status"] == "SUCCESS"
        assert functions.payloads == []

    @pytest.mark.parametrize(
        ("result", "reason"),
        [
            ({"error": "InfluxDB answered 401"}, "InfluxDB answered 401"),
            ({"errorMessage": "Task timed out after 300.00 seconds"}, "Task timed out"),
            (None, "TypeError"),
            (RuntimeError("no way"), "RuntimeError: no way"),
        ],
    )
    def test_a_failure_is_told_with_its_reason(self, keeper: Any, result: Any, reason: str) -> None:
        response = ask(keeper, Functions(result))
        assert response["Status"] == "FAILED"
        assert reason in response["Reason"]
        assert response["PhysicalResourceId"]  # or CloudFormation could not roll back
        assert kept()["token"] == "none yet"  # noqa: S105

    def test_a_secret_that_cannot_be_read_is_told(self, keeper: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ADMIN_SECRET", "nowhere")
        response = ask(keeper, Functions({"token": "new"}))
        assert response["Status"] == "FAILED"
        assert "ResourceNotFoundException" in response["Reason"]

    def test_a_response_that_does_not_arrive_is_sent_again(self, keeper: Any) -> None:
        CloudFormation.failures = 2
        assert ask(keeper, Functions({"token": "new"}))["Status"] == "SUCCESS"

    def test_a_call_rotates_and_fails_aloud(self, keeper: Any) -> None:
        keeper.functions = Functions({"token": "rotated"})
        keeper.handler({}, None)
        assert kept()["token"] == "rotated"  # noqa: S105
        keeper.functions = Functions({"error": "InfluxDB answered 503"})
        with pytest.raises(keeper.FailedError, match="InfluxDB answered 503"):
            keeper.handler({}, None)
        assert CloudFormation.responses == ()

    def test_no_log_holds_password_or_token(self, keeper: Any, capsys: pytest.CaptureFixture[str]) -> None:
        ask(keeper, Functions({"token": "very secret"}))
        printed = capsys.readouterr()
        assert "very secret" not in printed.out + printed.err
        assert ACCESS["password"] not in printed.out + printed.err
