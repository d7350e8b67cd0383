"""Files of series: what their columns are, how hosts are named; and incidents in them, without a database."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from contract.errors import InputError
from workloads.__main__ import main
from workloads.devops_metrics.anomalies import find_anomalies, find_incidents
from workloads.devops_metrics.reader import Reader
from workloads.devops_metrics.series import read_series
from workloads.devops_metrics.settings import FleetSettings
from workloads.devops_metrics.simulate import simulate
from workloads.timeseries.schema import Schema

from .test_anomalies import UNTIL, signals


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "ec2_cpu.csv"


def write(file: Path, *lines: str) -> Path:
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def columns(file: Path, **options: Any) -> dict[object, list[str]]:
    """The signals of each host."""
    return {host: list(table) for host, table in read_series(file, **options).hosts.items()}


class TestColumns:
    def test_of_one_series_are_a_time_and_a_signal_of_the_host_that_the_file_is_named_after(self, file: Path) -> None:
        write(file, "timestamp,value", "2026-11-28 10:00:00,12.5", "2026-11-28 10:05:00,13.5")
        [(host, table)] = read_series(file).hosts.items()
        assert host == "ec2_cpu"
        assert table["value"].tolist() == [12.5, 13.5]
        assert table.index.tolist() == [pd.Timestamp(f"2026-11-28 10:0{minute}", tz="UTC") for minute in (0, 5)]

    def test_of_numbers_are_signals_with_the_names_of_the_header(self, file: Path) -> None:
        write(file, "cpu %,when,disk,note", "1,2026-11-28T10:00Z,2,", "3,2026-11-28T10:05Z,,")
        assert columns(file) == {"ec2_cpu": ["cpu %", "disk", "note"]}

    def test_of_text_tell_hosts_apart(self, file: Path) -> None:
        write(file, "time,region,instance,v", "2026-11-28T10:00Z,eu,a,1", "2026-11-28T10:00Z,eu,b,2")
        assert columns(file) == {"a": ["v"], "b": ["v"]}
        write(
            file,
            "time,region,instance,v",
            "2026-11-28T10:00Z,eu,a,1",
            "2026-11-28T10:00Z,us,a,2",
            "2026-11-28T10:00Z,us,b,2",
        )
        assert columns(file) == {"eu/a": ["v"], "us/a": ["v"], "us/b": ["v"]}

    def test_may_be_named_like_words_that_a_store_keeps_for_itself(self, file: Path) -> None:
        write(file, "timestamp,time,2xx,2xx ,measure_name", "2026-11-28T10:00Z,1,2,3,4")
        with pytest.raises(InputError, match="2xx stands twice"):
            read_series(file)
        write(file, "timestamp,time,2xx,4xx,measure_name", "2026-11-28T10:00Z,1,2,3,4")
        assert columns(file) == {"ec2_cpu": ["time", "2xx", "4xx", "measure_name"]}

    def test_are_what_a_mapping_file_says(self, file: Path, tmp_path: Path) -> None:
        write(file, "a,b,c,d", "2026-11-28T10:00Z,x,1,2")
        mapping = write(
            tmp_path / "mapping.toml",
            'time = "a"',
            'dimensions = ["b"]',
            "[measures]",
            'load = "DOUBLE"',
            "[columns]",
            'load = "d"',
        )
        assert columns(file, mapping=mapping) == {"x": ["load"]}

    @pytest.mark.parametrize(
        ("lines", "message"),
        [
            (["a,b", "1,2"], "No column is called timestamp or holds times"),
            (["timestamp b", "2026-11-28T10:00Z 1"], "The columns, separated by commas, are timestamp b"),
            (["2026-11-28T10:00Z,1", "2026-11-28T10:05Z,2"], "The first line holds values, such as 2026-11-28T10:00Z"),
            (["timestamp,b", "2026-11-28T10:00Z,x"], "No column besides timestamp holds numbers"),
            (
                ["timestamp,b", "soon,1"],
                "There is no line that can be read. Line 2 is the first of them: 'soon' is not a time",
            ),
            (["timestamp,b"], "There is no line that can be read"),
        ],
    )
    def test_that_do_not_make_a_series_are_refused(self, file: Path, lines: list[str], message: str) -> None:
        write(file, *lines)
        with pytest.raises(InputError, match=message):
            read_series(file)

    def test_of_a_file_that_is_empty_or_not_text_are_none(self, file: Path) -> None:
        file.write_bytes(b"")
        with pytest.raises(InputError, match="The file is empty"):
            read_series(file)
        file.write_bytes(b"timestamp,value\n\xff,1\n")
        with pytest.raises(InputError, match=r"no line that can be read\. Line 2 .* not UTF-8 at byte 1"):
            read_series(file)

    def test_of_a_file_that_is_not_there_are_none(self, file: Path) -> None:
        with pytest.raises(InputError, match=r"ec2_cpu\.csv: The file cannot be read"):
            read_series(file)

    @pytest.mark.parametrize(
        "lines",
        [
            ["timestamp;load, in %;host;queue", "2026-11-28 10:00:00;12,5;a;1.250", "2026-11-28 10:05:00;NaN;a;2"],
            ["sep=|", "when|load, in %|host|queue", "28.11.2026 10:00|12,5|a|1 250", "28.11.2026 10:05|-|a|2"],
        ],
    )
    def test_are_told_apart_as_in_any_other_file(self, file: Path, lines: list[str]) -> None:
        write(file, *lines)
        [(host, table)] = read_series(file).hosts.items()
        assert host == "a"
        assert table["queue"].tolist() == [1250, 2]
        assert table["load, in %"].dropna().tolist() == [12.5]

    def test_of_a_compressed_file_are_read_and_its_name_is_the_host(self, tmp_path: Path) -> None:
        file = tmp_path / "ec2_cpu.csv.gz"
        file.write_bytes(gzip.compress("timestamp,value\n2026-11-28 10:00:00,12.5\n".encode("utf-16")))
        assert columns(file) == {"ec2_cpu": ["value"]}

    @pytest.mark.parametrize("name", ["host", "device_id", "InstanceId", "Application_ID"])
    def test_may_number_hosts(self, file: Path, name: str) -> None:
        write(file, f"timestamp,{name},value", *(f"2026-11-28T10:0{at}Z,{host},4" for at in (0, 5) for host in (1, 2)))
        assert columns(file) == {"1": ["value"], "2": ["value"]}

    @pytest.mark.parametrize("unit", ["%", " ms", "MB", "€", "°C"])
    def test_of_numbers_with_a_unit_are_refused_and_not_taken_for_hosts(self, file: Path, unit: str) -> None:
        write(file, "timestamp,cpu,value", f"2026-11-28T10:00Z,12.5{unit},1")
        with pytest.raises(InputError, match=f"column 'cpu': The number '12.5{unit}' has a unit"):
            read_series(file)

    def test_of_texts_that_differ_from_row_to_row_are_refused(self, file: Path) -> None:
        write(file, "timestamp,message,value", *(f"2026-11-28T10:{at}Z,request {at},1" for at in range(10, 40)))
        with pytest.raises(InputError, match="column 'message': The texts, such as 'request 10', differ"):
            read_series(file)
        same_time = [f"2026-11-28T10:00Z,host-{number},1" for number in range(30)]
        write(file, "timestamp,instance,value", *same_time)
        assert len(columns(file)) == 30

    def test_that_only_number_the_rows_are_left_out_and_named(self, file: Path) -> None:
        write(file, "id,timestamp,value", *(f"{at},2026-11-28T10:{at}Z,1" for at in range(10, 40)))
        series = read_series(file)
        assert {host: list(table) for host, table in series.hosts.items()} == {"ec2_cpu": ["value"]}
        assert series.notes == ["columns that were left out, as they only number the rows: id"]

    def test_of_true_and_false_are_signals(self, file: Path) -> None:
        write(file, "timestamp,up,value", "2026-11-28T10:00Z,true,1", "2026-11-28T10:05Z,False,2")
        assert read_series(file).hosts["ec2_cpu"]["up"].tolist() == [1, 0]

    def test_of_hosts_that_differ_only_in_case_are_named(self, file: Path) -> None:
        write(file, "timestamp,host,value", "2026-11-28T10:00Z,Web-1,1", "2026-11-28T10:05Z,web-1,2")
        assert read_series(file).notes == ["hosts whose names differ only in case or blanks: Web-1, web-1"]

    def test_without_a_name_or_a_value_are_left_out_and_named(self, file: Path) -> None:
        write(file, ",timestamp,load,disk", "0,2026-11-28T10:00Z,1,N/A", "1,2026-11-28T10:05Z,2,")
        series = read_series(file)
        assert series.notes == [
            "columns that were left out, as the header does not name them: 1",
            "columns without any value: disk",
        ]

    def test_leave_lines_out_that_cannot_be_read_and_count_them(self, file: Path) -> None:
        write(file, "timestamp,value", "2026-11-28T10:00Z,1", "2026-11-28T10:05Z,x", "2026-11-28T10:10Z,2")
        series = read_series(file)
        assert series.lines == 3
        assert [(fault.line, fault.reason) for fault in series.faults] == [(3, "value: 'x' is not a number")]


class TestFixedDimensions:
    def test_name_the_host(self, file: Path) -> None:
        write(file, "timestamp,value", "2026-11-28 10:00:00,12.5")
        assert columns(file, fixed={"host": "web-1"}) == {"web-1": ["value"]}
        write(file, "timestamp,note,value", "2026-11-28 10:00:00,x,12.5")
        assert columns(file, fixed={"host": "web-1"}) == {"web-1": ["value"]}

    def test_stand_in_for_a_column(self, file: Path, tmp_path: Path) -> None:
        """A CloudWatch export: the mapping can rename columns, and give the host that no column holds."""
        write(file, "timestamp,value", "2026-11-28 10:00:00,12.5")
        lines = (
            'time = "timestamp"',
            'dimensions = ["host"]',
            "[measures]",
            'CPU_Usage = "DOUBLE"',
            "[columns]",
            'CPU_Usage = "value"',
        )
        mapping = write(tmp_path / "mapping.toml", *lines)
        with pytest.raises(InputError, match=r"no column host; .* give it: --dimension host=VALUE\."):
            Reader(file, Schema.load(mapping))
        given = Schema.load(mapping, {"host": "web-1"})
        told = Schema.load(write(tmp_path / "fixed.toml", *lines, "[fixed]", 'host = "web-1"'))
        for schema in (given, told):
            [batch] = Reader(file, schema).batches()
            assert [(row.dimensions, row.measures) for row in batch.rows] == [(("web-1",), (12.5,))]

    def test_are_added_to_those_of_the_file_and_win_over_its_columns(self, tmp_path: Path) -> None:
        header = "Application_ID,Application_Name,Time_Stamp,CPU_Usage,Memory_Usage,Network_Throughput,HTTP_Status"
        file = write(tmp_path / "rows.csv", header, "web-1,web,2026-01-31T12:00:00Z,1,2,3,200")
        schema = Schema.load(None, {"region": "eu", "Application_Name": "shop"})
        [batch] = Reader(file, schema).batches()
        assert schema.dimensions == ("Application_ID", "Application_Name", "region")
        assert batch.rows[0].dimensions == ("web-1", "shop", "eu")

    @pytest.mark.parametrize(
        ("fixed", "message"),
        [
            ({"a b": "c"}, "--dimension, dimensions"),
            ({"host": "c\nd"}, "--dimension, fixed.host"),
            ({"CPU_Usage": "1"}, "CPU_Usage stands twice among dimensions and measures"),
        ],
    )
    def test_that_no_store_takes_are_refused(self, fixed: dict[str, str], message: str) -> None:
        with pytest.raises(InputError, match=message):
            Schema.load(None, fixed)

    def test_of_a_mapping_file_are_among_its_dimensions(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="fixed names host, which is not one of the dimensions"):
            Schema.load(write(tmp_path / "mapping.toml", "[fixed]", 'host = "web-1"'))


def test_a_fleet_has_the_same_incidents_in_its_file_as_in_a_database(tmp_path: Path) -> None:
    fleet = tmp_path / "fleet.csv"
    simulate(
        FleetSettings(services=1, hosts=3, interval=300, incidents=4, seed=2), fleet, tmp_path / "labels.csv", UNTIL
    )
    asked = find_anomalies(signals(pd.read_csv(fleet, parse_dates=["Time_Stamp"])))
    assert len(asked) >= 2
    hosts = read_series(fleet).hosts
    assert list(hosts) == ["checkout-01", "checkout-02", "checkout-03"]
    frames = [
        table.assign(Application_ID=host, Application_Name="checkout", time=table.index)
        for host, table in hosts.items()
    ]
    pd.testing.assert_frame_equal(find_anomalies(pd.concat(frames, ignore_index=True)), asked)


@pytest.mark.parametrize("name", ["Network_Throughput", "disk"])
def test_traffic_in_whole_bytes_has_an_incident_when_it_is_ten_times_as_much(file: Path, name: str) -> None:
    chance = np.random.default_rng(1)
    values = np.zeros(4032, dtype=int)
    for day in range(14):
        for start in day * 288 + chance.integers(0, 280, 4):
            values[start : start + 5] = chance.integers(950_000, 1_050_000, 5)
    times = pd.date_range("2026-11-01", periods=4032, freq="5min")
    pd.DataFrame({"timestamp": times, name: values}).to_csv(file, index=False)
    assert find_incidents(read_series(file).hosts).empty
    values[2500:2505] = 10_000_000
    pd.DataFrame({"timestamp": times, name: values}).to_csv(file, index=False)
    assert len(find_incidents(read_series(file).hosts)) == 1


class TestCommand:
    @pytest.fixture
    def detect(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
        def run(*arguments: str | Path) -> tuple[object, str, str]:
            monkeypatch.setattr("sys.argv", ["workloads", "devops-metrics", "detect", *map(str, arguments)])
            with pytest.raises(SystemExit) as end:
                main()
            printed = capsys.readouterr()
            return end.value.code, printed.out, printed.err

        return run

    @pytest.fixture
    def spiky(self, file: Path) -> Path:
        times = pd.date_range("2026-11-01", periods=4032, freq="5min")
        values = np.random.default_rng(0).normal(50, 2, 4032)
        values[2000:2010] += 60
        values[3000:3010] += 30
        pd.DataFrame({"timestamp": times, "value": values}).to_csv(file, index=False)
        return file

    def test_writes_host_signal_start_end_and_score(self, detect: Any, spiky: Path, tmp_path: Path) -> None:
        answer = tmp_path / "incidents.csv"
        code, out, errors = detect(spiky, "--dimension", "host=web-1", "--csv", answer)
        assert (code, errors) == (0, "")
        assert "incidents: 2 (hosts: 1, signals: 1, lines: 4,032)" in out
        rows = list(csv.DictReader(io.StringIO(answer.read_text())))
        assert list(rows[0]) == ["host", "signal", "start", "end", "score"]
        assert [(row["host"], row["signal"], row["start"][:10]) for row in rows] == [
            ("web-1", "value", "2026-11-07"),
            ("web-1", "value", "2026-11-11"),
        ]
        assert float(rows[0]["score"]) > float(rows[1]["score"]) > 2

    def test_counts_no_signal_that_the_file_does_not_have(self, detect: Any, file: Path) -> None:
        header = "Application_ID,Application_Name,Time_Stamp,CPU_Usage,Memory_Usage,Network_Throughput,HTTP_Status"
        write(file, header, *(f"web-1,web,2026-11-28T10:{minute:02}:00Z,1,2,3," for minute in range(0, 60, 5)))
        assert columns(file) == {"web-1": ["cpu", "memory", "throughput"]}
        file.write_text(file.read_text().replace("1,2,3,", "1,2,3,200"))
        assert columns(file) == {"web-1": ["cpu", "memory", "throughput", "errors", "responses"]}
        _, out, _ = detect(file)
        assert "signals: 4," in out  # how many responses there were is what errors are judged by

    def test_keeps_to_the_budget_that_is_given(self, detect: Any, spiky: Path) -> None:
        _, out, _ = detect(spiky, "--alarms-per-day", "0.05")
        assert "incidents: 1 " in out

    def test_says_what_it_could_not_judge(self, detect: Any, file: Path, tmp_path: Path) -> None:
        answer = tmp_path / "incidents.csv"
        write(file, "timestamp,value", "2026-11-28 10:00:00,12.5", "2026-11-28 10:05:00,x")
        code, out, errors = detect(file, "--csv", answer)
        assert code == 0
        assert "signals with fewer than 56 values, too few to say what is usual: 1" in out
        assert "left out: 1; the first is line 3: value: 'x' is not a number" in errors
        write(file, ",timestamp,value", "0,2026-11-28 10:00:00,12.5")
        assert "as the header does not name them: 1\n" in detect(file)[2]
        assert answer.read_text() == "host,signal,start,end,score\n"

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["nowhere.csv"], "nowhere.csv: The file cannot be read"),
            (["FILE", "--dimension", "web-1"], "--dimension web-1: A dimension has a name and a value"),
            (
                ["FILE", "--dimension", "h=a", "--dimension", "h=b"],
                "--dimension h: The dimension is given twice, as a and b",
            ),
            (["FILE", "--csv", "/dev/null/out.csv"], "/dev/null/out.csv: The file cannot be written"),
        ],
    )
    def test_bad_input_ends_with_one_line_and_exit_code_2(
        self, detect: Any, spiky: Path, arguments: list[str], message: str
    ) -> None:
        code, _, errors = detect(*(str(spiky) if word == "FILE" else word for word in arguments))
        assert code == 2
        assert message in errors
        assert errors.count("\n") == 1
