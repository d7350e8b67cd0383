"""Identity providers of OpenID Connect: created, listed, tagged and deleted, and what is refused."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localcloud import LocalCloud

THUMBPRINT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def iam(cloud: LocalCloud) -> Any:
    return cloud.client("iam")


@pytest.fixture
def url() -> str:
    return f"https://{uuid.uuid4().hex}.example.com"


@pytest.fixture
def arn(iam: Any, url: str) -> Iterator[str]:
    """A provider without a thumbprint, which nobody has to give."""
    provider = iam.create_open_id_connect_provider(Url=url, ClientIDList=["one"], Tags=[{"Key": "a", "Value": "b"}])
    arn = str(provider["OpenIDConnectProviderArn"])
    yield arn
    iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)  # also one that is gone


def refusal(operation: Any, **parameters: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as error:
        operation(**parameters)
    return error.value.response["Error"]["Code"], error.value.response["Error"]["Message"]


def listed(iam: Any) -> list[str]:
    return [provider["Arn"] for provider in iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]]


def test_a_provider_is_described_listed_and_deleted(iam: Any, url: str, arn: str) -> None:
    host = url.removeprefix("https://")
    assert arn == f"arn:aws:iam::123456789012:oidc-provider/{host}"
    provider = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    assert (provider["Url"], provider["ClientIDList"], provider["ThumbprintList"]) == (host, ["one"], [])
    assert provider["Tags"] == [{"Key": "a", "Value": "b"}]
    assert arn in listed(iam)
    iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    assert arn not in listed(iam)
    assert refusal(iam.get_open_id_connect_provider, OpenIDConnectProviderArn=arn)[0] == "NoSuchEntity"


def test_client_ids_thumbprints_and_tags_are_changed(iam: Any, arn: str) -> None:
    provider = {"OpenIDConnectProviderArn": arn}
    for client_id in ("two", "two"):
        iam.add_client_id_to_open_id_connect_provider(**provider, ClientID=client_id)
    for client_id in ("one", "one"):
        iam.remove_client_id_from_open_id_connect_provider(**provider, ClientID=client_id)
    iam.update_open_id_connect_provider_thumbprint(**provider, ThumbprintList=[THUMBPRINT])
    iam.tag_open_id_connect_provider(**provider, Tags=[{"Key": "c", "Value": "d"}])
    iam.untag_open_id_connect_provider(**provider, TagKeys=["a"])
    changed = iam.get_open_id_connect_provider(**provider)
    assert (changed["ClientIDList"], changed["ThumbprintList"]) == (["two"], [THUMBPRINT])
    assert iam.list_open_id_connect_provider_tags(**provider)["Tags"] == [{"Key": "c", "Value": "d"}]


def test_a_provider_that_exists_and_one_without_tls_are_refused(iam: Any, url: str, arn: str) -> None:
    create = iam.create_open_id_connect_provider
    assert refusal(create, Url=url) == ("EntityAlreadyExists", f"Provider with url {url} already exists.")
    for wrong in (url.replace("https", "http"), f"{url}:8443", f"{url}?a=b"):
        code, message = refusal(create, Url=wrong)
        assert (code, "without a port" in message) == ("ValidationError", True)
    assert refusal(create, Url=f"{url}/b", ThumbprintList=["g" * 40])[0] == "ValidationError"
    assert listed(iam).count(arn) == 1
    nobody = {"OpenIDConnectProviderArn": f"{arn}/b", "ClientID": "one"}
    assert refusal(iam.add_client_id_to_open_id_connect_provider, **nobody)[0] == "NoSuchEntity"


def test_a_provider_takes_a_hundred_client_ids(iam: Any, url: str) -> None:
    hundred = [str(number) for number in range(100)]
    made = iam.create_open_id_connect_provider(Url=url, ClientIDList=hundred)["OpenIDConnectProviderArn"]
    add = iam.add_client_id_to_open_id_connect_provider
    assert refusal(add, OpenIDConnectProviderArn=made, ClientID="100")[0] == "LimitExceeded"
    add(OpenIDConnectProviderArn=made, ClientID="99")
