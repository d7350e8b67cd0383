"""What an instance's user data calls, played for `one_off.py`: `curl` on its metadata, `docker`, `aws`, `shutdown`.

Started as ``python -I instance_programs.py NAME ARGUMENTS...``; the environment variable MACHINE names the folder that
stands for the instance. A program that is asked for more than it plays ends with its usage. Standard library and boto3.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import boto3

METADATA = "http://169.254.169.254/latest/"
NOT_FOUND = 22  # of curl --fail


def curl(words: list[str]) -> int:
    """Answer as the metadata service does, version 2: every request must carry the token that the first one gets."""
    parser = argparse.ArgumentParser(prog="curl")
    for flag in ("--fail", "--silent", "--show-error"):
        parser.add_argument(flag, action="store_true")
    for option in ("--retry", "--request", "--header"):
        parser.add_argument(option, default="")
    parser.add_argument("url")
    arguments = parser.parse_args(words)
    header, _, value = arguments.header.lower().partition(": ")
    request = (arguments.request or "GET", header, arguments.url.removeprefix(METADATA))
    if request == ("PUT", "x-aws-ec2-metadata-token-ttl-seconds", "api/token"):
        sys.stdout.write("token")
        return 0
    metadata = json.loads((_machine() / "metadata.json").read_text())
    name = request[2].removeprefix("meta-data/")
    if request[:2] != ("GET", "x-aws-ec2-metadata-token") or value != "token" or name not in metadata:
        return NOT_FOUND
    sys.stdout.write(metadata[name])
    return 0


def docker(words: list[str]) -> int:
    """Run the command of `docker run` in an empty folder, whatever the image, and send its output to its log.

    `docker login` takes any password that is not empty.
    """
    if words[0] == "login":
        return 0 if sys.stdin.read().strip() and "--password-stdin" in words else 1
    parser = argparse.ArgumentParser(prog="docker")
    parser.add_argument("action", choices=["run"])
    for flag in ("--rm", "--init"):
        parser.add_argument(flag, action="store_true")
    for option in ("--gpus", "--network", "--shm-size"):
        parser.add_argument(option)
    parser.add_argument("--log-driver", choices=["awslogs"], required=True)
    for option in ("--env", "--volume", "--log-opt"):
        parser.add_argument(option, action="append", default=[])
    parser.add_argument("image")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    arguments = parser.parse_args(words)
    options = dict(option.partition("=")[::2] for option in arguments.log_opt)
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", **dict(pair.partition("=")[::2] for pair in arguments.env)}
    with tempfile.TemporaryDirectory(dir=_machine(), prefix="container-") as place:
        process = subprocess.Popen(
            arguments.command, cwd=place, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        signal.signal(signal.SIGTERM, lambda *_: process.terminate())
        _ship(process, group=options["awslogs-group"], stream=options["awslogs-stream"])
        code = process.wait()
    return code if code >= 0 else 128 - code


def _ship(process: subprocess.Popen[bytes], *, group: str, stream: str) -> None:
    """Every line to CloudWatch Logs; several containers may write one stream, after another."""
    logs = boto3.client("logs")
    with contextlib.suppress(logs.exceptions.ResourceAlreadyExistsException):
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
    for line in process.stdout or ():
        message = line.decode(errors="replace").rstrip("\r\n").rpartition("\r")[2] or " "
        now = int(time.time() * 1000)
        logs.put_log_events(
            logGroupName=group, logStreamName=stream, logEvents=[{"timestamp": now, "message": message}]
        )


def aws(words: list[str]) -> int:
    """`aws ecr get-login-password`: a token for a registry, which the local cloud does not have."""
    parser = argparse.ArgumentParser(prog="aws")
    parser.add_argument("service", choices=["ecr"])
    parser.add_argument("operation", choices=["get-login-password"])
    parser.add_argument("--region", required=True)
    parser.parse_args(words)
    sys.stdout.write("token\n")
    return 0


def shutdown(words: list[str]) -> int:
    """At once; one for later never comes, since this machine stays."""
    if words == ["--poweroff", "now"]:
        (_machine() / "poweroff").touch()
    return 0


def _machine() -> Path:
    return Path(os.environ["MACHINE"])


if __name__ == "__main__":
    programs = {"aws": aws, "curl": curl, "docker": docker, "shutdown": shutdown}
    sys.exit(programs[sys.argv[1]](sys.argv[2:]))
