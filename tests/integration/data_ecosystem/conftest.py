"""The stack from its console template, with every engine behind it."""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from opensearchpy import OpenSearch, Urllib3AWSV4SignerAuth

from localcloud import LocalCloud

TEMPLATE = Path(__file__).parents[3] / "cloudformation" / "data-ecosystem.yaml"
STACK = "Rental"


class Stack:
    """The deployed stack, as its users reach it: by its outputs."""

    def __init__(self, cloud: LocalCloud) -> None:
        self.cloud, self.outputs = cloud, cloud.outputs(STACK)
        trusted = cloud.environment()["SSL_CERT_FILE"]
        self.movies = boto3.resource(
            "dynamodb", endpoint_url=cloud.endpoint, region_name="us-east-1", **self._access
        ).Table(self.outputs["MoviesTableName"])
        session = boto3.session.Session(region_name="us-east-1", **self._access)
        self.search = OpenSearch(
            self.outputs["SearchEndpoint"],
            ca_certs=trusted,
            http_auth=Urllib3AWSV4SignerAuth(session.get_credentials(), "us-east-1", "es"),
        )
        self._graph = boto3.client(
            "neptunedata",
            endpoint_url=self.outputs["GraphEndpoint"],
            region_name="us-east-1",
            verify=trusted,
            **self._access,
        )

    @property
    def _access(self) -> dict[str, str]:
        environment = self.cloud.environment()
        return {name: environment[name.upper()] for name in ("aws_access_key_id", "aws_secret_access_key")}

    def document(self, movie: str) -> dict[str, Any] | None:
        """What the index holds of a movie."""
        found = self.search.get(index="movies", id=movie, ignore=[404])  # type: ignore[call-arg]
        source: dict[str, Any] | None = found.get("_source")
        return source

    def graph(self, query: str, **parameters: Any) -> list[dict[str, Any]]:
        answer = self._graph.execute_open_cypher_query(openCypherQuery=query, parameters=json.dumps(parameters))
        rows: list[dict[str, Any]] = answer["results"]
        return rows

    def points(self, category: str) -> list[list[Any]]:
        """Time (ns), amount, store and value of a category's points."""
        secret = self.cloud.client("secretsmanager").get_secret_value(SecretId=self.outputs["SecretArn"])
        access = json.loads(secret["SecretString"])
        query = f"SELECT amount, store, value FROM rentals WHERE category = '{category}'"  # noqa: S608 - a test's word
        parameters = {"db": self.outputs["DatabaseName"], "epoch": "ns", "q": query}
        url = f"http://{self.outputs['Endpoint']}/query?{urllib.parse.urlencode(parameters)}"
        request = urllib.request.Request(url, headers={"Authorization": f"Token {access['token']}"})
        with urllib.request.urlopen(request) as answer:  # noqa: S310 - loopback
            [result] = json.load(answer)["results"]
        points: list[list[Any]] = [point for series in result.get("series", []) for point in series["values"]]
        return points

    def dead_letters(self, source: str) -> list[dict[str, Any]]:
        """What a function gave up."""
        table = boto3.resource("dynamodb", endpoint_url=self.cloud.endpoint, region_name="us-east-1", **self._access)
        items = table.Table(self.outputs["DeadLettersTableName"]).scan()["Items"]
        return [item for item in items if item["Source"] == source]

    def rent(self, customer: str, body: dict[str, Any] | str, event: str) -> None:
        """Put an event on the queue of rentals."""
        self.cloud.client("sqs").send_message(
            QueueUrl=self.outputs["RentalEventsQueueUrl"],
            MessageBody=body if isinstance(body, str) else json.dumps(body),
            MessageGroupId=customer,
            MessageDeduplicationId=event,
        )

    def log(self, name: str) -> list[str]:
        """What a function printed."""
        logs = self.cloud.client("logs")
        groups = [group["logGroupName"] for group in logs.describe_log_groups()["logGroups"]]
        [found] = [group for group in groups if f"{name}Logs" in group]
        return [event["message"] for event in logs.filter_log_events(logGroupName=found)["events"]]

    def function(self, folder: str) -> str:
        """The physical name of a function."""
        functions = self.cloud.client("lambda").list_functions()["Functions"]
        return str(next(one["FunctionName"] for one in functions if folder in one["FunctionName"]))

    def tell(self, folder: str, **environment: str) -> dict[str, str]:
        """Change a function's environment; what it was before."""
        awslambda, name = self.cloud.client("lambda"), self.function(folder)
        before: dict[str, str] = awslambda.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
        awslambda.update_function_configuration(FunctionName=name, Environment={"Variables": {**before, **environment}})
        return before


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """A local cloud that tries again at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOCALCLOUD_RETRY_SECONDS", "0.2")
        with LocalCloud(tmp_path_factory.mktemp("cloud"), iam="enforce") as running:
            yield running


@pytest.fixture(scope="session")
def stack(cloud: LocalCloud) -> Stack:
    values = {"Code": "s3://code/code.zip", "Email": "me@example.com"}
    cloud.client("cloudformation").create_stack(
        StackName=STACK,
        TemplateURL=cloud.template_url(TEMPLATE.read_text()),
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()],
        Capabilities=["CAPABILITY_IAM"],
    )
    return Stack(cloud)


@pytest.fixture(scope="module")
def index(stack: Stack) -> Iterator[Stack]:
    """The stack, with an index of films whose vectors have three numbers."""
    vector = {
        "type": "knn_vector",
        "dimension": 3,
        "method": {"name": "hnsw", "engine": "lucene", "space_type": "cosinesimil"},
    }
    properties = {"MovieTitle": {"type": "text"}, "Year": {"type": "integer"}, "Embedding": vector}
    stack.search.indices.create(
        index="movies",
        body={"settings": {"index": {"knn": True}}, "mappings": {"dynamic": False, "properties": properties}},
    )
    yield stack
    stack.search.indices.delete(index="movies")


@pytest.fixture
def told(stack: Stack) -> Iterator[Callable[..., None]]:
    """Changes a function's environment for one test."""
    undo: list[tuple[str, dict[str, str]]] = []

    def tell(folder: str, **environment: str) -> None:
        undo.append((folder, stack.tell(folder, **environment)))

    yield tell
    for folder, before in reversed(undo):
        stack.tell(folder, **before)
