"""A fleet that behaves like one: days, weekends, noise, backups, deployments, gaps; and incidents with labels."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from contract.errors import InputError, phrase
from terminal import files
from workloads.delimited import open_lines, read_cells
from workloads.devops_metrics.settings import SERVICES
from workloads.replaceable import check_table

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from workloads.devops_metrics.settings import FleetSettings

    Series = NDArray[np.float64]

_DAY = 86_400


@dataclass(frozen=True)
class Incident:
    """Something that goes wrong on one host for a while.

    Attributes:
        application_id: The host.
        kind: One of `KINDS`.
        start: Its first moment.
        end: The moment after its last.
        severity: From 0.2 (hardly to be seen) to 1.
    """

    application_id: str
    kind: str
    start: datetime
    end: datetime
    severity: float


@dataclass
class _Host:
    """The course of one host's measures; memory for one host at a time."""

    cpu: Series
    memory: Series
    throughput: Series
    error: Series  # probability that a response is an error


def simulate(
    settings: FleetSettings, output: Path, labels: Path, until: datetime | None = None
) -> tuple[int, list[Incident]]:
    """Write a CSV file of the fleet and one of its incidents.

    Args:
        settings: What to simulate.
        output: The rows, in order of time, in the standard columns.
        labels: The incidents: application_id, kind, start, end, severity.
        until: Time of the last row (default: now, to the minute).

    Returns:
        How many rows there are, and the incidents.

    Raises:
        InputError: Another file is where the incidents would go.
    """
    check_table(labels, list(Incident.__annotations__))
    random = np.random.default_rng(settings.seed)
    end = (until or datetime.now(UTC)).replace(second=0, microsecond=0)
    count = settings.days * _DAY // settings.interval
    seconds = np.int64(end.timestamp()) - settings.interval * np.arange(count - 1, -1, -1, dtype=np.int64)
    names = [
        (f"{service}-{number:02d}", service)
        for service in SERVICES[: settings.services]
        for number in range(1, settings.hosts + 1)
    ]
    incidents = _plan(settings, seconds, [name for name, _ in names], random)
    tables = []
    for place, (name, service) in enumerate(names):
        host = _usual_course(seconds, SERVICES.index(service), settings.interval, random)
        for incident in incidents:
            if incident.application_id == name:
                _disturb(host, incident, seconds)
        tables.append(_observe(host, seconds, place, settings.missing, random))
    rows = pd.concat(tables, ignore_index=True).sort_values(["Time_Stamp", "place"], ignore_index=True)
    chosen = np.array(names, dtype=object)[rows.pop("place").to_numpy()]
    rows.insert(0, "Application_ID", chosen[:, 0])
    rows.insert(1, "Application_Name", chosen[:, 1])
    rows["Time_Stamp"] = pd.to_datetime(rows["Time_Stamp"], unit="s").dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    _save(rows, output)
    _save(pd.DataFrame([vars(incident) for incident in incidents], columns=list(Incident.__annotations__)), labels)
    return len(rows), incidents


def load_incidents(labels: Path) -> list[Incident]:
    """Read the incidents of a file that `simulate` wrote.

    Raises:
        InputError: The file cannot be read, or `simulate` did not write it.
    """
    columns = list(Incident.__annotations__)
    with open_lines(labels) as file:
        content = file.read()
    if not content.partition(b"\n")[2].strip():
        return []  # a fleet without incidents has a header only
    cells = read_cells(content, str(labels), columns)
    cells.require(columns)
    incidents = []
    for line, row in zip(cells.lines, cells.rows, strict=True):
        fields = {column: cell.strip() for column, cell in zip(cells.header, row, strict=True)}
        try:
            start, end = (datetime.fromisoformat(fields[column]) for column in ("start", "end"))
            incidents.append(Incident(fields["application_id"], fields["kind"], start, end, float(fields["severity"])))
        except ValueError as error:
            raise InputError(f"{labels}, line {line}: The incident cannot be read: {phrase(error)}.") from error
    return incidents


def _save(table: pd.DataFrame, path: Path) -> None:
    with files.replacing(path) as file:
        table.to_csv(file, index=False)


def _plan(
    settings: FleetSettings, seconds: NDArray[np.int64], hosts: list[str], random: np.random.Generator
) -> list[Incident]:
    """Plan incidents of half an hour to three hours, at least six hours apart on one host."""
    planned: list[Incident] = []
    for _ in range(100 * settings.incidents):
        if len(planned) == settings.incidents:
            break
        host, kind = str(random.choice(hosts)), str(random.choice(KINDS))
        length = timedelta(minutes=int(random.integers(30, 181)))
        start = datetime.fromtimestamp(int(random.choice(seconds)), UTC)
        near = timedelta(hours=6)
        clear = all(
            earlier.application_id != host or start > earlier.end + near or start + length < earlier.start - near
            for earlier in planned
        )
        if clear and start + length < datetime.fromtimestamp(int(seconds[-1]), UTC):
            planned.append(Incident(host, kind, start, start + length, round(float(random.uniform(0.2, 1)), 2)))
    return sorted(planned, key=lambda incident: incident.start)


