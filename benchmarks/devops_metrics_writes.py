"""Measure three writers to LiveAnalytics: `python benchmarks/devops_metrics.py writes`."""

from __future__ import annotations

import http.server
import json
import multiprocessing
import os
import statistics
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pandas as pd
from devops_metrics_fleet import ingest_file, make_file

from workloads.timeseries.liveanalytics import US_DOLLARS_PER_KIB, LiveAnalytics

if TYPE_CHECKING:
    from pathlib import Path

MEASURES = ["CPU_Usage", "Memory_Usage", "Network_Throughput", "HTTP_Status"]


def writes(folder: Path, rows: int) -> dict[str, Any]:
    """Compare three writers on the same rows; the loop writes a fiftieth of them."""
    import awswrangler
    import boto3

    file, few = make_file(folder / "rows.csv", rows), make_file(folder / "few.csv", rows // 50)
    meter = Meter()
    os.environ |= {"AWS_ENDPOINT_URL": meter.url, "AWS_DEFAULT_REGION": "us-east-1"}
    os.environ |= {"AWS_ACCESS_KEY_ID": "benchmark", "AWS_SECRET_ACCESS_KEY": "benchmark"}

    def our_writer() -> None:
        tally = ingest_file(file, LiveAnalytics("devops", "metrics"))
        assert tally.written == rows, tally  # noqa: S101

    def wrangler() -> None:
        awswrangler.timestream.write(
            df=pd.read_csv(file, parse_dates=["Time_Stamp"], date_format="ISO8601"),
            database="devops",
            table="metrics",
            time_col="Time_Stamp",
            measure_col=MEASURES,
            dimensions_cols=["Application_ID", "Application_Name"],
            measure_name="metrics",
            version=1,
        )

    def loop() -> None:
        client = boto3.client("timestream-write")
        for row in pd.read_csv(few).to_dict("records"):
            moment = datetime.fromisoformat(row["Time_Stamp"]).timestamp()
            client.write_records(
                DatabaseName="devops",
                TableName="metrics",
                Records=[
                    {
                        "Dimensions": [
                            {"Name": name, "Value": row[name]} for name in ("Application_ID", "Application_Name")
                        ],
                        "MeasureName": "metrics",
                        "MeasureValueType": "MULTI",
                        "MeasureValues": [
                            {
                                "Name": name,
                                "Value": str(row[name]),
                                "Type": "BIGINT" if name == "HTTP_Status" else "DOUBLE",
                            }
                            for name in MEASURES
                        ],
                        "Time": str(round(moment * 1000)),
                    }
                ],
            )

    result: dict[str, Any] = {"rows": rows}
    for name, write, count in (
        ("ours", our_writer, rows),
        ("awswrangler", wrangler, rows),
        ("one request per row", loop, rows // 50),
    ):
        rates, processor = [], []
        for _ in range(1 if name == "one request per row" else 3):
            meter.reset()
            began, used = time.perf_counter(), time.process_time()
            write()
            rates.append(count / (time.perf_counter() - began))
            processor.append(count / (time.process_time() - used))
        requests, kib, received = meter.read()
        assert received == count, (name, received, count)  # noqa: S101
        result[name] = {
            "rows_per_second": round(statistics.median(rates)),
            "rows_per_processor_second": round(statistics.median(processor)),
            "requests_per_million_rows": round(requests / count * 1e6),
            "kib_per_million_rows": round(kib / count * 1e6),
            "us_dollars_per_million_rows": round(kib / count * 1e6 * US_DOLLARS_PER_KIB, 4),
        }
    meter.close()
    return result


class Meter:
    """A server in its own process that accepts WriteRecords, and counts and meters it by AWS's rule."""

    def __init__(self) -> None:
        self._counts = multiprocessing.Array("q", 3)
        port = multiprocessing.Value("i", 0)
        self._process = multiprocessing.Process(target=_serve, args=(self._counts, port), daemon=True)
        self._process.start()
        while not port.value:
            time.sleep(0.01)
        self.url = f"http://localhost:{port.value}"

    def reset(self) -> None:
        """Count from zero."""
        self._counts[:] = [0, 0, 0]

    def read(self) -> tuple[int, int, int]:
        """Return the requests, the metered KiB and the records."""
        requests, kib, records = self._counts[:]
        return requests, kib, records

    def close(self) -> None:
        """End the server."""
        self._process.terminate()
        self._process.join()


def _serve(counts: Any, port: Any) -> None:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one packet

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            response: dict[str, Any] = {
                "Endpoints": [{"Address": f"http://localhost:{port.value}", "CachePeriodInMinutes": 60}]
            }
            if "Records" in body:
                total = len(body["Records"])
                with counts.get_lock():
                    counts[0] += 1
                    counts[1] += -(-metered(body) // 1024)
                    counts[2] += total
                response = {"RecordsIngested": {"Total": total, "MemoryStore": total, "MagneticStore": 0}}
            content = json.dumps(response).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/x-amz-json-1.0")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
            self.wfile.flush()

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    port.value = server.server_port
    server.serve_forever()


def metered(body: dict[str, Any]) -> int:
    """Return the bytes of a request by the Timestream developer guide, which counts common attributes once."""
    size = attributes(body.get("CommonAttributes", {}))
    return size + sum(8 + attributes(record) for record in body["Records"])


def attributes(record: dict[str, Any]) -> int:
    """Return the bytes of dimensions and measures."""
    size = sum(
        len(attribute["Name"].encode()) + len(attribute["Value"].encode()) for attribute in record.get("Dimensions", [])
    )
    size += len(record.get("MeasureName", "").encode())
    return size + sum(len(attribute["Name"].encode()) + 8 for attribute in record.get("MeasureValues", []))
