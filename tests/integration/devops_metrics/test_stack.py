"""The stack from its console template, and the commands that a person runs on it, for both engines."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from localcloud import LocalCloud
from tests.documents import document

from .conftest import CODE, ENGINES, Run, create_stack, environment, new_network


@pytest.fixture(scope="module", params=ENGINES)
def stack(request: pytest.FixtureRequest, cloud: LocalCloud) -> str:
    name = f"Metrics-{request.param}"
    parameters = new_network(cloud) | {"Engine": request.param, "SilenceMinutes": "1", "Email": "me@example.com"}
    create_stack(cloud, name, **parameters, Code=CODE)
    return name


@pytest.fixture
def run(cloud: LocalCloud, call: Run) -> Run:
    """Runs a command in this process; exit code, output and errors."""

    def command(*arguments: str | Path) -> tuple[int, str, str]:
        with environment(cloud):
            return call(*arguments)

    return command


def test_a_fleet_is_ingested_asked_drawn_and_watched(
    cloud: LocalCloud, stack: str, run: Run, tmp_path: Path, eventually: Any
) -> None:
    outputs = cloud.outputs(stack)
    assert outputs["Engine"] == stack.removeprefix("Metrics-")
    assert ("Endpoint" in outputs) == (outputs["Engine"] == "influxdb")
    fleet = tmp_path / "fleet.csv"
    code, out, errors = run(
        "simulate", "--output", fleet, "--services", "1", "--hosts", "3", "--interval", "300", "--incidents", "4"
    )
    assert code == 0, errors
    with fleet.open("a") as file:
        file.write("broken line\n")
    code, out, errors = run("ingest", fleet, "--stack", stack)
    assert code == 0, errors
    lines = fleet.read_text().count("\n") - 1
    assert f"{lines:,} lines: {lines - 1:,} written, 1 quarantined" in out
    assert ("KiB metered" in out) == (outputs["Engine"] == "liveanalytics")
    [bad] = csv.DictReader((tmp_path / "fleet.csv.quarantine.csv").read_text().splitlines())
    assert bad == {"line": str(lines + 1), "reason": "1 cells, the header has 7", "text": "broken line"}
    figure = tmp_path / "anomalies.png"
    labels = fleet.with_suffix(".incidents.csv")
    code, out, errors = run("query", "anomalies", "--stack", stack, "--incidents", labels, "--plot", figure)
    assert code == 0, errors
    assert "4 incidents" in out
    assert figure.read_bytes().startswith(b"\x89PNG")
    totals = document(run("ingest", fleet, "--stack", stack, "--json")[1], "devops-metrics ingest")
    assert (totals["lines"], totals["written"], totals["quarantined"]) == (lines, lines - 1, 1)
    held = document(run("describe", "--stack", stack, "--json")[1], "devops-metrics describe")
    assert held["rows"] == lines - 1
    answer = run("query", "anomalies", "--stack", stack, "--incidents", labels, "--json")[1]
    answer = document(answer, "devops-metrics query")
    assert (answer["evaluation"]["incidents"], bool(answer["rows"])) == (4, True)
    explained = run("query", "anomalies", "--stack", stack, "--explain", "--json")[1]
    assert document(explained, "devops-metrics query NAME --explain")["statements"]
    alarms = cloud.client("cloudwatch")

    def ringing() -> bool:
        found = alarms.describe_alarms(AlarmNames=[outputs["RejectedAlarmName"]])["MetricAlarms"]
        return bool(found[0]["StateValue"] == "ALARM")

    assert eventually(ringing)


def test_questions_are_answered_by_rollups_where_the_database_is_influxdb(
    cloud: LocalCloud, stack: str, run: Run, tmp_path: Path
) -> None:
    fleet = tmp_path / "fleet.csv"
    assert run("simulate", "--output", fleet, "--services", "1", "--hosts", "3", "--interval", "300")[0] == 0
    assert run("ingest", fleet, "--stack", stack)[0] == 0
    question = ("query", "busiest", "--stack", stack, "--last", "3d")
    answer = document(run(*question, "--json")[1], "devops-metrics query")
    raw = document(run(*question, "--raw", "--json")[1], "devops-metrics query")
    assert raw["sources"] == ["raw rows"]
    assert [row["cpu"] for row in answer["rows"]] == pytest.approx([row["cpu"] for row in raw["rows"]])
    code, out, errors = run("rollup", "--stack", stack, "--last", "3d", "--json")
    if stack.endswith("liveanalytics"):
        assert "RollupBucketName" not in cloud.outputs(stack)
        assert (code, "The stack has no rollups" in errors) == (2, True)
        assert answer["sources"] == ["raw rows"]
        return
    assert "hourly rollups" in answer["sources"]
    assert "rows: hourly rollups" in run(*question)[1]
    assert document(out, "devops-metrics rollup")["from"]
    assert document(run(*question, "--json")[1], "devops-metrics query")["sources"] == answer["sources"]


def test_the_database_is_backed_up_where_it_is_influxdb(stack: str, run: Run, tmp_path: Path) -> None:
    code, out, errors = run("backup", "--stack", stack, "--to", tmp_path, "--json")
    if stack.endswith("liveanalytics"):
        assert (code, "For LiveAnalytics, use AWS Backup" in errors) == (2, True)
        return
    saved = document(out, "devops-metrics backup")
    restored = document(run("restore", "--stack", stack, "--from", tmp_path, "--json")[1], "devops-metrics restore")
    assert (restored["rows"], restored["problems"]) == (saved["rows"], [])
    (tmp_path / "manifest.json").write_text("no manifest")
    code, _, errors = run("restore", "--stack", stack, "--from", tmp_path)
    assert (code, "This is not the manifest of a backup" in errors) == (2, True)


def test_the_token_of_influxdb_is_rotated_by_a_call(cloud: LocalCloud, stack: str, run: Run) -> None:
    outputs, secrets = cloud.outputs(stack), cloud.client("secretsmanager")
    if outputs["Engine"] == "liveanalytics":
        assert "SecretArn" not in outputs
        return

    def token() -> str:
        return str(json.loads(secrets.get_secret_value(SecretId=outputs["SecretArn"])["SecretString"])["token"])

    before = token()
    keeper = cloud.client("cloudformation").describe_stack_resource(StackName=stack, LogicalResourceId="TokenKeeper")
    name = keeper["StackResourceDetail"]["PhysicalResourceId"]
    called = cloud.client("lambda").invoke(FunctionName=name, Payload="{}")
    payload = called["Payload"].read()
    assert "FunctionError" not in called, payload
    assert token() != before
    assert run("describe", "--stack", stack)[0] == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["ingest", "nowhere.csv"], "nowhere.csv: The file cannot be read"),
        (["query", "busiest", "--last", "soon"], "--last soon: This is not a period. Write a number and a unit"),
        (["query", "busiest", "--until", "soon"], "--until soon: This is not a time"),
        (["query", "busiest", "--plot", "x.doc"], "A figure's name ends in .png"),
        (["query", "busiest", "--stack", "Nowhere"], "Stack Nowhere: "),
        (["query", "who"], "There is no question who"),
        (["simulate", "--output", "x.csv", "--hosts", "0"], "--hosts 0: Input should be greater than or equal to 1"),
    ],
)
def test_bad_input_ends_with_one_line_and_exit_code_2(run: Run, arguments: list[str], message: str) -> None:
    code, _, errors = run(*arguments)
    assert code == 2
    assert message in errors
    assert errors.count("\n") == 1
