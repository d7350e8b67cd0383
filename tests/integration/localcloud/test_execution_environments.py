"""Execution environments: what a function keeps between events, what ends an environment, and how many there may be."""

from __future__ import annotations

import io
import json
import os
import re
import threading
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest
from botocore.exceptions import ClientError

from localcloud import LocalCloud
from tests.integration.localcloud.test_events import function, invoke, logged

#: Counts its events, and says in which process and with which temporary files.
COUNTS = """
import os, pathlib, tempfile
print("initialised")
count, mark = 0, pathlib.Path(tempfile.gettempdir(), "mark")

def handler(event, context):
    global count
    count += 1
    kept = mark.exists()
    mark.touch()
    print("count", count)
    return {
        "count": count,
        "kept": kept,
        "process": os.getpid(),
        "request": context.aws_request_id,
        "stream": context.log_stream_name,
        "remaining": context.get_remaining_time_in_millis(),
        "variable": os.environ.get("VARIABLE"),
    }
"""
#: Does what its event says: what it must not do ends its environment.
OBEYS = """
import os, subprocess, time
kept = []

def handler(event, context):
    match event:
        case {"exit": code}:
            os._exit(code)
        case {"quit": code}:
            raise SystemExit(code)
        case {"sleep": seconds}:
            time.sleep(seconds)
        case {"leave": seconds}:
            return subprocess.Popen(["sleep", str(seconds)], start_new_session=True).pid
        case {"bytes": size}:
            kept.append(b"x" * size)
        case {"files": count}:
            kept.extend(open("/dev/null") for _ in range(count))
        case {"print": size}:
            print("x" * size)
        case {"set": _}:
            return {1, 2}
        case {"answer": size}:
            return "x" * size
    return os.getpid()
"""
WAITS_FOR_FILE = """
import pathlib, time

def handler(event, context):
    pathlib.Path(event["folder"], context.aws_request_id).touch()
    while not pathlib.Path(event["folder"], "go").exists():
        time.sleep(0.01)
    print("went")
"""


def archive(code: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        file.writestr("index.py", code)
    return content.getvalue()


def lines(cloud: LocalCloud, name: str) -> list[str]:
    return logged(cloud, f"/aws/lambda/{name}")


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Path]:
    """A folder whose file `go` lets functions with the code WAITS_FOR_FILE end."""
    yield tmp_path
    (tmp_path / "go").touch()


def at_work(gate: Path) -> int:
    return sum(1 for file in gate.iterdir() if file.name != "go")


def test_an_environment_keeps_its_globals_and_its_files_between_events(cloud: LocalCloud) -> None:
    name = function(cloud, COUNTS)
    first, second = invoke(cloud, name), invoke(cloud, name)
    assert (first["count"], first["kept"]) == (1, False)
    assert (second["count"], second["kept"]) == (2, True)
    assert first["process"] == second["process"]
    assert first["stream"] == second["stream"]
    assert first["request"] != second["request"]
    assert 0 < second["remaining"] <= 3000


def test_a_function_is_initialised_once_and_the_log_of_the_cold_start_says_so(cloud: LocalCloud) -> None:
    name = function(cloud, COUNTS)
    for _ in range(2):
        invoke(cloud, name)
    words = [re.split(r"[ \t]", line)[0] for line in lines(cloud, name)]
    assert words == ["INIT_START", "initialised", *["START", "count", "END", "REPORT"] * 2]
    reports = [line for line in lines(cloud, name) if line.startswith("REPORT")]
    assert ["Init Duration" in report for report in reports] == [True, False]
    assert all("Billed Duration" in report and "Max Memory Used" in report for report in reports)
    [stream] = cloud.client("logs").describe_log_streams(logGroupName=f"/aws/lambda/{name}")["logStreams"]
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}", stream["logStreamName"])


def test_each_line_of_a_log_has_the_request_id_of_its_own_event(cloud: LocalCloud) -> None:
    code = (
        "import logging\ndef handler(event, context):\n logging.getLogger().error('x'); return context.aws_request_id"
    )
    name = function(cloud, code)
    requests = [invoke(cloud, name), invoke(cloud, name)]
    assert [line.split("\t")[2] for line in lines(cloud, name) if line.startswith("[ERROR]")] == requests


def test_an_error_of_the_handler_does_not_end_its_environment(cloud: LocalCloud) -> None:
    name = function(
        cloud, "count = 0\ndef handler(event, context):\n global count; count += 1; raise ValueError(count)"
    )
    assert [invoke(cloud, name)["errorMessage"] for _ in range(2)] == ["1", "2"]


