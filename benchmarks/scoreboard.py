"""Forty things that people rely on, in the local cloud and in plain moto: `python benchmarks/scoreboard.py`.

Each behaviour in `benchmarks/behaviours/` runs as a process of its own, with nothing but an endpoint and keys in its
environment, first against a local cloud and then against `python -m moto.server` of the same version. One that takes
longer than its time limit does not hold. moto runs functions and jobs in Docker; without its daemon none run.

    python benchmarks/scoreboard.py [--only PART_OF_A_NAME]

With `--only` it prints what failed and why, and records nothing.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from behaviours import behaviours
from measurement import circumstances, record

from localcloud import LocalCloud
from localcloud.cloud import processes

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = Path(__file__).parent
LIMIT_SECONDS = 120
#: How many behaviours run at a time; each spends most of its time waiting.
AT_A_TIME = 4
PLAIN = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
}


@contextlib.contextmanager
def local_cloud() -> Iterator[dict[str, str]]:
    """Start a local cloud; the environment of its users."""
    # The programs give their roles no policies, because the peers judge none: permissions have tests of their own.
    with tempfile.TemporaryDirectory() as folder, LocalCloud(Path(folder), iam="warn") as cloud:
        yield cloud.environment()


@contextlib.contextmanager
def moto_server() -> Iterator[dict[str, str]]:
    """Start a plain moto server; the environment of its users."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryFile() as log:
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
        server = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | PLAIN)
        try:
            _wait(port)
            yield PLAIN | {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}
        finally:
            processes.end(server)


def _wait(port: int) -> None:
    for _ in range(600):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.1)
    sys.exit("The plain moto server does not start.")


CLOUDS = {"the local cloud": local_cloud, "moto server": moto_server}


def failure(name: str, environment: dict[str, str]) -> str:
    """Run one behaviour; why it does not hold, or nothing if it does."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "behaviours", name],
            cwd=FOLDER,
            env=inherited | environment,
            capture_output=True,
            text=True,
            timeout=LIMIT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"it took longer than {LIMIT_SECONDS} seconds"
    return (done.stderr.strip().splitlines() or ["it failed"])[-1] if done.returncode else ""


def has_docker() -> bool:
    """Tell whether there is a Docker daemon, in which moto would run functions and jobs."""
    try:
        return subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def measure(names: list[str]) -> dict[str, dict[str, str]]:
    """Run behaviours in every cloud; why each does not hold, by cloud and name, empty if it holds."""
    results = {}
    for title, start in CLOUDS.items():
        with start() as environment, ThreadPoolExecutor(AT_A_TIME) as pool:
            reasons = pool.map(lambda name, environment=environment: failure(name, environment), names)
            results[title] = dict(zip(names, reasons, strict=True))
    return results


def main() -> None:
    """Measure, and record or print."""
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("--only", default="", help="run the behaviours whose names contain this")
    only = parser.parse_args().only
    sentences = {name: str(behaviour.__doc__).strip() for name, behaviour in behaviours().items() if only in name}
    failures = measure([*sentences])
    if only:
        for title, reasons in failures.items():
            for name, reason in reasons.items():
                print(f"{title}: {name}: {reason or 'holds'}")
        return
    figures: dict[str, Any] = {
        "docker": has_docker(),
        "behaviours": sentences,
        "holds": {title: [name for name in reasons if not reasons[name]] for title, reasons in failures.items()},
    }
    record("scoreboard", circumstances("moto", "boto3") | figures)
    for name, reason in failures["the local cloud"].items():
        if reason:
            print(f"{name}: {reason}", file=sys.stderr)


if __name__ == "__main__":
    main()
