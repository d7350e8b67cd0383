"""A simulated fleet has what its labels say, and its incidents are found."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from contract.errors import InputError
from workloads.devops_metrics.anomalies import Alarms, Detection, evaluate, find_anomalies
from workloads.devops_metrics.settings import FleetSettings
from workloads.devops_metrics.simulate import Incident, load_incidents, simulate

UNTIL = datetime(2026, 11, 24, tzinfo=UTC)


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> tuple[pd.DataFrame, list[Incident]]:
    folder = tmp_path_factory.mktemp("fleet")
    settings = FleetSettings(hosts=4, interval=150, incidents=20, seed=3)
    rows, incidents = simulate(settings, folder / "fleet.csv", folder / "labels.csv", UNTIL)
    table = pd.read_csv(folder / "fleet.csv", parse_dates=["Time_Stamp"])
    assert len(table) == rows
    assert load_incidents(folder / "labels.csv") == incidents
    return table, incidents


def signals(table: pd.DataFrame) -> pd.DataFrame:
    table = table.assign(time=table["Time_Stamp"].dt.floor("5min"), error=(table["HTTP_Status"] >= 500).astype(int))
    return table.groupby(["time", "Application_ID", "Application_Name"], as_index=False).agg(
        cpu=("CPU_Usage", "mean"),
        memory=("Memory_Usage", "mean"),
        throughput=("Network_Throughput", "mean"),
        responses=("HTTP_Status", "count"),
        errors=("error", "sum"),
    )


def test_a_fleet_has_days_weekends_gaps_and_values_within_limits(fleet: tuple[pd.DataFrame, list[Incident]]) -> None:
    table, _ = fleet
    assert table["Application_ID"].nunique() == 16
    assert table["Time_Stamp"].is_monotonic_increasing
    assert table["Time_Stamp"].max() == pd.Timestamp(UNTIL)
    assert table["CPU_Usage"].between(0.1, 100).all()
    assert table["Memory_Usage"].between(1, 100).all()
    hour, weekday = table["Time_Stamp"].dt.hour, table["Time_Stamp"].dt.day_of_week
    cpu = table["CPU_Usage"]
    assert cpu[hour.between(12, 18)].mean() > 1.5 * cpu[hour.between(0, 4)].mean()
    assert cpu[(weekday < 5) & (hour == 15)].mean() > 1.2 * cpu[(weekday >= 5) & (hour == 15)].mean()
    longest = table.groupby("Application_ID")["Time_Stamp"].apply(lambda times: times.diff().max())
    assert (longest >= timedelta(minutes=20)).all()


def test_the_same_seed_gives_the_same_fleet(tmp_path: Path) -> None:
    settings = FleetSettings(services=1, hosts=1, days=1, seed=7)
    for name in ("a", "b"):
        simulate(settings, tmp_path / f"{name}.csv", tmp_path / f"{name}.labels.csv", UNTIL)
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()


def test_incidents_are_found_with_few_false_alarms(fleet: tuple[pd.DataFrame, list[Incident]]) -> None:
    table, incidents = fleet
    found = find_anomalies(signals(table), since=table["Time_Stamp"].min())
    assert evaluate(found, incidents).precision >= 0.85
    plain = [incident for incident in incidents if incident.severity >= 0.5]
    assert len(plain) >= 8
    assert evaluate(found, plain).recall >= 0.85


def test_a_fleet_without_incidents_raises_next_to_no_alarm(tmp_path: Path) -> None:
    settings = FleetSettings(services=3, hosts=3, interval=150, incidents=0, seed=5)
    simulate(settings, tmp_path / "fleet.csv", tmp_path / "labels.csv", UNTIL)
    found = find_anomalies(signals(pd.read_csv(tmp_path / "fleet.csv", parse_dates=["Time_Stamp"])), Alarms(per_day=5))
    assert len(found) <= 1  # in 126 days of hosts


def test_a_file_of_another_kind_where_the_incidents_would_go_is_not_replaced(tmp_path: Path) -> None:
    settings = FleetSettings(services=1, hosts=1, interval=3600, days=1, incidents=0)
    (tmp_path / "fleet.incidents.csv").write_text("mine")
    with pytest.raises(InputError, match=r"fleet\.incidents\.csv: The file is not replaced"):
        simulate(settings, tmp_path / "fleet.csv", tmp_path / "fleet.incidents.csv", UNTIL)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["mine"]
    for _ in range(2):
        simulate(settings, tmp_path / "fleet.csv", tmp_path / "labels.csv", UNTIL)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "labels.csv: The file cannot be read: No such file"),
        ("host,start\nweb-1,2026-11-01\n", "There is no column 'application_id', 'kind', 'end', 'severity'"),
        (
            "application_id;kind;start;end;severity\nweb-1;slow;2026-11-01;soon;1\n",
            "labels.csv, line 2: The incident cannot be read: Invalid isoformat string: 'soon'",
        ),
    ],
)
def test_a_file_of_incidents_that_cannot_be_read_is_refused(tmp_path: Path, content: str | None, message: str) -> None:
    if content is not None:
        (tmp_path / "labels.csv").write_text(content)
    with pytest.raises(InputError, match=message):
        load_incidents(tmp_path / "labels.csv")


def test_a_short_history_is_judged_without_seasons() -> None:
    times = pd.date_range(UNTIL, periods=100, freq="5min")
    cpu = [20.0 + index % 3 for index in range(100)]
    cpu[50:60] = [90.0] * 10
    table = pd.DataFrame({"time": times, "Application_ID": "a", "Application_Name": "web", "cpu": cpu})
    table = table.assign(memory=50.0 + table.index % 2, throughput=1000.0, responses=5, errors=0)
    [stretch] = find_anomalies(table).itertuples()
    assert stretch.signal == "cpu"
    assert abs(stretch.start - times[50]) <= timedelta(minutes=30)
    assert abs(stretch.end - times[60]) <= timedelta(minutes=30)
    assert stretch.score > 10


def test_precision_and_recall_count_stretches_and_incidents_of_the_same_host() -> None:
    hours = [UNTIL + timedelta(hours=number) for number in range(9)]
    found = pd.DataFrame(
        {
            "Application_ID": ["a", "a", "b"],
            "start": [hours[0], hours[4], hours[0]],
            "end": [hours[2], hours[5], hours[2]],
        }
    )
    incidents = [Incident("a", "outage", hours[1], hours[3], 1), Incident("c", "outage", hours[0], hours[2], 1)]
    assert evaluate(found, incidents) == Detection(precision=1 / 3, recall=0.5, detected=3, incidents=2)
    assert evaluate(found[:0], []) == Detection(precision=1, recall=1, detected=0, incidents=0)
