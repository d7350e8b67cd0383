"""What a function of the local cloud costs: `python benchmarks/functions.py [--calls 200] [--events 1000]`.

The first figures are the time of a synchronous call of a warm function that does nothing, and the processor time,
user and system, that the cloud and all its processes use for it. The next is the processor time that they use for
events that go through a rule and a function to the log; each event is logged with its number, so that one that is lost
or comes twice is found. The last figures are what is left of these events when the function's environments have ended:
processes, files, open files and memory of the server, which grows by the log and the metrics that it keeps.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import re
import tempfile
import time
import zipfile
from collections import Counter
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
from measurement import circumstances, make_role, record, seconds, spread

from localcloud import LocalCloud

if TYPE_CHECKING:
    from collections.abc import Iterator

CODE = """
def handler(event, context):
    if number := event.get("detail", {}).get("number"):
        print(f"number {number}")
    return {}
"""
IDLE_SECONDS = 3  # after which an environment ends here, so that the end need not be waited for long
BATCH = 10  # what PutEvents takes
PATIENCE_SECONDS = 300


def main() -> None:
    """Measure, print, and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--events", type=int, default=1000)
    arguments = parser.parse_args()
    os.environ["LOCALCLOUD_IDLE_SECONDS"] = str(IDLE_SECONDS)
    with tempfile.TemporaryDirectory() as folder, LocalCloud(Path(folder)) as cloud:
        arn = create_function(cloud)
        server = psutil.Process(json.loads((cloud.folder / "state.json").read_text(encoding="utf-8"))["pid"])
        invoke = cloud.client("lambda").invoke
        for _ in range(3):
            invoke(FunctionName=arn)
        calls = [seconds(partial(invoke, FunctionName=arn)) for _ in range(arguments.calls)]
        used = processor_seconds(server)
        for _ in range(arguments.calls):
            invoke(FunctionName=arn)["Payload"].read()
        used = processor_seconds(server) - used
        connect_rule(cloud, arn)
        before = remains(cloud, server)
        events = send_events(cloud, server, arguments.events)
        after = remains(cloud, server)
    results = {
        "call_seconds": spread(calls, 5),
        "call_processor_seconds": round(used / arguments.calls, 5),
        "events": events,
        "remains": {name: {"before": before[name], "after": after[name]} for name in before},
    }
    record("functions", {"circumstances": circumstances("boto3", "moto"), **results})


def create_function(cloud: LocalCloud) -> str:
    """Create the function that does nothing but log the number of its event; its ARN."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("index.py", CODE)
    role = make_role(cloud, "trivial", "lambda.amazonaws.com", "logs:*")
    function = cloud.client("lambda").create_function(
        FunctionName="trivial",
        Runtime="python3.14",
        Role=role,
        Handler="index.handler",
        Code={"ZipFile": archive.getvalue()},
    )
    return str(function["FunctionArn"])


def connect_rule(cloud: LocalCloud, arn: str) -> None:
    """Let a rule send the events of the benchmark to the function."""
    events = cloud.client("events")
    rule = events.put_rule(Name="numbers", EventPattern=json.dumps({"source": ["benchmark"]}))["RuleArn"]
    cloud.client("lambda").add_permission(
        FunctionName="trivial",
        StatementId="rule",
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
        SourceArn=rule,
    )
    events.put_targets(Rule="numbers", Targets=[{"Id": "function", "Arn": arn}])


def send_events(cloud: LocalCloud, server: psutil.Process, count: int) -> dict[str, Any]:
    """Send events and wait until the log has them: what that cost, and which are lost or doubled."""
    used, began = processor_seconds(server), time.monotonic()
    numbers = range(1, count + 1)
    for start in range(0, count, BATCH):
        entries = [
            {"Source": "benchmark", "DetailType": "number", "Detail": json.dumps({"number": number})}
            for number in numbers[start : start + BATCH]
        ]
        cloud.client("events").put_events(Entries=entries)
    logged = Counter(logged_numbers(cloud))
    while len(logged) < count and time.monotonic() < began + PATIENCE_SECONDS:
        time.sleep(1)
        logged = Counter(logged_numbers(cloud))
    return {
        "count": count,
        "seconds": round(time.monotonic() - began, 2),
        "processor_seconds": round(processor_seconds(server) - used, 2),
        "lost": count - len(logged),
        "doubled": sum(1 for times in logged.values() if times > 1),
    }


def logged_numbers(cloud: LocalCloud) -> Iterator[int]:
    """The numbers in the function's log."""
    pages = cloud.client("logs").get_paginator("filter_log_events").paginate(logGroupName="/aws/lambda/trivial")
    for page in pages:
        for event in page["events"]:
            if match := re.fullmatch(r"number (\d+)", event["message"]):
                yield int(match[1])


def processor_seconds(server: psutil.Process) -> float:
    """User and system time of the server and its processes, those that have ended included."""
    total = 0.0
    for process in (server, *server.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


def remains(cloud: LocalCloud, server: psutil.Process) -> dict[str, float]:
    """What the cloud holds when nothing has run for a while."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while server.children() and time.monotonic() < deadline:
        time.sleep(0.5)
    return {
        "processes": len(server.children(recursive=True)),
        "files": sum(len(folders) + len(files) for _, folders, files in os.walk(cloud.folder)),
        "open_files": server.num_fds(),
        "memory_mb": round(server.memory_info().rss / 2**20, 1),
    }


if __name__ == "__main__":
    main()
