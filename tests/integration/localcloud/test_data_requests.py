"""Requests for the data of Neptune and OpenSearch: they are signed, and judged by policies."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable, Iterator
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen
from uuid import uuid4

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from localcloud import LocalCloud
from tests.integration.localcloud.test_permissions import ACCOUNT, Json, allow, document, role

Ask = Callable[..., tuple[int, Any]]


@pytest.fixture(scope="module")
def domain(cloud: LocalCloud) -> Iterator[tuple[str, str]]:
    """The name of a domain whose policy lets one role read, and its address."""
    name = f"domain-{uuid4().hex[:8]}"
    statement = allow("es:ESHttpGet", on=f"arn:aws:es:us-east-1:{ACCOUNT}:domain/{name}/*")
    reader = role(cloud)
    principal = {"Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:role/{reader}"}}
    opensearch = cloud.client("opensearch")
    created = opensearch.create_domain(DomainName=name, AccessPolicies=document(statement | principal))
    yield reader, f"https://{created['DomainStatus']['Endpoint']}"
    opensearch.delete_domain(DomainName=name)


def variables(cloud: LocalCloud, name: str | None) -> dict[str, str]:
    return cloud.environment() | (cloud.role_credentials(name) if name else {})


@pytest.fixture
def ask(cloud: LocalCloud) -> Ask:
    """Send a request, signed by a role or by the administrator: status and answer."""

    def send(url: str, name: str | None = None, *, method: str = "GET", body: bytes = b"", sign: str = "es") -> Any:
        request = AWSRequest(method, url, data=body, headers={"Content-Type": "application/json"})
        if sign:
            held = variables(cloud, name)
            credentials = Credentials(
                held["AWS_ACCESS_KEY_ID"], held["AWS_SECRET_ACCESS_KEY"], held.get("AWS_SESSION_TOKEN")
            )
            SigV4Auth(credentials, sign, "us-east-1").add_auth(request)
        trusted = ssl.create_default_context(cafile=cloud.environment()["AWS_CA_BUNDLE"])
        plain = Request(url, body or None, dict(request.headers), method=method)  # noqa: S310 - the local cloud's own
        try:
            with urlopen(plain, context=trusted) as response:  # noqa: S310
                return response.status, json.load(response)
        except HTTPError as error:
            return error.code, json.load(error)

    return send


def test_a_domains_policy_lets_a_role_do_what_it_says(domain: tuple[str, str], ask: Ask) -> None:
    reader, url = domain
    assert ask(f"{url}/", reader)[0] == 200
    status, answer = ask(f"{url}/films/_doc/1", reader, method="PUT", body=b"{}")
    assert status == 403
    assert f"assumed-role/{reader}/" in answer["Message"]
    assert "is not authorized to perform: es:ESHttpPut" in answer["Message"]
    assert "because no identity-based policy allows the es:ESHttpPut action" in answer["Message"]


def test_a_roles_own_policy_reaches_a_domain_as_far_as_its_paths(
    cloud: LocalCloud, domain: tuple[str, str], ask: Ask
) -> None:
    _, url = domain
    [found] = cloud.client("opensearch").list_domain_names()["DomainNames"]
    index = f"arn:aws:es:us-east-1:{ACCOUNT}:domain/{found['DomainName']}/films/*"
    writer = role(cloud, allow("es:ESHttpPut", on=index))
    assert ask(f"{url}/films/_doc/1", writer, method="PUT", body=b"{}")[0] == 201
    assert ask(f"{url}/others/_doc/1", writer, method="PUT", body=b"{}")[0] == 403
    assert ask(f"{url}/films/_doc/1", writer)[0] == 403


def test_the_administrator_may_do_everything_and_nobody_without_a_name(domain: tuple[str, str], ask: Ask) -> None:
    _, url = domain
    assert ask(f"{url}/", method="GET")[0] == 200
    status, answer = ask(f"{url}/", sign="")
    assert (status, answer["Message"].partition(" is not")[0]) == (403, "User: anonymous")
    status, answer = ask(f"{url}/", sign="s3")
    assert (status, answer["Message"]) == (403, "Credential should be scoped to correct service: 'es'.")


def test_a_signature_holds_for_the_content_that_was_signed(cloud: LocalCloud, domain: tuple[str, str]) -> None:
    held, url = cloud.environment(), f"{domain[1]}/films/_search"
    request = AWSRequest("POST", url, data=b"{}", headers={"Content-Type": "application/json"})
    credentials = Credentials(held["AWS_ACCESS_KEY_ID"], held["AWS_SECRET_ACCESS_KEY"])
    SigV4Auth(credentials, "es", "us-east-1").add_auth(request)
    trusted = ssl.create_default_context(cafile=held["AWS_CA_BUNDLE"])
    changed = Request(url, b'{"size": 1}', dict(request.headers), method="POST")  # noqa: S310 - the local cloud's own
    with pytest.raises(HTTPError) as caught:
        urlopen(changed, context=trusted)  # noqa: S310
    assert caught.value.code == 403
    assert "signature" in json.load(caught.value)["Message"]


@pytest.fixture(scope="module")
def graph(cloud: LocalCloud) -> Iterator[Json]:
    """A cluster that asks IAM, as it is described."""
    rds, name = cloud.client("rds"), f"graph-{uuid4().hex[:8]}"
    yield rds.create_db_cluster(
        DBClusterIdentifier=name, Engine="neptune", EnableIAMDatabaseAuthentication=True, MasterUsername="nobody"
    )["DBCluster"]
    rds.delete_db_cluster(DBClusterIdentifier=name, SkipFinalSnapshot=True)


def data(cloud: LocalCloud, graph: Json, name: str | None) -> Any:
    """A client of the cluster's data that signs as a role, or as the administrator."""
    held = variables(cloud, name)
    return boto3.session.Session(
        held["AWS_ACCESS_KEY_ID"],
        held["AWS_SECRET_ACCESS_KEY"],
        held.get("AWS_SESSION_TOKEN"),
        region_name="us-east-1",
    ).client(
        "neptunedata",
        endpoint_url=f"https://localhost:{graph['Port']}",
        verify=held["AWS_CA_BUNDLE"],
    )