def _usual_course(seconds: NDArray[np.int64], service: int, interval: int, random: np.random.Generator) -> _Host:
    """Busy afternoons, quiet nights and weekends; noise with a memory of minutes; memory that grows until a restart."""
    hour = seconds % _DAY / 3600
    weekend = (seconds // _DAY + 3) % 7 >= 5  # noqa: PLR2004 - 1970-01-01 was a Thursday
    day = 0.55 + 0.45 * np.sin((hour - 9 - service % 3) / 24 * 2 * np.pi)
    demand = day * np.where(weekend, 0.6, 1.0) * random.uniform(0.92, 1.08)
    demand *= np.exp(0.05 * _red_noise(len(seconds), interval, random))
    level = (35, 50, 28, 20, 42, 55, 25, 15)[service]
    cpu = (
        level * (0.35 + demand) + 1.5 * _red_noise(len(seconds), interval, random) + random.normal(0, 1.2, len(seconds))
    )
    uptime = (seconds - seconds[0] + random.integers(0, 5 * _DAY)) % (5 * _DAY) / (5 * _DAY)
    memory = 45 + 3 * (service % 4) + 6 * uptime + 8 * demand + random.normal(0, 0.6, len(seconds))
    throughput = 1e5 * (1 + service) * demand * np.exp(random.normal(0, 0.08, len(seconds)))
    host = _Host(cpu, memory, throughput, np.full(len(seconds), 0.004))
    backup = random.uniform(1, 4)  # every night, at the host's own hour
    host.cpu[(hour >= backup) & (hour < backup + 0.25)] += 12
    for start in random.choice(
        seconds, max(1, round(len(seconds) * interval / _DAY * 3 / 7))
    ):  # three deployments a week
        host.cpu[(seconds >= start) & (seconds < start + 240)] += 25
        host.throughput[(seconds >= start) & (seconds < start + 120)] *= 0.3
        host.error[(seconds >= start) & (seconds < start + 120)] = 0.3
    return host


def _red_noise(count: int, interval: int, random: np.random.Generator) -> Series:
    """Noise of variance 1 whose correlation falls to 1/e in ten minutes."""
    keep = np.exp(-interval / 600)
    steps = random.normal(0, np.sqrt(1 - keep**2), count)
    noise = np.empty(count)
    level = random.normal()
    for index, step in enumerate(steps):
        level = keep * level + step
        noise[index] = level
    return noise


def _disturb(host: _Host, incident: Incident, seconds: NDArray[np.int64]) -> None:
    start, end = incident.start.timestamp(), incident.end.timestamp()
    during = (seconds >= start) & (seconds < end)
    progress = (seconds[during] - start) / (end - start)
    severity = incident.severity
    match incident.kind:
        case "cpu saturation":
            host.cpu[during] += (97 - host.cpu[during]) * severity
        case "memory leak":
            host.memory[during] += (98 - host.memory[during]) * severity * progress
        case "outage":  # traffic stays away: idle, and of the few responses many are errors
            host.throughput[during] *= 1 - 0.97 * severity
            host.cpu[during] *= 1 - 0.75 * severity
            host.error[during] = 0.9 * severity
        case "error burst":
            host.error[during] = 0.5 * severity
        case "traffic surge":
            host.throughput[during] *= 1 + 1.6 * severity
            host.cpu[during] *= 1 + 0.6 * severity


KINDS = ("cpu saturation", "memory leak", "outage", "error burst", "traffic surge")


def _observe(
    host: _Host, seconds: NDArray[np.int64], place: int, missing: float, random: np.random.Generator
) -> pd.DataFrame:
    """Return what the host reports: rounded, within limits, with some rows lost and one response in each row."""
    count = len(seconds)
    failed = random.random(count) < host.error
    usual = random.choice([200, 201, 204, 301, 304, 400, 404], count, p=[0.80, 0.05, 0.03, 0.02, 0.05, 0.02, 0.03])
    table = pd.DataFrame(
        {
            "place": place,
            "Time_Stamp": seconds,
            "CPU_Usage": np.clip(host.cpu, 0.1, 100).round(2),
            "Memory_Usage": np.clip(host.memory, 1, 100).round(2),
            "Network_Throughput": np.maximum(host.throughput, 0).round(1),
            "HTTP_Status": np.where(failed, random.choice([500, 502, 503], count), usual),
        }
    )
    lost = random.random(count) < missing
    if count > 60:  # noqa: PLR2004 - and one gap of ten minutes and more, as an agent's restart leaves it
        at = int(random.integers(0, count - 30))
        lost[at : at + int(random.integers(12, 30))] = True
    return table[~lost]
