"""Every engine, real, and a small company's old database with what tends to go wrong in it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from localcloud import LocalCloud
from localcloud.cloud import processes
from localcloud.engines import postgresql
from localcloud.services.neptune import behaviour as neptune
from localcloud.services.opensearch import behaviour as opensearch
from localcloud.services.timestreaminfluxdb import behaviour as influxdb
from tests.influxdb import create_bucket
from workloads.__main__ import main
from workloads.movie_rental import database
from workloads.movie_rental.engines import Engines
from workloads.movie_rental.graph import NeptuneGraph
from workloads.movie_rental.ledger import PostgresLedger
from workloads.movie_rental.library import DynamoLibrary
from workloads.movie_rental.load import create_database, load
from workloads.movie_rental.outbox import FifoQueue
from workloads.movie_rental.search_index import OpenSearchIndex
from workloads.movie_rental.timeseries import SCHEMA, TimestreamSeries
from workloads.rental_company.generated import GeneratedCompany
from workloads.timeseries.influxdb import InfluxDB
from workloads.timeseries.liveanalytics import LiveAnalytics

Run = Callable[..., tuple[int, str, str]]

ACCESS = {"username": "admin", "password": "it's \\ secret"}
#: Nothing of it has to outlive the machine.
PARAMETERS = {"rds.force_ssl": "0", "fsync": "off", "full_page_writes": "off"}
KEYS = (("MovieID", "S", "HASH"), ("MovieTitle", "S", "RANGE"))
INDEXES = {"ByGenre": ("Genre", "S"), "ByYear": ("Year", "N")}
#: A film without category and actors, one with a name in many scripts, a price with cents, a customer without rentals.
ODDITIES = """
    DELETE FROM film_category WHERE film_id = 3;
    DELETE FROM film_actor WHERE film_id = 3;
    UPDATE film SET title = 'ŁÓDŹ „Ünïcode“ 映画 🎬', description = NULL, rental_rate = 0.07 WHERE film_id = 4;
    UPDATE actor SET first_name = 'Zoë', last_name = 'O''Brien-Łukasz' WHERE actor_id = 1;
    INSERT INTO customer VALUES (9001, 1, 'Никто', 'Rented-Nothing', NULL, 5, true, '2025-01-01', now(), 1);
    INSERT INTO film_category SELECT 5, category_id, now() FROM category ON CONFLICT DO NOTHING;