def test_a_query_needs_what_its_clauses_do(cloud: LocalCloud, graph: Json) -> None:
    resource = f"arn:aws:neptune-db:us-east-1:{ACCOUNT}:{graph['DbClusterResourceId']}/*"
    reader = data(cloud, graph, role(cloud, allow("neptune-db:ReadDataViaQuery", on=resource)))
    writer = data(cloud, graph, role(cloud, allow("neptune-db:WriteDataViaQuery", on=resource)))
    create, match = "CREATE (:Film {id: '1'})", "MATCH (f:Film) RETURN f.id AS id"
    writer.execute_open_cypher_query(openCypherQuery=create)
    assert reader.execute_open_cypher_query(openCypherQuery=match)["results"] == [{"id": "1"}]
    administrator = data(cloud, graph, None)
    for client, query, action in (
        (reader, create, "WriteDataViaQuery"),
        (writer, match, "ReadDataViaQuery"),
        (reader, "MATCH (f:Film) DETACH DELETE f", "DeleteDataViaQuery"),
    ):
        with pytest.raises(ClientError) as caught:
            client.execute_open_cypher_query(openCypherQuery=query)
        assert caught.value.response["Error"]["Code"] == "AccessDeniedException"
        assert f"is not authorized to perform: neptune-db:{action} on resource: " in str(caught.value)
        administrator.execute_open_cypher_query(openCypherQuery=query)


def test_a_cluster_that_asks_iam_takes_no_unsigned_query(graph: Json, ask: Ask) -> None:
    url = f"https://localhost:{graph['Port']}/status"
    status, answer = ask(url, sign="")
    assert (status, answer["detailedMessage"]) == (403, "Missing Authentication Token")
    assert ask(url, sign="neptune-db")[0] == 200