@pytest.mark.parametrize(
    ("change", "variable"),
    [
        (lambda client, name: client.update_function_code(FunctionName=name, ZipFile=archive(COUNTS + "#")), None),
        (
            lambda client, name: client.update_function_configuration(
                FunctionName=name, Environment={"Variables": {"VARIABLE": "new"}}
            ),
            "new",
        ),
        (lambda client, name: client.update_function_configuration(FunctionName=name, Timeout=9), None),
    ],
    ids=["code", "variables", "timeout"],
)
def test_a_changed_function_gets_a_new_environment(
    cloud: LocalCloud, change: Any, variable: str | None, eventually: Any
) -> None:
    name = function(cloud, COUNTS)
    old = invoke(cloud, name)["process"]
    change(cloud.client("lambda"), name)
    new = invoke(cloud, name)
    assert (new["count"], new["kept"], new["variable"]) == (1, False, variable)
    assert eventually(lambda: not psutil.pid_exists(old))


def test_the_environments_of_a_deleted_function_end(cloud: LocalCloud, eventually: Any) -> None:
    name = function(cloud, COUNTS)
    process = invoke(cloud, name)["process"]
    cloud.client("lambda").delete_function(FunctionName=name)
    assert eventually(lambda: not psutil.pid_exists(process))


def test_a_published_version_has_environments_of_its_own(cloud: LocalCloud) -> None:
    name = function(cloud, COUNTS)
    latest = invoke(cloud, name)
    version = cloud.client("lambda").publish_version(FunctionName=name)["Version"]
    answer = cloud.client("lambda").invoke(FunctionName=name, Qualifier=version)
    published = json.loads(answer["Payload"].read())
    assert published["count"] == 1
    assert published["process"] != latest["process"]
    assert f"[{version}]" in published["stream"]


def test_a_timeout_ends_its_environment_only(cloud: LocalCloud) -> None:
    name, other = function(cloud, OBEYS, Timeout=1), function(cloud, OBEYS)
    process, others = invoke(cloud, name), invoke(cloud, other)
    answer = invoke(cloud, name, {"sleep": 60})
    assert answer["errorType"] == "Sandbox.Timedout"
    assert not psutil.pid_exists(process)
    assert invoke(cloud, name) != process
    assert invoke(cloud, other) == others
    [report] = [line for line in lines(cloud, name) if line.endswith("Status: timeout")]
    assert report.startswith("REPORT")


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ({"exit": 3}, "exit status 3"),
        ({"quit": 4}, "exit status 4"),
        ({"exit": 0}, "without providing a reason"),
    ],
)
def test_a_process_that_ends_is_a_runtime_error_and_the_next_event_starts_another(
    cloud: LocalCloud, event: dict[str, Any], reason: str
) -> None:
    name = function(cloud, OBEYS)
    process = invoke(cloud, name)
    answer = invoke(cloud, name, event)
    assert answer["errorType"] == "Runtime.ExitError"
    assert reason in answer["errorMessage"]
    assert "Runtime.ExitError" in lines(cloud, name)
    assert invoke(cloud, name) != process


def test_a_process_that_was_killed_between_two_events_is_replaced(cloud: LocalCloud, eventually: Any) -> None:
    name = function(cloud, OBEYS)
    process = invoke(cloud, name)
    psutil.Process(process).kill()
    assert eventually(lambda: not psutil.pid_exists(process))
    assert eventually(lambda: invoke(cloud, name) not in (None, process))


def test_what_a_function_has_started_ends_with_its_environment(cloud: LocalCloud, eventually: Any) -> None:
    name = function(cloud, OBEYS)
    child = invoke(cloud, name, {"leave": 600})
    assert psutil.pid_exists(child)  # on AWS, too, it stays until the environment ends
    invoke(cloud, name, {"exit": 1})
    assert eventually(lambda: not psutil.pid_exists(child))


def test_a_function_that_takes_more_memory_than_it_has_is_killed(cloud: LocalCloud) -> None:
    name = function(cloud, OBEYS)
    leak = {"bytes": 40 << 20}
    answers = [invoke(cloud, name, leak) for _ in range(3)]
    assert isinstance(answers[0], int)
    assert answers[-1]["errorType"] == "Runtime.OutOfMemory"
    assert "signal: killed" in answers[-1]["errorMessage"]
    assert isinstance(invoke(cloud, name), int)