"""


@dataclass
class Servers:
    """What serves; makes sets of engines that hold nothing yet."""

    cloud: LocalCloud
    postgresql_url: str
    graph_url: str
    search_url: str
    influxdb_url: str
    token: str
    made: int = 0
    opened: list[PostgresLedger] = field(default_factory=list)

    def new(self) -> Engines:
        """Engines that hold nothing yet."""
        return Engines(self.ledger(), self.library(), self.index(), self.graph(), self.series(), self.queue())

    def _name(self) -> str:
        self.made += 1
        return f"rental{self.made}"

    def ledger(self) -> PostgresLedger:
        made = PostgresLedger(create_database(self.postgresql_url, self._name()))
        self.opened.append(made)
        return made

    def library(self) -> DynamoLibrary:
        return DynamoLibrary(self._table(self._name()), patience=0.1)

    def index(self) -> OpenSearchIndex:
        return OpenSearchIndex(self.search_url, index=self._name())

    def graph(self) -> NeptuneGraph:
        """There is one graph: it is emptied."""
        made = NeptuneGraph(self.graph_url)
        made._client.execute_open_cypher_query(openCypherQuery="MATCH (n) DETACH DELETE n")
        return made

    def series(self) -> TimestreamSeries:
        name = self._name()
        create_bucket(self.influxdb_url, self.token, name)
        return TimestreamSeries(InfluxDB(self.influxdb_url, name, token=self.token, schema=SCHEMA, attempts=2))

    def liveanalytics(self) -> TimestreamSeries:
        """The other face of Timestream."""
        name = self._name()
        write = self.cloud.client("timestream-write")
        write.create_database(DatabaseName=name)
        write.create_table(
            DatabaseName=name,
            TableName="rentals",
            RetentionProperties={"MemoryStoreRetentionPeriodInHours": 24, "MagneticStoreRetentionPeriodInDays": 3650},
            MagneticStoreWriteProperties={"EnableMagneticStoreWrites": True},
        )
        return TimestreamSeries(LiveAnalytics(name, "rentals", SCHEMA))

    def queue(self) -> FifoQueue:
        attributes = {"FifoQueue": "true"}
        made = self.cloud.client("sqs").create_queue(QueueName=f"{self._name()}.fifo", Attributes=attributes)
        return FifoQueue(made["QueueUrl"])

    def _table(self, name: str) -> str:
        keys = [{"AttributeName": key, "KeyType": kind} for key, _, kind in KEYS]
        indexes = [
            {
                "IndexName": index,
                "KeySchema": [
                    {"AttributeName": key, "KeyType": "HASH"},
                    {"AttributeName": "MovieTitle", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
            for index, (key, _) in INDEXES.items()
        ]
        attributes = {key: kind for key, kind, _ in KEYS} | dict(INDEXES.values())
        self.cloud.client("dynamodb").create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=keys,
            GlobalSecondaryIndexes=indexes,
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": kind} for key, kind in attributes.items()],
        )
        return name

    def deploy(self, name: str, engines: Engines) -> None:
        """Create a stack that has the outputs of DataEcosystem, for some engines."""
        parts = urlsplit(engines.ledger.url)
        assert unquote(parts.password or "") == ACCESS["password"]
        assert isinstance(engines.library, DynamoLibrary)
        assert isinstance(engines.queue, FifoQueue)
        access = {**ACCESS, "host": "localhost", "port": parts.port, "dbname": parts.path[1:]}
        outputs = {
            "MoviesTableName": engines.library._table,
            "DatabaseSecretArn": self.secret(f"{name}-database", access),
            "GraphEndpoint": self.graph_url,
            "SearchEndpoint": self.search_url,
            "Engine": "influxdb",
            "Endpoint": urlsplit(self.influxdb_url).netloc,
            "DatabaseName": engines.series.store._database,  # type: ignore[attr-defined]
            "TableName": "rentals",
            "SecretArn": self.secret(f"{name}-trends", {"token": self.token}),
            "RentalEventsQueueUrl": engines.queue._url,
            "SearchWriterRoleArn": "arn:aws:iam::123456789012:role/indexer",
        }
        template = {
            "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
            "Outputs": {name: {"Value": value} for name, value in outputs.items()},
        }
        self.cloud.client("cloudformation").create_stack(StackName=name, TemplateBody=json.dumps(template))

    def move_database(self, name: str, port: int) -> None:
        """Put another port into the secret of a stack's database."""
        secrets, secret = self.cloud.client("secretsmanager"), f"{name}-database"
        access = json.loads(secrets.get_secret_value(SecretId=secret)["SecretString"])
        secrets.put_secret_value(SecretId=secret, SecretString=json.dumps(access | {"port": port}))

    def secret(self, name: str, content: dict[str, object]) -> str:
        """Create a secret. Return its ARN."""
        secrets = self.cloud.client("secretsmanager")
        return str(secrets.create_secret(Name=name, SecretString=json.dumps(content))["ARN"])

    def source(self, name: str, scale: float = 0.02) -> str:
        """The URL of an old database of a generated company, with the oddities."""
        url = create_database(self.postgresql_url, name)
        load(GeneratedCompany(scale), url, replace=True)
        with database.connect(url) as connection:
            connection.execute(ODDITIES)
        return url


@pytest.fixture(scope="session")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    folder = tmp_path_factory.mktemp("engines")
    server = postgresql.start(folder / "postgresql", **ACCESS, database="first", parameters=PARAMETERS)
    running = [neptune.start(_made(folder / "neptune")), opensearch.start(_made(folder / "opensearch"))]
    rentals = influxdb.start(folder / "influxdb", **ACCESS, bucket="first")
    running.append((rentals.process, rentals.port))
    ports = [port for _, port in running]
    with LocalCloud(folder / "cloud", iam="enforce") as cloud:
        servers = Servers(
            cloud,
            f"postgresql://admin:it's%20%5C%20secret@localhost:{server.port}/first",
            *(f"http://localhost:{port}" for port in ports),
            token=rentals.token,
        )
        yield servers
    for process, _ in running:
        processes.end(process)
    server.stop()


@pytest.fixture(scope="module")
def servers(started: Servers) -> Iterator[Servers]:
    """The same for all modules; only while one of them runs is their cloud this process's AWS."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in started.cloud.environment().items():
            patch.setenv(name, value)
        yield started
    for ledger in started.opened:  # PostgreSQL has a hundred connections
        ledger.close()
    started.opened.clear()


@pytest.fixture
def run(stack: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command on the module's stack in this process: exit code, output and errors."""
    monkeypatch.delenv("PGSSLROOTCERT", raising=False)

    def command(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["workloads", "movie-rental", *map(str, arguments), "--stack", stack])
        with pytest.raises(SystemExit) as end:
            main()
        printed = capsys.readouterr()
        return end.value.code, printed.out, printed.err  # type: ignore[return-value]

    return command


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder
