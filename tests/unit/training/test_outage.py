"""S3 refuses, throttles or goes away in the middle of a run: it is retried, or ends clearly, and nothing is lost."""

from __future__ import annotations

import functools
import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from moto.core.botocore_stubber import BotocoreStubber

from contract.errors import InputError, UnavailableError
from workloads import storage
from workloads.storage import Folder, locate
from workloads.training.runtime import lock
from workloads.training.runtime.settings import RunOptions
from workloads.training.runtime.train import train
from workloads.training.runtime.workload import Workload

from .test_run import Settings, go, line, outcome


class Refusing(ThreadingHTTPServer):
    """An S3 that answers every request with one error, but those of one access key."""

    def __init__(self) -> None:
        self.error = (503, "SlowDown")
        self.accepted = ""
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: Refusing

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def do_GET(self) -> None:
        if self.server.accepted and f"Credential={self.server.accepted}/" in self.headers["Authorization"]:
            self.send_response(200)
            self.end_headers()
            return
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
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        client = boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{server.server_port}",
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",  # noqa: S106
            config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
        )
        monkeypatch.setattr(storage, "s3", functools.cache(lambda: client))
        yield server
        server.shutdown()


@pytest.mark.parametrize(
    ("error", "message"),
    [
        ((503, "SlowDown"), "S3 is not available now: SlowDown"),
        ((500, "InternalError"), "S3 is not available now: InternalError"),
        ((400, "RequestTimeout"), "S3 is not available now: RequestTimeout"),
        ((400, "ExpiredToken"), "The credentials have expired. Renew them."),
    ],
)
def test_what_may_pass_is_worth_another_attempt(s3: Refusing, error: tuple[int, str], message: str) -> None:
    s3.error = error
    with pytest.raises(UnavailableError) as caught:
        locate("s3://bucket/key").read()
    assert message in str(caught.value)
    assert caught.value.exit_code == 75


def _in_the_shared_file(folder: Path, key: str, _expires: datetime) -> dict[str, str]:
    text = f"[default]\naws_access_key_id = {key}\naws_secret_access_key = test\naws_session_token = test\n"
    (folder / "credentials").write_text(text)
    return {"AWS_SHARED_CREDENTIALS_FILE": str(folder / "credentials"), "AWS_CONFIG_FILE": str(folder / "absent")}


def _of_a_process(folder: Path, key: str, expires: datetime) -> dict[str, str]:
    answer = {"Version": 1, "AccessKeyId": key, "SecretAccessKey": "test", "SessionToken": "test"}
    (folder / "answer").write_text(json.dumps({**answer, "Expiration": expires.isoformat()}))
    (folder / "config").write_text(f"[default]\ncredential_process = cat {folder / 'answer'}\n")
    return {"AWS_CONFIG_FILE": str(folder / "config"), "AWS_SHARED_CREDENTIALS_FILE": str(folder / "absent")}


@pytest.mark.parametrize("credentials", [_in_the_shared_file, _of_a_process])
def test_credentials_that_expire_and_are_renewed_are_used_by_the_next_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, credentials: Callable[[Path, str, datetime], dict[str, str]]
) -> None:
    now, hour = datetime.now(UTC), timedelta(hours=1)
    with Refusing() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        server.error, server.accepted = (400, "ExpiredToken"), "renewed"
        place = {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}", "AWS_DEFAULT_REGION": "us-east-1"}
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
            monkeypatch.delenv(name, raising=False)
        for name, value in {**place, **credentials(tmp_path, "expired", now - hour)}.items():
            monkeypatch.setenv(name, value)
        storage.s3.cache_clear()
        for _ in range(2):
            with pytest.raises(UnavailableError, match="The credentials have expired"):
                locate("s3://bucket/key").write(b"content")
        credentials(tmp_path, "renewed", now + hour)
        locate("s3://bucket/key").write(b"content")
        storage.s3.cache_clear()
        server.shutdown()


