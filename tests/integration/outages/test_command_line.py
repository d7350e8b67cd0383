"""A service that is away ends a command with exit code 75, which Batch tries again; what has to be changed, with 2."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from groundwork.__main__ import main as groundwork
from tests.engines_in_memory import MemoryLedger, MemoryLibrary
from workloads.movie_rental import engines
from workloads.movie_rental.model import Customer, Movie

from .conftest import OUTAGES, REFUSALS, Services, Weather

Start = Callable[..., Services]
Run = Callable[..., tuple[int, str]]

#: A command for each service that it cannot do without; `{...}` are places that the test fills in.
COMMANDS: list[tuple[str, str, str]] = [
    ("cloudformation", "CloudFormation", "movie-rental relay"),
    ("cloudformation", "CloudFormation", "devops-metrics describe"),
    ("cloudformation", "CloudFormation", "storefront init --stack WebApp --database-ca {ca}"),
    ("cloudformation", "CloudFormation", "jobs"),
    ("secrets_manager", "Secrets Manager", "movie-rental relay"),
    ("secrets_manager", "Secrets Manager", "storefront init"),
    ("secrets_manager", "Secrets Manager", "storefront serve"),
    ("dynamodb", "DynamoDB", "movie-rental movie 1"),
    ("neptune", "Neptune", "movie-rental recommend 1"),
    ("opensearch", "OpenSearch", "movie-rental search word --mode text"),
    ("sqs", "SQS", "movie-rental relay"),
    ("s3", "S3", "data list s3://bucket/digits"),
    ("s3", "S3", "data put {folder} --to s3://bucket/digits"),
    ("s3", "S3", "runs s3://bucket/runs"),
    ("s3", "S3", "storefront load --only files --scale 0.01"),
    ("timestream_write", "Timestream", "devops-metrics describe"),
    ("timestream_write", "Timestream", "devops-metrics ingest {rows}"),
    ("timestream_query", "Timestream", "movie-rental trends"),
    ("batch", "AWS", "logs job"),
    ("postgresql", "PostgreSQL", "movie-rental load-source --into {old} --scale 0.01"),
    ("postgresql", "PostgreSQL", "movie-rental verify --source {old}"),
    ("postgresql", "database", "tune delivery-time --data {folder} --output {output} --storage {study}"),
    ("mysql", "MySQL", "storefront init"),
    ("mysql", "MySQL", "storefront cards"),
    ("mysql", "MySQL", "storefront load --only database --scale 0.01"),
    ("influxdb", "InfluxDB", "devops-metrics describe"),
    ("influxdb", "InfluxDB", "devops-metrics query busiest"),
    ("influxdb", "InfluxDB", "devops-metrics ingest {rows}"),
    ("influxdb", "InfluxDB", "devops-metrics backup --to {output}"),
    ("influxdb", "InfluxDB", "movie-rental trends"),
    ("secrets_manager", "Secrets Manager", "devops-metrics describe"),
]
every_command = pytest.mark.parametrize(("service", "name", "command"), COMMANDS)


@pytest.fixture
def try_it(
    services: Start, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[int, str]]:
    """Runs a command while a service is out of order."""
    monkeypatch.delenv("GROUNDWORK_DATA", raising=False)
    (tmp_path / "digits").mkdir()
    (tmp_path / "digits" / "one").write_bytes(b"1")
    header = "Time_Stamp,Application_ID,Application_Name,CPU_Usage,Memory_Usage,Network_Throughput,HTTP_Status"
    (tmp_path / "rows.csv").write_text(f"{header}\n2026-01-31T12:00:00Z,a,b,1,2,3,200\n")

    def attempt(service: str, command: str, weather: Weather) -> tuple[int, str]:
        engine = "influxdb" if service in {"influxdb", "secrets_manager"} else "liveanalytics"
        made = services({service: weather}, engine=engine)
        if service == "sqs":
            monkeypatch.setattr(engines.Stack, "ledger", lent())
        places: dict[str, object] = {
            "ca": tmp_path / "authority.pem",
            "folder": tmp_path / "digits",
            "rows": tmp_path / "rows.csv",
        }
        places |= {"output": tmp_path / "tuning", "old": made.postgresql}
        places["study"] = made.postgresql.replace("postgresql://", "postgresql+psycopg://")
        return run(*command.format(**places).split())

    return attempt


def lent() -> Any:
    """A ledger with an event that waits."""
    ledger = MemoryLedger({("1", 1): 1})
    movie = Movie("1", "Title")
    customer = Customer(0, 1, "First", "Last", None, 1, active=True, created=date(2026, 1, 1))
    ledger.rent(ledger.add_customer(customer).id, movie, 1)
    return ledger


@every_command
@pytest.mark.parametrize("weather", OUTAGES)
def test_an_outage_ends_with_exit_code_75(
    try_it: Callable[..., tuple[int, str]], service: str, name: str, command: str, weather: Weather
) -> None:
    code, line = try_it(service, command, weather)
    assert (code, name in line) == (75, True), line
    assert "Run the same command again later." in line


@every_command
@pytest.mark.parametrize("weather", REFUSALS)
def test_a_missing_permission_or_resource_ends_with_exit_code_2(
    try_it: Callable[..., tuple[int, str]], service: str, name: str, command: str, weather: Weather
) -> None:
    code, line = try_it(service, command, weather)
    assert (code, "again later" in line) == (2, False), line


@pytest.mark.parametrize(
    ("weather", "code"), [*((weather, 75) for weather in OUTAGES), *((each, 2) for each in REFUSALS)]
)
def test_the_removal_of_a_stack_tells_them_apart_too(
    services: Start, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], weather: Weather, code: int
) -> None:
    services({"cloudformation": weather})
    monkeypatch.setattr("sys.argv", ["groundwork", "destroy", "Training", "--yes"])
    assert groundwork() == code
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("Error: Stack Training: ")


def test_a_rental_whose_event_cannot_be_sent_is_not_to_be_made_again(
    services: Start, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    services({"sqs": "throttled"})
    ledger = MemoryLedger({("1", 1): 1})
    customer = ledger.add_customer(Customer(0, 1, "First", "Last", None, 1, active=True, created=date(2026, 1, 1)))
    library = MemoryLibrary()
    library.save([Movie("1", "Title")])
    monkeypatch.setattr(engines.Stack, "ledger", ledger)
    monkeypatch.setattr(engines.Stack, "library", library)
    code, line = run("movie-rental", "rent", str(customer.id), "1")
    assert code == 1  # neither 75, after which Batch would rent another copy, nor success
    assert "The transaction is complete, but its event was not sent" in line
    assert line.endswith("Send it with `groundwork movie-rental relay`.")
    assert [event.type for _, event in ledger.waiting()] == ["rented"]


def test_a_driver_that_is_not_installed_is_named(run: Run, tmp_path: Path) -> None:
    storage = ("--storage", "oracle://u:secret-password@127.0.0.1/x")
    code, line = run("tune", "delivery-time", "--data", str(tmp_path), "--output", str(tmp_path / "o"), *storage)
    assert (code, "--storage oracle: The driver of this database is not installed" in line) == (2, True)


def test_a_process_of_its_own_ends_with_the_exit_code(services: Start) -> None:
    services({"dynamodb": "closed"})
    words = ["movie-rental", "movie", "1"]
    done = subprocess.run([sys.executable, "-m", "workloads", *words], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (75, "", 1)
