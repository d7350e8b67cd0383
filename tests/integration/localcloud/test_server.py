"""The server process: start, isolation from the caller's settings, stop."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from localcloud import LocalCloud, LocalCloudError


def test_answers_for_one_account_and_region(cloud: LocalCloud) -> None:
    identity = cloud.client("sts").get_caller_identity()
    assert identity["Account"] == "123456789012"
    assert cloud.endpoint.startswith("http://localhost:")


def test_is_bootstrapped_for_the_cdk(cloud: LocalCloud) -> None:
    buckets = [bucket["Name"] for bucket in cloud.client("s3").list_buckets()["Buckets"]]
    assert "cdk-hnb659fds-assets-123456789012-us-east-1" in buckets
    version = cloud.client("ssm").get_parameter(Name="/cdk-bootstrap/hnb659fds/version")
    assert int(version["Parameter"]["Value"]) >= 6


def test_knows_the_public_parameter_of_the_newest_amazon_linux(cloud: LocalCloud) -> None:
    name = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
    assert cloud.client("ssm").get_parameter(Name=name)["Parameter"]["Value"].startswith("ami-")


def test_a_second_cloud_shares_nothing_with_the_first(cloud: LocalCloud, tmp_path: Path) -> None:
    cloud.client("sqs").create_queue(QueueName="mine")
    with LocalCloud(tmp_path) as other:
        assert other.endpoint != cloud.endpoint
        assert "QueueUrls" not in other.client("sqs").list_queues()
        pid = other.pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert not other.running


def test_a_taken_port_is_an_error_that_names_it(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(LocalCloudError, match=str(port)):
            LocalCloud(tmp_path, port=port).start()


def test_a_cloud_that_is_not_running_says_how_to_start_one(tmp_path: Path) -> None:
    with pytest.raises(LocalCloudError, match="groundwork local up"):
        _ = LocalCloud(tmp_path).endpoint


def test_ends_with_the_process_that_owns_it(tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from localcloud import LocalCloud\n"
        "cloud = LocalCloud(Path(sys.argv[1])); cloud.start(); print(cloud.pid, flush=True); os._exit(1)"
    )
    owner = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False)
    pid = int(owner.stdout)
    deadline = time.monotonic() + 20
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
