"""What became of each file that was ingested from S3: a report and a quarantine, in the bucket of the stack's reports.

A file is known by its address, its ETag, how it was read, and the database that its rows went to. So a file that was
replaced, or is read with another mapping, is ingested again, and any other file is not.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import islice
from os.path import commonprefix
from typing import TYPE_CHECKING, Self

from contract.errors import InputError
from contract.stacks import DevOpsMetricsOutput, TimeSeriesOutput
from workloads.delimited import LONGEST_LINE
from workloads.devops_metrics.ingest import Tally
from workloads.objects import ObjectFile, send
from workloads.storage import Bucket

if TYPE_CHECKING:
    from pathlib import Path

    from workloads.devops_metrics.ingest import Quarantine
    from workloads.timeseries.schema import Schema

PREFIX = "ingestion"
_READERS = 8
_COPIED_LINES = 1000
_DATABASE = (
    TimeSeriesOutput.ENGINE,
    TimeSeriesOutput.ENDPOINT,
    TimeSeriesOutput.DATABASE_NAME,
    TimeSeriesOutput.TABLE_NAME,
)


@dataclass(frozen=True)
class FileReport:
    """What became of one file.

    Attributes:
        file: Its address.
        tally: Its lines.
        problem: Why it was not read to its end; empty if it was.
    """

    file: str
    tally: Tally
    problem: str = ""

    @classmethod
    def parse(cls, content: bytes) -> Self:
        """Return the report that a ledger holds."""
        document = json.loads(content)
        return cls(document["file"], Tally(**document["tally"]), document["problem"])


class Ledger:
    """The reports on files that went into one database with one meaning of their columns.

    Args:
        outputs: The outputs of the database's stack.
        schema: What the columns mean.

    Raises:
        InputError: The stack has no bucket for reports.
    """

    def __init__(self, outputs: Mapping[str, str], schema: Schema) -> None:
        self.outputs, self.schema = outputs, schema
        if DevOpsMetricsOutput.REPORT_BUCKET_NAME not in outputs:
            raise InputError("The stack has no bucket for reports. Deploy the newest version of DevOpsMetrics.")
        self.place = Bucket(outputs[DevOpsMetricsOutput.REPORT_BUCKET_NAME], PREFIX)
        database = [outputs.get(name, "") for name in _DATABASE]
        self._meaning = json.dumps([database, schema.model_dump(mode="json")], sort_keys=True)

    def reports(self, files: Iterable[ObjectFile]) -> dict[str, FileReport]:
        """Return the reports on those of some files that have one, by the key of the file.

        Args:
            files: Files of one bucket.
        """
        entries = {self._entry(file, "json").key: file.key for file in files}
        if not entries:
            return {}
        folder = commonprefix(list(entries)).rpartition("/")[0]  # noqa: RUF071 - keys are no paths
        listed = {entry.key for entry in Bucket(self.place.bucket, folder).objects()}
        there = [(key, file) for key, file in entries.items() if key in listed]
        with ThreadPoolExecutor(_READERS) as pool:
            contents = pool.map(lambda key: Bucket(self.place.bucket, key).read(), (key for key, _ in there))
            return {file: FileReport.parse(content) for (_, file), content in zip(there, contents, strict=True)}

    def keep(self, file: ObjectFile, report: FileReport, quarantine: Path) -> None:
        """Write what became of a file: first its quarantine, if there is one."""
        if quarantine.is_file():
            send(quarantine, self._entry(file, "csv"))
        self._entry(file, "json").write(json.dumps(asdict(report), indent=2).encode())

    def task(self, file: ObjectFile) -> Bucket:
        """Return where the id of the batch load task of a file is kept."""
        return self._entry(file, "task")

    def collect(self, files: Iterable[ObjectFile], reports: Mapping[str, FileReport], target: Quarantine) -> None:
        """Write the quarantines of files into one whose first column is the file."""
        for file in files:
            if file.key in reports and reports[file.key].tally.quarantined:
                lines = self._quarantined(file)
                while copied := [[str(file), *line] for line in islice(lines, _COPIED_LINES)]:
                    target.add(copied)

    def _quarantined(self, file: ObjectFile) -> Iterator[list[str]]:
        place = self._entry(file, "csv")
        listed = place.object()
        if not listed:
            raise InputError(f"{place}: The quarantine of {file} is gone. Delete the report beside it, and run again.")
        csv.field_size_limit(2 * LONGEST_LINE)  # a line that is a single cell
        with ObjectFile(place.bucket, listed).open() as content:
            rows = csv.reader(io.TextIOWrapper(content, encoding="utf-8", newline=""))
            next(rows)
            yield from rows

    def _entry(self, file: ObjectFile, kind: str) -> Bucket:
        known_by = hashlib.sha256(f"{file.etag} {self._meaning}".encode()).hexdigest()[:16]
        return self.place / "files" / file.bucket / f"{file.key}.{known_by}.{kind}"
