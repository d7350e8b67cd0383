"""Neptune's bulk loader, which fills an empty graph from S3.

It takes Gremlin's CSV format, whose loads replace values that have changed; openCypher asks the same graph. Vertices
and edges have ids of ours, so that loading them twice changes nothing.
Source: https://docs.aws.amazon.com/neptune/latest/userguide/bulk-load.html.
"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from tenacity import Retrying, retry_if_result

from contract.errors import InputError, TemporaryError, phrase
from workloads.aws import asking_aws
from workloads.movie_rental.events import text_of
from workloads.movie_rental.loads import POLLED, ROWS, Loads

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from workloads.movie_rental.loads import Refused
    from workloads.movie_rental.model import Movie, Rental
    from workloads.storage import Bucket

_GOES_ON = {"LOAD_NOT_STARTED", "LOAD_IN_QUEUE", "LOAD_IN_PROGRESS"}
_PASSES = {
    "LOAD_CANCELLED_BY_USER",
    "LOAD_COMMITTED_W_WRITE_CONFLICTS",
    "LOAD_DATA_DEADLOCK",
    "LOAD_S3_READ_ERROR",
    "LOAD_UNEXPECTED_ERROR",
}


class NeptuneLoader:
    """Writes what `NeptuneGraph` writes, by loads.

    Args:
        place: Where its loads are put.
        endpoint: `https://host:port`.
        role_arn: The role of the cluster that reads them.
    """

    def __init__(self, place: Bucket, endpoint: str, role_arn: str) -> None:
        self._endpoint, self._role_arn = endpoint, role_arn
        self._loads = Loads(place, self._complete)
        config = Config(retries={"mode": "standard", "total_max_attempts": 5}, connect_timeout=5, read_timeout=120)
        self._client: Any = boto3.client("neptunedata", endpoint_url=endpoint, config=config)

    def save_movies(self, movies: Sequence[Movie]) -> None:
        """Put movies with their genres and cast."""
        genres = [(movie.id, name) for movie in movies for name in dict.fromkeys(movie.genres)]
        cast = [(movie.id, name) for movie in movies for name in dict.fromkeys(movie.cast)]
        self._put(
            "movies",
            "~id,~label,id:String(single),title:String(single)",
            ((f"movie/{movie.id}", "Movie", movie.id, movie.title) for movie in movies),
        )
        for label, pairs in (("Genre", genres), ("Person", cast)):
            names = dict.fromkeys(name for _, name in pairs)
            rows = ((f"{label.lower()}/{name}", label, name) for name in names)
            self._put(label.lower(), "~id,~label,name:String(single)", rows)
        self._put(
            "in-genre",
            "~id,~from,~to,~label",
            ((f"in-genre/{film}/{name}", f"movie/{film}", f"genre/{name}", "IN_GENRE") for film, name in genres),
        )
        self._put(
            "acted-in",
            "~id,~from,~to,~label",
            ((f"acted-in/{film}/{name}", f"person/{name}", f"movie/{film}", "ACTED_IN") for film, name in cast),
        )

    def save_customers(self, customers: Sequence[int]) -> None:
        """Put customers: their numbers only."""
        rows = ((f"customer/{customer}", "Customer", str(customer)) for customer in customers)
        self._put("customers", "~id,~label,id:String(single)", rows)

    def save_rentals(self, rentals: Sequence[Rental]) -> None:
        """Put who rented what."""
        self._put(
            "rentals",
            "~id,~from,~to,~label,rentalId:Long,at:String",
            (
                (
                    f"rental/{rental.id}",
                    f"customer/{rental.customer_id}",
                    f"movie/{rental.movie_id}",
                    "RENTED",
                    rental.id,
                    text_of(rental.at),
                )
                for rental in rentals
            ),
        )

    def _put(self, name: str, header: str, rows: Iterable[Sequence[object]]) -> None:
        text = io.StringIO(newline="")
        csv.writer(text, quoting=csv.QUOTE_NONNUMERIC).writerows(rows)
        if text.tell():
            self._loads.put(f"{name}.csv", text.getvalue(), f"{header}\r\n")

    def load(self) -> Refused:
        """Load what was put since the last load; Neptune takes a load as a whole, or refuses it.

        Raises:
            InputError: Neptune refuses.
            UnavailableError: Neptune cannot be reached, or cannot do it now.
            TemporaryError: The load has ended early, and can be repeated.
        """
        return self._loads.load()

    def finish(self) -> bool:
        """Complete what an interrupted process has begun to load; return whether there was anything."""
        return self._loads.finish()

    def _complete(self, folder: Bucket) -> Refused:
        with asking_aws(self._endpoint, service="Neptune"):
            started = self._client.start_loader_job(
                source=f"{(folder / ROWS).uri}/",
                format="csv",
                s3BucketRegion=self._client.meta.region_name,
                iamRoleArn=self._role_arn,
                mode="NEW",
                failOnError=True,
                parserConfiguration={"allowEmptyStrings": "true"},
                updateSingleCardinalityProperties=True,
                queueRequest=True,
            )
            load = started["payload"]["loadId"]
            status = self._polled(load)
            if status == "LOAD_COMPLETED":
                return {}
            errors = self._client.get_loader_job_status(loadId=load, errors=True, errorsPerPage=3)
        message = f"{self._endpoint}: Neptune has ended the load {load}: {status}. {_first_error(errors)}"
        raise TemporaryError(message) if status in _PASSES else InputError(message)

    def _polled(self, load: str) -> str:
        """Return the status with which a load has ended."""

        def status() -> str:
            asked = self._client.get_loader_job_status(loadId=load)
            return str(asked["payload"]["overallStatus"]["status"])

        return str(Retrying(retry=retry_if_result(_GOES_ON.__contains__), wait=POLLED)(status))


def _first_error(status: dict[str, Any]) -> str:
    """Return what Neptune says of the first error of a load."""
    logs = status["payload"].get("errors", {}).get("errorLogs", [])
    if not logs:
        return "It gives no reason."
    first = logs[0]
    reason = f"{first['errorCode']}, {phrase(first['errorMessage'])}"
    return f"Neptune says of record {first['recordNum']} of {first['fileName']}: {reason}."
