"""The plan of an ingestion by several jobs: an object in S3 that lists the files, so that all jobs share the same ones.

Whatever is put below the prefix meanwhile is left to the next ingestion.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self

from contract.errors import InputError
from workloads.objects import ObjectFile
from workloads.storage import Object
from workloads.timeseries.schema import Schema

if TYPE_CHECKING:
    from workloads.devops_metrics.ledger import Ledger
    from workloads.storage import Location


@dataclass(frozen=True)
class Plan:
    """What jobs do.

    Attributes:
        files: The files that are shared out.
        schema: What their columns mean.
        writers: Batches that a job writes at the same time.
        rollups: Whether each job brings rollups up to date.
    """

    files: list[ObjectFile]
    schema: Schema
    writers: int
    rollups: bool

    def save(self, ledger: Ledger) -> Location:
        """Write the plan beside the reports, and return where it is."""
        name = f"{datetime.now(UTC):%Y-%m-%dT%H-%M-%S}-{secrets.token_hex(4)}.json"
        place = ledger.place / "plans" / name
        document = {
            "files": [[file.bucket, file.key, file.etag, file.size] for file in self.files],
            "schema": self.schema.model_dump(mode="json"),
            "writers": self.writers,
            "rollups": self.rollups,
        }
        place.write(json.dumps(document).encode())
        return place

    @classmethod
    def load(cls, place: Location) -> Self:
        """Read a plan.

        Raises:
            InputError: It is not there, or is not a plan.
            UnavailableError: S3 is not available.
        """
        try:
            document = json.loads(place.read())
            files = [ObjectFile(bucket, Object(*listed)) for bucket, *listed in document["files"]]
            schema = Schema(**document["schema"])
            return cls(files, schema, int(document["writers"]), bool(document["rollups"]))
        except (ValueError, TypeError, KeyError) as error:
            message = "This is not the plan of an ingestion. `groundwork devops-metrics ingest --jobs` writes one."
            raise InputError(f"{place}: {message}") from error