def test_a_function_that_leaks_open_files_only_harms_itself(cloud: LocalCloud) -> None:
    name, other = function(cloud, OBEYS), function(cloud, OBEYS)
    assert isinstance(invoke(cloud, name, {"files": 900}), int)
    assert "Too many open files" in invoke(cloud, name, {"files": 900})["errorMessage"]
    assert isinstance(invoke(cloud, other), int)


def test_the_output_of_one_event_is_limited(cloud: LocalCloud) -> None:
    name = function(cloud, OBEYS, Timeout=30)
    tail = cloud.client("lambda").invoke(FunctionName=name, Payload=json.dumps({"print": 20 << 20}))
    assert tail["StatusCode"] == 200
    assert sum(map(len, lines(cloud, name))) < 10 << 20


@pytest.mark.parametrize(
    ("event", "error"),
    [({"set": 1}, "Runtime.MarshalError"), ({"answer": 7_000_000}, "Function.ResponseSizeTooLarge")],
)
def test_a_response_that_lambda_does_not_take_is_an_error(cloud: LocalCloud, event: Any, error: str) -> None:
    assert invoke(cloud, function(cloud, OBEYS, Timeout=30), event)["errorType"] == error


@pytest.mark.parametrize(
    ("code", "handler", "error", "message"),
    [
        ("import missing", "index.handler", "Runtime.ImportModuleError", "No module named 'missing'"),
        ("def", "index.handler", "Runtime.UserCodeSyntaxError", "Syntax error in module 'index'"),
        ("", "index.other", "Runtime.HandlerNotFound", "Handler 'other' missing on module 'index'"),
        ("", "handler", "Runtime.MalformedHandlerName", "Bad handler 'handler'"),
        ("raise ValueError('no')", "index.handler", "ValueError", "no"),
        ("import os; os._exit(5)", "index.handler", "Runtime.ExitError", "exit status 5"),
    ],
)
def test_a_function_that_cannot_be_initialised_says_why_and_is_tried_again(
    cloud: LocalCloud, code: str, handler: str, error: str, message: str
) -> None:
    name = function(cloud, code)
    cloud.client("lambda").update_function_configuration(FunctionName=name, Handler=handler)
    answer = invoke(cloud, name)
    assert answer["errorType"] == error
    assert message in answer["errorMessage"]
    reports = [line.split("\t")[1:] for line in lines(cloud, name) if line.startswith("INIT_REPORT")]
    failure = ["Status: error", f"Error Type: {error}"]
    assert reports == [["Phase: init", *failure], ["Phase: invoke", *failure]]
    cloud.client("lambda").update_function_code(FunctionName=name, ZipFile=archive(COUNTS))
    cloud.client("lambda").update_function_configuration(FunctionName=name, Handler="index.handler")
    assert invoke(cloud, name)["count"] == 1


def test_events_at_the_same_time_have_an_environment_each(cloud: LocalCloud, gate: Path, eventually: Any) -> None:
    name = function(cloud, WAITS_FOR_FILE, Timeout=60)
    with ThreadPoolExecutor(4) as callers:
        calls = [callers.submit(invoke, cloud, name, {"folder": str(gate)}) for _ in range(4)]
        assert eventually(lambda: at_work(gate) == 4)
        (gate / "go").touch()
        assert [call.result() for call in calls] == [None] * 4
    streams = cloud.client("logs").describe_log_streams(logGroupName=f"/aws/lambda/{name}")["logStreams"]
    assert len(streams) == 4


def test_calls_beyond_the_reserved_concurrency_are_throttled(cloud: LocalCloud, gate: Path, eventually: Any) -> None:
    name = function(cloud, WAITS_FOR_FILE, Timeout=60)
    cloud.client("lambda").put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
    caller = threading.Thread(target=invoke, args=(cloud, name, {"folder": str(gate)}))
    caller.start()
    assert eventually(lambda: at_work(gate) == 1)
    with pytest.raises(ClientError) as refusal:
        invoke(cloud, name, {"folder": str(gate)})
    response: dict[str, Any] = {**refusal.value.response}
    assert response["Error"]["Code"] == "TooManyRequestsException"
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 429
    assert response["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
    (gate / "go").touch()
    caller.join()
    assert invoke(cloud, name, {"folder": str(gate)}) is None


def test_asynchronous_events_wait_while_they_are_throttled(cloud: LocalCloud, eventually: Any) -> None:
    name = function(cloud, COUNTS)
    cloud.client("lambda").put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    for _ in range(40):  # more than the cloud has threads
        invoke(cloud, name, kind="Event")
    with pytest.raises(ClientError, match="Rate Exceeded"):
        invoke(cloud, name)
    assert invoke(cloud, function(cloud, COUNTS))["count"] == 1  # the others do not wait
    assert lines(cloud, name) == []
    cloud.client("lambda").delete_function_concurrency(FunctionName=name)
    assert eventually(lambda: sum(line.startswith("count") for line in lines(cloud, name)) == 40)


def test_a_message_of_a_topic_waits_while_its_function_is_throttled(cloud: LocalCloud, eventually: Any) -> None:
    name, sns = function(cloud, COUNTS), cloud.client("sns")
    arn = cloud.client("lambda").get_function(FunctionName=name)["Configuration"]["FunctionArn"]
    cloud.client("lambda").put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    topic = sns.create_topic(Name=name)["TopicArn"]
    cloud.client("lambda").add_permission(
        FunctionName=name,
        StatementId="topic",
        Action="lambda:InvokeFunction",
        Principal="sns.amazonaws.com",
        SourceArn=topic,
    )
    sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=arn)
    sns.publish(TopicArn=topic, Message="hello")
    assert lines(cloud, name) == []
    cloud.client("lambda").delete_function_concurrency(FunctionName=name)
    assert eventually(lambda: "count 1" in lines(cloud, name))