def test_what_does_not_pass_is_bad_input(s3: Refusing) -> None:
    s3.error = (403, "AccessDenied")
    with pytest.raises(InputError, match="Access is denied") as caught:
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
            raise UnavailableError(f"{place}: S3 is not available now: SlowDown.")
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
            raise UnavailableError(f"{place}: S3 is not available now: SlowDown.")
        write(place, content)

    with monkeypatch.context() as patch:
        patch.setattr(Folder, "write", closed)
        with pytest.raises(UnavailableError):
            go(tmp_path / "run")
    assert not (tmp_path / "run" / "metrics.json").exists()
    go(tmp_path / "run")
    assert outcome(tmp_path / "run") == outcome(tmp_path / "whole")


@pytest.fixture
def expire(aws: None, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Lets an access key expire: AWS refuses it from then on."""
    expired: set[str] = set()
    answer = BotocoreStubber.__call__

    def refusing(stubber: BotocoreStubber, event_name: str, request: Any, **more: Any) -> Any:
        if any(f"Credential={key}/".encode() in request.headers["Authorization"] for key in expired):
            raise ClientError({"Error": {"Code": "ExpiredToken", "Message": "The token has expired"}}, event_name)
        return answer(stubber, event_name, request, **more)

    monkeypatch.setattr(BotocoreStubber, "__call__", refusing)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "first")
    boto3.client("s3").create_bucket(Bucket="bucket")
    return expired.add


def train_in_s3(workload: Workload[Settings]) -> None:
    options = RunOptions(metrics="cloudwatch")
    train("line", workload, Settings(), options=options, data=".", output="s3://bucket/run")


def outcome_in_s3(folder: Path) -> tuple[bytes, list[tuple[str, str, str]]]:
    place = locate("s3://bucket/run")
    assert not [name for name in place.names() if name.startswith("checkpoints/")]
    for name in ("model.safetensors", "history.csv"):
        (folder / name).write_bytes((place / name).read())
    return outcome(folder)


def test_credentials_that_expire_in_the_middle_and_are_renewed_lose_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    expire: Callable[[str], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    def time_passes(epoch: int, batch: int) -> None:
        if (epoch, batch) == (0, 2):
            expire("first")
        if (epoch, batch) == (2, 0):
            monkeypatch.setenv("AWS_ACCESS_KEY_ID", "second")

    go(tmp_path / "whole")
    train_in_s3(line(time_passes))
    told = capsys.readouterr().out
    assert told.count("no checkpoint now (training goes on, the next epoch tries again)") == 1
    assert "The credentials have expired. Renew them." in told
    assert outcome_in_s3(tmp_path) == outcome(tmp_path / "whole")
    statistics = (
        boto3.Session()
        .client("cloudwatch")
        .get_metric_statistics(
            Namespace="Groundwork/Training",
            MetricName="TrainingLoss",
            Dimensions=[{"Name": "Workload", "Value": "line"}],
            StartTime=datetime.now(UTC) - timedelta(hours=1),
            EndTime=datetime.now(UTC) + timedelta(hours=1),
            Period=7200,
            Statistics=["SampleCount"],
        )
    )
    assert sum(point["SampleCount"] for point in statistics["Datapoints"]) == Settings().epochs


def test_credentials_that_nobody_renews_end_it_clearly_and_the_same_command_goes_on_with_new_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, expire: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    go(tmp_path / "whole")
    with pytest.raises(UnavailableError, match="The credentials have expired"):
        train_in_s3(line(lambda epoch, _: expire("first") if epoch == 1 else None))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "second")
    storage.s3.cache_clear()
    monkeypatch.setattr(lock, "_is_alive", lambda _: False)  # who trained first would be another process, and gone
    train_in_s3(line())
    assert "continuing at epoch 2" in capsys.readouterr().out
    assert outcome_in_s3(tmp_path) == outcome(tmp_path / "whole")
