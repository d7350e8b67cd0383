"""The notice before a spot instance goes, as its metadata has it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from workloads.errors import Interrupted
from workloads.training.runtime import spot
from workloads.training.runtime.spot import SpotWatch

from .test_run import go, line, outcome

NOTICE = {"action": "terminate", "time": "2026-11-24T12:00:00Z"}


class Metadata(ThreadingHTTPServer):
    """Version 2 of the metadata service; of a spot instance that may have been told to go."""

    def __init__(self) -> None:
        self.going = threading.Event()
        self.asked = threading.Event()
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: Metadata

    def do_PUT(self) -> None:
        assert self.headers["X-aws-ec2-metadata-token-ttl-seconds"]
        self.answer(200, "token")

    def do_GET(self) -> None:
        assert self.path == "/latest/meta-data/spot/instance-action"
        assert self.headers["X-aws-ec2-metadata-token"] == "token"
        self.server.asked.set()
        if self.server.going.is_set():
            self.answer(200, json.dumps(NOTICE))
        else:
            self.answer(404, "")

    def answer(self, code: int, text: str) -> None:
        self.send_response(code)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        """Be quiet."""


@pytest.fixture
def metadata(monkeypatch: pytest.MonkeyPatch) -> Iterator[Metadata]:
    with Metadata() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", f"http://127.0.0.1:{server.server_port}/")
        monkeypatch.setenv("AWS_BATCH_JOB_ID", "job")
        monkeypatch.delenv("AWS_EC2_METADATA_DISABLED", raising=False)
        yield server
        server.shutdown()


def test_the_notice_is_told_once(metadata: Metadata) -> None:
    told: list[str] = []
    heard = threading.Event()
    watch = SpotWatch(lambda notice: (told.append(notice), heard.set()), interval=0.01)  # type: ignore[func-returns-value]
    assert metadata.asked.wait(30)
    assert told == []
    metadata.going.set()
    assert heard.wait(30)
    watch.stop()
    assert told == ["spot instance: terminate at 2026-11-24T12:00:00Z"]


def test_a_notice_that_was_there_before_is_told_at_the_first_look(metadata: Metadata) -> None:
    metadata.going.set()
    heard = threading.Event()
    watch = SpotWatch(lambda _: heard.set(), interval=3600)
    assert heard.wait(30)
    watch.stop()


def test_a_run_saves_its_work_and_ends_when_its_host_is_about_to_go(
    metadata: Metadata, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spot.SpotWatch.__init__, "__defaults__", (0.01,))
    go(tmp_path / "whole")
    metadata.asked.clear()
    ended = threading.Event()

    def reclaim(epoch: int, batch: int) -> None:
        if (epoch, batch) == (1, 2):
            metadata.going.set()
        if metadata.going.is_set():
            ended.wait(0.2)

    with pytest.raises(
        Interrupted, match=r"told to end \(spot instance: terminate at .*\)\. A checkpoint is at"
    ) as end:
        go(tmp_path / "reclaimed", line(reclaim))
    assert end.value.exit_code == 75
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    go(tmp_path / "reclaimed")
    assert outcome(tmp_path / "reclaimed") == outcome(tmp_path / "whole")


def test_without_metadata_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_BATCH_JOB_ID", raising=False)
    SpotWatch(lambda _: pytest.fail("there was nothing to notice"), interval=0).stop()
