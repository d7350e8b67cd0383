"""What functions log: through Python's logging as Lambda's runtime sets it up, as text and as JSON."""

from __future__ import annotations

import io
import json
import re
import uuid
import zipfile
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localcloud import LocalCloud
from tests.policies import allow, trust

CODE = """
import logging
root, module = logging.getLogger(), logging.getLogger("module")

def handler(event, context):
    module.debug("a detail")
    if "level" in event:
        root.setLevel(event["level"])
    root.info("seen %s", event["id"], extra={"colour": "blue"})
    module.error("from a module")
    print("printed")
    try:
        1 / 0
    except ZeroDivisionError:
        module.exception("caught")
    if "fail" in event:
        raise ValueError("no")
"""
JSON = {"LogFormat": "JSON"}


def function(cloud: LocalCloud, **settings: Any) -> str:
    """A new function's name."""
    archive, name = io.BytesIO(), f"f-{uuid.uuid4().hex[:8]}"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("index.py", CODE)
    cloud.client("lambda").create_function(
        FunctionName=name,
        Runtime="python3.14",
        Role="arn:aws:iam::123456789012:role/any",
        Handler="index.handler",
        Code={"ZipFile": archive.getvalue()},
        **settings,
    )
    return name


def log(cloud: LocalCloud, name: str, group: str = "", **event: Any) -> list[str]:
    """What one run of the function logs."""
    cloud.client("lambda").invoke(FunctionName=name, Payload=json.dumps({"id": "i-1", **event}))
    events = cloud.client("logs").filter_log_events(logGroupName=group or f"/aws/lambda/{name}")["events"]
    return [event["message"] for event in events]


def parsed(lines: list[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines if line.startswith("{")]


@pytest.fixture(autouse=True)
def _role(cloud: LocalCloud) -> None:
    iam = cloud.client("iam")
    try:
        iam.create_role(RoleName="any", AssumeRolePolicyDocument=trust("lambda"))
    except iam.exceptions.EntityAlreadyExistsException:
        return
    iam.put_role_policy(RoleName="any", PolicyName="log", PolicyDocument=allow("logs:*"))


def test_a_line_of_text_has_level_time_request_and_message(cloud: LocalCloud) -> None:
    lines = log(cloud, function(cloud), level="INFO", fail=True)
    request = next(line.split()[2] for line in lines if line.startswith("START"))
    [line] = [line for line in lines if "seen i-1" in line]
    assert re.fullmatch(rf"\[INFO\]\t\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{{3}}Z\t{request}\tseen i-1", line)
    [error] = [line for line in lines if line.startswith("[ERROR]") and "caught" in line]
    assert error.splitlines()[-1] == "ZeroDivisionError: division by zero"  # a traceback is one event with its line
    [uncaught] = [line for line in lines if line.startswith("[ERROR] ValueError: no\nTraceback")]
    assert "index.py" in uncaught
    assert "printed" in lines


def test_text_is_logged_from_warning_on_unless_the_function_asks_for_more(cloud: LocalCloud) -> None:
    lines = log(cloud, function(cloud))
    assert [line.split("\t")[-1] for line in lines if "a detail" in line or "seen" in line] == []
    assert any(line.endswith("\tfrom a module") for line in lines)


def test_a_line_of_json_has_lambda_s_keys(cloud: LocalCloud) -> None:
    lines = log(cloud, function(cloud, LoggingConfig=JSON), fail=True)
    records = parsed(lines)
    request = next(record["record"]["requestId"] for record in records if record.get("type") == "platform.start")
    [info] = [record for record in records if record.get("message") == "seen i-1"]
    time = info.pop("timestamp")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", time)
    assert info == {
        "level": "INFO",
        "message": "seen i-1",
        "logger": "root",
        "requestId": request,
        "colour": "blue",
    }
    [caught] = [record for record in records if record.get("message") == "caught"]
    assert (caught["errorType"], caught["errorMessage"], caught["logger"]) == (
        "ZeroDivisionError",
        "division by zero",
        "module",
    )
    assert "index.py" in caught["stackTrace"][0]
    [uncaught] = [record for record in records if record.get("log_level") == "ERROR"]
    assert (uncaught["errorType"], uncaught["errorMessage"]) == ("ValueError", "no")
    assert "printed" in lines


def test_in_json_lambda_s_own_lines_are_platform_events(cloud: LocalCloud) -> None:
    platform = [r for r in parsed(log(cloud, function(cloud, LoggingConfig=JSON))) if "type" in r]
    assert [record["type"] for record in platform] == ["platform.initStart", "platform.start", "platform.report"]
    assert platform[0]["record"]["initializationType"] == "on-demand"
    report = platform[2]["record"]
    assert report["status"] == "success"
    memory = {"memorySizeMB", "maxMemoryUsedMB"}
    assert report["metrics"].keys() == {"durationMs", "billedDurationMs", "initDurationMs"} | memory


@pytest.mark.parametrize(
    ("levels", "event", "application", "system"),
    [
        ({"ApplicationLogLevel": "DEBUG"}, {}, "DEBUG", ["initStart", "start", "report"]),
        ({"ApplicationLogLevel": "TRACE"}, {}, "DEBUG", ["initStart", "start", "report"]),
        ({"ApplicationLogLevel": "ERROR"}, {}, "ERROR", ["initStart", "start", "report"]),
        (
            {"SystemLogLevel": "DEBUG"},
            {},
            "INFO",
            ["initStart", "initRuntimeDone", "initReport", "start", "runtimeDone", "report"],
        ),
        ({"SystemLogLevel": "WARN"}, {}, "INFO", []),
        ({"SystemLogLevel": "WARN"}, {"fail": True}, "INFO", ["runtimeDone", "report"]),
    ],
)
def test_the_levels_of_a_function_say_which_lines_there_are(
    cloud: LocalCloud, levels: dict[str, str], event: dict[str, Any], application: str, system: list[str]
) -> None:
    records = parsed(log(cloud, function(cloud, LoggingConfig={**JSON, **levels}), **event))
    assert [record["type"].removeprefix("platform.") for record in records if "type" in record] == system
    assert next(record["level"] for record in records if "level" in record) == application


def test_a_function_says_how_it_logs_and_an_update_changes_it(cloud: LocalCloud) -> None:
    client, name = cloud.client("lambda"), function(cloud)

    def logging() -> dict[str, str]:
        config: dict[str, str] = client.get_function_configuration(FunctionName=name)["LoggingConfig"]
        return config

    assert logging() == {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{name}"}
    client.update_function_configuration(FunctionName=name, LoggingConfig={**JSON, "LogGroup": f"/own/{name}"})
    levels = {"ApplicationLogLevel": "INFO", "SystemLogLevel": "INFO"}
    assert logging() == {**JSON, **levels, "LogGroup": f"/own/{name}"}
    assert parsed(log(cloud, name, f"/own/{name}"))


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [({"LogFormat": "XML"}, "logFormat"), ({"LogFormat": "Text", "ApplicationLogLevel": "INFO"}, "LogFormat to JSON")],
)
def test_a_logging_configuration_that_lambda_does_not_have_is_refused(
    cloud: LocalCloud, wrong: dict[str, str], meant: str
) -> None:
    with pytest.raises(ClientError, match=meant):
        function(cloud, LoggingConfig=wrong)
    name = function(cloud)
    with pytest.raises(ClientError, match=meant):
        cloud.client("lambda").update_function_configuration(FunctionName=name, Timeout=9, LoggingConfig=wrong)
    assert cloud.client("lambda").get_function_configuration(FunctionName=name)["Timeout"] != 9
