"""S3 refuses, throttles or goes away in the middle of a run: it is retried, or ends clearly, and nothing is lost."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import boto3
import pytest
from botocore.config import Config

from workloads.errors import InputError, UnavailableError
from workloads.training.runtime import storage
from workloads.training.runtime.storage import Folder, locate

from .test_run import go, line, outcome


class Refusing(ThreadingHTTPServer):
    """An S3 that answers every request with one error."""

    def __init__(self) -> None:
        self.error = (503, "SlowDown")
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: Refusing

    def do_GET(self) -> None:
        status, code = self.server.error
        body = f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Be quiet."""


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Refusing]:
    with Refusing() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        client = boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{server.server_port}",
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",  # noqa: S106
            config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
        )
        monkeypatch.setattr(storage, "s3", lambda: client)
        yield server
        server.shutdown()


@pytest.mark.parametrize(
    ("error", "message"),
    [
        ((503, "SlowDown"), "S3 is not available now (SlowDown)"),
        ((500, "InternalError"), "S3 is not available now (InternalError)"),
        ((400, "RequestTimeout"), "S3 is not available now (RequestTimeout)"),
        ((400, "ExpiredToken"), "the credentials have expired: renew them"),
    ],
)
def test_what_may_pass_is_worth_another_attempt(s3: Refusing, error: tuple[int, str], message: str) -> None:
    s3.error = error
    with pytest.raises(UnavailableError) as caught:
        locate("s3://bucket/key").read()
    assert message in str(caught.value)
    assert caught.value.exit_code == 75


def test_what_does_not_pass_is_bad_input(s3: Refusing) -> None:
    s3.error = (403, "AccessDenied")
    with pytest.raises(InputError, match="access denied") as caught:
        locate("s3://bucket/key").read()
    assert caught.value.exit_code == 2


def test_an_endpoint_that_nobody_serves_is_an_outage(s3: Refusing) -> None:
    s3.shutdown()
    s3.server_close()
    with pytest.raises(UnavailableError, match="S3 cannot be reached"):
        locate("s3://bucket/key").read()


def test_training_outlives_an_outage_and_saves_when_it_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    go(tmp_path / "whole")
    write, outage = Folder.write, {"on": False}

    def unsteady(place: Folder, content: bytes) -> None:
        if outage["on"]:
            raise UnavailableError(f"{place}: S3 is not available now (SlowDown)")
        write(place, content)

    def weather(epoch: int, _batch: int) -> None:
        outage["on"] = epoch < 2

    monkeypatch.setattr(Folder, "write", unsteady)
    go(tmp_path / "run", line(weather))
    assert capsys.readouterr().out.count("no checkpoint now (training goes on") == 1
    assert outcome(tmp_path / "run") == outcome(tmp_path / "whole")


def test_an_outage_at_the_end_keeps_the_last_checkpoint_to_go_on_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go(tmp_path / "whole")
    write = Folder.write

    def closed(place: Folder, content: bytes) -> None:
        if not place.name.endswith(".checkpoint"):
            raise UnavailableError(f"{place}: S3 is not available now (SlowDown)")
        write(place, content)

    with monkeypatch.context() as patch:
        patch.setattr(Folder, "write", closed)
        with pytest.raises(UnavailableError):
            go(tmp_path / "run")
    assert not (tmp_path / "run" / "metrics.json").exists()
    go(tmp_path / "run")
    assert outcome(tmp_path / "run") == outcome(tmp_path / "whole")