def test_idle_environments_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, eventually: Callable[..., Any]) -> None:
    monkeypatch.setenv("LOCALCLOUD_IDLE_SECONDS", "0.5")
    with LocalCloud(tmp_path) as cloud:
        name = function(cloud, COUNTS)
        process = invoke(cloud, name)["process"]
        assert eventually(lambda: not psutil.pid_exists(process))
        assert invoke(cloud, name)["count"] == 1


def test_the_functions_of_a_new_account_share_ten_concurrent_requests(
    tmp_path_factory: pytest.TempPathFactory, gate: Path, eventually: Callable[..., Any]
) -> None:
    folder = tmp_path_factory.mktemp("cloud")
    with LocalCloud(folder, account="new") as cloud, ThreadPoolExecutor(10) as callers:
        name, other = function(cloud, WAITS_FOR_FILE, Timeout=60), function(cloud, COUNTS)
        calls = [callers.submit(invoke, cloud, name, {"folder": str(gate)}) for _ in range(10)]
        assert eventually(lambda: at_work(gate) == 10)
        with pytest.raises(ClientError) as refusal:
            invoke(cloud, other)
        response: dict[str, Any] = {**refusal.value.response}
        assert response["Reason"] == "ConcurrentInvocationLimitExceeded"
        (gate / "go").touch()
        assert [call.result() for call in calls] == [None] * 10
        assert invoke(cloud, other)["count"] == 1


def test_a_killed_cloud_leaves_no_environment(
    tmp_path_factory: pytest.TempPathFactory, gate: Path, eventually: Callable[..., Any]
) -> None:
    folder = tmp_path_factory.mktemp("cloud")
    with LocalCloud(folder) as cloud:
        name, busy = function(cloud, OBEYS), function(cloud, WAITS_FOR_FILE, Timeout=600)
        idle, child = invoke(cloud, name), invoke(cloud, name, {"leave": 600})
        callers = [threading.Thread(target=_call_in_vain, args=(cloud, busy, {"folder": str(gate)})) for _ in range(4)]
        for caller in callers:
            caller.start()
        assert eventually(lambda: at_work(gate) == 4)
        server = psutil.Process(json.loads((folder / "state.json").read_text())["pid"])
        descendants = {process.pid for process in server.children(recursive=True)}
        assert {idle, child} < descendants
        server.kill()
        assert eventually(lambda: not any(psutil.pid_exists(process) for process in descendants))
        for caller in callers:
            caller.join()


def _call_in_vain(cloud: LocalCloud, name: str, event: Any) -> None:
    with pytest.raises(Exception, match=r".+"):
        invoke(cloud, name, event)


def test_hundreds_of_events_leave_no_process_no_file_and_no_open_file(cloud: LocalCloud) -> None:
    name = function(cloud, "def handler(event, context): pass")
    server = psutil.Process(json.loads((cloud.folder / "state.json").read_text())["pid"])
    client = cloud.client("lambda")
    client.invoke(FunctionName=name)

    def remains() -> tuple[int, int, int]:
        files = sum(len(folders) + len(files) for _, folders, files in os.walk(cloud.folder))
        return len(server.children(recursive=True)), files, server.num_fds()

    processes, files, open_files = remains()
    for _ in range(300):
        client.invoke(FunctionName=name)
    after = remains()
    assert after[0] <= processes
    assert after[1] <= files
    assert after[2] <= open_files + 10  # connections come and go
